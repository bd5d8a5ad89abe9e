"""Shift-Tab: what is known of the thing at the cursor, on the line of a magic and in its SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.magics import backslash_words, line_choices, notebook_names
from tusk_jupyter.magics.options import unquoted
from tusk_jupyter.queries import backslash
from tusk_jupyter.queries.backslash import Called
from tusk_jupyter.schema import inspection
from tusk_jupyter.schema.suggestions import Inspection
from tusk_jupyter.widgets.sheet import SheetView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tusk_jupyter.magics.line_choices import Known
    from tusk_jupyter.magics.line_words import Reading
    from tusk_jupyter.magics.options import Option, Options
    from tusk_jupyter.schema.catalog import Catalog
    from tusk_jupyter.schema.sheets import Sheet


def of_line(reading: Reading, known: Known, options: Options | None, line: str) -> Inspection | None:
    """Return what an option means, what a connection is, what a subcommand does."""
    option = reading.at.option
    if option is not None and options is not None:
        return shown(_option(option, options))
    word = unquoted(line[reading.at.start : reading.at.end])
    for one in line_choices.connections(known):
        if unquoted(one.text) == word:
            return shown(SheetView(word, "connection", (one.signature,)))
    return None


def of_subcommand(name: str) -> Inspection | None:
    """Return what a subcommand of ``%tusk`` does: all that its docstring says."""
    from tusk_jupyter.magics import tusk_words

    lines = tusk_words.documentation_of(name)
    return shown(SheetView(f"%tusk {name}", "", tuple(lines))) if lines else None


def of_sql(text: str, cursor: int, names: Mapping[str, object], catalog: Catalog) -> Inspection | None:
    """Return what is known of the thing at an offset of the SQL."""
    if (placeholder := notebook_names.at(text, cursor)) is not None:
        said = "there is no variable of that name"
        if placeholder.name in names:
            said = notebook_names.named(names[placeholder.name], placeholder.name)
        return shown(SheetView(f":{placeholder.name}", "parameter", (said,)))
    if "\\" in text and (command := backslash_words.help_of(text, cursor)) is not None:
        return shown(SheetView(command[0], "command", (command[1],)))
    start, end = _statement(text, cursor)
    sheet = inspection.inspect(text[start:end], cursor - start, catalog)
    return shown(_view(sheet)) if sheet is not None else None


def shown(view: SheetView) -> Inspection:
    """Return both twins of what is to be shown."""
    return Inspection(view.text(), view.html())


def _view(sheet: Sheet) -> SheetView:
    return SheetView(sheet.title, sheet.kind, sheet.lead, sheet.facts, sheet.columns, sheet.rows, sheet.left_out)


def _option(option: Option, options: Options) -> SheetView:
    facts = [("one of", ", ".join(option.choices))] if option.choices else []
    return SheetView(", ".join(option.names), f"option of {options.magic}", (option.meaning,), tuple(facts))


def _statement(text: str, cursor: int) -> tuple[int, int]:
    """Return the bounds of the statement at the cursor."""
    start, found = 0, (0, len(text))
    while True:
        part, start = backslash.next_part(text, start)
        if part is None or part.start > cursor:
            return found
        statement = part.statement if isinstance(part, Called) else part
        found = (statement.start, statement.end) if statement is not None else (part.start, part.end)
        if cursor <= found[1]:
            return found
