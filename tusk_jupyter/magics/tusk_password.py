"""``%tusk password``: a role's password, typed unseen and twice, and sent as a hash.

It is asked for when everything else is known to be right, in the main thread, by the prompt that connecting uses: the
notebook's own hidden field, the terminal's, and none where nobody can be asked (nbclient, papermill). There it fails:
an option for the password would put it into the notebook, which is what this command is there to avoid.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tusk_jupyter.errors import AuthenticationFailed, InvalidInput
from tusk_jupyter.magics.options import Option, Options, next_word, unquoted
from tusk_jupyter.magics.tusk_commands import Commands

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.tusk import Tusk

PASSWORD_OPTIONS = Options(
    Option(("--connection",), "connection", str, meaning="on that server", takes="connection"), magic="%tusk password"
)
_USAGE = "%tusk password [ROLE] [--connection NAME]"


class PasswordCommands(Commands):
    """Passwords of roles."""

    def do_password(self, *_words: str) -> None:
        """``%tusk password [ROLE] [--connection NAME]``: set a role's password; asked for unseen, sent as a hash.

        ROLE is taken as it is written, else in lower case; without one it is the current user.
        """
        from tusk_jupyter.magics import connect

        role, name = _read(self._line)
        connection = self._tusk.connection(name, connect.ask)
        set_password(self._tusk, self._output, role=role, connection=connection)


def set_password(tusk: Tusk, output: CellOutput, *, role: str | None, connection: Connection) -> None:
    """Ask for the new password of a role (without one, the current user's), and set it."""
    from tusk_jupyter.magics import connect

    done = tusk.set_password(
        lambda found: _typed_twice(connect.ask, found),
        role=role,
        connection=connection,
        ask=connect.ask,
        on_tick=output.tick,
    )
    footer = output.footer(done.step, connection=connection.name, parts=(f"password of {done.role} set",))
    output.show(replace(footer, notes=(*footer.notes, *done.notes)))


def _read(line: str) -> tuple[str | None, str | None]:
    """Return the role and the connection of ``password …``; :raises InvalidInput: for what is not understood."""
    role = connection = None
    _, position = next_word(line, 0)
    while True:
        word, end = next_word(line, position)
        if not word:
            return role, connection
        if word.startswith("-"):
            _, connection, position = PASSWORD_OPTIONS.take(line, position)
        elif role is not None:
            raise InvalidInput("%tusk password takes one role", advice=f"{_USAGE}; it asks for the password itself.")
        else:
            role, position = _name(word), end


def _name(word: str) -> str:
    """Read a role's name: in double quotes as SQL has it, in single ones as it is."""
    name = word[1:-1].replace('""', '"') if word.startswith('"') and word.endswith('"') else unquoted(word)
    if not name or "\0" in name:
        raise InvalidInput("the role's name is empty, or holds a NUL", advice=_USAGE)
    return name


def _typed_twice(ask: Callable[[str], Secret | None], role: str) -> Secret:
    first = ask(f"New password for role {role}: ")
    if first is None:
        raise AuthenticationFailed(
            f"nobody can be asked here for the new password of {role!r}",
            advice="Nothing was changed. Run it in a notebook or a terminal: it is typed there, and stays out of both.",
        )
    if first and ask("The same again: ") != first:
        raise InvalidInput("the two passwords differ", advice="Nothing was changed. Run it again.")
    return first
