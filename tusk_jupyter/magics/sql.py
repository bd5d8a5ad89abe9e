"""``%sql`` and ``%%sql``: from the line to what is to be run, and where its names come from.

What runs it is :mod:`~tusk_jupyter.magics.cell`'s.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tusk_jupyter import translate
from tusk_jupyter.errors import BindingError, InvalidInput, TuskError
from tusk_jupyter.magics.arguments import CellRequest, parse_cell
from tusk_jupyter.magics.cell import Cell
from tusk_jupyter.magics.scrubbing import scrub_history, statement_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.queries.script import Names
    from tusk_jupyter.results.destination import Destination
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
    cell = Cell(tusk, shell, output, request, destination, names=found, ask=ask, is_cell=body is not None)
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
