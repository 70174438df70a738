"""Train and use networks from the command line: ``python -m skullmask_lib.deep``."""

from ..cli import main, networks

main.main(networks.app, networks.PROGRAM)
