"""The command line ``python -m skullmask_lib.deep``: ``train``, ``predict`` and ``evaluate``.

They are no commands of ``skullmask``, which needs no network. No command lives here.
"""

import typer

from . import commands, network_prediction, network_training

app = typer.Typer(
    name="deep",
    help="Networks that find the skull mask of slices, or the brain of volumes. "
    "Not for clinical use.",
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.add_typer(network_training.app)
app.add_typer(network_prediction.app)


@app.callback(invoke_without_command=True)
def _deep(context: typer.Context) -> None:
    commands.show_help_without_command(context)
