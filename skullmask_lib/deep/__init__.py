"""Networks: what they are, how they are trained, and what they say of a slice or a volume.

Everything that needs torch lives here, and no other part of the library imports torch. Importing
this package does not either: its modules are loaded when they are first used. `learned`, which runs
the network that comes with the library, needs none of this.
"""

import importlib
from types import ModuleType

from .. import errors

PROGRAM = f"python -m {__name__}"  # as help texts call its command line
_NEED_TORCH = {"checkpoints", "export", "losses", "networks", "prediction", "training"}
_OTHERS = {
    "brains",
    "data",
    "heads",
    "random_brains",
    "randomise",
    "training_sets",
    "tumours",
}


def __dir__() -> list[str]:
    return sorted(_NEED_TORCH | _OTHERS)


def __getattr__(name: str) -> ModuleType:
    if name not in _NEED_TORCH | _OTHERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _NEED_TORCH:
        errors.extra("torch", f"{__name__}.{name}", "deep")
    return importlib.import_module(f".{name}", __name__)
