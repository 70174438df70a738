"""How far to trust the brain of a volume, without any truth: a verdict on the whole, and by level.

`stripping` looks at the slices and finds the mask; here both are judged. Nothing here changes a
mask.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from .. import polar

# A slice shows a head from this area on.
LEAST_HEAD_MM2 = 3000.0
# Height of the part below the crown that should show a skull,
UPPER_MM = 90.0
# and the share of its slices that must show one clearly.
SKULL_SHARE = 0.3
# No human skull has a larger section.
LARGEST_SKULL_MM2 = 33_000.0
# Few adults have a smaller brain.
LEAST_BRAIN_ML = 900.0

# Bone and fluid lie this far below the outer surface of the skull.
_SHELL_MM = 16.0
# As multiples of the brain's brightest value: on MR they may be as bright as the first, and are
# never as bright as the second.
_BRIGHT_SHELL = (1.05, 1.25)
# As shares of its largest section: a whole brain may end with a section as large as the first, and
# never with one as large as the second.
_BLUNT_SHARE = (0.4, 0.8)
# The shell is averaged along the rays over this length.
_SMOOTHING_MM = 1.5
# The brightest value in the brain, without outliers.
_BRIGHTEST_PERCENTILE = 99


class Finding(NamedTuple):
    """What is seen of a head in one slice.

    Attributes
    ----------
    quality : float
        How far to trust the outline of the skull, 0 … 1.
    head_mm2, skull_mm2 : float
        Areas inside the skin, and inside the outer surface of the skull [mm²].
    shell : float
        Brightness of the brightest layer of bone or fluid, as a multiple of the brain's brightest
        tissue.
    """

    quality: float
    head_mm2: float
    skull_mm2: float
    shell: float


# In a slice without a head
NOTHING = Finding(quality=0.0, head_mm2=0.0, skull_mm2=0.0, shell=1.0)


class Verdict(NamedTuple):
    """How far to trust the mask of a brain.

    Attributes
    ----------
    quality : float
        0 … 1, of the whole. Look at the mask if it is below `polar.TRUSTED`.
    level_quality : ndarray of shape (Z,), float64
        0 … 1, of each axial level, from the lowest up; 0 where there is no brain.
    is_brain : ndarray of shape (Z,), bool
        The levels that hold brain.
    brain_ml : float
        Volume of the mask [mL].
    doubts : tuple of str
        Why the quality is not higher.
    """

    quality: float
    level_quality: np.ndarray
    is_brain: np.ndarray
    brain_ml: float
    doubts: tuple[str, ...]

    def doubtful_levels(self) -> str:
        """Name the levels with brain that should be looked at.

        Returns
        -------
        str
            Spans ``first:last``, last included, counted from 0 at the bottom.

        Examples
        --------
        >>> quality = np.array([0.0, 0.1, 0.2, 0.8, 0.8, 0.3])
        >>> Verdict(0.6, quality, quality > 0, 1400.0, ()).doubtful_levels()
        '1:2, 5'
        """
        doubtful = np.flatnonzero(self.is_brain & (self.level_quality < polar.TRUSTED))
        if not doubtful.size:
            return ""
        runs = np.split(doubtful, np.flatnonzero(np.diff(doubtful) > 1) + 1)
        spans = []
        for run in runs:
            first, last = int(run[0]), int(run[-1])
            spans.append(f"{first}:{last}" if last > first else str(first))
        return ", ".join(spans)


def brightest_shell(
    unwrapped: polar.Unwrapped,
    depth: np.ndarray,
    deep_values: np.ndarray,
) -> float:
    """Measure how bright bone and fluid are below the outline of a skull.

    Parameters
    ----------
    unwrapped : Unwrapped
    depth : ndarray of shape (ANGLES,)
        Of the outline below the skin [steps].
    deep_values : ndarray of shape (N,)
        Values of what is surely brain; air is 0.

    Returns
    -------
    float
        See `Finding.shell`.

    Examples
    --------
    >>> disc = np.hypot(*np.mgrid[-60:60, -60:60]) < 50  # has no skull
    >>> unwrapped = polar.unwrap(disc, (1.0, 1.0))
    >>> brightest_shell(unwrapped, np.full(polar.ANGLES, 20.0), np.ones(9))
    1.0
    """
    steps = np.arange(round(_SHELL_MM / polar.STEP_MM))
    last = unwrapped.brightness.shape[1] - 1
    places = np.clip(np.rint(depth)[:, None] + steps, 0, last).astype(int)
    below = np.take_along_axis(unwrapped.brightness, places, axis=1)
    smooth = ndimage.uniform_filter1d(below, round(_SMOOTHING_MM / polar.STEP_MM), axis=1)
    return float(np.median(smooth.max(axis=1)) / _brightest(deep_values))


def _brightest(values: np.ndarray) -> float:
    """Compare the brightest values with the median, as brightness, the square root of values."""
    middle = float(np.median(values)) if values.size else 0.0
    if middle <= 0:
        return 1.0
    return float(np.sqrt(np.percentile(values, _BRIGHTEST_PERCENTILE) / middle))


def clarity(upper: Sequence[Finding]) -> float:
    """Rate how clear the skull is.

    Parameters
    ----------
    upper : sequence of Finding
        As from `above_orbits`.

    Returns
    -------
    float
        The quality, 0 … 1, that `SKULL_SHARE` of the slices reach.

    Examples
    --------
    >>> clarity([NOTHING._replace(quality=quality) for quality in (0.0, 0.0, 0.6, 0.8)])
    0.6
    """
    if not upper:
        return 0.0
    qualities = sorted(finding.quality for finding in upper)
    reaching = math.ceil(SKULL_SHARE * len(qualities))
    return qualities[-reaching]


def above_orbits(findings: Sequence[Finding], step_mm: float) -> Sequence[Finding]:
    """Take the slices from the crown down to the orbits.

    Parameters
    ----------
    findings : sequence of Finding
        From the top down.
    step_mm : float
        From one to the next.

    Returns
    -------
    sequence of Finding
        Empty if there is no head.

    Examples
    --------
    >>> crown = NOTHING._replace(head_mm2=9000.0)
    >>> len(above_orbits([NOTHING, crown, crown], 4.0))
    2
    """
    for crown, finding in enumerate(findings):
        if finding.head_mm2 >= LEAST_HEAD_MM2:
            return findings[crown : crown + _count_above_orbits(step_mm)]
    return []


def is_below_orbits(findings: Sequence[Finding], step_mm: float) -> bool:
    """Tell whether the next slice lies below the orbits, `UPPER_MM` below the crown.

    Parameters
    ----------
    findings : sequence of Finding
        Of the slices above it, from the top down.
    step_mm : float
        From one to the next.

    Returns
    -------
    bool
        False if no head was seen yet.

    Examples
    --------
    >>> crown = NOTHING._replace(head_mm2=9000.0)
    >>> is_below_orbits([NOTHING, crown], 30.0), is_below_orbits([crown] * 3, 30.0)
    (False, True)
    """
    return len(above_orbits(findings, step_mm)) == _count_above_orbits(step_mm)


def _count_above_orbits(step_mm: float) -> int:
    """Count the slices from the crown of a head down to its orbits."""
    return math.ceil(UPPER_MM / step_mm)


def judge(
    mask: np.ndarray,
    voxel_mm3: float,
    findings: Sequence[Finding],
    step_mm: float,
    of_levels: np.ndarray,
) -> Verdict:
    """Judge the mask of a brain.

    Five things speak for it, and the quality is their product: the skull is clear from the crown
    down to the orbits; it does not outshine the brain, as bone does on CT; it is no larger than any
    human's; the brain is no smaller than an adult's; and it is whole, so that it ends on no side
    with a large section.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z), {0, 1}
        In RAS order.
    voxel_mm3 : float
    findings : sequence of Finding
        Of every few slices, from the top down.
    step_mm : float
        From one of them to the next.
    of_levels : ndarray of shape (Z,), int
        Which of the findings stands for a level, from the lowest level up; their number stands
        for none.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> places = np.indices((20, 20, 20)) - 9.5
    >>> ball = np.linalg.norm(places, axis=0) < 8
    >>> finding = Finding(quality=0.8, head_mm2=3e4, skull_mm2=2e4, shell=1.0)
    >>> findings, of_levels = [finding] * 20, np.arange(20)
    >>> judge(ball, 1000.0, findings, 8.0, of_levels).quality
    0.8
    >>> judge(ball[:10], 1000.0, findings, 8.0, of_levels).doubts
    ('a side of the brain is cut off',)
    """
    is_brain = np.asarray(mask.any(axis=(0, 1)))
    if not is_brain.any():
        nothing = np.zeros(len(is_brain))
        return Verdict(0.0, nothing, is_brain, 0.0, ("the mask is empty",))
    upper = above_orbits(findings, step_mm)
    clear = clarity(upper)
    brain_ml = float(mask.sum(dtype=int) * voxel_mm3 / 1000)
    everywhere = _rate(upper)
    everywhere["a side of the brain is cut off"] = _wholeness(mask, (0, 1))
    of_whole = {
        "the top or the bottom of the brain is cut off": _wholeness(mask, (2,)),
        "the brain is smaller than an adult's": min(brain_ml / LEAST_BRAIN_ML, 1.0),
    }
    shared = math.prod(everywhere.values())
    areas_mm2 = [round(finding.skull_mm2) for finding in findings]
    alone = [finding.quality for finding in findings]
    qualities = np.append(shared * polar.volume_qualities(areas_mm2, alone), 0.0)
    ratings = everywhere | of_whole
    ratings["few slices show a skull clearly"] = min(clear / polar.TRUSTED, 1.0)
    return Verdict(
        quality=clear * shared * math.prod(of_whole.values()),
        level_quality=np.where(is_brain, qualities[of_levels], 0.0),
        is_brain=is_brain,
        brain_ml=brain_ml,
        doubts=tuple(doubt for doubt, rating in ratings.items() if rating < 1),
    )


def _rate(upper: Sequence[Finding]) -> dict[str, float]:
    """Rate what is seen above the orbits: doubt to rating, 0 … 1."""
    seen = upper or [NOTHING]
    shell = float(np.median([finding.shell for finding in seen]))
    skull_mm2 = float(np.median([finding.skull_mm2 for finding in seen]))
    return {
        "bone is brighter than the brain, as on CT": _fall(shell, _BRIGHT_SHELL),
        "it is too large for a head": float(skull_mm2 <= LARGEST_SKULL_MM2),
    }


def _fall(value: float, limits: tuple[float, float]) -> float:
    """Rate a value: 1 up to the first limit, then falling to 0 at the second."""
    best, worst = limits
    return float(np.clip((worst - value) / (worst - best), 0, 1))


def _wholeness(mask: np.ndarray, axes: Iterable[int]) -> float:
    """Rate how far a brain ends along some axes as a whole one does, with small sections."""
    blunt_shares = []
    for axis in axes:
        others = tuple(other for other in range(3) if other != axis)
        sections = mask.sum(axis=others, dtype=int)
        occupied = np.flatnonzero(sections)
        ends = sections[occupied[[0, -1]]]
        blunt_shares.append(ends.max() / sections.max())
    return _fall(max(blunt_shares), _BLUNT_SHARE)
