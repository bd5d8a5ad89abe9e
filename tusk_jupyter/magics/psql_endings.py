r"""What ends a statement in place of its ``;``: ``\g``, ``\gx``, ``\gset``, ``\gexec``, ``\gdesc``, ``\watch`` …

The statement is run as a cell runs it: bound, recorded, with its place in the cell, in what is left of ``--timeout``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tusk_jupyter.connections.durations import parse_duration
from tusk_jupyter.errors import (
    ConnectionLost,
    InvalidInput,
    QueryCancelled,
    QueryInterrupted,
    QueryTimeout,
    TuskError,
)
from tusk_jupyter.magics import psql
from tusk_jupyter.queries.backslash_arguments import arguments
from tusk_jupyter.schema.asking import Listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tusk_jupyter.magics.psql import Call
    from tusk_jupyter.queries.binding import Bound
    from tusk_jupyter.queries.script import Names, Step
    from tusk_jupyter.queries.split import Statement

WATCH_S: Final = 2.0
_ALL: Final = 2**31 - 2
_OPTION = re.compile(r"(?:(i|interval|c|count|m|min_rows)=)?(.*)")


def perform(call: Call) -> Step:
    """Do what the last command says with the statement before it."""
    return _ENDINGS[call.command.name](call)


def run(call: Call, **changes: Any) -> Step:
    """Run the statement that the command ends, with other options of the cell; return how it ended."""
    statement = _statement(call)
    cell = call.cell
    before = cell.source.prefix + cell.source.script[: statement.start]
    names, bound = cell.names, _bound(call)
    if bound is not None:
        names = replace(names, bound={_alone(call): bound})
    steps = _steps(call, statement.text, names=names, prefix=before, **changes)
    step = next(iter(steps))
    cell.output.settle()
    return replace(step, statement=statement, more=True, fatal=False, tally=None)


def _steps(call: Call, script: str, *, names: Names, prefix: str, **changes: Any) -> Iterator[Step]:
    cell = call.cell
    return cell.tusk.execute(
        script,
        names=names,
        connection=cell.connection,
        prefix=prefix,
        options=replace(cell.options, deadline=call.deadline, **changes),
        ask=cell.ask,
        on_tick=cell.output.tick,
    )


def _statement(call: Call) -> Statement:
    assert call.called.statement is not None  # noqa: S101 - see psql.perform
    return call.called.statement


def _alone(call: Call) -> Statement:
    """Return the statement as a script of its own has it."""
    from tusk_jupyter.queries.split import next_statement

    statement = _statement(call)
    conforming = statement.standard_conforming_strings
    found, _ = next_statement(statement.text, standard_conforming_strings=conforming)
    return found or statement


def _bound(call: Call) -> Bound | None:
    r"""Return the statement with the values of ``\bind``, as text whose type the server infers."""
    from tusk_jupyter.queries.binding import Bound

    for command in call.called.commands:
        if command.name == "bind":
            values = arguments(command, call.cell.names)
            return Bound(_statement(call).text, values, tuple(f"${n + 1}" for n in range(len(values))))
    return None


# -- \g and \gx ---------------------------------------------------------------------------------------------------


def _go(call: Call) -> Step:
    name, given = call.command.name, arguments(call.command, call.cell.names)
    options = " ".join(given)
    if options.startswith("("):
        is_expanded = re.fullmatch(r"\(\s*expanded(?:\s*=?\s*(on|true|1)?)?\s*\)", options)
        if not is_expanded:
            raise InvalidInput(f"\\{name} {options}: text is not laid out here", advice=r"\gx shows rows as records.")
        name = "gx"
    elif given:
        raise InvalidInput(
            f"\\{name} {given[0]} would send the rows to a file or a program",
            advice="The statement was not run. --to FILE on the cell's first line writes .parquet, .csv or .arrow.",
        )
    step = run(call)
    if name == "g" or step.outcome.result is None or step.outcome.result.frame is None:
        return step
    from tusk_jupyter.magics.expanded import expanded

    return replace(step, answer=expanded(step.outcome.result.frame))


# -- \gset --------------------------------------------------------------------------------------------------------


def _set(call: Call) -> Step:
    from tusk_jupyter.magics import variables

    [prefix] = call.arguments(1) or ("",)
    # a second row is an error already, and the others need not come
    step = run(call, format="rows", limit=2)
    result = step.outcome.result
    if result is None:
        return step
    rows = result.rows
    if not result.columns or len(rows) != 1 or result.truncated:
        said = "no rows returned" if not result.columns or not rows else "more than one row returned"
        raise InvalidInput(f"{said} for \\gset", advice="The statement was run. No variable was set.")
    names = [prefix + column.name for column in result.columns]
    values = dict(zip(names, rows[0], strict=True))
    variables.assign(call.cell.shell, values, command=r"\gset")
    call.cell.tell(step, f"{', '.join(values)} set")
    return psql.answered(call)


# -- \gexec -------------------------------------------------------------------------------------------------------


def _exec(call: Call) -> Step:
    call.arguments(0)
    cell = call.cell
    # all of them, whatever the cell or the preference shows of a result: half of a migration is another one
    step = run(call, format="rows", limit=_ALL if cell.tusk.limit else None)
    result = step.outcome.result
    if result is None:
        return step
    scripts = [
        text for row in result.rows for value in row if value is not None and _says_something(text := str(value))
    ]
    cell.tell(step, f"{len(scripts):,} to execute")
    last, failed = None, None
    for script in scripts:
        try:
            for step in _steps(call, script, names=_literal(call, script), prefix=""):
                if last is not None:
                    cell.show(last)
                last = step if step.outcome.error is None else None
                cell.output.settle()
        except TuskError as error:
            if cell.options.on_error == "stop" or isinstance(error, QueryTimeout | ConnectionLost):
                raise
            cell.output.show_error(error)
            failed = error
    if failed is not None:
        if last is not None:
            cell.show(last)
        raise failed
    return last if last is not None else psql.answered(call)


def _says_something(script: str) -> bool:
    """Whether there is a statement in it; psql sends what is empty, or a comment alone, and the server does nothing."""
    from tusk_jupyter.queries.split import next_statement

    return next_statement(script)[0] is not None


def _literal(call: Call, script: str) -> Names:
    """Return names by which nothing is bound: what a query has made is sent as it is."""
    from tusk_jupyter.queries.binding import Bound
    from tusk_jupyter.queries.split import split

    conforming = call.cell.connection.session().parameter("standard_conforming_strings") != "off"
    statements = split(script, standard_conforming_strings=conforming)
    return replace(call.cell.names, bound={one: Bound(one.text) for one in statements})


# -- \gdesc -------------------------------------------------------------------------------------------------------


def _describe(call: Call) -> Step:
    from functools import partial

    from tusk_jupyter.magics import listings
    from tusk_jupyter.queries.describing import Describing
    from tusk_jupyter.queries.script import bind
    from tusk_jupyter.running import run_alone

    call.arguments(0)
    cell, statement = call.cell, _statement(call)
    session = cell.connection.session(cell.ask)
    conforming = session.parameter("standard_conforming_strings") != "off"
    bound = _bound(call) or bind(statement, cell.names, cell.source, standard_conforming_strings=conforming)
    answers: list[list[tuple[str, str]]] = []
    run_alone(
        cell.tusk,
        cell.connection,
        session,
        statement,
        deliver=partial(Describing, question=list, answers=answers),
        on_tick=cell.output.tick,
        history=False,
        bound=bound,
        source=cell.source,
        deadline=call.deadline,
    )
    cell.output.settle()
    if not answers[0]:
        cell.output.say("the statement has no result, or the result has no columns")
        return psql.answered(call)
    return psql.answered(call, listings.show([Listing("", ("Column", "Type"), tuple(answers[0]))]))


# -- \crosstabview ------------------------------------------------------------------------------------------------


def _crosstab(call: Call) -> Step:
    from tusk_jupyter.results.crosstab import crosstab

    wanted = call.arguments(4)
    step = run(call, format="pandas")
    result = step.outcome.result
    if result is None or result.frame is None:
        return step  # psql says nothing of a statement without rows either
    grid = crosstab(result.frame, [column.name for column in result.columns], wanted)
    grid.attrs.update(result.frame.attrs)
    return replace(step, answer=grid)


# -- \watch -------------------------------------------------------------------------------------------------------


def _watch(call: Call) -> Step:
    from tusk_jupyter.magics.tusk_watch import watch
    from tusk_jupyter.magics.watch import Wanted

    cell, statement = call.cell, _statement(call)
    if call.deadline is not None or cell.options.limit is not None:
        option = "--limit" if cell.options.limit is not None else "--timeout"
        raise InvalidInput(
            f"{option} is for a statement that runs once", advice=r"Nothing was run. \watch c=N ends after N runs."
        )
    if _bound(call) is not None:
        raise InvalidInput(r"\bind is for one run of a statement", advice="Nothing was run. `:name` binds in each run.")
    interval_s, count, least = _watched(call)
    until = f"count(*) < {least}" if least is not None else None
    wanted = Wanted(
        interval_s, statement.text, until, count, prefix=cell.source.prefix + cell.source.script[: statement.start]
    )
    frame, stopped = watch(
        cell.tusk, cell.shell, cell.output, wanted, connection=cell.connection, names=cell.names, ask=cell.ask
    )
    if stopped:
        if cell.source.script[call.called.end :].strip("; \t\r\n"):
            raise QueryInterrupted(QueryCancelled(r"\watch was stopped, what follows it was not run"))
        cell.output.end_run(r"\watch was stopped")
    return psql.answered(call, frame)


def _watched(call: Call) -> tuple[float, int | None, int | None]:
    from tusk_jupyter.magics.tusk_watch import LEAST_S

    found: dict[str, str] = {}
    for argument in call.arguments(3):
        match = _OPTION.fullmatch(argument)
        name = (match[1] or "i")[0] if match is not None else "i"
        if match is None or name in found:
            raise InvalidInput(rf"\watch: {argument!r} is one too many", advice=r"\watch [SECONDS] [c=N] [m=ROWS]")
        found[name] = match[2]
    for name in ("c", "m"):
        if name in found and not (found[name].isascii() and found[name].isdigit() and int(found[name])):
            raise InvalidInput(rf"\watch {name}={found[name]}: a whole number from 1 is wanted", advice="Nothing ran.")
    interval_s = parse_duration(found["i"]) if "i" in found else WATCH_S
    if interval_s < LEAST_S:
        raise InvalidInput(rf"\watch {found['i']} is too often: every {LEAST_S:g} s at most", advice="Nothing ran.")
    return interval_s, int(found["c"]) if "c" in found else None, int(found["m"]) if "m" in found else None


_ENDINGS: Final[dict[str, Callable[[Call], Step]]] = {
    "crosstabview": _crosstab,
    "g": _go,
    "gdesc": _describe,
    "gexec": _exec,
    "gset": _set,
    "gx": _go,
    "watch": _watch,
}
