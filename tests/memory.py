"""A bound on memory for the tests."""

import contextlib
import tracemalloc


@contextlib.contextmanager
def takes_less_than(nbytes):
    """See that Python and NumPy never take as many bytes at once."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < nbytes
