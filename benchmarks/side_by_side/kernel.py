"""A real ipykernel of a subject's environment, driven by messages as a front end drives it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from side_by_side.place import Place
    from side_by_side.subjects import Subject

LIMIT_S = 120.0


class _Manager(KernelManager):
    """Starts the interpreter it is given, whatever kernelspecs lie about."""

    interpreter = ""

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [self.interpreter, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="benchmark", language="python")


@dataclass(frozen=True, slots=True)
class Memory:
    """Of the whole kernel process, in MB: resident, proportional (shared pages divided), unique (no shared pages)."""

    rss: float
    pss: float
    uss: float


class Kernel:
    """``run(code)`` a cell to its end, or ``send`` it, ``interrupt`` and ``collect``."""

    def __init__(self, manager: _Manager, client: Any) -> None:
        self._manager = manager
        self._client = client

    def run(self, code: str) -> str:
        """Run a cell; return what it printed."""
        status, printed = self.collect(self.send(code))
        if status != "ok":
            raise RuntimeError(printed)
        return printed

    def send(self, code: str) -> str:
        """Start a cell."""
        message: str = self._client.execute(code)
        return message

    def collect(self, message: str) -> tuple[str, str]:
        """Wait for the prompt: the kernel is idle and the cell's reply is here."""
        deadline = time.monotonic() + LIMIT_S
        printed: list[str] = []
        idle = False
        while not idle:
            got = self._client.get_iopub_msg(timeout=deadline - time.monotonic())
            if got["parent_header"].get("msg_id") != message:
                continue
            content = got["content"]
            printed.append(content.get("text", "") or "\n".join(content.get("traceback", ())))
            idle = content.get("execution_state") == "idle"
        while True:
            got = self._client.get_shell_msg(timeout=deadline - time.monotonic())
            if got["parent_header"].get("msg_id") == message:
                return got["content"]["status"], "".join(printed)

    def interrupt(self, *, directly: bool = False) -> None:
        """Send SIGINT: as a front end's stop button does, or ``directly`` to the one process."""
        if directly:
            os.kill(self._pid(), signal.SIGINT)
        else:
            self._manager.interrupt_kernel()

    def memory(self) -> Memory:
        """Return what the process holds now."""
        text = Path(f"/proc/{self._pid()}/smaps_rollup").read_text(encoding="ascii")
        kb = {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
        return Memory(kb["Rss"] / 1024, kb["Pss"] / 1024, (kb["Private_Clean"] + kb["Private_Dirty"]) / 1024)

    def _pid(self) -> int:
        provisioner: Any = self._manager.provisioner
        return int(provisioner.process.pid)


@contextlib.contextmanager
def started(place: Place, subject: Subject, **variables: str) -> Iterator[Kernel]:
    """Start a kernel, and end it with the block."""
    manager = _Manager()
    manager.interpreter = place.python(subject)
    quiet = subprocess.DEVNULL
    manager.start_kernel(env=place.environment(**variables), cwd=str(place.scratch), stdout=quiet, stderr=quiet)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=LIMIT_S)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
