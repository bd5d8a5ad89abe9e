"""What a front end sends to the connection manager → a :class:`Request`, or nothing.

A notebook's front end is trusted with what a user could type and with nothing else: every field is checked for its
type and its length, and what does not fit is dropped as a whole, with a log line that repeats no value. Passwords are
taken out of the message itself, in place and first of all: ipykernel keeps the message as the parent of what follows,
within reach of every debugger.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tusk_jupyter.magics.manager_form import FIELDS, SECRETS
from tusk_jupyter.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("tusk_jupyter.manager")
OPERATIONS = frozenset({
    "hello", "bye", "refresh", "secrets",
    "save", "connect", "test", "disconnect", "use", "duplicate", "delete",
    "group_save", "group_move", "group_delete",
})  # fmt: skip
_FORM = {*FIELDS, "parent_id"}
_WORDS = ("id", "op", "view", "target", "direction", "trust")
_WORD, _TEXT = 200, 20_000


@dataclass(frozen=True, slots=True)
class Request:
    """One thing that a user asked for; ``id`` is the front end's, the same when it sends the request again.

    A secret is one that was typed, or ``None`` to forget the one that is kept. ``keep`` is whether typed ones are to
    be kept, ``sure`` whether the user has confirmed, ``trust`` the fingerprint of a host key that is to be accepted.
    """

    id: str
    op: str
    view: str = ""
    target: str = ""
    form: Mapping[str, str] | None = None
    secrets: Mapping[str, Secret | None] = field(default_factory=dict)
    sure: bool = False
    keep: bool = True
    direction: str = ""
    trust: str = ""


def read(content: Any) -> Request | None:
    """Return the request of a message, emptied of its passwords; ``None`` for what is none of ours."""
    secrets = _taken(content)
    found = (
        _read(content, secrets) if isinstance(content, dict) and secrets is not None else "no mapping, or no secrets"
    )
    if isinstance(found, Request):
        return found
    log.warning("the manager ignores a message: %s", found)
    return None


def _read(content: dict[str, Any], secrets: Mapping[str, Secret | None]) -> Request | str:
    words = {name: content.get(name, "") for name in _WORDS}
    if not all(isinstance(word, str) and len(word) <= _WORD for word in words.values()) or not words["id"]:
        return "an id or a word that is none"
    if words["op"] not in OPERATIONS:
        return "an unknown operation"
    flags = {name: content.get(name, default) for name, default in (("sure", False), ("keep", True))}
    form = content.get("form")
    if not all(isinstance(flag, bool) for flag in flags.values()) or not _is_form(form):
        return f"a malformed {words['op']}"
    return Request(form=form, secrets=secrets, **words, **flags)


def _taken(content: Any) -> dict[str, Secret | None] | None:
    given = content.pop("secrets", None) if isinstance(content, dict) else None
    if given is None:
        return {}
    if not isinstance(given, dict):
        return None
    fits = all(k in SECRETS and (v is None or (isinstance(v, str) and 0 < len(v) <= _TEXT)) for k, v in given.items())
    taken = {key: None if given[key] is None else Secret(given[key]) for key in given} if fits else None
    given.clear()
    return taken


def _is_form(form: Any) -> bool:
    return form is None or (
        isinstance(form, dict)
        and all(key in _FORM and isinstance(text, str) and len(text) <= _TEXT for key, text in form.items())
    )
