r"""psql's patterns as conditions of SQL, read as psql reads them: ``\dt app.t?st*``, ``"Order"``, ``db.schema.name``.

Outside of double quotes letters become small, ``*`` is any text, ``?`` any character, a dot parts schema from name,
and everything else is a regular expression of PostgreSQL's; inside, each character means itself and ``""`` is a quote.
``$`` and ``[]`` mean themselves everywhere, or no name with a dollar and no ``integer[]`` could be asked for. The
rules are psql 15's and later: psql 14 took a surplus dot for any character.

psql pastes the regular expression into its statement as a literal; here it is bound. Each operator and collation is
written with its schema: the ``search_path`` may lead anywhere, and a database's own collation may be one that knows
no regular expressions.
"""

from __future__ import annotations

from dataclasses import dataclass

from tusk_jupyter.errors import InvalidInput

PARTS = 3
ANYTHING = "^(.*)$"
_FORMS = {1: "a name", 2: "NAME or DATABASE.NAME", 3: "NAME, SCHEMA.NAME or DATABASE.SCHEMA.NAME"}
_SPECIAL = frozenset("|*+?()[]{}.^$\\")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, parted: regular expressions for name and schema, a literal for the database; None is «not said»."""

    text: str
    name: str
    schema: str | None = None
    database: str | None = None


def read(text: str, *, parts: int = PARTS, literal: bool = False) -> Pattern:
    """Part a pattern into what it says of name, schema and database.

    :param parts: how many names it may have: 3 for what lives in a schema, 2 for what lives in a database, 1 for what
        lives in none; 0 where a dot parts nothing, as in the name of a setting.
    :param literal: only ``*`` and ``?`` mean anything, as where operators are named: ``+`` is one.
    :raises InvalidInput: for more dots than that.
    """
    found = [""]
    literals = [""]
    in_quotes = False
    at = 0
    while at < len(text):
        character = text[at]
        following = text[at + 1 : at + 2]
        at += 1
        if character == '"' and not (in_quotes and following == '"'):
            in_quotes = not in_quotes
            continue
        if character == "." and parts and not in_quotes:
            found.append("")
            literals.append("")
            continue
        at += character == '"'
        kept = character if in_quotes or not character.isascii() else character.lower()
        literals[-1] += kept
        found[-1] += _expression(kept, following, quoted=in_quotes, literal=literal)
    if len(found) > max(parts, 1):
        raise InvalidInput(
            f"improper qualified name (too many dotted names): {text}",
            advice=f"It takes {_FORMS[parts]}; a dot that belongs to a name goes into double quotes with it.",
        )
    anchored = [f"^({expression})$" for expression in found]
    return Pattern(
        text,
        anchored[-1],
        anchored[-2] if parts == PARTS and len(found) > 1 else None,
        literals[0] if 1 < parts == len(found) else None,
    )


def _expression(character: str, following: str, *, quoted: bool, literal: bool) -> str:
    if character == "*" and not quoted:
        return ".*"
    if character == "?" and not quoted:
        return "."
    means_itself = character == "$" or (character == "[" and following == "]")
    if means_itself or ((quoted or literal) and character in _SPECIAL):
        return f"\\{character}"
    return character


def check_database(pattern: Pattern, current: str) -> None:
    """Refuse a pattern that asks for another database.

    :raises InvalidInput: psql's error.
    """
    if pattern.database is not None and pattern.database != current:
        raise InvalidInput(
            f"cross-database references are not implemented: {pattern.text}",
            advice=f"This connection is to the database {current!r}; a session of PostgreSQL sees no other one. "
            "%tusk_connect connects to another, %%sql NAME asks there.",
        )


def condition(
    pattern: Pattern | None,
    values: list[str | None],
    *,
    name: str,
    schema: str | None = None,
    alternative: str | None = None,
    visible: str | None = None,
) -> list[str]:
    """Return the conditions that a pattern is, and add what they bind to ``values``; ``$n`` is ``values[n - 1]``.

    :param name: the SQL of what the pattern's name is compared with; ``alternative`` is another that may match.
    :param schema: the SQL of the schema's name.
    :param visible: the condition of being on the ``search_path``, for a pattern without a schema.
    """
    conditions = []
    if pattern is not None and pattern.name != ANYTHING:
        bound = _bind(pattern.name, values)
        either = [_matches(name, bound), *([_matches(alternative, bound)] if alternative else [])]
        conditions.append(f"({' or '.join(either)})" if alternative else either[0])
    if pattern is not None and pattern.schema is not None and schema is not None:
        if pattern.schema != ANYTHING:
            conditions.append(_matches(schema, _bind(pattern.schema, values)))
    elif visible is not None:
        conditions.append(visible)
    return conditions


def _bind(expression: str, values: list[str | None]) -> str:
    values.append(expression)
    return f"${len(values)}"


def _matches(what: str, bound: str) -> str:
    return f"{what} operator(pg_catalog.~) {bound}::pg_catalog.text collate pg_catalog.default"
