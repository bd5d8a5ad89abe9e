"""The live line in a real kernel, read and answered message by message, as a front end does."""

from __future__ import annotations

import itertools
import os
import queue
import time

import psycopg
import pytest

from tests.waiting import running

VIEW = "application/vnd.jupyter.widget-view+json"
WARM = "%sql select 1 as warm"  # the first one waits for imports
LONG = "select pg_sleep(600)"
STATIC = {"text/plain", "text/html"}


class Page:
    """A notebook's page: it names its cells, sees every message, and sends what its buttons send."""

    def __init__(self, kernel) -> None:
        self.kernel = kernel
        self.client = kernel.client
        self.outputs: list[dict] = []
        self.views: list[dict] = []  # each state of the line, in the order in which they came
        self.comms: dict[str, str] = {}  # id → open, or closed
        self.widget = ""  # the line's comm
        self.subshell = None
        self._cells = itertools.count(1)
        self._cell = ""
        self._is_idle = False

    def start(self, code, *, cell_id=True, silent=False) -> str:
        """Run a cell, and return when it is queued."""
        content = {"code": code, "silent": silent, "store_history": True, "user_expressions": {}, "allow_stdin": False, "stop_on_error": True}
        metadata = {"cellId": f"cell-{next(self._cells)}"} if cell_id else {}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        self._cell, self._is_idle, self.outputs, self.views = message["header"]["msg_id"], False, [], []
        self.comms = {key: state for key, state in self.comms.items() if state == "open"}
        return self._cell

    def until(self, condition, timeout=30):
        """Read what the kernel publishes until ``condition()`` is true, and return that."""
        deadline = time.monotonic() + timeout
        while not (found := condition()):
            try:
                message = self.client.get_iopub_msg(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"not in time: {self.outputs} {self.views[-1:]}") from None
            self._take(message)
        return found

    def _take(self, message) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind.startswith("comm_"):
            self._comm(kind, content)
        elif kind == "update_display_data":
            for output in self.outputs:
                if output["transient"].get("display_id") == content["transient"]["display_id"]:
                    output["data"] = content["data"]
        elif message["parent_header"].get("msg_id") != self._cell:
            return
        elif kind in {"display_data", "execute_result", "stream", "error"}:
            self.outputs.append({"kind": kind, "transient": {}, "data": {}, **content})
        elif kind == "status" and content["execution_state"] == "idle":
            self._is_idle = True

    def _comm(self, kind, content) -> None:
        if kind == "comm_close":
            self.comms[content["comm_id"]] = "closed"
            return
        if kind == "comm_open":
            self.comms[content["comm_id"]] = "open"
        view = content["data"].get("state", {}).get("view")
        if view is not None:
            self.views.append(view)
            self.widget = content["comm_id"]

    @property
    def line(self):
        """The line as it is drawn now, or ``None``."""
        lines = self.views[-1]["lines"] if self.views else []
        return lines[0] if lines else None

    def end(self) -> str:
        """Read to the cell's end; return how it ended."""
        self.until(lambda: self._is_idle)
        while (reply := self.client.get_shell_msg(timeout=20))["parent_header"].get("msg_id") != self._cell:
            pass
        return reply["content"]["status"]

    def run(self, code, **options) -> str:
        self.start(code, **options)
        return self.end()

    def send(self, message) -> None:
        data = {"method": "custom", "content": message}
        wire = self.client.session.msg("comm_msg", {"comm_id": self.widget, "data": data})
        if self.subshell is not None:
            wire["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(wire)

    def own_subshell(self) -> None:
        """Ask for a subshell, as JupyterLab does for each widget."""
        request = self.client.session.msg("create_subshell_request")
        self.client.control_channel.send(request)
        while (reply := self.client.get_control_msg(timeout=10))["parent_header"].get("msg_id") != request["msg_id"]:
            pass
        self.subshell = reply["content"]["subshell_id"]

    @property
    def data(self) -> list[dict]:
        return [output["data"] for output in self.outputs if output["kind"] != "error"]


@pytest.fixture
def page(kernel):
    page = Page(kernel)
    page.own_subshell()
    page.run(WARM)
    return page


def is_clean(page) -> bool:
    """Nothing of the line is left: no widget that lives, no output that would be seen."""
    return set(page.comms.values()) <= {"closed"} and all(set(data) <= STATIC for data in page.data)


def test_a_long_statement_has_a_line_and_nothing_of_it_stays(page):
    page.start("%%sql\nselect 7 as seven from pg_sleep(1.5)")
    line = page.until(lambda: page.line and page.line["state"] == "running" and page.line)
    assert float(line["elapsed"].removesuffix(" s")) >= 0.5
    assert line["words"] == "runs on db"
    (shown,) = page.until(lambda: page.outputs)
    assert VIEW in shown["data"]
    before = line["elapsed"]
    page.until(lambda: page.line and page.line["elapsed"] != before)
    assert page.end() == "ok"
    assert is_clean(page)
    first, value, status = page.data
    assert first == {}
    assert "7" in value["text/plain"]
    assert status["text/plain"].startswith("SELECT 1")
    times = [float(view["lines"][0]["elapsed"].removesuffix(" s")) for view in page.views if view["lines"]]
    assert len(times) <= 4 * (times[-1] - times[0]) + 2  # four a second


def test_a_short_one_has_none_and_imports_nothing(kernel):
    page = Page(kernel)
    page.run("%%sql\nset work_mem = '5MB'; set work_mem = '6MB'")
    assert page.comms == {}
    assert len(page.outputs) == 2
    page.start("import sys; [name for name in sys.modules if 'anywidget' in name or 'magics.live' in name]")
    page.end()
    assert page.outputs[0]["data"]["text/plain"] == "[]"


def test_stop_is_a_cancel_that_says_so_and_keeps_the_session(page, database):
    page.run("%sql create temp table kept as select 41 as answer")
    page.start(f"%%sql\n{LONG}")
    line = page.until(lambda: page.line)
    page.send({"op": "stop", "id": line["id"]})
    assert page.end() == "error"
    (error,) = [output for output in page.outputs if output["kind"] == "error"]
    assert error["ename"] == "QueryInterrupted"
    assert "stopped by the button after" in page.data[-1]["text/plain"]
    assert is_clean(page)
    assert not running(database, "pg_sleep(600)")
    page.run("%sql select answer from kept")
    assert "41" in page.data[0]["text/plain"]


def test_an_old_id_or_a_strange_message_stops_nothing(page):
    page.start(f"%%sql\n{LONG}")
    old = page.until(lambda: page.line)["id"]
    page.send({"op": "stop", "id": old})
    assert page.end() == "error"
    page.start("%%sql\nselect 1 as one from pg_sleep(0.9); select 2 as two from pg_sleep(0.9)")
    first = page.until(lambda: page.line)["id"]
    for message in ({"op": "stop", "id": old}, {"op": "stop"}, {"op": "stop", "id": [first]}, {"op": "halt", "id": first}, "stop", None):
        page.send(message)
    second = page.until(lambda: page.line and page.line["id"] != first and page.line)
    page.send({"op": "stop", "id": first})
    assert second["state"] == "running"
    page.kernel.await_arrival()
    assert page.end() == "ok"
    assert is_clean(page)
    page.send({"op": "stop", "id": second["id"]})  # to a widget that is closed
    assert page.run("%sql select 3 as three") == "ok"


def test_a_script_has_one_widget_and_its_outputs_in_order(page):
    slow = "select {} as n from pg_sleep(0.8);"
    notice = "do $$ begin raise notice 'heard'; perform pg_sleep(1.1); raise notice 'again'; end $$;"
    page.start(f"%%sql\n{slow.format(11)} select 22 as n; update pg_class set relname = relname where false; {notice} {slow.format(33)}")
    assert page.end() == "ok"
    assert is_clean(page)
    assert len(page.comms) == 2  # the widget, and its layout
    shown = [data["text/plain"] for data in page.data if data]
    places = [next(i for i, text in enumerate(shown) if word in text) for word in ("11", "22", "UPDATE 0", "heard", "33")]
    assert places == sorted(places)
    assert [data for data in page.data if not data] == [{}]  # before Out[n], nowhere else


def test_statements_without_a_value_leave_no_empty_output(page):
    assert page.run("%%sql\ndo $$ begin perform pg_sleep(0.8); end $$") == "ok"
    (status,) = page.data
    assert status["text/plain"].startswith("DO · ")
    assert is_clean(page)


def test_a_loop_reuses_one_output(page):
    code = "for i in range(3):\n    get_ipython().run_line_magic('sql', 'select pg_sleep(0.7)')\n    print(i)"
    assert page.run(code) == "ok"
    assert is_clean(page)
    assert [output["kind"] for output in page.outputs].count("display_data") == 2  # the line's, and the status lines
    assert "".join(output["text"] for output in page.outputs if output["kind"] == "stream") == "0\n1\n2\n"


@pytest.mark.parametrize(
    "code",
    [
        "%%capture kept\n%sql select pg_sleep(1)",
        "import ipywidgets\nwith ipywidgets.Output():\n    get_ipython().run_line_magic('sql', 'select pg_sleep(1)')",
        "from threading import Thread\nt = Thread(target=get_ipython().run_line_magic, args=('sql', 'select pg_sleep(1)'))\nt.start(); t.join()",
    ],
)
def test_what_is_kept_as_it_came_gets_no_line(page, code):
    assert page.run(code) == "ok"
    assert page.views == []


def test_where_no_front_end_names_the_cell_nothing_is_shown(page):
    assert page.run("%%sql\nselect 7 as seven from pg_sleep(1)", cell_id=False) == "ok"
    assert page.comms == {}
    assert [set(data) for data in page.data] == [STATIC, STATIC]


def test_an_executed_notebook_holds_results_only(database, tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    sources = [f"%load_ext tusk_jupyter\n%tusk_connect {database} --name db", "%%sql\nselect 7 as seven from pg_sleep(1)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    env = {**os.environ, "TUSK_DATA_DIR": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython")}
    nbclient.NotebookClient(notebook, timeout=60).execute(env=env)
    assert notebook.metadata.get("widgets", {}) == {}
    assert [set(output["data"]) for output in notebook.cells[1].outputs] == [STATIC, STATIC]


def test_a_load_has_a_line_too(page, database):
    page.run("import pandas as pd\ndf = pd.DataFrame({'a': range(100)})\n%tusk load df --to loaded")
    with psycopg.connect(database) as other:
        other.execute("lock table loaded")
        page.start("%tusk load df --to loaded --append")
        line = page.until(lambda: page.line and page.line["waits"] and page.line["holders"] and page.line)
        assert line["holders"][0]["pid"] == other.info.backend_pid
    assert page.end() == "ok"
    assert is_clean(page)


def test_only_one_that_is_seen_in_the_way_can_be_ended_and_once(page, database):
    page.run("%sql create table held (a int)")
    with psycopg.connect(database) as other:
        other.execute("lock table held")
        page.start("%%sql\ntable held")
        line = page.until(lambda: page.line and page.line["holders"] and page.line)
        (holder,) = line["holders"]
        asked = {"op": "cancel_theirs", "id": line["id"], "pid": holder["pid"], "backend_start": holder["start"], "how": holder["how"]}
        assert holder["how"] == "terminate"
        for change in ({"pid": 1}, {"backend_start": ""}, {"how": "cancel"}, {"id": "x"}, {"request": 7}, {"request": "x" * 999}):
            page.send({"request": "r", **asked, **change})
        page.kernel.await_arrival()
        other.execute("select 1")  # it lives
        page.send({**asked, "request": "r"})
        assert page.end() == "ok"
        with pytest.raises(psycopg.OperationalError):
            other.execute("select 1")


@pytest.mark.parametrize("version", ["6.31.0", "7.3.0"])
def test_stop_on_older_kernels(kernels, install_ipykernel, database, version):
    page = Page(kernels(env=install_ipykernel(version)))
    page.run(f"import ipykernel\nassert ipykernel.__version__ == {version!r}\n%tusk_connect {database} --name db")
    page.run(WARM)
    if not version.startswith("6."):
        page.own_subshell()
    page.start(f"%%sql\n{LONG}")
    line = page.until(lambda: page.line)
    page.send({"op": "stop", "id": line["id"]})
    if version.startswith("6."):
        page.kernel.interrupt()  # its shell is busy; the message comes when the cell is over
    assert page.end() == "error"
    assert is_clean(page)
    assert page.run("%sql select 41 as answer") == "ok"
