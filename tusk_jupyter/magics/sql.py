"""``%sql`` and ``%%sql``: one cell's way from the line to the value.

Down once: line → request → connection → statements. Up once: frames, status lines, the value, or an error. The value
is the last result that had rows. In a cell it is returned, and IPython shows it as ``Out[n]``; when statements follow
it, it is shown where it came, and ``Out[n]`` and ``_`` are set without showing it twice.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tusk_jupyter import translate
from tusk_jupyter.errors import BindingError, InvalidInput, TuskError
from tusk_jupyter.magics.arguments import CellRequest, parse_cell
from tusk_jupyter.magics.scrubbing import scrub_history, statement_in
from tusk_jupyter.running import CellOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.script import Names, Step
    from tusk_jupyter.results.destination import Destination, Written
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.tusk import Tusk

_CONNINFO = re.compile(r"\s*(?:host|hostaddr|port|user|dbname|service|password)\s*=")
_URL = re.compile(r"\s*(?:\\c(?:onnect)?\s+)?[\"']?(postgres(?:ql)?(?:\+\w+)?://[^\n]*)")


def run(
    tusk: Tusk,
    shell: Any,
    output: CellOutput,
    *,
    line: str,
    body: str | None,
    local_ns: Mapping[str, Any],
    connect: Callable[[str], None],
    ask: Callable[[str], Secret | None],
    magic: str = "sql",
) -> Any:
    """Run a cell or a line; return its value.

    :param connect: makes a connection from a line that holds a URL, as JupySQL spells it.
    :param ask: prompts for a password.
    """
    if "://" in line or _CONNINFO.match(line):
        # before anything can refuse the line: what it holds is in the history already
        scrub_history(shell, line, sql="" if _CONNINFO.match(line) else statement_in(line))
    if body is not None and (misplaced := _URL.match(body)) is not None:
        scrub_history(shell, misplaced[1])
        raise InvalidInput(
            "a URL stands where the SQL belongs",
            advice=f"Nothing was run. It goes on the first line: %%{magic} postgresql://…, or %tusk_connect postgresql://…",
        )
    request = parse_cell(line, body, connections=tusk.known_names, magic=magic)
    if request.close is not None:
        tusk.connections.disconnect(request.close)
        return None
    if request.connections:
        from tusk_jupyter.magics.tables import connections_table

        return connections_table(tusk)
    if request.url is not None:
        connect(request.url)
        if body is None or not body.strip():
            return None
        request = parse_cell("", body, connections=list, magic=magic)
    if request.persist or request.persist_replace or request.append:
        from tusk_jupyter.magics import loading

        loading.persist(tusk, output, request, names={**shell.user_ns, **local_ns}, ask=ask)
        return None
    request = _with_file(request)
    if not request.script.strip() and request.connection is not None:
        raise InvalidInput(
            "there is a connection on the line, but no statement",
            advice=f"%tusk use {request.connection} makes it the current one.",
        )
    destination = None
    if request.to is not None:
        destination = _destination(request.to)
        destination.check()
    found = names(shell, local_ns, request.params)
    cell = _Cell(tusk, shell, output, request, destination, names=found, ask=ask, is_cell=body is not None)
    return cell.submit() if request.bg else cell.run()


def _destination(name: str) -> Destination:
    from tusk_jupyter.results import dataset, destination

    return dataset.Folder(name) if destination.is_folder(name) else destination.Destination(name)


def _with_file(request: CellRequest) -> CellRequest:
    if request.file is None:
        return request
    if request.script.strip():
        raise InvalidInput("--file and a statement were both given", advice="Nothing was run. Use one of them.")
    path = Path(request.file).expanduser()
    try:
        return replace(request, script=path.read_text(encoding="utf-8"), prefix="")
    except (OSError, UnicodeError) as error:
        problem = translate.translate(error, doing="reading the script", path=str(path))
    raise problem


class _Cell:
    """One run of one cell."""

    def __init__(
        self,
        tusk: Tusk,
        shell: Any,
        output: CellOutput,
        request: CellRequest,
        destination: Destination | None,
        *,
        names: Names,
        ask: Callable[[str], Secret | None],
        is_cell: bool,
    ) -> None:
        self._tusk = tusk
        self._shell = shell
        self._output = output
        self._request = request
        self._destination = destination
        self._names = names
        self._ask = ask
        self._is_cell = is_cell
        self._quiet = request.quiet or tusk.quiet

    def run(self) -> Any:
        connection = self._connection()
        held: Step | None = None
        value: Any = None
        shown = False
        for step in self._steps(connection):
            self._output.settle()
            result = step.outcome.result
            if step.outcome.error is not None:
                if held is not None and step.fatal:
                    self._show(held, connection)
                self._failed(step, connection)
            elif result is not None and result.frame is not None:
                if held is not None:
                    self._show(held, connection)
                value, held, shown = result.frame, step, False
                if step.fatal or (step.more and self._is_cell and self._request.out is None):
                    self._show(step, connection)
                    held, shown = None, True
            else:
                self._status(step, connection, now=step.tally is not None)
            if step.tally is not None:
                self._output.say(step.tally, tone="bad")
        return self._finish(connection, held, value, shown=shown)

    def submit(self) -> Any:
        """Run it in the background and return its job."""
        from tusk_jupyter.magics import job_cards

        request = self._request
        job = self._tusk.submit(
            request.script,
            names=self._names,
            connection=self._connection(),
            prefix=request.prefix,
            options=self._options(),
        )
        if request.out is not None:
            self._shell.user_ns[request.out] = job
        if not self._quiet:
            job_cards.show(self._shell, self._output, job, name=request.out)
        return job if request.out is None or request.display else None

    def _failed(self, step: Step, connection: Connection) -> None:
        footer = self._output.footer(step, connection=connection.name)
        if footer.notices or footer.heard:
            self._output.line(replace(footer, transaction=None))
        if step.outcome.error is not None and not step.fatal:
            self._output.show_error(step.outcome.error)

    def _finish(self, connection: Connection, held: Step | None, value: Any, *, shown: bool) -> Any:
        if self._request.out is not None:
            self._shell.user_ns[self._request.out] = value
            if held is not None:
                self._status(held, connection, f"assigned to {self._request.out}")
            return value if self._request.display else None
        if held is not None:
            self._status(held, connection)
        if shown:
            self._shell.displayhook.update_user_ns(value)
            return None
        return value

    def _connection(self) -> Connection:
        first = self._tusk.connections.current is None
        connection = self._tusk.connection(self._request.connection, self._ask)
        if first and self._tusk.connections.current is connection:
            from tusk_jupyter.magics.connect import report

            self._output.show(report(connection))
        return connection

    def _steps(self, connection: Connection) -> Iterable[Step]:
        request = self._request

        def tick(execution: Execution) -> None:
            self._output.tick(execution)

        return self._tusk.execute(
            request.script,
            names=self._names,
            connection=connection,
            prefix=request.prefix,
            options=self._options(),
            ask=self._ask,
            on_tick=tick,
        )

    def _options(self) -> CellOptions:
        request = self._request
        return CellOptions(
            limit=request.limit,
            timeout_s=request.timeout_s,
            format=request.format,
            exact=request.exact,
            destination=self._destination,
            parallel=request.parallel,
            split=request.split,
            on_error=request.on_error,
            history=request.history,
        )

    def _show(self, step: Step, connection: Connection) -> None:
        if step.outcome.result is not None:
            self._output.show(step.outcome.result.frame)
        self._status(step, connection, now=True)

    def _status(self, step: Step, connection: Connection, *parts: str, now: bool = False) -> None:
        result = step.outcome.result
        if result is not None and result.truncated:
            limit = self._request.limit or self._tusk.limit
            parts = (f"more rows exist (--limit {limit})", *parts)
        if result is not None and self._request.parallel is not None:
            parts = (f"{self._request.parallel} parts", *parts)
        if result is not None and result.written is not None:
            parts = (*_file_parts(result.written, result.rowcount), *parts)
        footer = self._output.footer(step, connection=connection.name, parts=parts)
        told = footer.transaction or footer.alarm or footer.notes or footer.notices or footer.heard
        if self._quiet and not (told or (result and result.truncated)):
            return
        if now or step.more:
            self._output.line(footer)
        else:
            self._output.line_later(footer)


def _file_parts(written: Written, rows: int) -> tuple[str, ...]:
    from tusk_jupyter.widgets.amounts import counted, size

    said = f"{counted(rows, 'row')}, {size(written.size)} written to {written.shown}"
    return (said, "the file before it was replaced") if written.replaced else (said,)


def names(shell: Any, local_ns: Mapping[str, Any], params: str | None) -> Names:
    """Return where parameters come from: ``--params``, then the function's locals, then the notebook."""
    from tusk_jupyter.queries.script import Names

    spaces: list[Mapping[str, Any]] = [local_ns, shell.user_ns]
    if params is not None:
        spaces.insert(0, _mapping(params, spaces))

    def lookup(name: str) -> object:
        for space in spaces:
            if name in space:
                return space[name]
        raise KeyError(name)

    def known() -> list[str]:
        hidden = getattr(shell, "user_ns_hidden", {})
        return [name for space in spaces for name in space if not name.startswith("_") and name not in hidden]

    return Names(lookup, known)


def _mapping(name: str, spaces: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    for space in spaces:
        if name in space:
            value: Any = space[name]
            break
    else:
        raise BindingError(f"--params {name}: there is no variable of that name", name=name)
    if not hasattr(value, "keys") or not hasattr(value, "__getitem__"):
        kind = type(value).__name__
        raise BindingError(f"--params {name}: a mapping is needed, and it is a {kind}", name=name)
    return {key: value[key] for key in value.keys()} if not isinstance(value, dict) else value  # noqa: SIM118


def unexpected(error: BaseException) -> TuskError:
    """Return an exception that should not have come so far as an ``InternalError`` with its place in our code."""
    import traceback

    found = translate.translate(error)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "tusk_jupyter" in f.filename]
    if frames:
        found.facts = (
            *found.facts,
            ("where", f"{Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name}"),
        )
    return found
