"""Build the site: ``make site``.

Its sources come from `sources`, its settings from ``docs/conf.py``. Every warning is an error.
"""

import sys
import tempfile
from pathlib import Path

from publish import doors, sources
from skullmask_lib.io import outputs

HOUSE = Path(__file__).resolve().parents[1]


def build(folder: Path, repository: str) -> None:
    """Build the site.

    Parameters
    ----------
    folder : Path
        Replaced as a whole if all goes well.
    repository : str
        ``owner/name`` on GitHub, or empty.

    Raises
    ------
    SystemExit
        After a warning or an error, which Sphinx has printed.
    """
    from sphinx.cmd import build as sphinx  # comes with the extra "site"

    with (
        tempfile.TemporaryDirectory(prefix="skullmask-site-") as temporary,
        outputs.replacing(folder, over=True) as incomplete,
    ):
        pages, parsed = Path(temporary, "pages"), Path(temporary, "parsed")
        sources.write(pages, repository)
        options = ("-q", "-W", "--keep-going", "-c", HOUSE / "docs", "-d", parsed)
        code = sphinx.build_main([str(part) for part in (*options, pages, incomplete)])
        if code:
            sys.exit(code)


if __name__ == "__main__":
    site = HOUSE / "build" / "site"
    site.parent.mkdir(exist_ok=True)
    build(site, doors.repository())
    print(f"open {site.relative_to(HOUSE) / 'index.html'} in a browser")
