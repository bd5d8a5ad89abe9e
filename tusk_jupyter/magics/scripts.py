r"""SQL that is the value of a line: a ``str`` to work with, and text to read and copy where it is shown.

A plain ``str`` would be shown as Python writes one, in quotes, with ``\n`` for its line breaks. What it shows is safe
for a terminal and starred out where it holds a password; the value is as it is.
"""

from __future__ import annotations

from typing import Any

from tusk_jupyter.widgets.listing import safe
from tusk_jupyter.widgets.markup import MONO, escape, tag


class SqlText(str):
    """SQL that shows itself as it is to be read."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        del cycle
        printer.text(safe(str(self)).rstrip("\n"))

    def _repr_html_(self) -> str:
        return tag("pre", escape(safe(str(self)).rstrip("\n")), f"{MONO};margin:0;white-space:pre-wrap")
