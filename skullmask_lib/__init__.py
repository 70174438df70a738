"""Skull masks for MRI slices without deep learning: the journey v1 … v7 and v8 beyond it, measured."""

from importlib.metadata import version as _version

from .datasets import Data, load
from .masks import InputError
from .metrics import area_error, assd_mm, dice, hausdorff_mm, hd95_mm, iou, score, score_slices
from .polar import quality
from .registry import published
from .sweep import bootstrap, ladder, leave_one_out, sweep
from .versions import VERSIONS, create_skull_mask, mask_slices, trace, v1, v2, v3, v4, v5, v6, v7, v8

__version__ = _version("skullmask")

__all__ = [
    "VERSIONS", "Data", "InputError", "area_error", "assd_mm", "bootstrap", "create_skull_mask",
    "dice", "hausdorff_mm", "hd95_mm", "iou", "ladder", "leave_one_out", "load", "mask_slices", "published",
    "quality", "score", "score_slices", "sweep", "trace", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8",
]  # fmt: skip
