"""Which OS user the server runs as: this one, or, for root, an existing unprivileged one.

PostgreSQL refuses to run as root, and root is who one is in containers and CI. The wheel of the ``demo`` extra solves
that by creating an OS user and changing folder permissions (seen in /etc/passwd); nobody asked for either, so here an
existing user is taken: ``postgres``, which is there for this, else ``nobody`` while nothing else runs as it, because
whoever shares a user can read its files. Data and binaries then lie where that user can reach them, which root's own
0700 directories are not.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tusk_jupyter.errors import ConnectionFailed, InvalidInput

ROOT_BASE = Path("/var/lib/tusk-jupyter")
WAY_OUT = (
    "Run the notebook as an ordinary user, or install PostgreSQL's packages, which bring the user 'postgres' "
    "(apt-get install postgresql)."
)


@dataclass(frozen=True, slots=True)
class Account:
    """An OS user that a server runs as."""

    name: str
    uid: int
    gid: int


def choose() -> Account | None:
    """Return the account for a new cluster; None: the present user's own."""
    if not is_root():
        return None
    for name in ("postgres", "nobody"):
        found = _lookup(name)
        if found is not None and (name != "nobody" or _unused(found)):
            return found
    raise _nobody_left("neither 'postgres' nor an unused 'nobody' is here")


def recorded(name: str) -> Account:
    """Return the account that an existing cluster belongs to, the only one that can serve it."""
    found = _lookup(name) if is_root() else None
    if found is None:
        raise _nobody_left(f"the cluster belongs to {name!r}, which cannot be used here")
    return found


def check_unused(account: Account | None) -> None:
    """Refuse to start a server as a ``nobody`` that has come into use; attaching to a running one stays possible."""
    if account is not None and account.name == "nobody" and not _unused(account):
        raise _nobody_left("other processes run as 'nobody'")


def _nobody_left(detail: str) -> ConnectionFailed:
    return ConnectionFailed(
        "PostgreSQL does not run as root, and there is no other OS user to run it as", detail=detail, advice=WAY_OUT
    )


def note(account: Account | None, home: Path) -> str | None:
    """Return the one line that tells root who runs the server, and where."""
    if account is None:
        return None
    return f"runs as OS user {account.name!r}, because PostgreSQL refuses to run as root; its files are in {home}"


def root_base() -> Path:
    """Return a directory of root's that every user can pass through, created where it is missing."""
    try:
        with suppress(FileExistsError):
            ROOT_BASE.mkdir(mode=0o755)
            ROOT_BASE.chmod(0o755)
        found = ROOT_BASE.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == 0 and not found.st_mode & 0o022 and found.st_mode & 0o001:
            return ROOT_BASE
    except OSError:  # /var/lib may be read-only; /var/tmp outlives a reboot, and mkdtemp's name cannot be foreseen
        pass
    base = Path(tempfile.mkdtemp(prefix="tusk-jupyter-", dir="/var/tmp"))
    base.chmod(0o755)
    return base


def private(path: Path, uid: int | None) -> None:
    """Refuse a directory that is a link, belongs to somebody else, or that others can enter (no check on Windows)."""
    if sys.platform == "win32":
        return
    found = path.lstat()
    owner = os.geteuid() if uid is None else uid
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
        raise InvalidInput(
            f"{str(path)!r} is not a private directory of its owner",
            detail=f"expected a directory of user id {owner} with mode 0700",
            advice="It was not made by tusk-jupyter, or changed since: move it away, or set TUSK_DATA_DIR.",
        )


def make_private(path: Path, account: Account | None) -> None:
    """Create a 0700 directory that belongs to the account."""
    path.mkdir(mode=0o700)
    if account is not None and sys.platform != "win32":
        os.chown(path, account.uid, account.gid)


def is_root() -> bool:
    """Whether PostgreSQL would refuse to run as the present user."""
    return sys.platform != "win32" and os.geteuid() == 0


def _lookup(name: str) -> Account | None:
    if sys.platform == "win32":
        return None
    import pwd

    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name, found.pw_uid, found.pw_gid) if found.pw_uid else None


def _unused(account: Account) -> bool:
    """Whether nothing but our own servers runs as this user; without /proc that cannot be known."""
    if not Path("/proc/self/status").exists():
        return False
    return all(
        _is_ours(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _runs_as(entry, account)
    )


def _runs_as(process: Path, account: Account) -> bool:
    try:
        fields = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line)
    except OSError:  # it has ended
        return False
    return str(account.uid) in fields["Uid"].split() and "Z" not in fields["State"].split()


def _is_ours(process: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return True
    # a server names its directory; its children (also those that outlive it for a moment) bear the cluster's name
    return words[0].startswith(b"postgres: tusk-") or any(w.startswith(os.fsencode(f"{ROOT_BASE}/")) for w in words)
