"""The two refusals that need most care: a host whose key is not the recorded one, and a login that is not let in.

A changed key is refused always, and the advice is to look before the old one is removed; an unknown one can be accepted
by whoever is asked. A refused login says what the server offers and what was tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tusk_jupyter.connections import ssh_known_hosts
from tusk_jupyter.connections.ssh_known_hosts import HostKey
from tusk_jupyter.connections.ssh_refusals import Refusal, Seen, command, refused

if TYPE_CHECKING:
    import asyncssh

_ASK = "Nothing was sent. Ask whoever runs the server about it, and show them the detail."


def no_common_algorithm(exc: asyncssh.KeyExchangeFailed, seen: Seen) -> tuple[str, str]:
    entry = seen.known.offending
    if "host key" in str(exc) and entry is not None:
        return (
            f"the host key of {seen.label} has CHANGED: it shows none of the kind that is recorded",
            _changed_advice(seen, entry),
        )
    return (
        f"{seen.label} and this machine have no algorithm in common",
        "The server's software is very old, or Ciphers, KexAlgorithms or MACs in ~/.ssh/config leave nothing.",
    )


def host_key(exc: asyncssh.HostKeyNotVerifiable, seen: Seen, prefix: str) -> Refusal:
    if seen.presented is None:
        return Refusal(refused(f"{prefix}the host key of {seen.label} {_flaw(exc, seen)}", seen, _ASK, exc))
    found = _described(seen.presented, seen)
    facts = (("host key", f"{found.key_type} {found.fingerprint}"),)
    if (entry := seen.known.offending) is not None:
        recorded = (("recorded", f"{entry.key_type} {ssh_known_hosts.fingerprint(entry.blob)}"),)
        message = f"{prefix}the host key of {seen.label} has CHANGED: somebody may be listening in"
        place = (("known_hosts", f"{entry.file}, line {entry.line}"),)
        return Refusal(refused(message, seen, _changed_advice(seen, entry), None, facts + recorded + place))
    error = refused(
        f"{prefix}the host key of {seen.label} is not known yet: {found.key_type} {found.fingerprint}",
        seen,
        "Compare the fingerprint with what whoever runs the server says. To accept it, connect once in a terminal: "
        f"{command(seen)} (or answer the question where one is asked); it is then recorded in {seen.record_in}.",
        None,
        facts,
    )
    return Refusal(error, unknown=found)


def _flaw(exc: asyncssh.HostKeyNotVerifiable, seen: Seen) -> str:
    if "revoked" in str(exc):
        return "is marked as revoked in known_hosts"
    if seen.authority is not None:
        return (
            f"is certified by an authority that known_hosts does not name for it ({seen.authority.get_fingerprint()})"
        )
    return "comes with a certificate that is not valid"


def _described(key: asyncssh.SSHKey, seen: Seen) -> HostKey:
    line = key.export_public_key("openssh").decode().split()
    name = ssh_known_hosts.host_name(*seen.recorded_as)
    return HostKey(
        host=seen.host,
        port=seen.port,
        key_type=line[0],
        fingerprint=key.get_fingerprint(),
        line=f"{name} {line[0]} {line[1]}",
        file=seen.record_in,
        via=seen.via,
    )


def _changed_advice(seen: Seen, entry: ssh_known_hosts.Entry) -> str:
    name = ssh_known_hosts.host_name(*seen.recorded_as)
    return (
        "Nothing was sent. Ask whoever runs the server whether its key was renewed. Only if so, remove the old one"
        f" ({entry.file}, line {entry.line}) with: ssh-keygen -f {entry.file} -R '{name}'"
    )


def denied(exc: BaseException, seen: Seen, prefix: str) -> Refusal:
    offered = ", ".join(seen.offered) or "nothing that this client can do"
    facts: tuple[tuple[str, str], ...] = (("offered", offered),)
    if seen.identities:
        facts = (*facts, ("tried", ", ".join(seen.identities)))
    if seen.passed_over:
        facts = (*facts, ("passed over", "; ".join(seen.passed_over)))
    message, advice, asks = _why_denied(exc, seen)
    error = refused(f"{prefix}{message}; it offers {offered}", seen, advice, exc, facts)
    wrong = seen.auth == "password" and seen.password_sent and not seen.expired
    return Refusal(error, asks=asks, refused="password" if wrong else None)


def _why_denied(exc: BaseException, seen: Seen) -> tuple[str, str, Literal["password"] | None]:
    if "too many" in str(exc).lower():
        return (
            f"{seen.label} was offered too many keys and hung up",
            "Name the one it knows with --ssh-auth key --ssh-key PATH, or with IdentitiesOnly in ~/.ssh/config.",
            None,
        )
    if seen.expired:
        return (f"the password of {seen.user} at {seen.host} has expired", f"Change it: {command(seen)}", None)
    if seen.auth == "password":
        return _password_denied(seen)
    if seen.agent is not None and not seen.identities:
        return (
            f"{seen.label} refused the login: {seen.agent}, and ~/.ssh holds no key that could be used instead",
            "Load one with ssh-add (Jupyter needs its SSH_AUTH_SOCK), or use --ssh-auth key or --ssh-auth password.",
            None,
        )
    return (
        f"{seen.label} refused the login as {seen.user}",
        f"Check the user, and that the key's public half is in that user's ~/.ssh/authorized_keys: {command(seen)}",
        None,
    )


def _password_denied(seen: Seen) -> tuple[str, str, Literal["password"] | None]:
    if seen.password_sent:
        more = f" The server asked besides: {seen.asked!r}." if seen.asked else ""
        return (
            f"{seen.label} refused the password of {seen.user}",
            f"Check user and password of the SSH server (not the database's).{more}",
            None,
        )
    if not {"password", "keyboard-interactive"} & set(seen.offered):
        return (f"{seen.label} takes no password", "Use --ssh-auth key --ssh-key PATH, or --ssh-auth agent.", None)
    if seen.password_given:
        return (
            f"{seen.label} asks for something else than a password: {seen.asked!r}",
            "A second factor cannot be typed here: use a key, or one connection of ssh that forwards the port.",
            None,
        )
    return (
        f"{seen.label} asks for a password, and none was given",
        "Connect again and type it when asked, or use --ssh-auth key --ssh-key PATH.",
        "password",
    )
