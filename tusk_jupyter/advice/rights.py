"""Which privileges a statement needs, by its first words (https://www.postgresql.org/docs/current/ddl-priv.html)."""

from __future__ import annotations

import re

_WORDS = re.compile(r"[\s(]*([A-Za-z]+)(?:\s+([A-Za-z]+))?")
_LOCKING = re.compile(r"\bfor\s+(?:no\s+key\s+)?(?:key\s+)?(?:update|share)\b", re.IGNORECASE)
_LOOKED_AT = 20_000
_OWNERS = frozenset({"alter", "drop", "comment", "reindex", "cluster", "refresh", "security"})
_OWNERS_CREATE = frozenset({"index", "unique", "rule", "policy", "statistics"})


def wanted_on_relation(statement: str, *, is_target: bool) -> list[str]:
    """Return the privileges that a statement may need on a table: the one that it writes, or one that it reads."""
    verb, _ = _first(statement)
    text = statement[:_LOOKED_AT].lower()
    if not is_target or verb == "copy":
        if is_target and " from " in text:
            return ["INSERT"]
        return ["SELECT", "UPDATE"] if _LOCKING.search(text) and verb in {"select", "with"} else ["SELECT"]
    if verb == "insert":
        return [
            "INSERT",
            *(["UPDATE"] if re.search(r"\bdo\s+update\b", text) else []),
            *(["SELECT"] if "returning" in text or "conflict" in text else []),
        ]
    reads = ["SELECT"] if re.search(r"\b(where|returning|from|set\s+\w+\s*=\s*\w*[a-z_])", text) else []
    if verb == "truncate":
        return ["TRUNCATE"]
    return {"update": ["UPDATE", *reads], "delete": ["DELETE", *_reads_of_delete(text)]}.get(
        verb, ["SELECT", "INSERT", "UPDATE", "DELETE"]
    )


def _reads_of_delete(text: str) -> list[str]:
    return ["SELECT"] if re.search(r"\b(where|returning|using)\b", text) else []


def wanted_on_schema(statement: str) -> str:
    """Return the privilege that a statement needs on a schema it names."""
    return "create" if _first(statement)[0] in {"create", "import"} else "usage"


def is_for_owners(statement: str) -> bool:
    """Return whether only an owner may do such a thing: no privilege can be granted for it."""
    verb, noun = _first(statement)
    return verb in _OWNERS or (verb == "create" and noun in _OWNERS_CREATE)


def _first(statement: str) -> tuple[str, str]:
    match = _WORDS.match(statement)
    return (match[1].lower(), (match[2] or "").lower()) if match else ("", "")
