"""The GRANT that would help (42501), from an English message and the statement: until the catalog has been asked.

The only place where a message is read: no field of the server's names the object.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tusk_jupyter.advice import targets
from tusk_jupyter.advice.quoting import identifier, verb_of
from tusk_jupyter.advice.slip_words import code

if TYPE_CHECKING:
    from tusk_jupyter.errors import Diagnostic

_LOCKING = re.compile(r"\bfor\s+(?:no\s+key\s+)?(?:key\s+)?(?:update|share)\b", re.IGNORECASE)
_LOOKED_AT = 20_000
_RELATIONS = {"table", "view", "materialized view", "foreign table", "relation"}
_RIGHTS = {
    "sequence": "USAGE",
    "schema": "USAGE",
    "database": "CONNECT",
    "function": "EXECUTE",
    "procedure": "EXECUTE",
    "language": "USAGE",
    "type": "USAGE",
    "tablespace": "CREATE",
    "foreign server": "USAGE",
    "foreign-data wrapper": "USAGE",
}
_KIND = "|".join(sorted({*_RELATIONS, *_RIGHTS, "index", "event trigger"}, key=len, reverse=True))
_DENIED = re.compile(rf"permission denied for ({_KIND}) ([^\n]{{1,200}})")
_OWNER = re.compile(rf"must be owner of ({_KIND}) ([^\n]{{1,200}})")


def denied(diag: Diagnostic, statement: str) -> str | None:
    message = (diag.message_primary or "")[:400]
    owner = _OWNER.fullmatch(message)
    if owner:
        return f"Only its owner may do that: ask them, or `SET ROLE` to the role that owns the {owner[1]} {owner[2]}."
    match = _DENIED.fullmatch(message)
    if match is None:
        return None
    kind, name = match[1], match[2]
    right = _table_right(statement) if kind in _RELATIONS else _RIGHTS.get(kind)
    if kind in {"schema", "database"} and verb_of(statement) == "create":
        right = "CREATE"
    if right is None:
        return None
    schemas = {schema for schema, last in targets.named(statement) if last == name} if kind in _RELATIONS else set()
    schema = schemas.pop() if len(schemas) == 1 else None
    kind = "table" if kind in _RELATIONS else kind
    grant = f"GRANT {right} ON {kind.upper().replace('-', ' ')} {identifier(name, schema)} TO role"
    return f"Its owner or an administrator can allow it: {code(grant)}, with the role from `select current_user`."


def _table_right(statement: str) -> str | None:
    verb = verb_of(statement)
    text = statement[:_LOOKED_AT].lower()
    if verb in {"select", "table"}:
        return "SELECT, UPDATE" if _LOCKING.search(text) else "SELECT"
    if verb == "insert":
        return "INSERT, SELECT, UPDATE" if "conflict" in text else "INSERT, SELECT" if "returning" in text else "INSERT"
    return {"update": "SELECT, UPDATE", "delete": "SELECT, DELETE", "truncate": "TRUNCATE"}.get(verb)
