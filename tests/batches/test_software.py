"""Which software makes the masks: the list of modules is whole, and none of it is stale."""

import hashlib
from pathlib import Path

import grimp
import pytest

import skullmask_lib
from skullmask_lib.batches import software

LIBRARY = Path(skullmask_lib.__file__).parent
WORKER = "skullmask_lib.batches.chunks"
CANNOT_CHANGE_A_MASK = {
    "batches/ownership.py": "says whose files lie where masks go",
    "batches/pools.py": "says where chunks are worked on, and what is done if a worker dies",
    "batches/records.py": "checks the journal before it is used",
    "batches/software.py": "says which software this is",
    "phantom.py": "makes images; a batch reads its own from files",
    "project.py": "finds the folders of the project",
    "texts.py": "words messages and remarks",
}


def file_of(module):
    """Return the file of a module, relative to the library."""
    parts = module.split(".")[1:]
    folder = LIBRARY.joinpath(*parts)
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    return file.relative_to(LIBRARY).as_posix()


def files_of_a_worker():
    """Return the files of ours that a worker imports, directly or through others."""
    graph = grimp.build_graph("skullmask_lib", exclude_type_checking_imports=True, cache_dir=None)
    modules = {WORKER} | graph.find_upstream_modules(WORKER)
    return {file_of(module) for module in modules}


def test_all_that_a_worker_imports_counts_or_cannot_change_a_mask():
    counted = {file.relative_to(LIBRARY).as_posix() for file in software._computing_files()}
    assert counted & set(CANNOT_CHANGE_A_MASK) == set()
    assert files_of_a_worker() - counted == set(CANNOT_CHANGE_A_MASK)


def test_a_module_that_is_gone_is_missed(monkeypatch):
    monkeypatch.setattr(software, "_COMPUTING", (*software._COMPUTING, "batches/moved.py"))
    with pytest.raises(RuntimeError, match="moved"):
        software.in_use.__wrapped__()


SAMPLE = '''
@cache
def f(x: int, *rest, y=1, **options) -> str:
    """Doc."""
    with open(x) as file:
        return f"{x!r:>8} {file}" if y else [z for z in rest if not z]


class A(B):
    n: int = 2
'''


def test_the_code_has_one_hash_on_every_python():
    statements = software._statements(SAMPLE)
    assert hashlib.sha256(statements.encode()).hexdigest()[:12] == "c65f0a71280f"


def test_a_comment_changes_nothing_and_a_statement_does():
    assert software._statements("x = 1  # one") == software._statements('"""Doc."""\nx = 1')
    assert software._statements("x = 1") != software._statements("x = 2")
