"""The child: an InteractiveShell that is ready, then code that is timed, as ``timeit`` does it.

It runs in any environment, takes a JSON job as its argument and writes its figures to the file that the job names (what
it prints belongs to whom it measures). Code is Python text: ``setup`` runs once, each of ``timed`` is compiled once and
run ``warm_up`` times unmeasured, then ``repeat`` times; the expressions of ``asked`` are evaluated at the end. Memory
is the peak that the timed part adds to what the process held before it (``VmHWM``, reset through ``clear_refs``;
Linux); processor time is that of all threads, in user and kernel. With ``profile`` ``perf`` watches the timed part.
"""

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.io import capture_output

PERF = ("perf", "record", "--quiet", "--freq", "2000", "--call-graph", "fp")
PERF_START_S = 1.0


def main() -> None:
    job = json.loads(sys.argv[1])
    shell = InteractiveShell.instance()
    with capture_output():
        shell.run_cell("1 + 1")
        namespace = {"get_ipython": lambda: shell}
        exec(job["setup"], namespace)
        figures = {}
        for name, text in job["timed"].items():
            code = compile(text, "<timed>", "exec")
            for _ in range(job["warm_up"]):
                exec(code, namespace)
            gc.collect()
            with profiled(job["profile"]):
                figures[name] = timed(code, namespace, job["repeat"])
        asked = {name: float(eval(text, namespace)) for name, text in job["asked"].items()}
    Path(job["answer"]).write_text(json.dumps({"timings": figures, "asked": asked}), encoding="utf-8")


def timed(code: object, namespace: dict[str, object], repeat: int) -> dict[str, object]:
    before = reset_peak()
    used = time.process_time()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        exec(code, namespace)
        times.append(time.perf_counter() - start)
    cpu = time.process_time() - used
    return {"seconds": times, "added_mb": status_mb("VmHWM") - before, "cpu_s": cpu}


@contextlib.contextmanager
def profiled(file: str | None) -> Iterator[None]:
    if file is None:
        yield
        return
    perf = subprocess.Popen([*PERF, "--output", file, "--pid", str(os.getpid())])
    time.sleep(PERF_START_S)
    try:
        yield
    finally:
        perf.send_signal(signal.SIGINT)
        perf.wait()


def reset_peak() -> float:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return status_mb("VmRSS")


def status_mb(field: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


if __name__ == "__main__":
    main()
