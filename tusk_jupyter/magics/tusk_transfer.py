"""``%tusk connections import`` and ``export``: saved connections from other programs' files, and to a file of ours.

What is read becomes connections in :mod:`~tusk_jupyter.magics.tusk_import`. What is exported is written beside its
place and moved there, so that a full disk leaves the file before it, and nobody else may read it: host and user names
are nobody's business either.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput, IoError
from tusk_jupyter.magics.options import Option, Options, next_word, one_of, quoted, unquoted
from tusk_jupyter.widgets.amounts import counted
from tusk_jupyter.widgets.result_footer import StatusLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.magics.wide_tables import WideTable
    from tusk_jupyter.tusk import Tusk

_FORMATS = ("jupysql", "odbc", "service", "pgadmin", "tusk")
_JUPYSQL = "~/.jupysql/connections.ini"
_LARGEST = 10_000_000
IMPORT_OPTIONS = Options(
    Option(("--format",), "format", one_of(*_FORMATS), meaning="what the file is, where its name does not say"),
    Option(("--replace",), "replacing", meaning="in place of those of the same name"),
    Option(("--dry-run",), "dry_run", meaning="show what would be saved, save nothing"),
    magic="%tusk connections import",
)
EXPORT_OPTIONS = Options(Option(("--force",), "force", meaning="replace a file"), magic="%tusk connections export")


def import_connections(tusk: Tusk, words: Sequence[str]) -> tuple[StatusLine, WideTable]:
    """Save what a file of connections holds (without a path, JupySQL's); return what to say, and a row for each.

    :raises InvalidInput: when the file is none that can be read; :raises IoError: when it cannot be opened.
    """
    from tusk_jupyter.connections import importing
    from tusk_jupyter.magics import tusk_import
    from tusk_jupyter.queries.classify import STATEMENT_KEYWORDS

    where, options = _taken_apart(words, IMPORT_OPTIONS)
    path = Path(where or _JUPYSQL).expanduser()
    if not where and not path.exists():
        raise InvalidInput(
            f"there is no {_JUPYSQL} to import, and no file was named",
            advice="%tusk connections import PATH: connections.ini, odbc.ini, pg_service.conf, pgAdmin's or our JSON.",
        )
    imported = importing.read(
        _text_of(path),
        filename=path.name,
        format=options.get("format"),
        taken=tusk.saved.names(),
        replacing=options.get("replacing", False),
        reserved=STATEMENT_KEYWORDS,
        defaults=_defaults(),
    )
    return (
        tusk_import.preview(tusk, imported, path) if options.get("dry_run") else tusk_import.save(tusk, imported, path)
    )


def export_connections(tusk: Tusk, words: Sequence[str]) -> StatusLine:
    """Write the saved connections as JSON without any secret, to a file or (``-``) into the cell.

    :raises InvalidInput: without a path, or when a file is there already.
    """
    from tusk_jupyter.connections.exporting import to_json

    where, options = _taken_apart(words, EXPORT_OPTIONS)
    if not where:
        raise InvalidInput(
            "there is no file to export to",
            advice="%tusk connections export PATH, or - to see it here; --force replaces a file.",
        )
    saved = tusk.saved.list()
    text = to_json(saved, tusk.saved.groups())
    if where == "-":
        sys.stdout.write(text)
        return StatusLine(f"{counted(len(saved), 'connection')}, no password among them")
    path = Path(where).expanduser()
    _write(path, text, force=options.get("force", False))
    return StatusLine(f"{counted(len(saved), 'connection')} exported to {path}, no password among them")


def _taken_apart(given: Sequence[str], options: Options) -> tuple[str, dict[str, Any]]:
    """Return the one word that is no option, and the options."""
    line = " ".join(quoted(word) for word in given)
    found: dict[str, Any] = {}
    where, position = "", 0
    while True:
        word, end = next_word(line, position)
        if not word:
            if "\0" in where:
                raise InvalidInput("a path holds no NUL", advice=f"{options.magic} PATH")
            return where, found
        if word.startswith("-") and word != "-":
            option, value, position = options.take(line, position)
            found[option.field] = value
        elif where:
            raise InvalidInput(f"{options.magic} takes one file", advice="Quote a path with blanks.")
        else:
            where, position = unquoted(word), end


# -- import -----------------------------------------------------------------------------------------------------------


def _text_of(path: Path) -> str:
    """Return the file's text; what is in it stays out of errors."""
    from tusk_jupyter.translate import translate

    raw = b""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        failure = translate(error, doing="importing connections", path=str(path))
    else:
        failure = IoError(
            f"{str(path)!r} is no file of connections: it is too large",
            name=str(path),
            advice=f"Name the file itself: one of connections has at most {_LARGEST // 10**6} MB.",
        )
        if len(raw) <= _LARGEST:
            with contextlib.suppress(UnicodeDecodeError):
                return raw.decode("utf-8-sig")
            failure = IoError(
                f"{str(path)!r} is no text in UTF-8", name=str(path), advice="Save it as UTF-8, then import it again."
            )
    del raw
    raise failure


def _defaults() -> Any:
    """Return what libpq would take: its environment, a socket where a server has one, this user."""
    from tusk_jupyter.connections import scout
    from tusk_jupyter.connections.conninfo import Conninfo
    from tusk_jupyter.connections.importing import Defaults

    environment = Conninfo()
    host = scout.effective(environment, "host").split(",")[0]
    port = scout.effective(environment, "port").split(",")[0] or "5432"
    sockets = (folder for folder in ("/var/run/postgresql", "/tmp") if Path(folder, f".s.PGSQL.{port}").exists())  # noqa: S108
    return Defaults(host or next(sockets, "localhost"), scout.effective(environment, "user") or "postgres")


# -- export -----------------------------------------------------------------------------------------------------------


def _write(path: Path, text: str, *, force: bool) -> None:
    """Write the whole file or nothing, for this user alone."""
    from tusk_jupyter.translate import translate

    if path.exists() and not path.is_file():
        raise InvalidInput(f"{str(path)!r} is no ordinary file", advice="Name a file to write the connections to.")
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _place(beside, path, text, force=force)
    except FileExistsError:
        failure: Exception = InvalidInput(
            f"there is a file {str(path)!r} already", advice="Name another one, or replace it with --force."
        )
    except OSError as error:
        failure = translate(error, doing="exporting connections", path=str(path))
    else:
        return
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()
    raise failure


def _place(beside: Path, path: Path, text: str, *, force: bool) -> None:
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if force:
        beside.replace(path)
        return
    with contextlib.suppress(OSError):
        # where the file system has links, another program's file that appears meanwhile is safe as well
        os.link(beside, path)
        return
    if path.exists():
        raise FileExistsError
    beside.replace(path)
