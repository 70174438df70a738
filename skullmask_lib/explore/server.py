"""The explorer as a page in the browser, served by Voila to this computer alone.

Only the server lives here. It fills in the notebook that it serves; the page itself is `app`, and
its template is in ``jupyter/``.
"""

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

_HOST = "127.0.0.1"
_JUPYTER = Path(__file__).with_name("jupyter")  # a template that stays offline, a quiet kernel
_LARGEST_MESSAGE_BYTES = 2**31  # the server cuts off larger ones without a word


def serve(
    source: str = "phantom",
    *,
    truth: str | None = None,
    channel: int | None = None,
    port: int = 8866,
    cull_after_s: int = 600,
    ready: Callable[[str], object] = print,
) -> None:
    """Serve the explorer until Ctrl-C; possible once in a process.

    Parameters
    ----------
    source, truth, channel
        See `datasets.load`. They are loaded once, to check them.
    port : int
        On 127.0.0.1; 0 takes any free one.
    cull_after_s : int
        How long a kernel outlives the loss of its page [s]. A page that is closed ends its kernel
        itself.
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
    skullmask_lib.errors.InputError: missing.npy: no such file or folder, nor the name of ...
    """
    datasets.load(source, truth=truth, channel=channel)
    server = _new_server()
    port = _free(port)
    token = secrets.token_urlsafe(16)
    parameters = {
        "images": _absolute(source),
        "channel": channel,
        "truth": _absolute(truth) if truth else None,
    }
    _settle_environment()
    with tempfile.TemporaryDirectory(prefix="skullmask-") as folder:  # all that Voila serves
        template = project.project_folder("notebooks") / "explorer.ipynb"
        notebook = Path(folder, template.name)
        running.fill(template, notebook, parameters)
        server.config_file_paths = []  # a voila.py in the working folder would be executed
        server.initialize(
            [
                str(notebook),
                "--no-browser",
                f"--Voila.ip={_HOST}",
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
            "websocket_max_message_size": _LARGEST_MESSAGE_BYTES,
            "ws_ping_interval": 0,  # pings watch networks; on one computer they end pages
        }
        if hasattr(signal, "SIGHUP"):  # closing the terminal ends the server as Ctrl-C does
            signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
        server.run(lambda: ready(f"http://{_HOST}:{port}/?token={token}"))


def _new_server():
    """Make a Voila whose pages may end their kernels when they are left.

    A page that is left cannot send the proof that its request needs (Voila's issue 1458). The id
    of its kernel is proof enough.
    """
    try:
        from tornado.ioloop import IOLoop
        from voila.app import Voila
        from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
    except ImportError:
        raise InputError('the explorer needs Voila: pip install "skullmask[app]"') from None

    class ShutdownHandler(VoilaShutdownKernelHandler):
        def check_xsrf_cookie(self) -> None:
            pass

    class Server(Voila):
        def init_handlers(self) -> list:
            rules = []
            for pattern, handler, *options in super().init_handlers():
                if handler is VoilaShutdownKernelHandler:
                    handler = ShutdownHandler
                rules.append((pattern, handler, *options))
            return rules

        def run(self, started: Callable[[], object]) -> None:
            IOLoop.current().add_callback(started)
            self.start()

    return Server.instance()


def _absolute(source: str) -> str:
    """Name a source so that it is found from any folder."""
    if datasets.is_name(source):
        return source
    prefix, path = cohorts.prefixed(source)
    return f"{prefix}{path.absolute()}"


def _settle_environment() -> None:
    """Let the kernels of this process start with our settings instead of the user's."""
    os.environ.update(surroundings.for_kernels())
    os.environ.pop("PYTHONOPTIMIZE", None)  # `update` removes nothing
    folders = [str(_JUPYTER)]
    if os.environ.get("JUPYTER_PATH"):
        folders.append(os.environ["JUPYTER_PATH"])
    os.environ["JUPYTER_PATH"] = os.pathsep.join(folders)


def _free(port: int) -> int:
    """Check that a port is free; choose one if it is 0."""
    with socket.socket() as probe:
        # The server will reuse an address too: a closed one may linger.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            reason = f"port {port} is taken ({error.strerror})"
            raise InputError(f"{reason}; choose another one with --port") from None
        _, port = probe.getsockname()
        return port
