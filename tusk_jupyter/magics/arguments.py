"""The line of ``%sql`` and ``%%sql`` → what is to be run: ``[CONNECTION] [OPTIONS] [NAME <<]``, then SQL.

Pure, and strict: what is not understood runs nothing. A word is SQL only when a statement can begin with it, so a
misspelt connection or option is an error with near names and never half of a statement. ``NAME <<`` assigns only last
on the line or at the very start of the SQL; anywhere else ``<<`` is PostgreSQL's operator, which inet, ranges and bit
strings need.
"""

from __future__ import annotations

import difflib
import keyword
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections.conninfo import is_url
from tusk_jupyter.connections.durations import parse_duration
from tusk_jupyter.errors import ConnectionNotFound, InvalidInput
from tusk_jupyter.magics.options import Option, Options, identifier, next_word, one_of, unquoted, whole_number
from tusk_jupyter.queries.classify import STATEMENT_KEYWORDS, starts_like_statement
from tusk_jupyter.queries.partition import LEAST
from tusk_jupyter.results.destination import file_name, is_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    Names = Callable[[], Collection[str]]

_ASSIGN = re.compile(r"\s*([^\W\d]\w*)\s*(=\s*)?<<(?=\s|$)")

_NOT_HERE = {
    "-s": "Named sections are saved connections here: %tusk_connect NAME.",
    "--section": "Named sections are saved connections here: %tusk_connect NAME.",
    "-a": "Give libpq's parameters on the line: %tusk_connect host=… dbname=… user=….",
    "--connection_arguments": "Give libpq's parameters on the line: %tusk_connect host=… dbname=… user=….",
    "-c": "Connections are made by %tusk_connect URL, not by a function.",
    "--creator": "Connections are made by %tusk_connect URL, not by a function.",
    "-n": "In JupySQL -n is --no-index; here rows carry no index to the server.",
    "-A": "Name a connection where it is made: %tusk_connect URL --name NAME.",
    "--alias": "Name a connection where it is made: %tusk_connect URL --name NAME.",
}


@dataclass(frozen=True, slots=True)
class CellRequest:
    """What a cell asks for; ``script`` begins at ``offset`` of the line (``None``: it is the body alone)."""

    script: str = ""
    prefix: str = ""
    connection: str | None = None
    out: str | None = None
    display: bool = True
    params: str | None = None
    limit: int | None = None
    timeout_s: float | None = None
    format: str | None = None
    exact: bool = False
    to: str | None = None
    parallel: int | None = None
    split: str | None = None
    bg: bool = False
    on_error: str = "stop"
    quiet: bool = False
    history: bool = True
    file: str | None = None
    url: str | None = None
    close: str | None = None
    connections: bool = False
    persist: str | None = None
    persist_replace: str | None = None
    append: str | None = None


def _options(*more: Option, magic: str) -> Options:
    return Options(
        Option(("-o", "--out"), "out", identifier, meaning="assign to a variable, display nothing", takes="variable"),
        Option(
            ("--params",),
            "params",
            identifier,
            meaning="a mapping that parameters are taken from first",
            takes="mapping",
        ),
        Option(("--limit",), "limit", whole_number, meaning="return at most so many rows"),
        Option(("--timeout",), "timeout_s", parse_duration, meaning="deadline for the whole cell: 30s, 5min"),
        Option(("--format",), "format", one_of("pandas", "arrow", "polars", "rows"), meaning="what is returned"),
        Option(("--exact",), "exact", meaning="numeric as Decimal"),
        Option(("--to",), "to", file_name, meaning="write the rows to a .parquet, .csv or .arrow file", takes="file"),
        Option(("--parallel",), "parallel", whole_number, meaning="read in so many parts at once"),
        Option(("--split",), "split", str, meaning="the column that divides it for --parallel"),
        Option(("--bg",), "bg", meaning="run in the background, return a job at once"),
        Option(
            ("--on-error",),
            "on_error",
            one_of("stop", "continue", "savepoint"),
            meaning="what several statements do when one fails",
        ),
        Option(("--quiet",), "quiet", meaning="no status line"),
        Option(("--no-history",), "history", value=False, meaning="keep it out of the history"),
        Option(("-l", "--connections"), "connections", meaning="list the connections"),
        Option(("-x", "--close"), "close", str, meaning="close a connection", takes="active"),
        *more,
        magic=magic,
        hints=_NOT_HERE,
    )


CELL_OPTIONS = _options(magic="%%sql")
LINE_OPTIONS = _options(
    Option(("-f", "--file"), "file", str, meaning="run a script file", takes="file"),
    Option(("--persist",), "persist", identifier, meaning="make a table of a data frame", takes="frame"),
    Option(
        ("--persist-replace",),
        "persist_replace",
        identifier,
        meaning="put a data frame into its table in place of what is there",
        takes="frame",
    ),
    Option(("--append",), "append", identifier, meaning="append a data frame to its table", takes="frame"),
    magic="%sql",
)


