"""A figure from its start to its picture: Axes to draw on, the key of its colours, its pixels."""

import base64
import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from ..texts import plain
from .style import COLOURS, STYLE, in_look

# Height of the strip for the key, below the panels of a figure
KEY_DOTS = 30


@dataclass(frozen=True, eq=False)
class Picture:
    """A finished figure: what notebooks show, explorers redraw and reports embed.

    A `Picture` is equal to itself alone, so that it can be compared and collected.

    Attributes
    ----------
    pixels : ndarray of shape (H, W, 3), uint8
    alt : str
        What it shows, for those who cannot see it. Also its text in a notebook, which tests
        compare.
    mask : ndarray of shape (H, W), uint8 of {0, 1}, or None
        The skull mask it shows, where it shows one.
    call : str
        Python that makes ``mask`` from ``image``, with this library as ``sm``.
    """

    pixels: np.ndarray
    alt: str
    mask: np.ndarray | None = None
    call: str = ""

    @property
    def png(self) -> bytes:
        """The picture as PNG in 256 colours, which keeps stored notebooks small."""
        five_bits = self.pixels & 0b11111000
        colours = Image.fromarray(five_bits | five_bits >> 5)
        few = colours.quantize(
            256,
            method=Image.Quantize.MAXCOVERAGE,
            kmeans=1,
            dither=Image.Dither.NONE,
        )
        stream = io.BytesIO()
        few.save(stream, "PNG")
        return stream.getvalue()

    @property
    def jpeg(self) -> bytes:
        """The picture as JPEG, for a moving slider: it takes 2 ms, a PNG 10 or more."""
        blue_green_red = self.pixels[..., ::-1]
        settings = [
            cv2.IMWRITE_JPEG_QUALITY,
            95,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ]
        _, encoded = cv2.imencode(".jpg", blue_green_red, settings)
        return encoded.tobytes()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data = {"image/png": base64.b64encode(self.png).decode(), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt}}


@in_look
def figure(
    columns: int = 1,
    rows: int = 1,
    *,
    width: float = 11.0,
    height: float = 4.2,
) -> tuple[Figure, np.ndarray]:
    """Start a figure in the project's style, without pyplot and its global state.

    Parameters
    ----------
    columns, rows : int
    width, height : float
        In inches; 80 dots each.

    Returns
    -------
    figure : Figure
    axes : ndarray of shape (rows * columns,) of Axes

    Examples
    --------
    >>> fig, axes = figure(3)
    >>> len(axes)
    3
    """
    fig = Figure(figsize=(width, height))
    FigureCanvasAgg(fig)
    return fig, fig.subplots(rows, columns, squeeze=False).ravel()


@in_look
def picture(
    fig: Figure,
    alt: str,
    *,
    mask: np.ndarray | None = None,
    call: str = "",
) -> Picture:
    """Render a figure.

    Parameters
    ----------
    fig : Figure
    alt : str
        What it shows, in words and numbers; made `texts.plain`, for it may hold names of files.
    mask, call
        See `Picture`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> picture(figure()[0], "an empty pair of axes")._repr_mimebundle_()[0]["text/plain"]
    'an empty pair of axes'
    """
    canvas = fig.canvas
    if not isinstance(canvas, FigureCanvasAgg):
        canvas = FigureCanvasAgg(fig)
    with ignored_glyphs():
        canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    return Picture(pixels.copy(), plain(alt), mask, call)


@contextlib.contextmanager
def ignored_glyphs() -> Iterator[None]:
    """Draw names in scripts that the font lacks without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        yield


@in_look
def key(
    fig: Figure,
    kinds: Sequence[str] = ("over-reach", "miss", "truth"),
) -> None:
    """Explain the colours once, below a figure.

    Parameters
    ----------
    fig : Figure
    kinds : sequence of str
        Keys of `COLOURS`.

    Examples
    --------
    >>> key(figure()[0])
    """
    if fig.get_layout_engine():
        _legend(fig, kinds)
    else:
        strip = _key_pixels(tuple(kinds))
        width_dots, _ = size_dots(fig)
        left = (width_dots - strip.shape[1]) // 2
        fig.figimage(strip, left, 0, origin="upper")


def _legend(fig: Figure, kinds: Sequence[str]) -> None:
    patches = [Patch(color=COLOURS[kind], label=kind) for kind in kinds]
    fig.legend(
        handles=patches,
        loc="outside lower center",
        ncols=len(patches),
        frameon=False,
        fontsize=11,
    )


@lru_cache
@in_look
def _key_pixels(kinds: tuple[str, ...]) -> np.ndarray:
    """Draw a key once; it takes longer than the rest of a figure of `panels`."""
    fig, (axes,) = figure(width=2.2 * len(kinds), height=KEY_DOTS / STYLE["figure.dpi"])
    axes.remove()
    _legend(fig, kinds)
    return picture(fig, "").pixels


def size_dots(fig: Figure) -> np.ndarray:
    """Return width and height of a figure [dots]."""
    return fig.dpi * fig.get_size_inches()
