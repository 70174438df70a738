"""Train and use networks from the command line: ``python -m skullmask_lib.deep``."""

from ..cli import main, networks
from . import PROGRAM

main.main(networks.app, PROGRAM)
