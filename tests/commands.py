"""How tests start the command line in a process of its own."""

import sys

SKULLMASK = (sys.executable, "-m", "skullmask_lib.cli")
