"""``known_hosts`` as OpenSSH reads it: whose keys are recorded, where, and what a new key is called.

asyncssh says the same of an unknown key and of a changed one, and refuses a file with one line it cannot read; the
first is the difference between a first visit and an attack, the second makes somebody else's typo our failure. So the
files are read here, line by line, and asyncssh gets the keys.

A host on another port than 22 is ``[host]:port``; an entry without the port counts too, as far as its key is the right
one (OpenSSH does the same), but never makes a key a changed one. Addresses are not looked up besides names:
``CheckHostIP`` is off in OpenSSH since 8.5. What is written is a plain line, never a hashed one: a user who is asked
about a key wants to find it again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tusk_jupyter.connections.ssh_address import DEFAULT_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@dataclass(frozen=True, slots=True)
class HostKey:
    """What a server showed: enough to ask its user, and to record the answer in ``file``."""

    host: str
    port: int
    key_type: str
    fingerprint: str
    line: str
    file: str
    via: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a ``known_hosts`` file that is about the host that was asked for."""

    file: str
    line: int
    marker: str | None
    key_type: str
    blob: bytes
    without_port: bool = False

    @property
    def public(self) -> bytes:
        """The key as a line of a public key file."""
        return f"{self.key_type} {base64.b64encode(self.blob).decode()}".encode()


@dataclass(frozen=True, slots=True)
class Known:
    """What the files say about one host."""

    keys: tuple[Entry, ...] = ()
    authorities: tuple[Entry, ...] = ()
    revoked: tuple[Entry, ...] = ()

    @property
    def offending(self) -> Entry | None:
        """The entry that a different key contradicts; ``None`` where the host is a new one."""
        return next((entry for entry in self.keys if not entry.without_port), None)


def host_name(host: str, port: int) -> str:
    """Return the name under which ``known_hosts`` keeps the host."""
    return host.lower() if port == DEFAULT_PORT else f"[{host.lower()}]:{port}"


def look_up(files: Sequence[str], host: str, port: int) -> Known:
    """Return the entries of the host; files that cannot be read and lines that mean nothing are passed over."""
    named = list(_matching(files, host_name(host, port)))
    if port != DEFAULT_PORT and not any(entry.marker is None for entry in named):
        named += _matching(files, host.lower(), without_port=True)
    return Known(
        keys=tuple(entry for entry in named if entry.marker is None),
        authorities=tuple(entry for entry in named if entry.marker == "cert-authority"),
        revoked=tuple(entry for entry in named if entry.marker == "revoked"),
    )


def fingerprint(blob: bytes) -> str:
    """Return the SHA256 fingerprint as ``ssh-keygen -l`` shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def record(key: HostKey) -> None:
    """Append the key to its file (0600), whose directory (0700) is created where there is none.

    :raises OSError: when it cannot be written.
    """
    path = Path(key.file)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(fd, "rb+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        separator = b"\n" if size and file.read(1) != b"\n" else b""
        # one write: two kernels that record at once do not share a line
        file.write(separator + key.line.encode() + b"\n")


def _matching(files: Iterable[str], name: str, *, without_port: bool = False) -> Iterator[Entry]:
    for file in files:
        try:
            lines = Path(file).read_text("utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for number, line in enumerate(lines, 1):
            marker, hosts, key_type, encoded = _fields(line)
            if encoded and _is_meant(hosts, name) and (blob := _decoded(encoded)):
                yield Entry(file, number, marker, key_type, blob, without_port)


def _fields(line: str) -> tuple[str | None, str, str, str]:
    words = line.split()
    marker = words.pop(0)[1:] if words and words[0].startswith("@") else None
    if len(words) < 3 or words[0].startswith("#") or marker not in (None, "cert-authority", "revoked"):  # noqa: PLR2004 - hosts, type, key
        return None, "", "", ""
    return marker, words[0], words[1], words[2]


def _decoded(encoded: str) -> bytes | None:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_meant(hosts: str, name: str) -> bool:
    if hosts.startswith("|"):
        return _is_hash_of(hosts, name)
    patterns = hosts.split(",")
    if any(_fits(pattern[1:], name) for pattern in patterns if pattern.startswith("!")):
        return False
    return any(_fits(pattern, name) for pattern in patterns if not pattern.startswith("!"))


def _fits(pattern: str, name: str) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern.lower())
    return re.fullmatch(expression, name) is not None


def _is_hash_of(hashed: str, name: str) -> bool:
    # |1|base64 of the salt|base64 of HMAC-SHA1(salt, name): HashKnownHosts of ssh_config(5)
    parts = hashed.split("|")
    if len(parts) != 4 or parts[1] != "1":  # noqa: PLR2004
        return False
    salt, digest = _decoded(parts[2]), _decoded(parts[3])
    if salt is None or digest is None:
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)
