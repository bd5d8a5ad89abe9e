"""The preferences: each declared once, for ``%tusk set``, ``%config Tusk.*``, the documentation and the tests.

A preference is data, so that all of them say the same: what it is called, what it may be, what it is by itself, what
it does. The traits of :class:`~tusk_jupyter.tusk.Tusk` are made from it by :func:`trait`; a list of names of its own
beside each use would drift (a test compares them, nobody has to remember). Values are JSON scalars, because that is
how they are kept; a value of the wrong type is refused, never bent: ``True`` is no number, ``"5"`` is text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from tusk_jupyter.errors import InvalidInput

Value: TypeAlias = bool | int | str

_WORDS = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Preference:
    """One preference; its type is its default's: one of ``choices``, a whole number from ``least``, on or off."""

    name: str
    default: Value
    meaning: str
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 2**31 - 1

    @property
    def allowed(self) -> str:
        """What it may be, in words."""
        if isinstance(self.default, bool):
            return "on or off"
        if isinstance(self.default, int):
            return f"a whole number from {self.least} to {self.most}"
        return f"one of {', '.join(self.choices)}"

    def check(self, value: object) -> Value:
        """Return ``value`` where it may be; :raises InvalidInput: with what may be, and near choices."""
        if type(value) is type(self.default) and self._within(value):
            return value
        from difflib import get_close_matches

        near = get_close_matches(str(value).lower(), self.choices, n=1)
        offer = f"Did you mean {near[0]!r}? " if near else ""
        raise InvalidInput(
            f"preference {self.name!r} cannot be {value!r}", advice=f"{offer}It is {self.allowed}.", name=self.name
        )

    def read(self, text: str) -> Value:
        """Return the value that a word on a line stands for; :raises InvalidInput: where it stands for none."""
        text = text.strip()
        value: object = text
        if isinstance(self.default, bool):
            value = _WORDS.get(text.lower(), text)
        elif isinstance(self.default, int):
            digits = text.replace("_", "")
            # a number of a million digits takes minutes to read, and is too large whatever it is
            value = (
                int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= len(str(self.most)) else text
            )
        return self.check(value)

    def _within(self, value: Any) -> bool:
        if isinstance(value, bool):
            return True
        return self.least <= value <= self.most if isinstance(value, int) else value in self.choices


PREFERENCES: dict[str, Preference] = {
    preference.name: preference
    for preference in (
        Preference("format", "pandas", "What a cell returns.", ("pandas", "arrow", "polars", "rows")),
        Preference(
            "numeric",
            "float",
            "numeric as float64 where no value is changed by it, or always Decimal.",
            ("float", "decimal"),
        ),
        Preference(
            "arrow_numeric",
            "text",
            "numeric without a declared scale in Arrow and Polars: exact as text, or double.",
            ("text", "double"),
        ),
        Preference("uuid", "text", "uuid as text or as UUID objects.", ("text", "object")),
        Preference("dates", "datetime64", "date as datetime64[s] or as date objects.", ("datetime64", "object")),
        Preference("limit", 0, "Return at most so many rows where a cell has no --limit; 0: all."),
        Preference("memory_limit_mb", 0, "Stop a result that takes more; 0: one that would not fit into free memory."),
        Preference("quiet", default=False, meaning="Show no status lines."),
        Preference(
            "expanded",
            "off",
            r"Show each row as a record, a line for each column (psql's \x); auto: where the table is wide.",
            ("off", "on", "auto"),
        ),
        Preference(
            "idle_transaction_s",
            60,
            "Point out a transaction that is idle for so many seconds; 0: none.",
            most=86_400,
        ),
        Preference("history", default=True, meaning="Keep what ran, for %tusk history."),
        Preference(
            "history_days", 365, "How long it is kept; what is older goes at the next load; 0: for ever.", most=36_500
        ),
    )
}


def named(name: str) -> Preference:
    """Return a preference; :raises InvalidInput: with near names, or all of them."""
    found = PREFERENCES.get(name) or PREFERENCES.get(name.lower().replace("-", "_"))
    if found is not None:
        return found
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), PREFERENCES, n=3)
    offer = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(PREFERENCES)}."
    raise InvalidInput(f"there is no preference {name!r}", advice=offer, name=name)


def trait(name: str) -> Any:
    """Return the configurable trait of a preference."""
    from traitlets import Bool, Enum, Int

    preference = PREFERENCES[name]
    if isinstance(preference.default, bool):
        made: Any = Bool(default_value=preference.default, help=preference.meaning)
    elif isinstance(preference.default, int):
        made = Int(preference.default, min=preference.least, max=preference.most, help=preference.meaning)
    else:
        made = Enum(preference.choices, preference.default, help=preference.meaning)
    return made.tag(config=True)
