"""A test of a connection with its questions: walked again while what it lacked can be asked for.

The questions are those of connecting (:mod:`~tusk_jupyter.connections.route`), in the caller's thread and between two
walks, because a worker has nobody to ask. Nothing is kept of the answers: not the passwords, which connecting keeps in
this kernel's memory, and no host key, which it records; a test that changed ``known_hosts`` would be no test.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tusk_jupyter import interrupts
from tusk_jupyter.connections.login import QUESTIONS
from tusk_jupyter.connections.route import TRIES, key_question, ssh_question

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.ssh_known_hosts import HostKey
    from tusk_jupyter.connections.steps import Step, Walk
    from tusk_jupyter.connections.target import Target
    from tusk_jupyter.secret import Secret

    Ask = Callable[[str], Secret | None]

# the steps keep the limit themselves
GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class Given:
    """What is known before anybody is asked, and what was answered."""

    password: Secret | None = None
    ssh_password: Secret | None = None
    passphrase: Secret | None = None
    key_passphrase: Secret | None = None
    trusted: tuple[HostKey, ...] = ()


def run(
    target: Target, given: Given, *, name: str, ask: Ask | None, on_step: Callable[[Step], None] | None = None
) -> Walk:
    """Walk until it succeeds, or fails for want of nothing that ``ask`` can give; see :func:`steps.walk`.

    :raises KeyboardInterrupt: when the user does not want to wait.
    """
    walk = _attempt(target, given, name=name, on_step=on_step)
    passphrases = 0
    for _ in range(QUESTIONS):
        passphrases += walk.key_asks is not None
        more = _asked(target, given, walk, ask) if ask is not None and passphrases <= TRIES else None
        if more is None:
            break
        given = more
        walk = _attempt(target, given, name=name, on_step=on_step)
    return walk


def _attempt(target: Target, given: Given, *, name: str, on_step: Callable[[Step], None] | None) -> Walk:
    from tusk_jupyter.connections.steps import walk

    if given.key_passphrase is not None:
        target = replace(target, conninfo=replace(target.conninfo, sslpassword=given.key_passphrase))
    return interrupts.call(
        "test",
        lambda: walk(
            target,
            name=name,
            password=given.password,
            ssh_password=given.ssh_password,
            passphrase=given.passphrase,
            trusted=given.trusted,
            on_step=on_step,
        ),
        timeout=target.limits.connect_timeout_s + GRACE_S,
    )


def _asked(target: Target, given: Given, walk: Walk, ask: Ask) -> Given | None:
    """Return what is given after the question that the walk ended with; ``None`` when there is none, or no answer."""
    if walk.asks:
        secret = ask(f"Password for {target.conninfo.redacted()}: ")
        return replace(given, password=secret) if secret is not None else None
    if walk.key_asks is not None:
        secret = ask(key_question(target.conninfo, again=walk.key_asks == "wrong"))
        return replace(given, key_passphrase=secret) if secret is not None else None
    if target.ssh is not None and walk.ssh_asks is not None:
        by_password = walk.ssh_asks == "password"
        before = given.ssh_password if by_password else given.passphrase
        secret = ask(ssh_question(target.ssh, walk.ssh_asks, again=before is not None))
        if secret is None:
            return None
        return replace(given, ssh_password=secret) if by_password else replace(given, passphrase=secret)
    key, confirm = walk.unknown_key, getattr(ask, "confirm", None)
    if key is None or confirm is None or not confirm(_question(key)):
        return None
    return replace(given, trusted=(*given.trusted, key))


def _question(key: HostKey) -> str:
    return (
        f"The host key of {key.host} is not known yet: {key.key_type} {key.fingerprint}\n"
        "Is it the right one? It is taken for this test only and not recorded. (yes/no) "
    )
