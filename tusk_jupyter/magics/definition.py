"""The source of a function, a view or a table as the value of a line: text to compute with, shown as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tusk_jupyter.widgets.listing import safe
from tusk_jupyter.widgets.markup import MONO, escape, tag

if TYPE_CHECKING:
    from typing import Self


class Source(str):
    """Text that is shown as it stands, and not as Python writes a string; perhaps with the numbers of its lines."""

    __slots__ = ("shown",)
    shown: str

    def __new__(cls, text: str, shown: str | None = None) -> Self:
        """Return the text, which is shown as ``shown``."""
        made = super().__new__(cls, text)
        made.shown = text if shown is None else shown
        return made

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        del cycle
        printer.text(safe(self.shown))

    def _repr_html_(self) -> str:
        return tag("pre", escape(safe(self.shown)), f"white-space:pre;{MONO};font-size:.92em")
