"""The connection manager in a real kernel, spoken to as a front end does: buttons that work while a cell runs."""

from __future__ import annotations

import itertools
import queue
import time

import pytest

from tests.fix_postgres import PASSWORD

VIEW = "application/vnd.jupyter.widget-view+json"
numbers = itertools.count(1)
# the beginning, turned around so that no cell's source holds it
LOOK = f"""
import gc, types
mark = {PASSWORD[:10][::-1]!r}[::-1]
def texts(one):
    if isinstance(one, dict):
        return list(one.values())
    return list(one) if isinstance(one, (list, tuple)) else list(one.f_locals.values())
found = [type(one).__name__ for one in gc.get_objects() if isinstance(one, (dict, list, tuple, types.FrameType))
         for text in texts(one) if type(text) is str and mark in text and text is not mark]
found += [name for name in ('In', '_ih', 'Out') if mark in repr(globals().get(name))]
found
"""


class Manager:
    """A front end's end of the widget's comm."""

    def __init__(self, kernel) -> None:
        self.kernel = kernel
        self.list, self.bundle = (output["data"] for output in kernel.run("%tusk_connect").outputs)
        self.comm = self.bundle[VIEW]["model_id"]
        self.subshell = None

    def own_subshell(self) -> None:
        """Ask for a subshell, as JupyterLab does for each widget's comm."""
        client = self.kernel.client
        request = client.session.msg("create_subshell_request")
        client.control_channel.send(request)
        while (reply := client.get_control_msg(timeout=10))["parent_header"].get("msg_id") != request["msg_id"]:
            pass
        if reply["content"].get("status") != "ok":
            pytest.skip("this kernel has no subshells")
        self.subshell = reply["content"]["subshell_id"]

    def send(self, op, **content) -> str:
        client = self.kernel.client
        message = {"op": op, "id": f"r{next(numbers)}", "view": "view", **content}
        data = {"method": "custom", "content": message}
        wire = client.session.msg("comm_msg", {"comm_id": self.comm, "data": data})
        wire["header"]["subshell_id"] = self.subshell
        client.shell_channel.send(wire)
        return message["id"]

    def until(self, wanted, timeout=20):
        """Read what the kernel publishes until ``wanted(message)``; return that and all that came before."""
        deadline = time.monotonic() + timeout
        seen = []
        while True:
            try:
                seen.append(self.kernel.client.get_iopub_msg(timeout=max(0.01, deadline - time.monotonic())))
            except queue.Empty:
                raise AssertionError(f"not in time; seen: {seen}") from None
            if wanted(seen[-1]):
                return seen

    def ask(self, op, **content):
        request = self.send(op, **content)
        seen = self.until(lambda m: self._content(m).get("id") == request and self._content(m)["op"] == "done")
        return self._content(seen[-1]), seen

    def _content(self, message):
        if message["msg_type"] != "comm_msg" or message["content"]["comm_id"] != self.comm:
            return {}
        return message["content"]["data"].get("content", {})


@pytest.fixture
def manager(kernels):
    return Manager(kernels())


@pytest.fixture
def guarded(server):
    return {"name": "guarded", "host": "127.0.0.1", "port": str(server.port), "database": "postgres", "username": "secretive"}


def test_a_widget_stands_below_its_static_list(manager):
    assert set(manager.list) == {"text/html", "text/plain"}
    assert "no connection is saved yet" in manager.list["text/plain"]
    assert manager.bundle == {VIEW: manager.bundle[VIEW], "text/plain": ""}


def test_the_buttons_work_while_a_cell_runs(manager, guarded):
    manager.own_subshell()
    manager.ask("secrets", target="")  # the extension's imports are not what is tested
    # one that only the main shell has sent for: ipykernel 7.4 would hand what comes for it to that shell
    manager, subshell = Manager(manager.kernel), manager.subshell
    manager.subshell = subshell
    # a cell that runs until it is interrupted
    cell = manager.kernel.send("import time\nfor _ in range(600): time.sleep(0.05)")
    manager.until(lambda m: m["msg_type"] == "status" and m["parent_header"]["msg_id"] == cell)
    answer, seen = manager.ask("connect", target="", form=guarded, secrets={"db": PASSWORD})
    assert answer["ok"], answer
    # the cell is still running: it has not said that it is idle
    idle = [m for m in seen if m["msg_type"] == "status" and m["content"]["execution_state"] == "idle"]
    assert cell not in [m["parent_header"]["msg_id"] for m in idle]
    updates = [m["content"]["data"]["state"]["view"] for m in seen if m["msg_type"] == "comm_msg" and m["content"]["data"]["method"] == "update"]
    assert "connected" in [row["state"] for view in updates for row in view["connections"]]
    manager.kernel.interrupt()
    manager.kernel.collect(cell)
    assert "secretive" in manager.kernel.run("%sql select current_user").everything


def test_a_typed_password_is_in_no_message_frame_or_container(manager, guarded):
    for form in (guarded, {**guarded, "name": ""}):
        _, seen = manager.ask("connect", target="", form=form, secrets={"db": PASSWORD, "sshkey": PASSWORD})
        assert PASSWORD[:10] not in repr(seen)
    assert manager.kernel.run(LOOK).value == "[]"


def test_a_manager_goes_with_the_extension(manager):
    manager.kernel.run("%unload_ext tusk_jupyter")
    # a message that comes late
    manager.send("hello")
    left = "import threading; [t.name for t in threading.enumerate() if t.name.startswith(('tusk-manager', 'tusk-events'))]"
    assert manager.kernel.run(left).value == "[]"
