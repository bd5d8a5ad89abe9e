"""``%tusk load`` and JupySQL's ``--persist``: from the words of a line to a load, and its status line.

The variable is looked up by its name, never evaluated. JupySQL has pandas make a table that is missing whatever it was
told, and so do its spellings here; ``%tusk load`` does what its option says.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.loading import Load
from tusk_jupyter.magics.options import Option, Options, next_word, unquoted
from tusk_jupyter.queries.load_plan import table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.magics.arguments import CellRequest
    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.queries.load_plan import Mode
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.tusk import Tusk

USAGE = "%tusk load NAME|FILE --to TABLE [--append|--replace|--upsert KEY] [--connection NAME]"
_FILES = (".parquet", ".csv", ".arrow")
LOAD_OPTIONS = Options(
    Option(("--to",), "table", str, meaning="the table: schema.table", takes="relation"),
    Option(("--create",), "create", meaning="make the table; refuse one that exists"),
    Option(("--append",), "append", meaning="add to what is there"),
    Option(("--replace",), "replace", meaning="empty the table and fill it anew"),
    Option(("--upsert",), "upsert", str, meaning="update the rows of these keys, insert the others"),
    Option(("--connection",), "connection", str, meaning="into that database", takes="connection"),
    magic="%tusk load",
)
_FLAGS: dict[str, Mode] = {"--create": "create", "--append": "append", "--replace": "replace", "--upsert": "upsert"}


def read(line: str, names: Mapping[str, Any]) -> tuple[Load, str | None]:
    """Return what ``load …`` asks for, and the name of the connection.

    :raises InvalidInput: for what is not understood.
    """
    words, given = _parse(line)
    if len(words) != 1:
        raise InvalidInput(f"%tusk load takes one name or file, not {len(words)}", advice=USAGE)
    if "--to" not in given:
        raise InvalidInput("%tusk load: which table?", advice=USAGE)
    modes = [name for name in _FLAGS if name in given]
    if len(modes) > 1:
        raise InvalidInput(f"{' and '.join(modes)} were both given", advice="Nothing was loaded. Use one of them.")
    key = _key(given["--upsert"]) if "--upsert" in given else ()
    mode = _FLAGS[modes[0]] if modes else "create"
    table = table_of(given["--to"] if '"' in given["--to"] else unquoted(given["--to"]))
    connection = unquoted(given["--connection"]) if "--connection" in given else None
    return _with_source(Load(table, mode, key), unquoted(words[0]), names), connection


def _parse(line: str) -> tuple[list[str], dict[str, str]]:
    words: list[str] = []
    given: dict[str, str] = {}
    _, position = next_word(line, 0)
    while True:
        word, position = next_word(line, position)
        if not word:
            return words, given
        if not word.startswith("-"):
            words.append(word)
            continue
        name, equals, value = word.partition("=")
        option = _known(name)
        if name in given:
            raise InvalidInput(f"{name} is given twice")
        if option.read is not None:
            if not equals:
                value, position = next_word(line, position)
            if not value:
                raise InvalidInput(f"{name} needs a value", advice=USAGE)
        elif equals:
            raise InvalidInput(f"{name} takes no value")
        given[name] = value


def _known(name: str) -> Option:
    if (option := LOAD_OPTIONS.get(name)) is not None:
        return option
    near = difflib.get_close_matches(name, LOAD_OPTIONS.names, n=3)
    offer = f"Did you mean {' or '.join(near)}?" if near else USAGE
    raise InvalidInput(f"%tusk load has no option {name!r}", advice=f"Nothing was loaded. {offer}")


def _key(text: str) -> tuple[str, ...]:
    """Read column names between commas; in double quotes as they stand, otherwise too: a frame's names have case."""
    found = [part.strip() for part in unquoted(text).split(",")]
    if not all(found):
        raise InvalidInput("--upsert: a column's name is missing", advice="Write --upsert KEY or --upsert KEY,KEY.")
    return tuple(found)


def _with_source(wanted: Load, source: str, names: Mapping[str, Any]) -> Load:
    if Path(source).suffix.lower() in _FILES or "/" in source:
        return _replace(wanted, path=Path(source).expanduser())
    value = _look_up(source, names)
    if isinstance(value, Path):
        return _replace(wanted, path=value)
    return _replace(wanted, name=source, value=value)


def _replace(wanted: Load, **changes: Any) -> Load:
    from dataclasses import replace

    return replace(wanted, **changes)


def _look_up(name: str, names: Mapping[str, Any]) -> Any:
    if name in names:
        return names[name]
    near = difflib.get_close_matches(name, [known for known in names if not known.startswith("_")], n=3)
    offer = f"Did you mean {' or '.join(near)}?" if near else f"A file's name ends in {', '.join(_FILES)}."
    raise InvalidInput(f"there is no variable {name!r}", advice=f"Nothing was loaded. {offer}")


def persist(
    tusk: Tusk,
    output: CellOutput,
    request: CellRequest,
    *,
    names: Mapping[str, Any],
    ask: Callable[[str], Secret | None],
) -> None:
    """Run ``%sql --persist df``, ``--persist-replace df`` or ``--append df``: the table is named like the variable."""
    asked: list[tuple[Mode, str]] = []
    for mode, name in (("create", request.persist), ("replace", request.persist_replace), ("append", request.append)):
        if name is not None:
            asked.append((mode, name))  # type: ignore[arg-type]
    if len(asked) > 1 or request.script.strip():
        raise InvalidInput(
            "--persist, --persist-replace and --append stand alone, with the name of one variable",
            advice="Nothing was run. For example: %sql --persist df",
        )
    (mode, name) = asked[0]
    wanted = _with_source(Load(table_of(name), mode, makes=True), name, names)
    run(tusk, output, wanted, connection=tusk.connection(request.connection, ask), ask=ask)


def run(
    tusk: Tusk, output: CellOutput, wanted: Load, *, connection: Connection, ask: Callable[[str], Secret | None] | None
) -> None:
    """Load, and show the status line."""
    loaded = tusk.load(wanted, connection=connection, ask=ask, on_tick=output.tick)
    parts = (f"{loaded.done} {loaded.table}",)
    output.show(output.footer(loaded.step, connection=connection.name, parts=parts))
