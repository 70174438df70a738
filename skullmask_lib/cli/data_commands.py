"""The group of commands ``data``: real heads to list, fetch and verify."""

from typing import Annotated

import typer

from ..errors import InputError
from ..io import registry
from . import commands, terminal

app = commands.new_app()
group = typer.Typer(rich_markup_mode=None)
app.add_typer(group, name="data")


@group.callback(
    invoke_without_command=True,
    epilog="Examples:\n\n"
    "  skullmask data list\n\n"
    "  skullmask data fetch chris\n\n"
    "  skullmask data verify",
)
def _data(context: typer.Context) -> None:
    """Real heads, fetched from where they are published."""
    commands.show_help_without_command(context)


@group.command(
    "list",
    short_help="List the heads, and say which are downloaded.",
    epilog="Example:\n\n  skullmask data list",
)
def list_heads() -> None:
    """List the heads, and say which are downloaded."""
    rows = []
    for name, head in registry.originals().items():
        state = "here" if registry.path(name).exists() else "missing"
        rows.append((name, head.what, head.voxel_mm, head.licence, state))
    terminal.say_table(rows, ("name", "what", "voxel [mm]", "licence", "state"))
    terminal.say("", f"The folder: {registry.folder()}")


@group.command(
    short_help="Download what is missing, and verify it.",
    epilog="Examples:\n\n  skullmask data fetch chris oms01\n\n  skullmask data fetch --all",
)
def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="Heads that the list names."),
    ] = None,
    fetch_all: Annotated[bool, typer.Option("--all", help="Fetch all of them.")] = False,
) -> None:
    """Download what is missing, and verify it."""
    if fetch_all == bool(names):
        raise InputError("expected names of heads (see skullmask data list), or --all")
    for name in names or registry.names():
        file = registry.fetch(name, progress=True)
        terminal.say(file)


@group.command(
    short_help="Verify the checksums of the downloaded heads.",
    epilog="Example:\n\n  skullmask data verify",
)
def verify() -> None:
    """Verify the checksums of the downloaded heads.

    A damaged file is deleted.
    """
    for name, is_here in registry.verify().items():
        state = "good" if is_here else "missing"
        terminal.say(f"{name}: {state}")
