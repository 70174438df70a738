"""Skull masks for MRI slices without deep learning: the journey v1 … v7 and v8 beyond it, measured."""

from importlib.metadata import version as _version
from typing import TYPE_CHECKING

from .batch import batch
from .cohorts import lgg_index, nfbs_index
from .datasets import Data, load
from .masks import InputError, InputWarning
from .metrics import area_error, assd_mm, dice, hausdorff_mm, hd95_mm, iou, score, score_slices
from .polar import quality
from .registry import published
from .stripping import strip
from .sweep import bootstrap, ladder, leave_one_out, sweep
from .versions import VERSIONS, create_skull_mask, mask_slices, trace
from .volumes import generate_brain_mask

if TYPE_CHECKING:  # for editors and type checkers
    from .versions import v1 as v1
    from .versions import v2 as v2
    from .versions import v3 as v3
    from .versions import v4 as v4
    from .versions import v5 as v5
    from .versions import v6 as v6
    from .versions import v7 as v7
    from .versions import v8 as v8

__version__ = _version("skullmask")
globals().update(VERSIONS)  # v1, v2, …: versions.py has the only list of them

__all__ = [
    "VERSIONS", "Data", "InputError", "InputWarning", "area_error", "assd_mm", "batch", "bootstrap",
    "create_skull_mask", "dice", "generate_brain_mask", "hausdorff_mm", "hd95_mm", "iou", "ladder", "leave_one_out",
    "lgg_index", "load", "mask_slices", "nfbs_index", "published", "quality", "score", "score_slices", "strip", "sweep",
    "trace", *VERSIONS,
]  # fmt: skip
