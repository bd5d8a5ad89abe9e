"""The keys to log in with: from a file, from the agent, from where ``ssh`` looks when nobody says.

``auth="key"`` means that file and nothing else, so whatever is wrong with it is the error. ``auth="agent"`` means what
``ssh`` does without asking: the agent's keys, then the ``IdentityFile`` of ``~/.ssh/config`` or the usual files of
``~/.ssh``; one of these that cannot be used is passed over, and named if the login fails. Agent keys that an
``IdentityFile`` names come first, because servers hang up after six; with ``IdentitiesOnly`` no other is offered.

asyncssh takes a certificate beside a key (``KEY-cert.pub``) by itself. It reads keys that others may read; OpenSSH does
not, and neither do we.
"""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncssh

from tusk_jupyter.connections.ssh_refusals import OF_AGENT, Refusal, RefusedError
from tusk_jupyter.errors import SshError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.secret import Secret

USUAL = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk")


@dataclass(slots=True)
class Identities:
    """What will be offered; ``agent`` says why the agent gave nothing."""

    pairs: list[asyncssh.SSHKeyPair] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    agent: str | None = None
    client: asyncssh.SSHAgentClient | None = None

    def close(self) -> None:
        """Hang up at the agent, which is needed until the login is over."""
        if self.client is not None:
            self.client.close()


def from_file(path: str, passphrase: Secret | None, certificates: Sequence[str] = ()) -> list[asyncssh.SSHKeyPair]:
    """Return the key of the file, with its certificate if there is one beside it; reads files, so not for the loop.

    :raises RefusedError: when it cannot be used.
    """
    file = Path(path).expanduser()
    if (problem := _unusable(file)) is not None:
        raise RefusedError(Refusal(problem))
    failure: Exception
    try:
        secret = passphrase.reveal() if passphrase else None
        return list(asyncssh.load_keypairs(str(file), secret, list(certificates)))
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, OSError, ValueError) as error:
        failure = error.with_traceback(None)
    raise RefusedError(_unread(file, failure, given=passphrase is not None))


def existing(named: Sequence[str] | None) -> list[str]:
    """Return the keys that ``ssh`` tries by itself, as far as they exist: those of ``IdentityFile``, or the usual."""
    candidates = [f"~/.ssh/{name}" for name in USUAL] if named is None else named
    return [str(path) for path in (Path(one).expanduser() for one in candidates) if path.exists()]


async def from_agent(path: str, wanted: Sequence[bytes], *, only: bool) -> Identities:
    """Ask the agent for its keys, those of ``wanted`` first, with ``only`` no others."""
    if not path and sys.platform != "win32":
        return Identities(agent="no SSH agent is running (SSH_AUTH_SOCK is not set)")
    try:
        client = await asyncssh.connect_agent(path)
        keys = list(await client.get_keys())
    except (OSError, ValueError, asyncssh.Error):
        return Identities(agent=f"the SSH agent at {path!r} does not answer")
    found = Identities(client=client)
    named = [key for key in keys if key.public_data in wanted]
    found.pairs = list(named if only else [*named, *(key for key in keys if key.public_data not in wanted)])
    found.names = [f"{OF_AGENT}{key.get_comment() or key.get_algorithm()}" for key in found.pairs]
    if not keys:
        found.agent = "the SSH agent has no keys"
    elif not found.pairs:
        found.agent = "the SSH agent has none of the keys that IdentityFile names"
    return found


def public_of(path: str) -> bytes | None:
    """Return the public key of a key file, as the agent names it, if that can be read without a passphrase."""
    for file in (f"{path}.pub", path):
        try:
            return asyncssh.read_public_key(file).public_data
        except (OSError, ValueError):
            continue
    return None


def _unusable(file: Path) -> SshError | None:
    facts = (("file", str(file)),)
    try:
        found = file.stat()
        with file.open("rb") as opened:
            opened.read(1)
    except FileNotFoundError:
        return SshError(f"the SSH key {str(file)!r} does not exist", advice="Check the path of --ssh-key.", facts=facts)
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        return SshError(
            f"the SSH key {str(file)!r} cannot be read: {why}",
            advice="It must be a private key that the user who runs Jupyter may read.",
            facts=facts,
        )
    # OpenSSH's rule: it is about one's own files, root's may be shared with a group
    if sys.platform != "win32" and found.st_uid == os.getuid() and found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return SshError(
            f"others may read the SSH key {str(file)!r}, so it is not used",
            advice=f"chmod 600 {file}",
            facts=(("file", f"{file}, mode {stat.S_IMODE(found.st_mode):04o}"),),
        )
    return None


def _unread(file: Path, failure: Exception, *, given: bool) -> Refusal:
    text, facts = str(failure), (("file", str(file)),)
    # with a wrong passphrase one old key in 256 decrypts to nonsense, and is told from no key at all by its first lines
    encrypted = (
        isinstance(failure, asyncssh.KeyEncryptionError) or text.startswith("Passphrase") or _says_encrypted(file)
    )
    if "requires bcrypt" in text:
        return Refusal(
            SshError(
                f"the SSH key {str(file)!r} is encrypted, and the Python package that opens it is not installed",
                advice="pip install bcrypt, or load the key with ssh-add and use --ssh-auth agent.",
                facts=facts,
            )
        )
    if encrypted and not given:
        return Refusal(
            SshError(
                f"the SSH key {str(file)!r} is encrypted, and no passphrase was given",
                advice="Connect again and type it when asked, or load the key with ssh-add and use --ssh-auth agent.",
                facts=facts,
            ),
            asks="passphrase",
        )
    if encrypted:
        return Refusal(
            SshError(
                f"the passphrase does not open the SSH key {str(file)!r}",
                advice=f"ssh-keygen -y -f {file} tells whether it is right.",
                facts=facts,
            ),
            refused="passphrase",
        )
    return Refusal(
        SshError(
            f"the file {str(file)!r} is not a private SSH key",
            advice="Name the private key, not its .pub half; PuTTY's .ppk must be converted (puttygen KEY.ppk -O"
            " private-openssh).",
            facts=facts,
        )
    )


def _says_encrypted(file: Path) -> bool:
    with file.open("rb") as opened:
        return b"ENCRYPTED" in opened.read(200)


async def gather(
    files: Sequence[str],
    *,
    agent_path: str | None,
    only: bool,
    passphrase: Secret | None,
    certificates: Sequence[str],
    run: Any,
) -> Identities:
    """Return what ``ssh`` would offer without asking; ``run`` calls a function off the loop."""
    named = [blob for path in files if (blob := await run(public_of, path)) is not None]
    found = await from_agent(agent_path or "", named, only=only)
    has = {pair.public_data for pair in found.pairs}
    for path in files:
        try:
            pairs = await run(from_file, path, passphrase, certificates)
        except RefusedError as refused:
            if await run(public_of, path) not in has:
                found.passed_over.append(refused.refusal.error.message)
            continue
        found.pairs += [pair for pair in pairs if pair.public_data not in has]
        found.names.append(path)
    return found
