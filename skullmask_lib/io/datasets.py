"""The door of this room: what other rooms call to read slices and to write masks.

Names are only passed on here. Slices are read in `loading`, masks are written in `writing`.
Nothing from a file is ever executed: arrays are read with ``allow_pickle=False``. An input that
cannot be used raises `InputError` with one line that names the file.
"""

from .data import Data, Origin
from .loading import NONE_KNOWN, load
from .planes import check_headers
from .reading import binary
from .sources import PHANTOMS, SUFFIXES, files_in, is_name
from .writing import masks_name, write_masks, write_straight

__all__ = [
    "NONE_KNOWN",
    "PHANTOMS",
    "SUFFIXES",
    "Data",
    "Origin",
    "binary",
    "check_headers",
    "files_in",
    "is_name",
    "load",
    "masks_name",
    "write_masks",
    "write_straight",
]
