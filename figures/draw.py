"""Draw the figures that the README shows: ``make figures``."""

from pathlib import Path

import skullmask_lib as sm
from skullmask_lib import plots

SLICE = 2


def journey() -> plots.Picture:
    """Show what every version of the journey misses and where it reaches too far."""
    data = sm.load("phantom")
    image, truth = data.images[SLICE], data.truth[SLICE]
    fig, axes = plots.figure(4, 2, width=11.5, height=7.2)
    plots.outline(plots.show(axes[0], image, "the slice and its true skull mask"), truth)
    for axis, (version, make) in zip(axes[1:], list(sm.VERSIONS.items())[:7], strict=True):
        mask = make(image)
        plots.compare(axis, image, mask, truth, f"{version}: IoU {sm.iou(mask, truth):.2f}")
    plots.zoom(axes, image)
    plots.key(fig)
    return plots.picture(
        fig, "One phantom slice, its true skull mask, and the masks of v1 to v7 compared with it."
    )


if __name__ == "__main__":
    Path(__file__).with_name("journey.png").write_bytes(journey().png)
