r"""psql's backslash commands in a cell: which does what.

A command is a part of the cell's script, performed in its turn, in the main thread, between two statements. What lists
or describes asks through :mod:`tusk_jupyter.looking`, so it sees what the session sees and the history does not have
it; what ends a statement runs it as a cell runs any. What is a table is returned as a DataFrame.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.queries.backslash import ENDINGS, Called, Command
from tusk_jupyter.queries.backslash_arguments import arguments, whole_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.queries.endings import Source
    from tusk_jupyter.queries.execution import Deadline
    from tusk_jupyter.queries.script import Names, Step
    from tusk_jupyter.running import CellOptions
    from tusk_jupyter.schema.asking import Ask
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.tusk import Tusk

T = TypeVar("T")
BEFORE_ENDINGS: Final = frozenset({"bind", "x"})
EXPANDED: Final = {"on": "on", "off": "off", "auto": "auto", "true": "on", "false": "off", "1": "on", "0": "off"}


@dataclass(frozen=True, slots=True)
class Cell:
    """The cell that a command stands in: its connection, its text, its options, and how it shows things."""

    tusk: Tusk
    shell: Any
    output: CellOutput
    connection: Connection
    source: Source
    options: CellOptions
    names: Names
    ask: Callable[[str], Secret | None]
    show: Callable[[Step], None]  # a statement's rows and status line, in their place
    tell: Callable[[Step, str], None]  # its status line alone, with a word of what was done


@dataclass(frozen=True, slots=True)
class Call:
    """One command of a cell, to be done before ``deadline``."""

    cell: Cell
    called: Called
    deadline: Deadline | None

    @property
    def command(self) -> Command:
        """What is to be done."""
        return self.called.last

    def arguments(self, most: int, *, ends: bool = True) -> tuple[str, ...]:
        """Return its arguments; :raises InvalidInput: when there are more than ``most``."""
        found = arguments(self.command, self.cell.names, ends=ends)
        if len(found) > most:
            wanted = "no argument" if not most else "one argument" if most == 1 else f"{most} arguments at most"
            raise InvalidInput(
                f"\\{self.command.name} takes {wanted}, and {found[most]!r} follows",
                advice="A command goes to the end of its line: what comes after it belongs on the next one.",
            )
        return found


def perform(cell: Cell, called: Called, deadline: Deadline | None) -> Step:
    """Do what a command says; :raises TuskError: as a statement does."""
    call = Call(cell, called, deadline)
    name = called.last.name
    if called.statement is not None or name in ENDINGS or name == "bind":
        return _ending(call)
    if (do := COMMANDS.get(name)) is not None:
        return answered(call, do(call))
    from tusk_jupyter.magics import psql_lists

    if (wanted := psql_lists.find(name)) is not None:
        return answered(call, psql_lists.listed(call, wanted))
    raise _unknown(name)


def _is_known(name: str) -> bool:
    from tusk_jupyter.magics import psql_lists, psql_words

    names = ENDINGS | BEFORE_ENDINGS | COMMANDS.keys() | psql_words.INSTEAD.keys()
    return name in names or psql_lists.find(name) is not None


def _unknown(name: str) -> InvalidInput:
    from tusk_jupyter.magics import psql_lists, psql_words

    return psql_words.refusal(name, [*COMMANDS, *ENDINGS, *BEFORE_ENDINGS, *psql_lists.names()])


def answered(call: Call, answer: Any = None) -> Step:
    """Return the end of a command that is no statement; ``answer`` is its value."""
    from tusk_jupyter.queries.execution import Outcome
    from tusk_jupyter.queries.script import Step
    from tusk_jupyter.queries.split import Statement

    session = call.cell.connection.live_session
    transaction = session.transaction if session is not None else None
    called = call.called
    statement = called.statement or Statement(called.text, called.start, called.end, ())
    return Step(statement, None, Outcome(None, None, transaction, "completed"), more=True, answer=answer)


def look(call: Call, question: Callable[[Ask], T]) -> T:
    """Ask a question about the database on the cell's session; say how, where that is not as usual."""
    from tusk_jupyter.looking import look as ask_session

    cell = call.cell
    looked = ask_session(
        cell.tusk,
        call.called.text,
        question,
        connection=cell.connection,
        ask=cell.ask,
        on_tick=cell.output.tick,
        deadline=call.deadline,
    )
    cell.output.settle()
    for note in looked.notes:
        cell.output.say(note, tone="warn")
    return looked.answer


def _ending(call: Call) -> Step:
    _refuse_misplaced(call.called)
    from tusk_jupyter.magics import psql_endings

    for command in call.called.commands[:-1]:
        if command.name == "x":
            _set_expanded(Call(call.cell, Called((command,), None, command.start, command.end), call.deadline))
    return psql_endings.perform(call)


