"""The list of commands: the module that holds each, and its line in ``skullmask --help``.

No command lives here, and nothing that a command needs. A command's module is imported when the
command runs or shows its own help, so ``skullmask --help`` and shell completion import no OpenCV.
"""

import importlib
from typing import Annotated, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from . import terminal


class Entry(NamedTuple):
    """One line of the list: the module that holds the command, and what ``--help`` says of it."""

    module: str
    short_help: str


COMMANDS = {
    "demo": Entry("report_commands", "Run the journey on the phantom, as one page."),
    "mask": Entry("slice_commands", "Make the skull mask of every slice."),
    "score": Entry("slice_commands", "Score masks against the truth."),
    "sweep": Entry("slice_commands", "Score v7 at many dilation widths."),
    "report": Entry("report_commands", "Write a report on your slices, as one page."),
    "explore": Entry("explore_commands", "Open the explorer: sliders over every version."),
    "data": Entry("data_commands", "Real heads: list, fetch, verify."),
    "capstone": Entry("capstone_commands", "For teachers: a secret head, scores and agreement."),
    "batch": Entry("batch_commands", "Make the masks of many images, resumable."),
    "brain-mask": Entry("volume_commands", "Make the brain mask of a CT by nidataset's recipe."),
    "strip": Entry("volume_commands", "Find the brain in volumes of MR."),
}


class LazyCommand(TyperCommand):
    """A command whose module is imported when its arguments are parsed, and not before."""

    def __init__(self, name: str, entry: Entry) -> None:
        super().__init__(name, short_help=entry.short_help)
        self.module = entry.module

    def load(self) -> TyperCommand | TyperGroup:
        """Import the module and return the command itself."""
        module = importlib.import_module(f".{self.module}", __package__)
        group = typer.main.get_group(module.app)
        return group.commands[self.name]

    def make_context(self, *arguments, **settings) -> typer.Context:
        """Let the command itself parse its arguments; the context then belongs to it."""
        return self.load().make_context(*arguments, **settings)


class LazyGroup(TyperGroup):
    """All commands of the list, none of them imported."""

    def __init__(self, **settings) -> None:
        super().__init__(**settings)
        for name, entry in COMMANDS.items():
            self.add_command(LazyCommand(name, entry))


app = typer.Typer(
    name="skullmask",
    cls=LazyGroup,
    help="Skull masks for MRI slices without deep learning. Not for clinical use.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def new_app() -> typer.Typer:
    """Return the app that a module of commands registers its commands with.

    Returns
    -------
    typer.Typer

    Examples
    --------
    >>> new_app().registered_commands
    []
    """
    return typer.Typer(rich_markup_mode=None, add_completion=False)


def _show_version(is_wanted: bool) -> None:
    from .. import __version__

    if is_wanted:
        terminal.say(f"skullmask {__version__}")
        raise typer.Exit


_Version = Annotated[
    bool,
    typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
]


@app.callback(invoke_without_command=True)
def _skullmask(context: typer.Context, _: _Version = False) -> None:
    show_help_without_command(context)


def show_help_without_command(context: typer.Context) -> None:
    """Print the help of a group that was called without one of its commands.

    Parameters
    ----------
    context : typer.Context
        Of the group.

    Examples
    --------
    >>> group = typer.main.get_group(app)
    >>> with typer.Context(group, info_name="skullmask") as context:
    ...     show_help_without_command(context)  # doctest: +ELLIPSIS
    Usage: skullmask [OPTIONS] COMMAND [ARGS]...
    ...
    """
    if context.invoked_subcommand is None:
        print(context.get_help())
