"""Run the command line as ``python -m skullmask_lib.cli``."""

from .main import main

main()
