"""Completion and inspection in one place of a cell: the line of a magic, a parameter, or SQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.magics import first_line, notebook_names
from tusk_jupyter.magics.arguments import CELL_OPTIONS, LINE_OPTIONS
from tusk_jupyter.magics.connect_line import CONNECT_OPTIONS
from tusk_jupyter.magics.first_line import moved
from tusk_jupyter.magics.line_choices import Known
from tusk_jupyter.magics.line_words import read
from tusk_jupyter.schema.catalog import Catalog
from tusk_jupyter.schema.completion import complete
from tusk_jupyter.schema.suggestions import Suggestion, Suggestions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.magics.line_words import Reading
    from tusk_jupyter.magics.options import Options
    from tusk_jupyter.magics.places import Place
    from tusk_jupyter.schema.suggestions import Inspection
    from tusk_jupyter.tusk import Tusk

# what stands before a name of the database, so that completion of SQL offers it; and which of its kinds are meant
_BEFORE = {"relation": "select * from ", "function": "select "}
_KINDS = {
    "relation": frozenset({"table", "view", "materialized view", "foreign table", "sequence", "schema"}),
    "function": frozenset({"function", "procedure", "schema"}),
}


class Completing:
    """Answers for one kernel; holds nothing but what was read from ``tusk.db`` a moment ago."""

    def __init__(self, tusk: Tusk, shell: Any) -> None:
        self._tusk = tusk
        self._shell = shell
        self._known = Known(tusk, self._names, self._catalog)

    def complete(self, place: Place) -> Suggestions:
        """Return what could stand at the cursor, in offsets of the cell."""
        if place.magic == "tusk_connect":
            return moved(first_line.on_connect(*_line(place), self._known), place.start)
        found, reading, sql = self._of_line(place)
        if sql is None:
            return moved(found, place.start)
        return moved(self._of_sql(place.text[sql : place.end], place.cursor - sql, _named(place, reading)), sql)

    def inspect(self, place: Place) -> Inspection | None:
        """Return what is known of what the cursor is on."""
        from tusk_jupyter.magics import inspecting

        line, cursor = _line(place)
        options = self._options(place)
        reading = read(*_ended(line, cursor), options, sql=place.magic != "tusk_connect")
        takes_sql = place.magic == "sql" or reading.before[:1] == ("watch",)
        if takes_sql and (cursor > len(line) or reading.at.kind == "sql"):
            sql = _sql_start(place, reading)
            catalog = self._catalog(_named(place, reading))
            return inspecting.of_sql(place.text[sql : place.end], place.cursor - sql, self._names(), catalog)
        if place.magic == "tusk" and not reading.before:
            return inspecting.of_subcommand(line[reading.at.start : reading.at.end])
        return inspecting.of_line(reading, self._known, options, line)

    @staticmethod
    def _options(place: Place) -> Options | None:
        """Return the options of the line that the cursor is on."""
        if place.magic == "tusk_connect":
            return CONNECT_OPTIONS
        if place.magic == "sql":
            return CELL_OPTIONS if place.is_cell else LINE_OPTIONS
        from tusk_jupyter.magics import tusk_words

        line, _ = _line(place)
        words = read(line, len(line), None).before or (line.strip(),)
        return tusk_words.options_of(words) if words[0] else None

    def _of_line(self, place: Place) -> tuple[Suggestions, Reading, int | None]:
        """Return what could stand on the line; with where the SQL begins instead where the cursor is in it."""
        line, cursor = _line(place)
        if place.magic == "tusk":
            return self._of_tusk(place)
        if cursor > len(line):
            whole = first_line.on_sql(*_ended(line, cursor), self._known, is_cell=place.is_cell)[1]
            return Suggestions(0, 0), whole, _sql_start(place, whole)
        found, reading = first_line.on_sql(line, cursor, self._known, is_cell=place.is_cell)
        if found is None:
            return Suggestions(0, 0), reading, _sql_start(place, reading)
        if reading.at.kind == "word" and (reading.typed or not place.is_cell) and not reading.typed.startswith("-"):
            sql = self._of_sql(reading.typed, len(reading.typed), _named(place, reading))
            items = (*found.items, *sql.items) if sql.start == 0 else found.items
            found = Suggestions(found.start, found.end, items)
        return found, reading, None

    def _of_tusk(self, place: Place) -> tuple[Suggestions, Reading, int | None]:
        from tusk_jupyter.magics.tusk import WITH_SQL
        from tusk_jupyter.magics.tusk_watch import WATCH_OPTIONS

        line, cursor = _line(place)
        reading = read(line, min(cursor, len(line)), WATCH_OPTIONS, sql=True)
        if reading.before[:1] == WITH_SQL and (cursor > len(line) or reading.at.kind == "sql"):
            return Suggestions(0, 0), reading, _sql_start(place, reading)
        return first_line.on_tusk(line, min(cursor, len(line)), self._known, self._relations), reading, None

    def _of_sql(self, text: str, cursor: int, connection: str | None) -> Suggestions:
        found = notebook_names.suggestions(text, cursor, self._names())
        if found is not None:
            return found
        catalog = self._catalog(connection)
        if "\\" in text and (commands := self._of_command(text, cursor, catalog, connection)) is not None:
            return commands
        named = tuple(
            Suggestion(name, "parameter", notebook_names.named(value, name)) for name, value in self._names().items()
        )
        return complete(text, cursor, catalog, names=named)

    def _of_command(self, text: str, cursor: int, catalog: Catalog, connection: str | None) -> Suggestions | None:
        from tusk_jupyter.magics import backslash_words

        def names(kind: str, typed: str) -> tuple[Suggestion, ...]:
            return self._relations(kind, typed, connection)

        return backslash_words.suggestions(text, cursor, catalog, names)

    def _relations(self, kind: str, typed: str, connection: str | None) -> tuple[Suggestion, ...]:
        """Return the names of the database that a word of a line may become, with what is typed of their schema."""
        before = _BEFORE[kind]
        found = complete(before + typed, len(before + typed), self._catalog(connection))
        qualifier = typed[: max(0, found.start - len(before))]
        items = (item for item in found.items if item.kind in _KINDS[kind])
        return tuple(replace(item, text=qualifier + item.text.removesuffix("(")) for item in items)

    def _catalog(self, name: str | None) -> Catalog:
        """Return what is known of a database by now; nothing of one that is not connected."""
        connection = self._connection(name)
        return self._tusk.schemas.catalog(connection) if connection is not None else Catalog()

    def _connection(self, name: str | None) -> Connection | None:
        """Return an open connection; never opens one."""
        if name is None:
            return self._tusk.connections.current
        return next((one for one in self._tusk.connections.active() if one.name == name), None)

    def _names(self) -> Mapping[str, object]:
        return notebook_names.bindable([self._shell.user_ns], getattr(self._shell, "user_ns_hidden", ()))


def _line(place: Place) -> tuple[str, int]:
    """Return the first line behind the magic's name, and the cursor in it; beyond its end where it is below."""
    return place.text[place.start : place.line_end], place.cursor - place.start


def _ended(line: str, cursor: int) -> tuple[str, int]:
    """Return line and cursor; for a cursor below, behind a space, which ends the last word: a connection's name."""
    return (line, cursor) if cursor <= len(line) else (f"{line} ", len(line) + 1)


def _sql_start(place: Place, reading: Reading) -> int:
    """Return where the SQL begins: on the line, or below it."""
    if reading.at.kind == "sql":
        return place.start + reading.at.start
    return min(place.line_end + 1, place.end)


def _named(place: Place, reading: Reading) -> str | None:
    """Return the connection that the first line names."""
    if place.magic == "sql":
        return next(iter(reading.before), None)
    return first_line.connection_named(place.text[place.start : place.line_end])
