"""The figures of single lessons, a module for each group of lessons.

A figure that more than one group of lessons or a slider needs belongs in `plots` or `views`.
"""

from .audit import choice_picture, losses_picture, score_bars
from .batches import files_picture, memory_picture, rate_plot, size_plot, throughput_picture
from .boundary import (
    ray_picture,
    sets_picture,
    stored_picture,
    trust_picture,
)
from .contrast import (
    change_picture,
    contrast_picture,
    crop_picture,
    tone_picture,
    veiled,
)
from .dilation import (
    coloured_outline,
    cut_out,
    elements_picture,
    error_bars,
    published_sweep_picture,
    reach_picture,
)
from .networks import curves_picture, gallery_picture
from .planes import errors_in_planes, fields_in_planes, masks_in_planes, missed_picture
from .raters import agreement_picture
from .start import otsu_picture, places_picture, threshold_picture
from .thresholds import (
    OptionCurve,
    band_picture,
    comparison_picture,
    grid_picture,
    levels_picture,
    option_picture,
)
from .tumours import seeds_picture, training_picture

__all__ = [
    "OptionCurve",
    "agreement_picture",
    "band_picture",
    "change_picture",
    "choice_picture",
    "coloured_outline",
    "comparison_picture",
    "contrast_picture",
    "crop_picture",
    "curves_picture",
    "cut_out",
    "elements_picture",
    "error_bars",
    "errors_in_planes",
    "fields_in_planes",
    "files_picture",
    "gallery_picture",
    "grid_picture",
    "levels_picture",
    "losses_picture",
    "masks_in_planes",
    "memory_picture",
    "missed_picture",
    "option_picture",
    "otsu_picture",
    "places_picture",
    "published_sweep_picture",
    "rate_plot",
    "ray_picture",
    "reach_picture",
    "score_bars",
    "seeds_picture",
    "sets_picture",
    "size_plot",
    "stored_picture",
    "threshold_picture",
    "throughput_picture",
    "tone_picture",
    "training_picture",
    "trust_picture",
    "veiled",
]
