"""From a name to an open connection: what is connected, what is saved, what the environment says.

A part of :class:`~tusk_jupyter.tusk.Tusk`, in a module of its own because it is one subject: which connection a cell
means. Only :meth:`Reaching.connect_saved` (``%tusk_connect NAME``, the manager) changes the current one; a cell that
names a saved connection opens it and leaves the current one alone.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from tusk_jupyter.connections.credentials import KINDS
from tusk_jupyter.errors import ConnectionNotFound, InvalidInput, NoActiveConnection, TuskError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.credentials import Credentials, Kind
    from tusk_jupyter.connections.registry import Connections
    from tusk_jupyter.connections.steps import Step, Walk
    from tusk_jupyter.connections.target import Target
    from tusk_jupyter.saving import Saved
    from tusk_jupyter.secret import Secret

DEFAULT = "default"


class Reaching:
    """Find, open, test and rename connections by name."""

    connections: Connections
    credentials: Credentials

    if TYPE_CHECKING:

        @property
        def saved(self) -> Saved: ...

    def connection(self, name: str | None = None, ask: Callable[[str], Secret | None] | None = None) -> Connection:
        """Return a connection by name, opening it where it is saved, or the current one (section 2).

        With none at all: the environment's, else the saved one named ``default``.
        """
        try:
            return self.connections.get(name)
        except NoActiveConnection as error:
            found = self._default(ask)
            missing: TuskError = error
        except ConnectionNotFound as error:
            found = self._opened(name, ask)
            missing = self._not_found(name or "") if found is None else error
        if found is None:
            raise missing
        return found

    def _default(self, ask: Callable[[str], Secret | None] | None) -> Connection | None:
        """Connect to what the environment names, else to the saved connection that is called so."""
        from tusk_jupyter.connections import defaults

        target = defaults.from_environment(os.environ)
        if target is not None:
            try:
                return self.connections.connect(None, target, ask=ask)
            except TuskError as error:
                error.facts = (*error.facts, ("named by", target.notes[0].removeprefix("connected by ")))
                raise
        saved = self.saved.find(DEFAULT)
        if saved is None:
            return None
        target = replace(self.saved.target(saved), notes=(f"connected by the saved connection {DEFAULT!r}",))
        return self.connections.connect(saved.name, target, ask=ask)

    def _opened(self, name: str | None, ask: Callable[[str], Secret | None] | None) -> Connection | None:
        """Open a saved connection for a cell that names it; the current one stays what it is."""
        saved = self.saved.find(name) if name is not None else None
        if saved is None:
            return None
        return self.connections.connect(saved.name, self.saved.target(saved), ask=ask, current=False)

    def test(
        self,
        name: str | None,
        target: Target,
        *,
        ask: Callable[[str], Secret | None] | None = None,
        password: Secret | None = None,
        on_step: Callable[[Step], None] | None = None,
    ) -> Walk:
        """Try a target step by step, close everything again, and return what it came to.

        :param password: is tried in place of the one that is known.
        :param ask: is asked for what is lacking, as in connecting: passwords, passphrases, whether a host key is right.
        :raises KeyboardInterrupt: when the user does not want to wait.
        """
        from tusk_jupyter.connections import trial

        shown = name or target.conninfo.redacted()
        kept = {kind: self._known_secret(target, name, kind) for kind in KINDS}
        known = password or target.conninfo.password or kept["db"] or self.credentials.recall(target.password_key)
        if target.ask and ask is not None and password is None:
            known = ask(f"Password for {target.conninfo.redacted()}: ")
        if target.conninfo.sslpassword is None:
            target = replace(target, conninfo=replace(target.conninfo, sslpassword=kept["sslkey"]))
        given = trial.Given(password=known, ssh_password=kept["ssh"], passphrase=kept["sshkey"])
        return trial.run(target, given, name=shown, ask=ask, on_step=on_step)

    def _known_secret(self, target: Target, name: str | None, kind: Kind) -> Secret | None:
        """Return what a connect would use: what is kept, or what opened a connection that is not."""
        if target.saved_id is not None:
            return self.credentials.find(target.saved_id, kind)
        opened = next((c for c in self.connections.active() if c.name == name and c.target == target), None)
        return self.credentials.recall((opened.id, kind)) if opened is not None else None

    def rename_connection(self, name: str, new: str) -> None:
        """Give a connection another name, kept or open or both; its passwords and its session stay."""
        saved = self.saved.find(name)
        if saved is None and name not in self.connections.names():
            raise self._not_found(name)
        if new in self.known_names():
            raise InvalidInput(f"there is a connection named {new!r} already", advice="Choose another name.")
        if saved is not None:
            self.saved.rename(saved.id, new)
        if name in self.connections.names():
            self.connections.rename(name, new)

    def delete_saved(self, name_or_id: str) -> None:
        """Delete a saved connection with its passwords, this kernel's memory included unless it is open here."""
        saved = self.saved.delete(name_or_id)
        if saved is not None and all(connection.id != saved.id for connection in self.connections.active()):
            from tusk_jupyter.connections.keeping import target_of

            self.credentials.forget(target_of(saved).password_key)

    def known_names(self) -> list[str]:
        """Return the names that a cell may use: what is connected, then what is saved besides."""
        active = self.connections.names()
        return [*active, *(name for name in self.saved.names() if name not in active)]

    def _not_found(self, name: str) -> ConnectionNotFound:
        from difflib import get_close_matches

        names = self.known_names()
        near = get_close_matches(name, names, n=3)
        offer = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        there = f"There are: {', '.join(names)}." if names else "Nothing is connected or saved yet: %tusk_connect."
        return ConnectionNotFound(f"there is no connection named {name!r}", name=name, advice=f"{offer}{there}")

    def connect_saved(
        self,
        name_or_id: str,
        *,
        ask: Callable[[str], Secret | None] | None = None,
        password: Secret | None = None,
    ) -> Connection:
        """Connect to a saved connection, or go on with it where it is open, and make it the current one.

        :param password: is tried in place of the one that is kept; it stays in this kernel's memory.
        :raises ConnectionNotFound: with the near names.
        """
        saved = self.saved.get(name_or_id)
        if saved.name in self.connections.names():
            connection = self.connections.use(saved.name)
            connection.session(ask)
            return connection
        target = self.saved.target(saved)
        if password is not None:
            target = replace(target, conninfo=replace(target.conninfo, password=password))
        return self.connections.connect(saved.name, target, ask=ask)
