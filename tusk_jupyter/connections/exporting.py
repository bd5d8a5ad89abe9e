"""Saved connections as a JSON file to carry elsewhere: every field, and no secret, which is checked and not assumed.

A saved connection has no field for a password, but a person can write one into a text (a whole conninfo as database
name, ``options`` with a token). Such a record is refused by name rather than masked: a masked one would connect
somewhere else. Ids and times stay behind: they are of this machine.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections.keywords import KEYWORDS
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tusk_jupyter.connections.saved import Group, SavedConnection

FORMAT = "tusk-jupyter connections"
VERSION = 1
_OF_THIS_MACHINE = ("id", "created_at", "updated_at")


def to_json(connections: Iterable[SavedConnection], groups: Iterable[Group] = ()) -> str:
    """Return the document; :raises InvalidInput: that names the connection with what looks like a password."""
    saved = sorted(connections, key=lambda one: one.name)
    for one in saved:
        if (field_name := secret_field(one)) is not None:
            raise InvalidInput(
                f"nothing was exported: {field_name} of {one.name!r} looks as if it held a password",
                advice="Take it out there; a password belongs to the keychain: %tusk_connect NAME -W --save",
            )
    document = {
        "format": FORMAT,
        "version": VERSION,
        "groups": [_given(asdict(group)) for group in groups],
        "connections": [_given(one.as_dict() | dict.fromkeys(_OF_THIS_MACHINE)) for one in saved],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def secret_field(saved: SavedConnection) -> str | None:
    """Return the field that holds what may be a password, if one does."""
    for key, value in saved.parameters.items():
        if key not in KEYWORDS or redact(value) != value:
            return f"parameters[{key!r}]" if key in KEYWORDS else "a parameter"
    for key, value in saved.as_dict().items():
        texts = value.items() if isinstance(value, dict) and key != "parameters" else [(key, value)]
        for name, text in texts:
            if isinstance(text, str) and redact(text) != text:
                return str(name)
    return None


def _given(record: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is not set, at both levels."""
    return {
        key: _given(value) if isinstance(value, dict) and key == "ssh_tunnel" else value
        for key, value in record.items()
        if value is not None
    }
