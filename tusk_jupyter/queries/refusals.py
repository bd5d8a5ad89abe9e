"""What is refused before anything is sent: a script that could not be run as a whole, a statement that would do harm.

Each says what to do instead. Nothing here asks the server: what a statement is, its tokens tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.queries import backslash, classify, partition, read_only, split

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.queries.delivery import Options
    from tusk_jupyter.queries.endings import Source
    from tusk_jupyter.queries.split import Statement


def refuse_script(source: Source, options: Options, *, conforming: Callable[[], bool], commands: bool) -> None:
    """Refuse a script for what it is as a whole.

    :param conforming: asked for the session's ``standard_conforming_strings``.
    :param commands: whether psql's backslash commands can be run.
    """
    _refuse_nul(source)
    _refuse_commands(source.script, options, commands=commands)
    if options.destination is None and options.parallel is None:
        return
    statements = split.split(source.script, standard_conforming_strings=conforming())
    _refuse_other_than_one_result(statements, options)
    if options.parallel is not None:
        partition.check(statements, options.parallel)


def refuse(statement: Statement, *, is_read_only: bool, within: bool) -> None:
    """Refuse, before anything is sent, what would harm the session or the promise of read-only.

    :param within: whether a transaction is open, as one is in ``with tusk.transaction()``.
    """
    copying = classify.copies_stdin_or_stdout(statement)
    if copying is not None:
        way = "FROM STDIN" if copying == "in" else "TO STDOUT"
        other = (
            "%tusk load NAME --to TABLE for a DataFrame or a file, or COPY … FROM a file that the server can read"
            if copying == "in"
            else "SELECT: its rows come back as a DataFrame, whose to_csv writes a file"
        )
        raise InvalidInput(f"COPY {way} has no stream to work with in a cell", advice=f"Nothing was run. Use {other}.")
    if is_read_only and (reason := read_only.refusal(statement, within=within)) is not None:
        raise InvalidInput(
            f"this connection is read-only: {reason}",
            advice=read_only.advice(statement),
        )


def _refuse_nul(source: Source) -> None:
    if (at := source.script.find("\0")) >= 0:
        place = source.place(at)
        raise InvalidInput(
            f"the text holds a NUL character, at position {place.position}",
            advice="Nothing was run: PostgreSQL would read the statement only up to there. Remove it.",
            position=place.position,
        )


def _refuse_commands(script: str, options: Options, *, commands: bool) -> None:
    if commands and options.destination is None and options.parallel is None:
        return
    command = backslash.first_command(script)
    if command is None:
        return
    if not commands:
        raise InvalidInput(
            f"\\{command.name} is a command of psql's, and only a cell that waits for it reads those",
            advice=f"Nothing was run. In a cell of its own: %sql \\{command.name}.",
        )
    option = "--to" if options.destination is not None else "--parallel"
    raise InvalidInput(
        f"{option} is for one statement, and \\{command.name} is a command of psql's",
        advice="Nothing was run. Put them into two cells.",
    )


def _refuse_other_than_one_result(statements: list[Statement], options: Options) -> None:
    destination = options.destination
    if destination is None:
        return
    queries = sum(map(classify.reads_only_shape, statements))
    if queries > 1:
        raise InvalidInput(
            f"{queries} statements return rows, and {destination.shown!r} can hold those of one",
            advice="Nothing was run. Put the others into a cell of their own.",
        )
    if statements and not any(map(classify.may_return_rows, statements)):
        raise InvalidInput(
            f"no statement returns rows: there is nothing to write to {destination.shown!r}",
            advice="Nothing was run. --to is for a statement that returns rows, such as SELECT or … RETURNING.",
        )
