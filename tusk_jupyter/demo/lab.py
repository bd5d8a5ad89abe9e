"""JupyterLab on a notebook, or the notebook executed headless; with this interpreter's kernel either way.

A ``python3`` kernel of another environment in the user's Jupyter directories is what a kernel's name may lead to, and
tusk-jupyter is not installed there: Lab gets a kernel specification that comes first on its path, nbclient one that
has no name at all. Lab listens on the loopback only, and fetches neither news nor updates.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.paths import ensure_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_ARGV = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
_SHOWN_LINES = 3


def require(*modules: str) -> None:
    """Refuse to go on without modules of the demo extra."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise InvalidInput(
            f"the demo needs {', '.join(missing)}, not installed here",
            advice='They come with the demo extra: pip install "tusk-jupyter[demo]"',
        )


def open_lab(notebook: Path, *, state: Path, env: Mapping[str, str], browser: bool, port: int | None) -> int:
    """Run JupyterLab on the notebook until it ends, and return its exit status.

    :param state: a directory for the kernel specification.
    """
    _write_kernelspec(state)
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.root_dir": str(notebook.parent),
        "ServerApp.open_browser": str(browser),
        "LabApp.default_url": f"/lab/tree/{quote(notebook.name)}",  # also for the address that --no-browser prints
        "LabApp.news_url": "None",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        **({"ServerApp.port": str(port)} if port else {}),
        **({"ServerApp.allow_root": "True"} if hasattr(os, "geteuid") and os.geteuid() == 0 else {}),
    }
    words = [f"--{key}={value}" for key, value in options.items()]
    command = [sys.executable, "-m", "jupyterlab", str(notebook), *words]
    path = os.pathsep.join(filter(None, [str(state), os.environ.get("JUPYTER_PATH", "")]))
    lab = subprocess.Popen(command, env={**env, "JUPYTER_PATH": path})  # noqa: S603 - this interpreter, no shell
    with _left_to(lab):
        return lab.wait()


@contextlib.contextmanager
def _left_to(lab: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave Ctrl-C to Lab, which asks whether to stop, and hand on a request to end: both share the terminal."""
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: lab.terminate()),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write_kernelspec(state: Path) -> None:
    directory = ensure_dir(state / "kernels" / "python3")
    spec = {
        "argv": [sys.executable, *_ARGV],
        "display_name": "Python 3 (tusk-jupyter)",
        "language": "python",
        "metadata": {"debugger": True},
    }
    (directory / "kernel.json").write_text(json.dumps(spec, indent=1))


def execute(notebook: Path, *, directory: Path, env: Mapping[str, str], show: Callable[[str], None]) -> int:
    """Execute the notebook, show each code cell and what it gave, and return 1 if one failed that was not to."""
    import nbformat
    from nbclient import exceptions as stops
    from nbclient.client import NotebookClient

    def executed(cell: Any, **_: Any) -> None:
        show(described(cell))

    client = NotebookClient(
        nbformat.read(notebook, as_version=4),
        kernel_manager_class=own_kernel(),
        timeout=600,
        resources={"metadata": {"path": str(directory)}},
        on_cell_executed=executed,
        store_widget_state=False,
    )
    try:
        client.execute(env=dict(env))
    except stops.CellExecutionError as error:
        show(f"\nFAILED: {error.ename}: {error.evalue}")
    except (stops.CellTimeoutError, stops.DeadKernelError) as error:
        show(f"\nFAILED: {error}")
    else:
        return 0
    return 1


def own_kernel() -> type[Any]:
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class OwnSpec(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            # errors only: ipykernel warns that the loopback is not encrypted, between the user's first two cells
            argv = [sys.executable, *_ARGV, "--log-level=40"]
            return KernelSpec(argv=argv, display_name=kernel_name, language="python")

    class OwnKernel(AsyncKernelManager):
        def _kernel_spec_manager_default(self) -> KernelSpecManager:
            return OwnSpec(parent=self)

    return OwnKernel


def described(cell: Any) -> str:
    """Return a code cell as a terminal shows it: its first lines, then its outputs as plain text."""
    source = cell["source"].strip().splitlines()
    more = ["   …"] if len(source) > _SHOWN_LINES else []
    head = "\n   ".join(source[:_SHOWN_LINES])
    return "\n".join([f"\n>> {head}", *more, *_texts(cell["outputs"])])


def _texts(outputs: list[Any]) -> list[str]:
    texts: list[str] = []
    stream = ""
    for output in outputs:
        if output["output_type"] == "stream":
            stream += output["text"]
            continue
        if stream.strip():
            texts.append(stream.rstrip())
        stream = ""
        if output["output_type"] == "error":
            texts.append(f"{output['ename']}: {output['evalue']}")
        elif (text := output["data"].get("text/plain")) is not None:
            texts.append(text)
    return [*texts, stream.rstrip()] if stream.strip() else texts
