"""Skull masks for MRI slices: the article's versions v1 … v7, and our v8 and v9.

Names are loaded when they are first used; ``__init__.pyi`` lists them and says where each lives.
``CONTRIBUTING.md`` has a map of all modules.
"""

import importlib
import re

import lazy_loader

_MODULES = {"masks", "metrics", "polar", "versions"}  # a star import must not bind such names

_listed, _, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = sorted({*_names} - _MODULES)


def __dir__() -> list[str]:
    return [*_names, "__version__"]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib import metadata  # takes longer to import than all else here

        return metadata.version("skullmask")
    if re.fullmatch(r"v\d+", name):  # versions.py has the only list of them
        versions = importlib.import_module(".versions", __name__).VERSIONS
        if name in versions:
            return versions[name]
    return _listed(name)
