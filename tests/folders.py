"""What lies in a folder, to see in tests that nothing was changed."""

from pathlib import Path


def contents_of(folder):
    """Read everything in a folder, by path; a folder in it is None."""
    contents = {}
    for path in sorted(Path(folder).rglob("*")):
        contents[path] = path.read_bytes() if path.is_file() else None
    return contents
