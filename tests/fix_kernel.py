"""Real kernels, driven by messages through jupyter_client, as a front end drives them."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import time
from dataclasses import dataclass, field

import pytest


@dataclass
class Reply:
    """What one cell gave: its outputs in order and how it ended."""

    status: str = ""
    outputs: list[dict] = field(default_factory=list)
    content: dict = field(default_factory=dict)

    def _kind(self, *kinds):
        return [o for o in self.outputs if o["output_type"] in kinds]

    @property
    def value(self) -> str | None:
        """The text of ``Out[n]``."""
        results = self._kind("execute_result")
        return results[-1]["data"]["text/plain"] if results else None

    @property
    def displayed(self) -> list[str]:
        """The text of every display, updates applied."""
        return [o["data"].get("text/plain", "") for o in self._kind("display_data")]

    @property
    def html(self) -> str:
        return "\n".join(o["data"].get("text/html", "") for o in self._kind("display_data", "execute_result"))

    @property
    def stdout(self) -> str:
        return "".join(o["text"] for o in self._kind("stream") if o["name"] == "stdout")

    @property
    def error(self) -> dict | None:
        errors = self._kind("error")
        return errors[-1] if errors else None

    @property
    def everything(self) -> str:
        return repr(self.outputs) + repr(self.content)


class Kernel:
    """A running kernel: ``run(code)`` a cell, ``interrupt()`` it, ``kill()`` it."""

    def __init__(self, manager, client) -> None:
        self.manager = manager
        self.client = client

    def send(self, code: str, **options) -> str:
        return self.client.execute(code, **options)

    def run(self, code: str, *, timeout: float = 30, ok: bool | None = True, while_running=None, **options) -> Reply:
        """Run a cell to its end; ``while_running(reply)`` is called with each output that arrives."""
        reply = self.collect(self.send(code, **options), timeout=timeout, while_running=while_running)
        if ok is not None:
            assert (reply.status == "ok") is ok, reply.outputs
        return reply

    def collect(self, msg_id: str, *, timeout: float = 30, while_running=None) -> Reply:
        reply = Reply()
        deadline = time.monotonic() + timeout
        idle = False
        while not idle:
            message = self.client.get_iopub_msg(timeout=max(0.01, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            idle = self._take(reply, message)
            if while_running is not None:
                while_running(reply)
        while True:
            try:
                shell = self.client.get_shell_msg(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError("no reply from the kernel") from None
            if shell["parent_header"].get("msg_id") == msg_id:
                reply.status, reply.content = shell["content"]["status"], shell["content"]
                return reply

    @staticmethod
    def _take(reply: Reply, message) -> bool:
        kind, content = message["msg_type"], message["content"]
        if kind == "status":
            return content["execution_state"] == "idle"
        if kind == "update_display_data":
            for output in reply.outputs:
                if output.get("transient", {}).get("display_id") == content["transient"]["display_id"]:
                    output["data"] = content["data"]
        elif kind in {"stream", "display_data", "execute_result", "error"}:
            reply.outputs.append({"output_type": kind, **content})
        return False

    def await_arrival(self) -> None:
        """Return when all that was sent has reached the kernel, while its cell runs: a subshell answers what came last."""
        created = self._ask(self.client.control_channel, self.client.get_control_msg, "create_subshell_request")
        last = {"subshell_id": created["subshell_id"]}
        self._ask(self.client.shell_channel, self.client.get_shell_msg, "kernel_info_request", header=last)
        self._ask(self.client.control_channel, self.client.get_control_msg, "delete_subshell_request", content=last)

    def _ask(self, channel, receive, kind: str, *, content=None, header=None) -> dict:
        message = self.client.session.msg(kind, content or {})
        message["header"] |= header or {}
        channel.send(message)
        while (reply := receive(timeout=20))["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            pass
        assert reply["content"]["status"] == "ok", reply["content"]
        return reply["content"]

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def kill(self) -> None:
        """``kill -9``, as the out-of-memory killer does."""
        os.kill(self.pid, 9)

    def restart(self) -> None:
        """What the front end's restart button does."""
        self.manager.restart_kernel()
        self.client.wait_for_ready(timeout=30)

    @property
    def pid(self) -> int:
        return self.manager.provisioner.process.pid

    def stop(self) -> None:
        self.client.stop_channels()
        if self.manager.is_alive():
            self.manager.shutdown_kernel()
        self.manager.cleanup_resources()


@pytest.fixture(scope="session")
def install_ipykernel(tmp_path_factory):
    """Return ``install(version)``: the environment of a kernel that runs on that ipykernel, fetched once per run."""
    installed = {}

    def install(version: str) -> dict[str, str]:
        if version not in installed:
            target = tmp_path_factory.mktemp(f"ipykernel-{version}")
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
            done = subprocess.run([*command, f"ipykernel=={version}"], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            installed[version] = {"PYTHONPATH": str(target)}
        return installed[version]

    return install


@pytest.fixture(scope="session")
def start_kernel(server):
    """Return ``start(home, load=, env=, …)``: a kernel with its files in ``home``; the caller stops it, ``…`` is Popen's."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import KernelManager

    class ThisPython(KernelManager):
        """The interpreter that runs the tests, whatever kernelspecs lie about."""

        @property
        def kernel_spec(self):
            return KernelSpec(
                argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                display_name="test",
                language="python",
            )

    def start(home, *, load: bool = True, env: dict[str, str] | None = None, **process) -> Kernel:
        # PYTEST_…: ipykernel would leave the file descriptors alone, which it takes over for everybody else
        mine = ("PG", "PYTEST_", "DATABASE_URL")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(mine)}
        environment |= {
            "TUSK_DATA_DIR": str(home / "tusk"),
            "IPYTHONDIR": str(home / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(home / "jupyter"),
        } | (env or {})
        manager = ThisPython()
        manager.start_kernel(env=environment, **process)
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=30)
        kernel = Kernel(manager, client)
        if load:
            kernel.run("%load_ext tusk_jupyter")
        return kernel

    return start


@pytest.fixture
def kernels(start_kernel, tmp_path):
    """Start kernels with a data directory of the test's own; all are stopped at its end."""
    started = []

    def start(**options) -> Kernel:
        started.append(start_kernel(tmp_path, **options))
        return started[-1]

    yield start
    for kernel in started:
        kernel.stop()


@pytest.fixture
def kernel(kernels, database) -> Kernel:
    """A kernel with the extension loaded and connected to a database of the test's own."""
    kernel = kernels()
    kernel.run(f"%tusk_connect {database} --name db")
    return kernel


@pytest.fixture(scope="module")
def module_kernel(start_kernel, tmp_path_factory):
    """One kernel for all tests of a module that leave it as they found it."""
    kernel = start_kernel(tmp_path_factory.mktemp("kernel"))
    yield kernel
    kernel.stop()


@pytest.fixture
def shared_kernel(module_kernel, database):
    """The module's kernel, connected as ``db`` to a database of the test's own, and to nothing afterwards."""
    module_kernel.run(f"%tusk_connect {database} --name db")
    yield module_kernel
    module_kernel.run(
        "for c in get_ipython().run_line_magic('tusk', 'connections')['name']:\n"
        "    get_ipython().run_line_magic('tusk', f'disconnect {c}')\n%reset -f"
    )
