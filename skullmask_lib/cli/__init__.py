"""The command line ``skullmask``: thin, every command calls the library. The only importer of typer."""
