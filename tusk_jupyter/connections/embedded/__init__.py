"""A private PostgreSQL of this user: started on demand, shared by the user's processes, stopped after the last one.

:func:`start` finds or makes the cluster of a name and makes this process one of its users until it ends (or
:func:`leave`). Attaching to a running server takes 2 ms, starting one 0.1 s, making one 0.8 s. Authentication is SCRAM
for the socket too, with a generated password in a 0600 file: ``trust`` would rest on the directory's mode alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter.connections.embedded import account as accounts
from tusk_jupyter.connections.embedded import binaries, server, users, watchdog
from tusk_jupyter.connections.embedded import cluster as clusters
from tusk_jupyter.errors import ConnectionNotFound, InvalidInput, IoError, TuskError
from tusk_jupyter.secret import Secret
from tusk_jupyter.translate import translate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEFAULT_NAME = "main"
ROLE = clusters.ROLE
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,39}")
_TAKEN = ("postgres", "template0", "template1")


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A running embedded server; ``host`` is its socket's directory, or 127.0.0.1 where there are no sockets."""

    name: str
    host: str
    port: int
    dbname: str
    user: str
    password: Secret
    version: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class EmbeddedCluster:
    """A cluster on disk: its major version (None: never started), whether it is up, the processes that use it."""

    name: str
    path: Path
    major: int | None
    running: bool
    users: tuple[int, ...]


def start(name: str, directory: Path, *, tcp: bool = False) -> EmbeddedServer:
    """Start or attach to the embedded server ``name`` and use it until this process ends.

    :param directory: ``embedded`` in the data directory; made (0700) where it is missing.
    :param tcp: one that is not running yet listens to the loopback too, at the port that is returned.
    :raises InvalidInput: a name or a folder that cannot be used.
    :raises ConnectionFailed: no PostgreSQL here, or it does not start; ``detail`` has the end of its log.
    """
    folder = _folder(name, directory)
    with _os_errors(folder):
        for missing in reversed([path for path in (directory, *directory.parents) if not path.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)  # parents=True would give the others the usual mode
        with users.turn(_turn(name, directory)):
            cluster = clusters.claim(name, folder)
            clusters.check_home(cluster)
            running = _serve(cluster, _turn(name, directory), tcp=tcp)
            secret = Secret(clusters.password(cluster))
    note = accounts.note(cluster.account, cluster.home)
    return EmbeddedServer(name, running.host, running.port, name, ROLE, secret, running.version, note)


def leave(name: str, directory: Path) -> None:
    """Stop using the server before this process ends; the watchdog stops it when nobody else does."""
    users.leave(_folder(name, directory))


def drop(name: str, directory: Path) -> None:
    """Stop the server and delete the cluster with its data; refused while another process uses it."""
    folder = _folder(name, directory)
    if not folder.exists():
        raise ConnectionNotFound(
            f"there is no embedded server {name!r}", name=name, advice="%tusk embedded lists what there is."
        )
    with _os_errors(folder), users.turn(_turn(name, directory)):
        accounts.private(folder, None)
        cluster = clusters.read(folder, name=name)
        if others := users.others(folder):
            raise InvalidInput(
                f"the embedded server {name!r} is in use by process {', '.join(map(str, others))}",
                advice="Nothing was deleted. End those kernels first.",
            )
        running = server.running(cluster) if cluster.data.exists() else None
        if running and not watchdog.stop(str(cluster.data), running.pg_ctl):
            raise IoError(f"the embedded server {name!r} does not stop", advice=f"Its log is {cluster.log}")
        users.leave(folder)
        clusters.delete(cluster)


def listing(directory: Path) -> list[EmbeddedCluster]:
    """Return the clusters of a directory by name; other folders are passed over."""
    found = []
    for folder in sorted(directory.iterdir()) if directory.is_dir() else []:
        with contextlib.suppress(TuskError, OSError):
            cluster = clusters.read(folder)
            up = watchdog.postmaster(str(cluster.data)) is not None
            using = tuple(users.using(folder))
            found.append(EmbeddedCluster(cluster.name, folder, clusters.major(cluster), up, using))
    return found


def _folder(name: str, directory: Path) -> Path:
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise InvalidInput(
            f"{name!r} cannot be the name of an embedded server",
            advice="Use up to 40 letters, digits, _ and -, not - first, and no name of PostgreSQL's own databases.",
        )
    return directory.absolute() / name


def _turn(name: str, directory: Path) -> Path:
    # beside the folder, not in it: it has to outlive a drop that others are waiting for
    return directory.absolute() / f".{name}.lock"


def _serve(cluster: clusters.Cluster, turn: Path, *, tcp: bool) -> server.Running:
    running = server.running(cluster) if cluster.data.exists() else None
    if running is not None:
        with _joined(cluster), _watched(cluster, turn, running.pg_ctl):
            return running
    accounts.check_unused(cluster.account)
    found = binaries.find(account=cluster.account, base=cluster.home.parent, major=clusters.major(cluster))
    with _joined(cluster), _watched(cluster, turn, str(found.program("pg_ctl"))):
        if not cluster.data.exists():
            clusters.create(cluster, found)
        return server.launch(cluster, found, tcp=tcp)


@contextlib.contextmanager
def _joined(cluster: clusters.Cluster) -> Iterator[None]:
    """Be a user of the cluster from now on, unless what follows fails."""
    newly = not users.joined(cluster.folder)
    users.join(cluster.folder)
    try:
        yield
    except BaseException:
        if newly:
            users.leave(cluster.folder)
        raise


@contextlib.contextmanager
def _watched(cluster: clusters.Cluster, turn: Path, pg_ctl: str) -> Iterator[None]:
    """See that a watchdog is there before anything is started: an interrupt may come at any time."""
    fd = watchdog.open_lock(str(cluster.folder / "watchdog.lock"))
    free = watchdog.try_lock(fd)
    os.close(fd)
    if not free:
        yield
        return
    words = [watchdog.__file__, str(cluster.folder), str(cluster.data), str(turn), pg_ctl]
    quiet = subprocess.DEVNULL
    dog = subprocess.Popen(  # noqa: S603 - our own file, this interpreter
        [sys.executable, "-I", "-S", *words],
        stdin=quiet,
        stdout=quiet,
        stderr=quiet,
        start_new_session=True,
        cwd=os.sep,
    )
    try:
        yield
    finally:
        if sys.platform == "win32":
            dog.returncode = 0  # it stays our child there; nothing waits for it
        else:
            dog.wait()  # it has left us at once; waiting is reaping


@contextlib.contextmanager
def _os_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        failure = translate(error, doing="the embedded server", path=str(error.filename or folder))
    else:
        return
    raise failure
