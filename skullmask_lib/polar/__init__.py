"""v8's primitives: the head unwrapped around its centre, and two nested closed paths in it.

`boundary` puts the stages of v8 together; nothing here reads files or draws. Code outside this
folder uses the names below. In the order of the stages, they live in:

- `grid` and `anatomy`: steps, angles and sampling; the measures of a head that v8 expects.
- `intensity`: the range of an image, and whether it shows anything.
- `heads`: air and tissue, and more heads than one.
- `unwrapping`: the head as rays from the skin inwards, and back to the image.
- `costs` and `paths`: what each place costs as an edge of the skull, and the cheapest way round.
- `outlines`: from a path to a mask.
- `rating` and `neighbours`: how far to trust a slice by itself, and beside the others.

A module imports only those listed before it. The folder may import `borders`, `masks` and `errors`.
Primitives of a later version get a module beside this folder, and a place among the layers in
pyproject.toml.
"""

from .anatomy import MAX_SKULL_DEPTH_MM, MIN_HEAD_MM2, MIN_SCALP_MM, SKULL_THICKNESS_MM
from .costs import inner_edge_cost, surface_cost, unlikely_cost
from .grid import ANGLES, STEP_MM, Places
from .heads import find_head, may_have_rivals
from .intensity import contrast
from .neighbours import is_odd, neighbour_cost, volume_qualities
from .outlines import fill_outline, half_maximum, leaps, outline, without_air
from .paths import merge_rays, nested_paths, spread_path
from .rating import TRUSTED, mask_quality, outline_quality, quality
from .unwrapping import (
    MAX_FIELD_MM,
    RADIUS_MM,
    Unwrapped,
    along_rays,
    brightness_on_grid,
    unwrap,
    warn_of_rivals,
    with_inside,
)

__all__ = [
    "ANGLES",
    "MAX_FIELD_MM",
    "MAX_SKULL_DEPTH_MM",
    "MIN_HEAD_MM2",
    "MIN_SCALP_MM",
    "RADIUS_MM",
    "SKULL_THICKNESS_MM",
    "STEP_MM",
    "TRUSTED",
    "Places",
    "Unwrapped",
    "along_rays",
    "brightness_on_grid",
    "contrast",
    "fill_outline",
    "find_head",
    "half_maximum",
    "inner_edge_cost",
    "is_odd",
    "leaps",
    "mask_quality",
    "may_have_rivals",
    "merge_rays",
    "neighbour_cost",
    "nested_paths",
    "outline",
    "outline_quality",
    "quality",
    "spread_path",
    "surface_cost",
    "unlikely_cost",
    "unwrap",
    "volume_qualities",
    "warn_of_rivals",
    "with_inside",
    "without_air",
]