def parse_cell(line: str, body: str | None, *, connections: Names, magic: str = "sql") -> CellRequest:
    """Return the request of ``%%sql LINE`` with ``body``, or of ``%sql LINE`` (``body`` is ``None``).

    :param connections: gives the names there are; asked only for a word that may be one.
    :raises InvalidInput: for what is not understood; nothing is to be run then.
    :raises ConnectionNotFound: for a word that is neither a connection nor the beginning of a statement.
    """
    options = LINE_OPTIONS if body is None else CELL_OPTIONS
    given, offset = _options_of(line, options, connections, cell=body is not None)
    sql = line[offset:]
    if body is None:
        script, prefix = sql.rstrip(), ""
    elif sql.strip():
        script, prefix = f"{sql}\n{body}", f"%%{magic} {line[:offset]}"
    else:
        script, prefix = body, f"%%{magic} {line}".rstrip() + "\n"
    request = _with_assignment(CellRequest(**given, script=script, prefix=prefix))
    _refuse_beside_to(request)
    _refuse_beside_parallel(request)
    _refuse_beside_bg(request)
    return request


def _options_of(line: str, options: Options, connections: Names, *, cell: bool) -> tuple[dict[str, Any], int]:
    given: dict[str, Any] = {}
    position = 0
    while True:
        while position < len(line) and line[position].isspace():
            position += 1
        rest = line[position:]
        if not rest or rest.startswith("\\") or _ASSIGN.match(rest):  # a backslash command of psql's
            return given, position
        if rest == "--" or (rest.startswith("--") and rest[2].isspace()):
            # in a cell it is the beginning of a comment, on a line the end of the options
            return given, position if cell else position + 2
        if rest.startswith("-") and len(rest) > 1 and not rest[1].isspace():
            option, value, position = options.take(line, position)
            if option.field in given:
                raise InvalidInput(f"{option.names[-1]} is given twice")
            given[option.field] = value
            continue
        word, end = next_word(line, position)
        if is_url(word) or "://" in word.partition(" ")[0]:
            given["url"] = line[position:].strip()
            return given, len(line)
        if starts_like_statement(rest):
            return given, position
        given["connection"] = _connection(unquoted(word), given, connections)
        position = end


def _connection(word: str, given: dict[str, Any], connections: Names) -> str:
    if "connection" in given:
        raise InvalidInput(
            f"{word!r} is neither an option nor the beginning of a statement", advice=_near(word, connections)
        )
    if word not in connections():
        raise ConnectionNotFound(
            f"there is no connection named {word!r}, and no statement begins with it",
            name=word,
            advice=f"Nothing was run. {_near(word, connections)}",
        )
    return word


def _near(word: str, connections: Names) -> str:
    known = connections()
    names = [*known, *STATEMENT_KEYWORDS]
    folded = {name.upper(): name for name in names}
    near = [folded[n] for n in difflib.get_close_matches(word.upper(), folded, n=3, cutoff=0.7)]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"There are: {', '.join(known)}." if known else "Nothing is connected yet: %tusk_connect."


def _refuse_beside_to(request: CellRequest) -> None:
    if request.to is None:
        return
    if request.out is not None and not request.bg:  # a job is what is assigned then
        raise InvalidInput(
            f"both --to and an assignment to {request.out} are given: rows that go to a file do not come back",
            advice="Nothing was run. Use one of them; afterwards the file can be read.",
        )
    if request.format is not None or request.exact:
        name = "--exact" if request.exact else "--format"
        raise InvalidInput(
            f"{name} says what comes back, and with --to nothing does",
            advice="Nothing was run. A file's ending says its format, and its numbers are exact.",
        )


def _refuse_beside_parallel(request: CellRequest) -> None:
    folder = request.to is not None and is_folder(request.to)
    if request.parallel is None:
        if request.split is not None:
            raise InvalidInput(
                f"--split {request.split} says how to divide a query, and nothing divides it",
                advice="Nothing was run. Add --parallel N.",
            )
        if folder:
            raise InvalidInput(
                f"{request.to!r} is a folder, and the rows of one connection are one file",
                advice="Nothing was run. Name a file (.parquet, .csv, .arrow), or add --parallel N.",
            )
        return
    if request.parallel < LEAST:
        raise InvalidInput(
            f"--parallel {request.parallel}: there are two parts at least",
            advice="Nothing was run. Leave it out to read on one connection.",
        )
    if request.limit is not None:
        raise InvalidInput(
            "--limit is for the whole result, and each part of --parallel would have its own",
            advice="Nothing was run. Use one of them.",
        )
    if request.to is not None and not folder:
        raise InvalidInput(
            f"--parallel writes a file for each part, and {request.to!r} is one",
            advice="Nothing was run. Name a folder: --to DIR/ makes one that DuckDB, Dask and Spark read as a table.",
        )


def _refuse_beside_bg(request: CellRequest) -> None:
    if not request.bg:
        return
    if request.parallel is not None:
        raise InvalidInput(
            "--parallel reads on the pool's connections, and a job of --bg has one of them",
            advice="Nothing was run. Use one of them.",
        )
    others = {
        "--persist": request.persist,
        "--persist-replace": request.persist_replace,
        "--append": request.append,
        "--close": request.close,
        "--connections": request.connections,
    }
    other = next((name for name, given in others.items() if given), None)
    if other is not None:
        raise InvalidInput(
            f"--bg runs SQL in the background, and {other} is done here and now",
            advice="Nothing was run. Leave one of them out.",
        )


def _with_assignment(request: CellRequest) -> CellRequest:
    match = _ASSIGN.match(request.script)
    if match is None or keyword.iskeyword(match[1]):
        if request.out is not None:
            return replace(request, display=False)
        return request
    if request.out is not None:
        raise InvalidInput(f"both --out {request.out} and {match[1]} << are given; use one")
    cut = match.end()
    return replace(
        request,
        out=match[1],
        display=match[2] is not None,
        script=request.script[cut:],
        prefix=request.prefix + request.script[:cut],
    )
