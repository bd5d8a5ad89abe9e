"""The kernel's state and an IPython shell in this process: as fast as a function call, as real as a cell."""

from __future__ import annotations

import atexit
import sys
import types

import pytest
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets import Type
from traitlets.config import Config

import tusk_jupyter
from tests.fix_kernel import Reply


class _Publisher(DisplayPublisher):
    """Keeps displays in their order, updates applied where they belong, as a front end does."""

    outputs: list

    def publish(self, data, metadata=None, *, transient=None, update=False, **_):
        display_id = (transient or {}).get("display_id")
        if update:
            for output in self.outputs:
                if output.get("transient", {}).get("display_id") == display_id:
                    output["data"] = data
            return
        self.outputs.append({"output_type": "display_data", "data": data, "transient": transient or {}})


class _Hook(DisplayHook):
    outputs: list

    def write_output_prompt(self):
        pass

    def write_format_data(self, format_dict, md_dict=None):
        self.outputs.append({"output_type": "execute_result", "data": format_dict})


class _Shell(InteractiveShell):
    """A shell that looks like a notebook's to those who ask."""

    display_pub_class = Type(_Publisher)
    displayhook_class = Type(_Hook)
    kernel = None

    def enable_gui(self, gui=None):
        pass

    def _showtraceback(self, etype, evalue, stb):
        self.display_pub.outputs.append(
            {"output_type": "error", "ename": etype.__name__, "evalue": str(evalue), "traceback": list(stb)}
        )


class Cells:
    """Runs cells in a shell of the test's own and says what they gave."""

    def __init__(self, shell) -> None:
        self.ip = shell

    @property
    def ns(self):
        return self.ip.user_ns

    def run(self, code: str, *, ok: bool | None = True) -> Reply:
        reply = Reply()
        self.ip.display_pub.outputs = self.ip.displayhook.outputs = reply.outputs
        with capture_output(display=False) as printed:
            result = self.ip.run_cell(code, store_history=True)
        reply.status = "ok" if result.success else "error"
        reply.exception = result.error_in_exec or result.error_before_exec
        for name in ("stdout", "stderr"):
            if text := getattr(printed, name):
                reply.outputs.append({"output_type": "stream", "name": name, "text": text})
        if ok is not None:
            assert (reply.status == "ok") is ok, reply.outputs
        return reply


@pytest.fixture
def tusk(monkeypatch, tmp_path):
    """The kernel's state, fresh, with a data directory of the test's own and nothing of the environment's."""
    import os

    for name in [name for name in os.environ if name.startswith("PG") or name == "DATABASE_URL"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TUSK_DATA_DIR", str(tmp_path / "tusk"))
    tusk_jupyter.Tusk.clear_instance()
    state = tusk_jupyter.Tusk.instance()
    # most tests count connections; those of the catalog, and all real kernels, have it read as users do
    state.schemas.in_background = False
    yield state
    state.close()
    tusk_jupyter.Tusk.clear_instance()


@pytest.fixture
def reading(tusk):
    """Let the catalog of a connection be read in the background, as it is in a kernel."""
    tusk.schemas.in_background = True


@pytest.fixture
def connection(tusk, database):
    """A connection named ``db`` to a database of the test's own; the current one."""
    return tusk_jupyter.connect(database, name="db")


@pytest.fixture
def bare_shell(tusk, monkeypatch, tmp_path):
    """A shell without the extension."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    # what a shell does to its process is taken back when the test ends
    for name in ("ps1", "ps2", "ps3"):
        monkeypatch.setattr(sys, name, "", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    InteractiveShell.clear_instance()
    _Shell.clear_instance()
    # the file costs more than most tests here take; its own tests run real kernels
    quiet = Config({"HistoryManager": {"hist_file": ":memory:"}})
    shell = _Shell.instance(user_module=types.ModuleType("notebook"), colors="nocolor", config=quiet)
    monkeypatch.setitem(sys.modules, "notebook", shell.user_module)
    yield Cells(shell)
    if getattr(shell, "_tusk_jupyter_magics", None) is not None:
        tusk_jupyter.unload_ipython_extension(shell)
    shell.reset(new_session=False)
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()
    _Shell.clear_instance()


@pytest.fixture
def shell(bare_shell):
    """A shell with the extension loaded, as a notebook has it: ``run(cell)`` gives what was shown."""
    bare_shell.run("%load_ext tusk_jupyter")
    return bare_shell


@pytest.fixture
def cells(shell, connection):
    """The same, connected to a database of the test's own as ``db``."""
    return shell
