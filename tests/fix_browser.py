"""JupyterLab and Notebook 7 in a headless Chromium: a real server each, a notebook, kernel and data directory per test.

What the user does is done by the front end's own commands and by real clicks and keys in outputs; what is waited for is
read from the front end's own model (``exposeAppInBrowser``), so nothing here waits for a fixed time. Widget state is set
to be saved (it is not by default): what could get into a notebook file does. Nothing but the loopback is reachable, and
whatever a page asks for elsewhere fails its test.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.waiting import wait_until
from tests.worlds import chromium_path

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
KERNELS = "@jupyterlab/apputils-extension/kernels-settings"
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/apputils-extension/themes": {"theme": "JupyterLab Light"},
    # cells out of view are in the page, too: a cell is found by its number
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    # a file is written when a test says so
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    "@jupyter-widgets/jupyterlab-manager/plugin": {"saveState": True},
    KERNELS: {},
}
# errors in the console and uncaught exceptions of the front ends themselves:
# (front end, part of the text, part of the address or the stack) → why
NOISE = {
    ("notebook", "Cannot read properties of undefined (reading 'schema')", "/static/notebook/notebook_core."): (
        "Notebook 7.6 at each start, any notebook"
    ),
}
OPEN = pytest.StashKey[list]()

PANEL = "const app = window.jupyterapp, panel = app?.shell.currentWidget, session = panel?.sessionContext;"
LOADED = f"() => {{ {PANEL} return Boolean(panel?.context?.isReady && panel.content?.widgets?.length) }}"
IDLE = (
    f"() => {{ {PANEL} const kernel = session?.session?.kernel; return Boolean(panel?.context?.isReady && session?.isReady"
    " && kernel?.connectionStatus === 'connected' && kernel.status === 'idle' && panel.content?.widgets?.length) }"
)
# a kernel's first request is lost now and then where a subshell is made for it at the same time (ipykernel 7.3: one
# notebook in about a hundred stood at [*] with a kernel that was idle): whoever opens a notebook asks until it answers
ANSWERS = f"""async () => {{
    {PANEL}
    const {{kernel}} = session.session;
    for (let tries = 0; tries < 5; tries += 1) {{
        const {{done}} = kernel.requestExecute({{code: '', silent: true, store_history: false}});
        const answered = await Promise.race([done.then(() => true), new Promise(end => setTimeout(end, 5000, false))]);
        if (answered) return true;
    }}
    return false;
}}"""
CELLS = f"""() => {{
    {PANEL}
    const kernel = session?.session?.kernel;
    const cells = panel.content.widgets.map(({{model, promptNode}}) => [
        promptNode?.textContent ?? '', JSON.stringify(model.outputs?.toJSON() ?? []).slice(0, 500),
    ]);
    return {{kernel: kernel?.status, connection: kernel?.connectionStatus, runs: window.runs, cells}};
}}"""
NO_SPLASH = "() => !document.getElementById('jupyterlab-splash')"
START = f"""([cell, command]) => {{
    {PANEL}
    panel.content.activeCellIndex = cell;
    panel.content.deselectAll();
    window.runs = {{...window.runs, [cell]: null}};
    app.commands.execute(command).then(ok => {{ window.runs[cell] = ok ? 'ok' : 'failed' }}, e => {{ window.runs[cell] = String(e) }});
}}"""


def pytest_addoption(parser):
    parser.addoption("--screenshots", metavar="DIR", help="keep the screenshots that browser tests take in this directory")


def pytest_collection_modifyitems(items):
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            # two servers and a browser start within the first tests that need them, on whatever machine that is
            item.add_marker(pytest.mark.timeout(180))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for notebook in item.stash.get(OPEN, []):
            report.sections.append((f"browser: {notebook.front_end.name}", notebook.evidence()))
    return report


class FrontEnd:
    """A running Jupyter server with one front end; all its files are below ``home``."""

    def __init__(self, name: str, home: Path) -> None:
        self.name = name
        self.home = home
        self.root = home / "notebooks"
        self.log = home / "server.log"  # the server's console, and so the kernels'
        self.token = secrets.token_hex(16)
        self._numbers = itertools.count(1)
        self.root.mkdir(parents=True)
        self.set_up()
        # a front end starts the one kernel that there is for a notebook's language; it asks where there are two
        self._add_kernel("another", {})
        app, module = {"lab": ("LabApp", "jupyterlab"), "notebook": ("JupyterNotebookApp", "notebook")}[name]
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": "0",
            "ServerApp.open_browser": "False",
            "ServerApp.allow_root": "True",
            "ServerApp.root_dir": str(self.root),
            f"{app}.expose_app_in_browser": "True",
            "LabApp.news_url": "None",
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *(f"--{key}={value}" for key, value in options.items())],
                env=self._environment(),
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.url = wait_until(self._address, timeout=45)

    def _environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PG", "JUPYTER", "TUSK", "DBUS", "XDG")) and name != "DATABASE_URL"
        }
        return inherited | {
            "HOME": str(self.home),
            "JUPYTER_CONFIG_DIR": str(self.home / "config"),
            "JUPYTER_DATA_DIR": str(self.home / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(self.home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(self.home / "workspaces"),
            "IPYTHONDIR": str(self.home / "ipython"),
            "TUSK_DATA_DIR": str(self.home / "tusk"),
            "JUPYTER_TOKEN": self.token,
        }

    def _address(self) -> str | None:
        assert self.process.poll() is None, self.log.read_text()
        info = self.home / "runtime" / f"jpserver-{self.process.pid}.json"
        try:
            return json.loads(info.read_text())["url"].rstrip("/")
        except (FileNotFoundError, ValueError):  # not yet, or half of it
            return None

    def set_up(self, settings: dict[str, dict] | None = None) -> None:
        """Write the settings as every test finds them, whatever the one before has chosen, and what this one chooses."""
        for name, value in (SETTINGS | (settings or {})).items():
            path = self.home / "settings" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value))

    def add_notebook(self, cells, env: dict[str, str]) -> tuple[Path, Path]:
        """Write a notebook with a kernel specification of its own, and return both paths."""
        import nbformat

        name = f"test-{next(self._numbers)}"
        spec = self._add_kernel(name, env)
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": name, "display_name": name, "language": "python"}},
        )
        path = self.root / f"{name}.ipynb"
        nbformat.write(notebook, path)
        return path, spec

    def _add_kernel(self, name: str, env: dict[str, str]) -> Path:
        spec = self.home / "data" / "kernels" / name
        spec.mkdir(parents=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        (spec / "kernel.json").write_text(
            json.dumps({"argv": argv, "display_name": name, "language": "python", "env": env})
        )
        return spec

    def ask(self, path: str, method: str = "GET"):
        """Call the server's REST interface."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}", method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def stop_kernels(self) -> None:
        for session in self.ask("sessions"):
            self.ask(f"sessions/{session['id']}", "DELETE")
        for kernel in self.ask("kernels"):
            self.ask(f"kernels/{kernel['id']}", "DELETE")
        assert self.ask("kernels") == []

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise


