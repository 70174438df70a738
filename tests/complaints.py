"""Assert what an error is about: the place it names and the values, not its sentence."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from skullmask_lib.errors import InputError


@contextlib.contextmanager
def refused(where: str | None, naming: Sequence[str] = ()) -> Iterator[pytest.ExceptionInfo]:
    """Expect an `InputError` about a place that names some values.

    ``where`` is the place as the error has it, or the name of the file or slice alone.
    """
    with pytest.raises(InputError) as error:
        yield error
    place = error.value.where
    assert where in (place, place and Path(place).name)
    for value in naming:
        assert value in error.value.message
