"""One cluster on disk: its folder, its marker, its server.

``<directory>/<name>/`` (0700) holds ``cluster.json``, which marks the folder as ours, ``password`` (0600), the files
the watchdog looks at, and ``server/`` with ``data``, ``s`` (the socket) and ``log``. For root ``server/`` lies where
the server's OS user can reach it, and the marker says where. A folder without the marker is somebody else's.

A new cluster is made in ``data.new`` and renamed, so that ``data`` is whole whenever it exists and nothing that might
hold data is ever deleted but by ``drop``.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tusk_jupyter.connections.embedded import account as accounts
from tusk_jupyter.connections.embedded import binaries as programs_of
from tusk_jupyter.connections.embedded import programs
from tusk_jupyter.errors import ConnectionFailed, InvalidInput

ROLE = "tusk"
_MARKER = "cluster.json"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a cluster's files are, and which OS user serves it."""

    name: str
    folder: Path
    home: Path
    token: str
    account: accounts.Account | None

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.home / "log"


def claim(name: str, folder: Path) -> Cluster:
    """Return the cluster of this folder; a new or empty folder becomes one, anybody else's is refused."""
    if (folder / _MARKER).exists():
        accounts.private(folder, None)
        return read(folder, name=name)
    account, token = accounts.choose(), secrets.token_hex(8)
    folder.mkdir(mode=0o700, exist_ok=True)
    accounts.private(folder, None)
    if any(folder.iterdir()):
        raise _not_ours(folder)
    home = folder / "server" if account is None else accounts.root_base() / f"{name}-{token}"
    marker = {"made_by": "tusk-jupyter", "name": name, "token": token, "home": str(home)}
    write_private(folder / _MARKER, json.dumps({**marker, "account": account.name if account else None}))
    return Cluster(name, folder, home, token, account)


def read(folder: Path, *, name: str | None = None) -> Cluster:
    """Return the cluster of a folder that bears our marker.

    :param name: as the user spelt it: on a file system without case, ``Shop`` and ``shop`` are one folder.
    """
    try:
        marker = json.loads((folder / _MARKER).read_text())
        found, home, account = marker["name"], Path(marker["home"]), marker["account"]
        token = marker["token"]
    except (OSError, ValueError, KeyError, TypeError):
        raise _not_ours(folder) from None
    if name is not None and found != name:
        raise InvalidInput(f"the embedded cluster is called {found!r}, not {name!r}")
    if account is None:
        home = folder / "server"  # follows the data directory when that is moved
    cluster = Cluster(found, folder, home, token, accounts.recorded(account) if account else None)
    if cluster.account is None and accounts.is_root():
        raise InvalidInput(
            f"the embedded cluster {found!r} was made by an ordinary user, and this is root",
            advice="Run as that user, or set TUSK_DATA_DIR to a directory of root's own.",
        )
    return cluster


def check_home(cluster: Cluster) -> None:
    """Make the place for the server's files, or check that it is still private; refuse where they have been lost."""
    lost = not cluster.data.exists() and not (cluster.home / "data.new").exists()
    if lost and (cluster.folder / "password").exists():
        raise ConnectionFailed(
            f"the data of the embedded cluster {cluster.name!r} are gone",
            detail=f"they were in {cluster.data}",
            advice=f"Put them back, or start anew after %tusk embedded drop {cluster.name}",
        )
    if not cluster.home.exists():
        accounts.make_private(cluster.home, cluster.account)
        (cluster.home / "owner").write_text(cluster.token)
    accounts.private(cluster.home, cluster.account.uid if cluster.account else None)


def _not_ours(folder: Path) -> InvalidInput:
    return InvalidInput(
        f"{str(folder)!r} is not a folder that tusk-jupyter made",
        advice="Choose another name for the embedded server, or move the folder away.",
    )


def write_private(path: Path, text: str) -> None:
    """Write a 0600 file in one step: whoever reads it sees all of it or nothing."""
    fd, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
    Path(temporary).replace(path)


def password(cluster: Cluster) -> str:
    """Return the generated password."""
    try:
        return (cluster.folder / "password").read_text()
    except OSError as error:
        failure = error.strerror
    raise ConnectionFailed(
        f"the password file of the embedded cluster {cluster.name!r} cannot be read",
        detail=failure,
        advice=f"Restore {cluster.folder / 'password'}, or give up the data with %tusk embedded drop {cluster.name}",
    )


def create(cluster: Cluster, found: programs_of.Binaries) -> None:
    """Make the data directory: role ``tusk``, SCRAM for every way in, one database of the cluster's name."""
    new = cluster.home / "data.new"
    if new.exists():
        shutil.rmtree(new)
    secret = secrets.token_urlsafe(24)
    password_file = cluster.home / "initial-password"
    password_file.unlink(missing_ok=True)
    write_private(password_file, secret)
    if cluster.account is not None and sys.platform != "win32":
        os.chown(password_file, cluster.account.uid, cluster.account.gid)
    try:
        _initdb(cluster, found, new, password_file)
    finally:
        password_file.unlink(missing_ok=True)
    # before the server ever listens, and without a client
    single = ("--single", "-D", str(new), "postgres")
    text = f'create database "{cluster.name}"\n'
    done = programs.run(found.program("postgres"), *single, account=cluster.account, text=text)
    if done.returncode or "ERROR:" in done.stderr:
        raise ConnectionFailed("the embedded database could not be made", detail=tail(done.stderr))
    write_private(cluster.folder / "password", secret)
    new.rename(cluster.data)


def _initdb(cluster: Cluster, found: programs_of.Binaries, new: Path, password_file: Path) -> None:
    options = [
        f"--pgdata={new}", f"--username={ROLE}", f"--pwfile={password_file}", "--encoding=UTF8",
        "--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--no-sync",
    ]  # fmt: skip
    # code point order with full Unicode case rules: the same everywhere, whatever the OS calls its locales
    builtin = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    attempts = [builtin] if found.major >= 17 else [["--locale=C.UTF-8"], ["--locale=C"]]  # noqa: PLR2004 - 17 brought it
    for locale in attempts:
        done = programs.run(found.program("initdb"), *options, *locale, account=cluster.account)
        if done.returncode == 0:
            return
        shutil.rmtree(new, ignore_errors=True)
    raise ConnectionFailed("the embedded cluster could not be made", detail=tail(done.stdout + done.stderr))


def major(cluster: Cluster) -> int | None:
    """Return the PostgreSQL major that the data belong to; None: there are none yet."""
    try:
        return int((cluster.data / "PG_VERSION").read_text().split(".")[0])
    except FileNotFoundError:
        return None


def delete(cluster: Cluster) -> None:
    """Delete the folder, the server's files elsewhere and its socket directory, each only when it is surely ours."""
    record = cluster.folder / "socket-directory"
    if record.exists():
        made = Path(record.read_text())
        if made.exists():
            accounts.private(made, cluster.account.uid if cluster.account else None)
            shutil.rmtree(made)
    if cluster.home.exists():
        if (cluster.home / "owner").read_text() != cluster.token:
            raise _not_ours(cluster.home)
        shutil.rmtree(cluster.home)
    shutil.rmtree(cluster.folder)


def tail(text: str, lines: int = 12) -> str | None:
    """Return the last lines of what a program said."""
    return "\n".join(text.strip().splitlines()[-lines:]) or None
