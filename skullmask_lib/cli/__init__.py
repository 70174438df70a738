"""The command line ``skullmask``, and the only importer of typer.

A command reads its arguments, calls the library and prints what comes back; nothing is computed
here. `commands` lists the commands, `main` runs one, and each ``*_commands`` module holds some.
"""
