"""A role's password set on a connection's session, and what is kept of it.

Beside :mod:`tusk_jupyter.running` and :mod:`tusk_jupyter.loading`. It runs on the leased session, as the statement
``ALTER ROLE`` would: as the role that ``SET ROLE`` made, in the transaction that is open, to be cancelled as any other.
The role is looked up before anybody is asked for a password. When it is the connection's own, what was kept of the old
password is replaced, unless a transaction is open: until its COMMIT the old one counts.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.running import run_alone
from tusk_jupyter.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.role_password import Role
    from tusk_jupyter.queries.script import Step
    from tusk_jupyter.running import Kernel
    from tusk_jupyter.saving import Saved


@dataclass(frozen=True, slots=True)
class PasswordSet:
    """A password that was set: its step, the role, and what to say of it."""

    step: Step
    role: str
    notes: tuple[str, ...]


def set_password(
    kernel: Kernel,
    password: Secret | Callable[[str], Secret],
    *,
    role: str | None,
    connection: Connection,
    saved: Saved,
    ask: Callable[[str], Secret | None] | None,
    on_tick: Callable[[Execution], None] | None,
) -> PasswordSet:
    """Set the password of ``role``, or of the current one.

    :param password: or what returns it, called with the role's name when that is known.
    :param saved: what is kept of connections.
    :raises InvalidInput: for a read-only connection, an unknown role (with near names), a password that cannot be one.
    :raises TuskError: as a cell does; :raises QueryInterrupted: after a kernel interrupt.
    """
    if connection.target.settings.read_only:
        raise InvalidInput(
            f"{connection.name!r} is read-only: no password is set there",
            advice="Nothing was changed. --connection NAME names one that writes.",
        )
    session = connection.session(ask)
    found = _found(session, role)
    _refuse_embedded(connection, found)
    secret = password if isinstance(password, Secret) else password(found.name)
    _check(secret)
    from tusk_jupyter.queries.role_password import SettingPassword
    from tusk_jupyter.queries.split import split

    [statement] = split(found.shown)
    deliver = partial(SettingPassword, role=found, password=secret)
    step = run_alone(kernel, connection, session, statement, deliver=deliver, on_tick=on_tick)
    return PasswordSet(step, found.name, _kept(connection, found, secret, saved))


def _found(session: Session, wanted: str | None) -> Role:
    from tusk_jupyter.queries.asking import asked
    from tusk_jupyter.queries.role_password import Role, find

    outcome = asked(session, lambda: find(session, wanted), doing="changed")
    if isinstance(outcome, Role):
        return outcome
    near = difflib.get_close_matches(wanted or "", outcome, n=3)
    offer = f"Did you mean {' or '.join(map(repr, near))}?" if near else "select rolname from pg_roles lists them."
    raise InvalidInput(f"there is no role {wanted!r}", advice=f"Nothing was changed. {offer}")


def _refuse_embedded(connection: Connection, role: Role) -> None:
    if connection.target.embedded is not None and role.is_own:
        raise InvalidInput(
            f"the password of {role.name!r} is how every kernel of yours reaches the embedded cluster: it stays",
            advice="Nothing was changed. Name another role: %tusk password ROLE.",
        )


def _check(secret: Secret) -> None:
    """Refuse what is no password; the text is in no frame of the error."""
    problem = None
    if not secret:
        problem = "the password is empty: nobody could log in with it"
    elif "\0" in secret.reveal():
        problem = "the password holds a NUL, and PostgreSQL would read it only up to there"
    elif any("\ud800" <= character <= "\udfff" for character in secret.reveal()):
        problem = "the password holds half of a character (a lone surrogate)"
    if problem is not None:
        raise InvalidInput(
            problem, advice="Nothing was changed. Run it again; ALTER ROLE … PASSWORD NULL takes a password away."
        )


def _kept(connection: Connection, role: Role, secret: Secret, saved: Saved) -> tuple[str, ...]:
    """Let the next session of the connection log in; return what to say."""
    session = connection.live_session
    if session is not None and session.transaction is not None:
        notes = ["it is not yet committed: until COMMIT the old password counts, and a ROLLBACK keeps it"]
        if role.is_own:
            notes.append(f"what is kept for {connection.name} stays the old one: after COMMIT, %tusk_connect … -W")
        return tuple(notes)
    if not role.is_own:
        return ()
    given = connection.use_password(secret)
    said = saved.replace_password(connection, secret) or ("this kernel uses the new one from now on",)
    return (*said, "where the old one is written down is yours to change") if given else said
