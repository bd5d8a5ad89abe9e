"""Names and words as advice shows them: quoted as PostgreSQL quotes them, so that what is shown can be run."""

from __future__ import annotations

import re

from tusk_jupyter.advice.slip_words import RESERVED

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_VERB = re.compile(r"[\s(]*([A-Za-z]+)")


def verb_of(statement: str) -> str:
    """Return the statement's first word in lower case, '' behind a comment or where there is none."""
    match = _VERB.match(statement)
    return match[1].lower() if match else ""


def identifier(name: str, schema: str | None = None) -> str:
    """Return a name as PostgreSQL reads it back, qualified if a schema is given."""
    plain = _PLAIN.fullmatch(name) and name not in RESERVED
    quoted = name if plain else '"{}"'.format(name.replace('"', '""'))
    return f"{identifier(schema)}.{quoted}" if schema else quoted


def literal(quoted: str) -> str:
    """Return a name in double quotes as the text that was meant."""
    text = quoted[1:-1].replace('""', '"').replace("'", "''")
    return f"'{text}'" if len(text) <= 60 else "'text'"  # noqa: PLR2004 a line of advice
