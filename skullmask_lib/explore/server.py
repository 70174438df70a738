"""The explorer as a page in the browser, served by Voila to this computer alone."""

import os
import secrets
import signal
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from .. import project, surroundings
from ..errors import InputError
from ..io import cohorts, datasets
from ..reports import running


def serve(
    source: str = "phantom",
    *,
    truth: str | None = None,
    channel: int | None = None,
    port: int = 8866,
    cull_after_s: int = 600,
    ready: Callable[[str], object] = print,
) -> None:
    """Serve the explorer until Ctrl-C; once in a process.

    Parameters
    ----------
    source, truth, channel
        See `datasets.load`; they are opened once to check them.
    port : int
        On 127.0.0.1; 0 takes any that is free.
    cull_after_s : int
        How long a kernel lives on whose page was lost [s]; a page that is closed ends its kernel itself.
    ready : callable
        Called with the address, which carries a token, once the page can be opened.

    Raises
    ------
    InputError
        If Voila is not installed, the source cannot be used or the port is taken.

    Examples
    --------
    >>> serve("missing.npy")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: missing.npy: no such file or folder, nor the name of a phantom or head ...
    """
    datasets.load(source, truth=truth, channel=channel)
    try:
        from tornado.ioloop import IOLoop
        from voila.app import Voila
        from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
    except ImportError:
        raise InputError("the explorer needs Voila: pip install voila") from None
    port, token = _free(port), secrets.token_urlsafe(16)
    prefix, path = cohorts.prefixed(source)
    here = f"{prefix}{path.absolute()}"
    chosen = {"images": source if datasets.is_name(source) else here, "channel": channel}
    if truth and not datasets.is_name(truth):
        truth = str(cohorts.prefixed(truth)[1].absolute())
    chosen["truth"] = truth
    # A page that is left asks to end its kernel without the cookie's proof (Voila's issue 1458); its id is proof enough
    VoilaShutdownKernelHandler.check_xsrf_cookie = lambda _: None
    ours = str(
        Path(__file__).with_name("jupyter")
    )  # a template that asks nothing of the network, a quiet kernel
    os.environ.update(surroundings.for_kernels())
    os.environ.pop("PYTHONOPTIMIZE", None)  # `update` takes nothing away
    os.environ["JUPYTER_PATH"] = os.pathsep.join(
        filter(None, [ours, os.environ.get("JUPYTER_PATH")])
    )
    with tempfile.TemporaryDirectory(
        prefix="skullmask-"
    ) as folder:  # Voila serves this folder, and nothing else
        notebook = Path(folder, "explorer.ipynb")
        running.fill(project.project_folder("notebooks") / notebook.name, notebook, chosen)
        server = Voila.instance()
        server.config_file_paths = []  # a voila.py in the working folder would be executed
        server.initialize(
            [
                str(notebook),
                "--no-browser",
                "--Voila.ip=127.0.0.1",
                f"--port={port}",
                "--Voila.port_retries=0",
                f"--token={token}",
                "--template=skullmask",
                "--Application.log_level=ERROR",
                f"--MappingKernelManager.cull_idle_timeout={cull_after_s}",
                f"--MappingKernelManager.cull_interval={min(cull_after_s, 60)}",
            ]
        )
        server.tornado_settings = {
            "websocket_max_message_size": 2**31,  # what is larger is cut off without a word
            "ws_ping_interval": 0,  # pings watch networks; here they end pages
        }
        if hasattr(signal, "SIGHUP"):  # a closed terminal ends it as Ctrl-C does
            signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
        IOLoop.current().add_callback(ready, f"http://127.0.0.1:{port}/?token={token}")
        server.start()


def _free(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as the server will: a closed one may linger
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(
                f"port {port} is taken ({error.strerror}); choose another one with --port"
            ) from None
        return probe.getsockname()[1]
