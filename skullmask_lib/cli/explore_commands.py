"""The command ``explore``: the explorer in a browser."""

from typing import Annotated

import typer

from ..explore.server import serve
from . import commands, options

app = commands.new_app()


@app.command(
    epilog="Examples:\n\n"
    "  skullmask explore\n\n"
    "  skullmask explore head.nii.gz\n\n"
    "  skullmask explore slices.npy --truth masks.npy --port 9000",
)
def explore(
    file: Annotated[str, options.source_argument("[FILE]")] = "phantom",
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes any free one."),
    ] = 8866,
    truth: options.Truth = None,
    channel: options.Channel = None,
) -> None:
    """Open the explorer: sliders over every version.

    It is served to this computer alone, until Ctrl-C.
    """
    serve(file, truth=truth, channel=channel, port=port, ready=_say_address)


def _say_address(address: str) -> None:
    print(f"The explorer: {address}\nCtrl-C ends it.", flush=True)
