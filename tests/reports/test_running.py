"""Notebooks are run one way, and are stored with outputs that are the same on every run."""

import logging
import signal
import sys
import threading
import time

import nbformat
import pytest
from complaints import refused
from reporting import names_in, outputs_of, printed

from skullmask_lib.reports import running


def test_execute_runs_with_parameters_whatever_kernel_the_notebook_names(notebook, capfd):
    path = running.execute(notebook("print(width * 2)"), "out.ipynb", parameters={"width": 21})
    assert printed(path) == "42\n"
    assert capfd.readouterr().err == ""


def test_execute_runs_in_this_interpreter(notebook):
    path = running.execute(notebook("import sys; print(sys.executable)"), "out.ipynb")
    assert printed(path).strip() == sys.executable


def test_a_failing_cell_is_named_and_what_ran_is_kept(notebook):
    path = notebook("print('so far')\n1 / 0")
    reason = r"own\.ipynb: cell 2 .*ZeroDivisionError: division by zero"
    with pytest.raises(RuntimeError, match=reason):
        running.execute(path, "out.ipynb")
    assert "so far" in printed("out.ipynb")


def test_a_cell_that_hangs_is_stopped(notebook):
    path = notebook("import time; time.sleep(60)")
    with pytest.raises(RuntimeError, match=" 2 s"):
        running.execute(path, "out.ipynb", timeout_s=2)


def test_not_a_notebook(tmp_path):
    (tmp_path / "text.ipynb").write_text("no JSON")
    with refused("text.ipynb", naming=["JSON"]):
        running.execute(tmp_path / "text.ipynb", tmp_path / "out.ipynb")


def test_store_keeps_outputs_and_drops_what_differs_from_run_to_run(notebook):
    path = notebook("import ipywidgets; ipywidgets.IntSlider(5)")
    running.store(path)
    first = path.read_bytes()
    running.store(path)
    assert path.read_bytes() == first
    stored = nbformat.read(path, as_version=4)
    assert stored.metadata.kernelspec.name == "python3"
    assert "IntSlider" in str(stored.cells[1].outputs)


def test_store_joins_what_a_cell_prints(notebook):
    path = notebook(
        "import time\n"
        "from IPython.display import display\n"
        "print('first', flush=True)\n"
        "time.sleep(0.5)\n"  # longer than a kernel waits until it sends what a cell has printed
        "print('second')\n"
        "display(1)\n"
        "print('third')"
    )
    running.store(path)
    texts = [output.get("text") for output in outputs_of(path)]
    assert texts == ["first\nsecond\n", None, "third\n"]


def test_store_leaves_a_failing_notebook_as_it_was(notebook):
    path = notebook("1 / 0")
    before = path.read_bytes()
    with pytest.raises(RuntimeError):
        running.store(path)
    assert path.read_bytes() == before
    assert names_in(".") == [path.name]


def test_ctrl_c_is_heard_though_another_thread_received_the_signal():
    interrupted = threading.Event()
    heard = []

    def make(_):
        time.sleep(1)  # by then the main thread waits
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        heard.append(interrupted.wait(30))

    with running.several(make, ["a"], jobs=1) as ended:
        with pytest.raises(KeyboardInterrupt):
            next(ended)
        interrupted.set()
    assert heard == [True]


def test_a_silenced_papermill_stays_silent_though_another_thread_is_done(caplog):
    with running._quiet_papermill():
        with running._quiet_papermill():
            pass
        logging.getLogger("papermill").error("a kernel died")
        logging.getLogger("papermill.translators").error("a line was not understood")
    assert caplog.records == []
    logging.getLogger("papermill").error("a word of somebody else's notebook")
    assert len(caplog.records) == 1
