"""One error as a person sees it: static HTML and a text twin that reads like psql.

A panel is a record made from a :class:`TuskError` once, so that both twins say the same and a live front end can put
buttons beside it. Every text is cut before anything else is done with it: a server may send 100 MB of message, and
what is shown is saved in the notebook. A usual panel costs 2.5 kB there, the largest about 40 kB.

What is folded in HTML (``<details>``: a long CONTEXT, everything the server said) needs no script. The text twin has no
folds: CONTEXT is all there, and the rest is what :func:`everything` shows for ``%tusk errverbose``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from tusk_jupyter.advice.sqlstates import condition_name
from tusk_jupyter.errors import Diagnostic, QueryCancelled, QueryInterrupted, TuskError
from tusk_jupyter.widgets.excerpt import Excerpt, corrected_line, excerpt
from tusk_jupyter.widgets.markup import (
    BAD_EDGE,
    CODE,
    MONO,
    MUTED,
    WARN,
    WARN_EDGE,
    Twins,
    escape,
    tag,
    visible,
    with_code,
    without_code,
)

_MESSAGE, _DETAIL, _SHORT, _FIELD = 2_000, 4_000, 1_000, 500
_WHOLE = 10_000
_FACTS = 12
_LONG_CONTEXT = 300
_LABEL = 8
_NAMES = {
    "constraint": "constraint_name",
    "table": "table_name",
    "column": "column_name",
    "type": "datatype_name",
}
_BOX = "padding:9px 12px 10px;margin:4px 0;font-size:13px;line-height:1.45"
_DL = "display:grid;grid-template-columns:max-content 1fr;gap:2px 12px;margin:6px 0 0"
_WRAP = "margin:0;white-space:pre-wrap;overflow-wrap:anywhere"
# JupyterLab gives the columns of a list 20 and 80 per cent.
_CELL = f"width:auto;{_WRAP}"


@dataclass(frozen=True, slots=True)
class ErrorPanel(Twins):
    """What is shown of one error, every text safe and cut; ``state`` is ``42703 undefined_column`` or the kind.

    ``rows`` are (label, text) in their order. ``advice`` marks what can be typed with backticks. ``said`` are the
    fields of the server's diagnostic (of the whole error when ``whole``, which folds nothing).
    """

    message: str
    state: str
    severity: str | None = None
    excerpt: Excerpt | None = None
    rows: tuple[tuple[str, str], ...] = ()
    context: str | None = None
    advice: str | None = None
    transaction: str | None = None
    said: tuple[tuple[str, str], ...] = ()
    stopped: bool = False
    whole: bool = False

    @classmethod
    def from_error(cls, error: TuskError | QueryInterrupted) -> ErrorPanel:
        """Return the panel of an error; of the ``QueryCancelled`` that an interrupt carries."""
        error = error.error if isinstance(error, QueryInterrupted) else error
        return _panel(error, _said(error.diag, _FIELD), whole=False)

    def text(self) -> str:
        """Return the panel as psql would print it."""
        lines = [f"{self.severity or 'ERROR'}:  {self.message}  ({self.state})"]
        lines += [self.excerpt.text()] if self.excerpt else []
        lines += [_labelled(label.upper(), text) for label, text in self.rows]
        lines += [_labelled("CONTEXT", self.context)] if self.context else []
        lines += [_labelled("ADVICE", without_code(self.advice))] if self.advice else []
        lines += [self.transaction] if self.transaction else []
        if self.whole:
            width = max((len(label) for label, _ in self.said), default=0) + 2
            lines += ["", *(_labelled(label, text, width) for label, text in self.said)]
        return "\n".join(lines)

    def html(self) -> str:
        """Return the panel without script, style sheet or anything from elsewhere."""
        parts = [
            self._head(),
            self.excerpt.html() if self.excerpt else "",
            self._rows(),
            tag("div", escape(self.transaction), f"margin-top:8px;{WARN}") if self.transaction else "",
            self._said(),
        ]
        return tag("div", "".join(parts), f"{WARN_EDGE if self.stopped else BAD_EDGE};{_BOX}")

    def _head(self) -> str:
        message = f"{self.severity}: {self.message}" if self.severity else self.message
        bold = tag("b", escape(message), f"font-weight:600;{_WRAP}")
        state = tag(
            "code",
            escape(self.state),
            f"margin-left:auto;{CODE};white-space:nowrap;font-size:12.5px;{MUTED};{MONO}",
        )
        return tag("div", f"{bold} {state}", "display:flex;gap:10px;align-items:baseline")

    def _rows(self) -> str:
        rows = [(label, escape(text)) for label, text in self.rows]
        rows += [("context", _folded(self.context, whole=self.whole))] if self.context else []
        rows += [("advice", with_code(self.advice))] if self.advice else []
        return tag("dl", "".join(_row(label, content) for label, content in rows), _DL) if rows else ""

    def _said(self) -> str:
        if not self.said:
            return ""
        width = max(len(label) for label, _ in self.said) + 2
        lines = "\n".join(escape(_labelled(label, text, width)) for label, text in self.said)
        listing = tag("pre", lines, f"margin:4px 0 0;font-size:12px;white-space:pre-wrap;background:none;{MONO}")
        if self.whole:
            return listing
        return _details("everything the server said", listing, "margin-top:6px")


def everything(error: TuskError | QueryInterrupted) -> ErrorPanel:
    """Return the panel with every field that is known, nothing folded, and cut at 10,000 characters a field."""
    error = error.error if isinstance(error, QueryInterrupted) else error
    own = {"class": type(error).__name__, "kind": error.kind}
    own |= {label: getattr(error, label) for label in ("position", "name", "duration_s")}
    said = tuple((label, visible(str(value), _WHOLE)) for label, value in own.items() if value is not None)
    return _panel(error, (*said, *_said(error.diag, _WHOLE)), whole=True)


def _panel(error: TuskError, said: tuple[tuple[str, str], ...], *, whole: bool) -> ErrorPanel:
    def cut(text: str | None, limit: int) -> str | None:
        return visible(text, _WHOLE if whole else limit) if text else None

    diag = error.diag
    condition = error.condition or condition_name(error.sqlstate)
    state = f"{error.sqlstate} {condition or ''}".rstrip() if error.sqlstate else error.kind
    return ErrorPanel(
        message=cut(error.message, _MESSAGE) or type(error).__name__,
        state=visible(state, 100),
        severity=cut((diag.severity or "ERROR") if diag else None, 40),
        excerpt=excerpt(error.place) if error.place else None,
        rows=tuple(_rows_of(error, cut_detail=_WHOLE if whole else _DETAIL)),
        context=cut(diag.context if diag else None, _SHORT),
        advice=_advice(cut(error.advice, _SHORT), error),
        transaction=cut(error.transaction, _SHORT),
        said=said,
        stopped=isinstance(error, QueryCancelled),
        whole=whole,
    )


def _advice(advice: str | None, error: TuskError) -> str | None:
    """Return the advice with the corrected line behind it, where one edit would correct it."""
    found = corrected_line(error.place, error.correction) if error.place and error.correction else None
    if found is None:
        return advice
    number, line = found
    code = line if "`" in line else f"`{line}`"
    if not advice:
        return f"Line {number} would read: {code}"
    ended = advice.endswith((".", "!", "?", ":"))
    return f"{advice} Line {number} would read: {code}" if ended else f"{advice}; line {number} would read: {code}"


def _rows_of(error: TuskError, *, cut_detail: int) -> list[tuple[str, str]]:
    rows = [("detail", visible(error.detail, cut_detail))] if error.detail else []
    rows += [("hint", visible(error.hint, _SHORT))] if error.hint else []
    rows += _named(error.diag) if error.diag else []
    rows += [(visible(label, 40), visible(text, _FIELD)) for label, text in error.facts[:_FACTS]]
    return rows


def _named(diag: Diagnostic) -> list[tuple[str, str]]:
    # The schema qualifies what is in it; alone it is a row of its own.
    schema = f"{diag.schema_name}." if diag.schema_name else ""
    rows = [(label, getattr(diag, field)) for label, field in _NAMES.items() if getattr(diag, field)]
    if schema and not (diag.table_name or diag.datatype_name):
        rows.append(("schema", diag.schema_name))
    return [(label, visible(f"{schema if label in {'table', 'type'} else ''}{name}", 200)) for label, name in rows]


def _said(diag: Diagnostic | None, limit: int) -> tuple[tuple[str, str], ...]:
    if diag is None:
        return ()
    values = asdict(diag)
    return tuple((f.name, visible(str(values[f.name]), limit)) for f in fields(diag) if values[f.name] is not None)


def _labelled(label: str, text: str, width: int = _LABEL) -> str:
    head = f"{label}: ".ljust(width)
    return head + text.replace("\n", f"\n{' ' * len(head)}")


def _row(label: str, content: str) -> str:
    return tag("dt", escape(label), f"width:auto;margin:0;font-weight:400;{MUTED}") + tag("dd", content, _CELL)


def _folded(context: str, *, whole: bool) -> str:
    first, _, rest = context.partition("\n")
    if whole or not rest or len(context) <= _LONG_CONTEXT:
        return escape(context)
    return _details(first, escape(rest), "")


def _details(summary: str, content: str, style: str) -> str:
    return tag("details", tag("summary", escape(summary), f"cursor:pointer;{MUTED}") + content, style)