def _refuse_misplaced(called: Called) -> None:
    *before, last = called.commands
    for command in called.commands:
        if not _is_known(command.name):
            raise _unknown(command.name)
    if called.statement is None:
        again = "What has run does not run again by itself."
        other = " Or: %tusk watch SECONDS SQL." if last.name == "watch" else ""
        raise InvalidInput(
            f"\\{last.name} ends a statement in place of its ;, and there is none before it",
            advice=f"Write it behind the statement: select … \\{last.name}. {again}{other}",
        )
    if last.name not in ENDINGS or any(command.name not in BEFORE_ENDINGS for command in before):
        inside = next((one.name for one in called.commands if one.name not in ENDINGS | BEFORE_ENDINGS), last.name)
        advice = r"\bind and \x stand before \g." if inside in BEFORE_ENDINGS else "End the statement with ; before it."
        raise InvalidInput(
            f"\\{inside} stands in the middle of a statement", advice=f"The statement was not run. {advice}"
        )


# -- the commands that are no statements ------------------------------------------------------------------------------


def _set_expanded(call: Call) -> None:
    tusk = call.cell.tusk
    [word] = call.arguments(1) or ("off" if tusk.expanded == "on" else "on",)
    if word.lower() not in EXPANDED:
        raise InvalidInput(f"\\x {word}: not understood", advice=r"\x on, \x off, \x auto, or \x to change over.")
    tusk.expanded = EXPANDED[word.lower()]
    shown = {
        "on": "on: rows are shown as records, in this kernel",
        "off": "off: rows are shown as tables",
        "auto": "auto: rows are shown as records where the table is wide",
    }
    call.cell.output.say(f"expanded display is {shown[tusk.expanded]}")


def _timing(call: Call) -> None:
    call.arguments(1)
    call.cell.output.say(
        "timing is always on: the line below a result has its time, from sending the statement to the finished result",
        "%%sql --quiet leaves the line out; %tusk history keeps the times; EXPLAIN ANALYZE has the server's alone",
    )


def _errverbose(call: Call) -> None:
    call.arguments(0)
    from tusk_jupyter.widgets.error_panel import everything

    error = call.cell.output.last_error
    if error is None:
        call.cell.output.say("no error yet")
    else:
        call.cell.output.show(everything(error))


def _encoding(call: Call) -> None:
    if wanted := call.arguments(1):
        raise InvalidInput(
            f"\\encoding {wanted[0]} changes a setting, and in a cell that is a statement",
            advice=f"Run: SET client_encoding = '{wanted[0]}'. Results come as Unicode whatever it is.",
        )
    session = call.cell.connection.session(call.cell.ask)
    call.cell.output.say(f"client_encoding is {session.parameter('client_encoding')}")


def _echo(call: Call) -> None:
    words = call.arguments(10_000, ends=False)
    end = "\n"
    if words[:1] == ("-n",):
        words, end = words[1:], ""
    stream = sys.stderr if call.command.name == "warn" else sys.stdout
    stream.write(" ".join(words) + end)


def _set(call: Call) -> None:
    from tusk_jupyter.magics import variables

    name, *values = call.arguments(10_000) or ("",)
    if not name:
        raise InvalidInput(r"\set: which variable?", advice=r"\set NAME VALUE; %whos lists the notebook's variables.")
    if name in {"ON_ERROR_STOP", "ON_ERROR_ROLLBACK", "AUTOCOMMIT"}:
        instead = "BEGIN opens a transaction" if name == "AUTOCOMMIT" else "--on-error on the cell's first line does"
        raise InvalidInput(f"\\set {name} is a switch of psql's own", advice=f"{instead}.")
    variables.assign(call.cell.shell, {name: "".join(values)}, command=r"\set")


def _password(call: Call) -> None:
    from tusk_jupyter.magics.tusk_password import set_password

    role = (call.arguments(1) or (None,))[0]
    set_password(call.cell.tusk, call.cell.output, role=role, connection=call.cell.connection)


def _help(call: Call) -> Any:
    call.arguments(1)
    from tusk_jupyter.magics import listings, psql_lists, psql_words

    return listings.show([psql_words.listed(psql_lists.helped())])


def _synopsis(call: Call) -> Any:
    from tusk_jupyter.magics import psql_looks

    return psql_looks.synopsis(call, whole_line(call.command))


def _conninfo(call: Call) -> Any:
    call.arguments(0)
    from tusk_jupyter.magics import psql_looks

    return psql_looks.conninfo(call)


def _source(call: Call) -> Any:
    from tusk_jupyter.magics import psql_looks

    return psql_looks.source(call, whole_line(call.command))


COMMANDS: Final[dict[str, Callable[[Call], Any]]] = {
    "?": _help,
    "conninfo": _conninfo,
    "echo": _echo,
    "encoding": _encoding,
    "errverbose": _errverbose,
    "h": _synopsis,
    "help": _synopsis,
    "password": _password,
    "qecho": _echo,
    "set": _set,
    "sf": _source,
    "sf+": _source,
    "sv": _source,
    "sv+": _source,
    "timing": _timing,
    "warn": _echo,
    "x": _set_expanded,
}