@dataclass
class Said:
    """One line of a page's console, or an exception that nothing in it caught."""

    kind: str
    text: str
    where: str = ""  # the console's address, or an exception's stack


class Notebook:
    """A notebook open in a browser page: ``run(0)`` a cell, look at ``outputs(0)``, ``interrupt()``, ``save()``."""

    def __init__(self, front_end: FrontEnd, browser: Browser, path: Path, spec: Path, shots: Path) -> None:
        self.front_end = front_end
        self.path = path
        self.received: list[str] = []  # every message that came from the kernel, as the browser got it
        self._spec = spec
        self._shots = shots
        self._said: list[Said] = []
        self._outside: list[str] = []
        self._theme = "light"
        self._context = browser.new_context(viewport={"width": 1200, "height": 1000})
        self._context.set_default_timeout(30_000)
        self._context.on("request", lambda request: self._asked_for(request.url))
        self.page = self._context.new_page()
        self.page.on("console", lambda m: self._said.append(Said(m.type, m.text, m.location.get("url", ""))))
        self.page.on("pageerror", lambda error: self._said.append(Said("exception", error.message, error.stack or "")))
        self.page.on("dialog", lambda dialog: dialog.accept())  # leave a page that has unsaved changes
        self.page.on("websocket", self._listen)
        self._go()
        self._wait(IDLE)
        assert self.page.evaluate(ANSWERS), "the kernel answers nothing"

    # -- opening ------------------------------------------------------------------------------------------------------

    def _go(self) -> None:
        place = {"lab": "lab/tree", "notebook": "notebooks"}[self.front_end.name]
        self.page.goto(f"{self.front_end.url}/{place}/{self.path.name}?token={self.front_end.token}&reset")

    def reload(self) -> None:
        """What the browser's reload button does; the kernel goes on."""
        self.page.reload()
        self._wait(IDLE)

    def open_without_kernel(self) -> None:
        """Open the file as it is on disk where its kernel is not to be had, as a reader does."""
        self.page.goto("about:blank")
        self.front_end.stop_kernels()
        shutil.rmtree(self._spec, ignore_errors=True)
        self._go()
        dialog = self.page.locator(".jp-Dialog", has_text="Select Kernel")
        dialog.get_by_role("button", name="No Kernel").click()
        self._wait(LOADED)

    def close(self) -> None:
        self._context.close()

    # -- cells --------------------------------------------------------------------------------------------------------

    def run(self, cell: int, *, ok: bool | None = True, timeout: float = 30) -> list[dict]:
        """Run a cell to its end, when all its outputs are there, and return them."""
        self.start(cell)
        self.finish(cell, ok=ok, timeout=timeout)
        return self.outputs(cell)

    def start(self, cell: int, command: str = "notebook:run-cell") -> None:
        self.page.evaluate(START, [cell, command])

    def finish(self, cell: int, *, ok: bool | None = True, timeout: float = 30) -> None:
        ended = self._wait("cell => window.runs[cell]", cell, timeout=timeout).json_value()
        assert ok is None or ended == ("ok" if ok else "failed"), (ended, self.outputs(cell))

    def run_all(self, *, ok: bool | None = True, timeout: float = 30) -> None:
        self.start(0, "notebook:run-all-cells")
        self.finish(0, ok=ok, timeout=timeout)

    def write(self, cell: int, source: str) -> None:
        self.page.evaluate(
            f"([cell, source]) => {{ {PANEL} panel.content.widgets[cell].model.sharedModel.setSource(source) }}",
            [cell, source],
        )

    def outputs(self, cell: int) -> list[dict]:
        """The cell's outputs, as the notebook file would have them."""
        return self.page.evaluate(
            f"cell => {{ {PANEL} return panel.content.widgets[cell].model.outputs.toJSON() }}", cell
        )

    def count(self, cell: int) -> int | None:
        """The number in the cell's prompt: ``None`` when it has not run in this kernel."""
        return self.page.evaluate(f"cell => {{ {PANEL} return panel.content.widgets[cell].model.executionCount }}", cell)

    def is_trusted(self, cell: int) -> bool:
        """Whether the front end shows the cell's outputs as they are: they were made here."""
        return self.page.evaluate(f"cell => {{ {PANEL} return panel.content.widgets[cell].model.trusted }}", cell)

    def cell(self, cell: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(cell)

    def output(self, cell: int) -> Locator:
        """What is shown below a cell: for clicks, keys and Playwright's ``expect``, which waits."""
        return self.cell(cell).locator(".jp-Cell-outputWrapper")

    # -- kernel and file ----------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """What the front end's stop button does."""
        self.command("notebook:interrupt-kernel")

    def restart(self) -> None:
        self.page.evaluate(f"async () => {{ {PANEL} await session.restartKernel() }}")
        self._wait(IDLE)

    def wait_idle(self) -> None:
        self._wait(IDLE)

    def save(self) -> dict:
        """Save, and return what is in the file."""
        self.command("docmanager:save")
        return json.loads(self.path.read_text())

    def command(self, name: str, args: dict | None = None):
        """Carry out a command of the front end's, to its end."""
        return self.page.evaluate(
            "async ([name, args]) => { await window.jupyterapp.commands.execute(name, args) }", [name, args or {}]
        )

    # -- looks --------------------------------------------------------------------------------------------------------

    def theme(self, name: str) -> None:
        """Switch to ``light`` or ``dark``, and wait for the splash screen that JupyterLab shows meanwhile.

        It fades for 0.2 s; a switch before its end makes two timers take the same element out, and the second throws
        ("Failed to execute 'removeChild' on 'Node'", from jlab_core.js; JupyterLab 4.6, in any notebook).
        """
        self._wait(NO_SPLASH)
        self.command("apputils:change-theme", {"theme": f"JupyterLab {name.capitalize()}"})
        self._wait("name => document.body.dataset.jpThemeName === name", f"JupyterLab {name.capitalize()}")
        self._wait(NO_SPLASH)
        self._theme = name

    def screenshot(self, name: str, what: Locator | None = None) -> Path:
        """Take a picture of the page or of a part of it; ``--screenshots DIR`` says where it is kept."""
        path = self._shots / f"{name}-{self.front_end.name}-{self._theme}.png"
        (self.page if what is None else what).screenshot(path=path, animations="disabled")
        return path

    # -- what went wrong ----------------------------------------------------------------------------------------------

    @property
    def problems(self) -> list[str]:
        """Errors in the console that are not the front end's own, and whatever was asked for outside of this machine."""
        wrong = [
            f"{said.kind}: {said.text} {said.where}"
            for said in self._said
            if said.kind in {"error", "exception"} and not self._is_noise(said)
        ]
        return wrong + [f"outside of this machine: {url}" for url in self._outside]

    def take_problems(self) -> list[str]:
        """Return the problems so far; they fail the test no more."""
        wrong = self.problems
        self._said.clear()
        self._outside.clear()
        return wrong

    def evidence(self) -> str:
        """A screenshot, the cells and the console, for the report of a test that failed."""
        path = self.path.with_suffix(".png")
        try:
            self.page.screenshot(path=path, timeout=5000)
            picture = f"screenshot: {path}"
        except Exception as error:  # noqa: BLE001 - a page that crashed is evidence, too
            picture = f"no screenshot: {error}"
        console = [f"{said.kind}: {said.text[:500]}" for said in self._said]
        server = self.front_end.log.read_text().splitlines()[-20:]
        return "\n".join([picture, self._cells(), "-- console", *console, *self._outside, "-- server", *server])

    def _cells(self) -> str:
        """How the kernel is, and each cell's prompt, answer and outputs."""
        try:
            return "-- cells\n" + json.dumps(self.page.evaluate(CELLS), indent=1)[:6000]
        except Exception as error:  # noqa: BLE001 - likewise
            return f"no cells: {error}"

    def _is_noise(self, said: Said) -> bool:
        return any(
            name == self.front_end.name and text in said.text and where in said.where for name, text, where in NOISE
        )

    def _asked_for(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname not in LOOPBACK:
            self._outside.append(url)

    def _listen(self, socket) -> None:
        self._asked_for(socket.url)
        socket.on(
            "framereceived",
            lambda frame: self.received.append(frame if isinstance(frame, str) else frame.decode("latin-1")),
        )

    def _wait(self, condition: str, argument=None, *, timeout: float = 45):
        return self.page.wait_for_function(condition, arg=argument, timeout=timeout * 1000)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """One browser per module, not per run: while Playwright lives, asyncio takes its loop for one that runs in this
    thread, and tests elsewhere have loops of their own. A module's tests follow each other, and a start is 0.2 s."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path(),
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
            # all that is not on this machine ends at a port where nothing listens
            proxy={"server": "http://127.0.0.1:9", "bypass": "127.0.0.1"},
            env={**os.environ, "HOME": str(tmp_path_factory.mktemp("chromium"))},
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def start_front_end(tmp_path_factory):
    """Return ``start(name)``: the one server of a front end, ``lab`` or ``notebook``, which runs until the end."""
    running: dict[str, FrontEnd] = {}

    def start(name: str) -> FrontEnd:
        if name not in running:
            running[name] = FrontEnd(name, tmp_path_factory.mktemp(name))
        return running[name]

    yield start
    for front_end in running.values():
        front_end.close()


@pytest.fixture(params=["lab", "notebook"])
def front_end(request, start_front_end) -> FrontEnd:
    """A test that asks for this, or for ``open_notebook``, is run in both front ends."""
    return start_front_end(request.param)


@pytest.fixture
def open_notebook(front_end, chromium, tmp_path, request):
    """Return ``open(*cells, env=, settings=)``: a fresh notebook with its kernel idle; that one's files are in ``tmp_path``.

    ``env`` is added to the kernel's environment; with ``**keychain_env`` in it, the kernel has that keychain.
    ``settings`` are the front end's, as in :data:`SETTINGS`.
    """
    opened = request.node.stash[OPEN] = []
    shots = Path(kept) if (kept := request.config.getoption("--screenshots")) else tmp_path / "screenshots"

    def open_(*cells: str, env: dict[str, str] | None = None, settings: dict[str, dict] | None = None) -> Notebook:
        front_end.set_up(settings)
        environment = {"TUSK_DATA_DIR": str(tmp_path / "tusk"), "IPYTHONDIR": str(tmp_path / "ipython"), **(env or {})}
        opened.append(Notebook(front_end, chromium, *front_end.add_notebook(cells, environment), shots))
        return opened[-1]

    yield open_
    problems = [problem for notebook in opened for problem in notebook.problems]
    for notebook in opened:
        notebook.close()
    front_end.stop_kernels()
    assert problems == []
