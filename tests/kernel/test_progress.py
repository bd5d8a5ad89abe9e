"""The live line in a real kernel, read and answered message by message, as a front end does."""

from __future__ import annotations

import itertools
import queue
import time

import pytest

from tests.waiting import running

VIEW = "application/vnd.jupyter.widget-view+json"
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
    page.run("%sql select 1 as warm")  # the first one waits for imports
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
    assert error["ename"] == "QueryCancelled"
    assert "stopped by the button after" in page.data[-1]["text/plain"]
    assert is_clean(page)
    assert not running(database, "pg_sleep(600)")
    page.run("%sql select answer from kept")
    assert "41" in page.data[0]["text/plain"]
