"""A role's new password on its session: hashed here, so that the server and its log see the hash only. On the worker.

``ALTER ROLE … PASSWORD 'secret'`` stands in clear text in ``pg_stat_activity``, in the server's log when statements are
logged, and in whatever collects them. libpq makes the verifier itself that the server would have stored
(``PQencryptPasswordConn``; for SCRAM with a salt of its own), and the server takes it as it is. From a SCRAM verifier
nobody can log in; a weak password can be guessed from it, as from the server's own copy. libpq's ``PQchangePassword``
was refused: it is there since 17 only, and blocks where nobody can cancel, with the same statement.

An MD5 hash is worth the password to who logs in with it, and the log would have it: where the server stores those, that
is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tusk_jupyter.connections.wire import Command
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.queries.delivery import Delivery
from tusk_jupyter.queries.quoting import quote_identifier

if TYPE_CHECKING:
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.errors import TuskError
    from tusk_jupyter.secret import Secret

SCRAM: Final = "scram-sha-256"
_MOST_NEAR: Final = 10_000
# names travel as hexadecimal digits, whatever the session's encoding
_HEX: Final = "pg_catalog.encode(pg_catalog.convert_to({0}::text, 'UTF8'), 'hex')"
_GIVEN: Final = "pg_catalog.convert_from(pg_catalog.decode($1, 'hex'), 'UTF8')"
_FACTS: Final = f"""
select {_HEX.format("current_user")},
  pg_catalog.current_setting('password_encryption'),
  (select {_HEX.format("rolname")} from pg_catalog.pg_roles
   where rolname in ({_GIVEN}, pg_catalog.lower({_GIVEN})) order by rolname = {_GIVEN} desc limit 1)
"""
_NAMES: Final = f"select {_HEX.format('rolname')} from pg_catalog.pg_roles where rolname !~ '^pg_' limit {_MOST_NEAR}"


@dataclass(frozen=True, slots=True)
class Role:
    """The role whose password is to be set; ``is_own``: the one that the connection logs in as."""

    name: str
    is_own: bool
    algorithm: str

    @property
    def shown(self) -> str:
        """The statement as it may be seen anywhere."""
        return f"ALTER ROLE {quote_identifier(self.name)} PASSWORD '****'"


def find(session: Session, wanted: str | None) -> Role | list[str]:
    """Look a role up (on the worker): as it is written, else in lower case; ``None`` is the current one.

    :return: the role, or the names that there are.
    """
    rows = session.rows(_FACTS, (wanted or "").encode("utf-8", "surrogatepass").hex())
    if not rows:
        return []
    current, algorithm, found = rows[0]
    # not session_user, which SET SESSION AUTHORIZATION changes
    login = session.adapt.pgconn.user.decode("utf-8", "replace")
    name = current if wanted is None else found
    if name is None:
        return [_text(row[0]) for row in session.rows(_NAMES)]
    role = _text(name)
    return Role(role, is_own=role == login, algorithm="md5" if algorithm in {"md5", "on"} else algorithm or "")


@dataclass(slots=True, kw_only=True)
class SettingPassword(Delivery):
    """``ALTER ROLE`` under way, with what libpq made of the password."""

    role: Role
    password: Secret

    def run(self) -> None:
        """Run it; :raises InvalidInput: for a password that cannot be one."""
        verifier = _verifier(self.session, self.role, self.password)
        if verifier is None:
            raise InvalidInput(
                f"libpq cannot make a password by {self.role.algorithm!r}, which is password_encryption here",
                advice="Nothing was changed. SET password_encryption = 'scram-sha-256', then run it again.",
            )
        text = f"alter role {quote_identifier(self.role.name)} password '{verifier}'"
        self.reply = self.session.run(self.token, Command(self.session.encode(text)), on_notice=self.notices.add)
        if self.reply.error is None and self.role.algorithm != SCRAM:
            self.notes.append(
                "the server keeps it as MD5, whose hash is as good as the password to whoever sees it: "
                "set password_encryption = 'scram-sha-256', then set it again"
            )

    def explained(self, error: TuskError) -> TuskError:
        """Return the server's error with what may be done about it."""
        if error.sqlstate == "42501":
            error.advice = (
                "Nothing was changed. Another role's password is set by a superuser, or by a role with CREATEROLE "
                "(since 16 one that also has ADMIN OPTION on it)."
            )
        return error


def _verifier(session: Session, role: Role, password: Secret) -> str | None:
    """Return what the server stores; ``None`` where libpq makes none. No exception has seen the password."""
    import psycopg

    try:
        made = session.adapt.pgconn.encrypt_password(
            password.reveal().encode(), role.name.encode(), role.algorithm.encode()
        )
    except psycopg.Error:
        return None
    return made.decode("ascii")


def _text(digits: str | None) -> str:
    return bytes.fromhex(digits or "").decode()
