"""Tab and Shift-Tab in our cells: three ways in, one answer.

``kernel.do_complete`` and ``do_inspect`` are wrapped for kernels. A matcher alone would not do there: IPython lets the
others run where ours finds nothing (Python's names in SQL, after 500 ms of jedi), gives no signature, and never asks
for inspection by place. Terminal IPython has no kernel: there it is the matcher, which then answers with one empty
completion, that its menu leaves out. What stands elsewhere in a cell goes on to IPython untouched.

What answers is imported with the first Tab. It never connects, and a failure of its own is logged, not shown: a
traceback below a cell for a key that was pressed helps nobody.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.magics.completing import Completing
    from tusk_jupyter.magics.places import Kind, Place
    from tusk_jupyter.tusk import Tusk

logger = logging.getLogger("tusk_jupyter.completer")
IDENTIFIER = "tusk_jupyter.completer"
_PRIORITY = 1000
_MAGICS = {"sql": "sql", "tsql": "sql", "tusk_line": "tusk", "tusk_connect": "tusk_connect"}


class Completer:
    """The doors, open from :meth:`install` to :meth:`close`."""

    def __init__(self, shell: Any, tusk: Tusk, magics: object) -> None:
        self._shell = shell
        self._tusk = tusk
        self._magics = magics
        self._completing: Completing | None = None
        self._matcher: Any = None
        self._wrapped: dict[str, tuple[Callable[..., Any], Callable[..., Any], bool]] = {}
        self._open = False

    def install(self) -> None:
        """Open the doors; a kernel's and IPython's."""
        self._open = True
        self._matcher = self._made_matcher()
        self._shell.Completer.custom_matchers.insert(0, self._matcher)
        kernel = getattr(self._shell, "kernel", None)
        if kernel is not None:
            self._wrap(kernel, "do_complete", self._complete)
            self._wrap(kernel, "do_inspect", self._inspect)

    def close(self) -> None:
        """Leave everything as it was; what somebody else has wrapped around ours meanwhile goes on without us."""
        self._open = False
        matchers = self._shell.Completer.custom_matchers
        matchers[:] = [one for one in matchers if one is not self._matcher]
        kernel = getattr(self._shell, "kernel", None)
        for name, (ours, before, own) in self._wrapped.items():
            if vars(kernel).get(name) is not ours:
                continue
            if own:
                setattr(kernel, name, before)
            else:
                delattr(kernel, name)
        self._wrapped.clear()

    def _wrap(self, kernel: Any, name: str, answer: Callable[..., Any]) -> None:
        before = getattr(kernel, name)

        def wrapped(code: str, cursor_pos: int | None = None, *args: Any, **kwargs: Any) -> Any:
            found = answer(code, len(code) if cursor_pos is None else cursor_pos) if self._open else None
            return before(code, cursor_pos, *args, **kwargs) if found is None else found

        self._wrapped[name] = (wrapped, before, name in vars(kernel))
        setattr(kernel, name, wrapped)

    # -- what is asked ------------------------------------------------------------------------------------------------

    def _complete(self, code: str, cursor: int) -> dict[str, Any] | None:
        """Return the content of a ``complete_reply``; ``None`` where the cursor is in no text of ours."""
        found = self._asked(code, cursor, lambda completing, place: completing.complete(place))
        if found is None:
            return None
        start, end, items = (found.start, found.end, found.items) if found != () else (cursor, cursor, ())
        experimental = [
            {"start": start, "end": end, "text": item.text, "type": item.kind, "signature": item.signature}
            for item in items
        ]
        return {
            "status": "ok",
            "matches": [item.text for item in items],
            "cursor_start": start,
            "cursor_end": end,
            "metadata": {"_jupyter_types_experimental": experimental},
        }

    def _inspect(self, code: str, cursor: int) -> dict[str, Any] | None:
        """Return the content of an ``inspect_reply``; ``None`` where the cursor is in no text of ours."""
        found = self._asked(code, cursor, lambda completing, place: completing.inspect(place))
        if found is None:
            return None
        data = {"text/plain": found.text, "text/html": found.html} if found != () else {}
        return {"status": "ok", "found": bool(data), "data": data, "metadata": {}}

    def _asked(self, code: str, cursor: int, question: Callable[[Completing, Place], Any]) -> Any:
        """Return the answer, ``()`` where there is none, ``None`` where the place is not ours."""
        if "%" not in code:
            return None
        from tusk_jupyter.magics import places

        place = places.find(code, cursor, self._owned)
        if place is None:
            return None
        try:
            if self._completing is None:
                from tusk_jupyter.magics.completing import Completing

                self._completing = Completing(self._tusk, self._shell)
            found = question(self._completing, place)
        except Exception:  # a key press shows no error; with nothing offered, one can still type
            logger.exception("completion failed")
            found = None
        return () if found is None else found

    def _owned(self, kind: Kind, name: str) -> str | None:
        """Return which of our magics answers to a name; ``None`` where another extension's does."""
        registered = self._shell.magics_manager.magics[kind].get(name)
        for _ in range(3):  # %alias_magic
            if (target := getattr(registered, "magic_name", None)) is None:
                break
            registered = self._shell.magics_manager.magics[kind].get(target)
        if getattr(registered, "__self__", None) is not self._magics:
            return None
        return _MAGICS.get(registered.__name__)

    def _made_matcher(self) -> Any:
        from IPython.core.completer import SimpleCompletion, context_matcher

        @context_matcher(identifier=IDENTIFIER, priority=_PRIORITY)  # type: ignore[untyped-decorator]
        def matcher(context: Any) -> dict[str, Any]:
            lines = context.full_text.split("\n")[: context.cursor_line]
            cursor = sum(map(len, lines)) + len(lines) + context.cursor_position
            reply = self._complete(context.full_text, cursor) if self._open else None
            if reply is None:
                return {"completions": [], "suppress": False}
            fragment = context.full_text[reply["cursor_start"] : cursor]
            found = [
                SimpleCompletion(one["text"], type=f"{one['type']} {one['signature']}".rstrip())
                for one in reply["metadata"]["_jupyter_types_experimental"]
            ]
            if not found:
                fragment, found = "", [SimpleCompletion("", type="")]
            return {"completions": found, "matched_fragment": fragment, "ordered": True, "suppress": True}

        return matcher
