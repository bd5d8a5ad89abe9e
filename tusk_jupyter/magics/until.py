"""``--until EXPR`` of a watch: the statement that is sent, and the way back from it to what was typed.

The server evaluates EXPR over the rows of the statement, in one statement with it. None of that is the user's: what is
kept of a run, and where an error points, is the statement and EXPR as they were typed. So EXPR has to be one
expression: what closes a parenthesis that it has not opened, or ends the statement, would be part of ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.lexer import Kind, tokens
from tusk_jupyter.queries.endings import Source

if TYPE_CHECKING:
    from tusk_jupyter.errors import TuskError
    from tusk_jupyter.queries.script import Step
    from tusk_jupyter.queries.split import Statement
    from tusk_jupyter.results.result import Result

NO_CONDITION = "--until is not a condition"
_BEFORE = "with result as (\n"
_BETWEEN = """
), until as (
select coalesce(pg_catalog.bool_and(held is true), false) as held from (select (
"""
_AFTER = """
) from result) as one(held)
)
select until.held as "?until?", rows.* from until left join (select true as "?row?", * from result) as rows on true"""
_OURS = 2  # columns of the statement above
_CLOSING = {"(": ")", "[": "]"}
_NEAR_OURS = 'at or near ")"'


@dataclass(frozen=True, slots=True)
class Until:
    """A statement of ``script`` and the condition over its rows; :attr:`text` is what is sent."""

    script: str
    statement: Statement
    condition: str

    @property
    def text(self) -> str:
        """The statement that gives whether the condition holds, and the rows."""
        return f"{_BEFORE}{self.statement.text}{_BETWEEN}{self.condition}{_AFTER}"

    def check(self) -> None:
        """Refuse what is not one expression; :raises InvalidInput: with its place in the condition."""
        flaw = self._flaw(self.condition)
        if flaw is not None:
            place = Source("", self.condition).place(flaw[1])
            advice = "Nothing was run. It is one SQL expression over the columns of the result, such as 'done = total'."
            raise InvalidInput(f"{NO_CONDITION}: {flaw[0]}", advice=advice, place=place, position=place.position)

    @property
    def is_sound(self) -> bool:
        """Whether the statement can stand in ours: else it is one that the server refuses, in words about it alone."""
        return self._flaw(self.statement.text) is None

    def _flaw(self, text: str) -> tuple[str, int] | None:
        opened = []
        is_empty = True
        for token in tokens(text, standard_conforming_strings=self.statement.standard_conforming_strings):
            word = text[token.start : token.end]
            if not token.closed:
                return "it does not end", token.start
            if token.kind <= Kind.COMMENT:
                continue
            is_empty = False
            if word == ";":
                return "it is more than one expression", token.start
            if word in _CLOSING:
                opened.append(token.start)
            elif word in _CLOSING.values() and (not opened or _CLOSING[text[opened.pop()]] != word):
                return f"nothing is open that {word} closes", token.start
        if opened:
            return f"{text[opened[-1]]} is not closed", opened[-1]
        return ("it is empty", 0) if is_empty else None

    def locate(self, error: TuskError) -> None:
        """Let an error of the statement that was sent point to what was typed."""
        place = error.place
        if place is None or place.internal:
            return
        offset = place.position - 1 - len(_BEFORE)
        if offset <= len(self.statement.text) + 1:  # at the parenthesis that closes it, too
            error.place = Source("", self.script).place(self.statement.start + min(offset, len(self.statement.text)))
            ended = offset > len(self.statement.text)
        else:
            offset -= len(self.statement.text) + len(_BETWEEN)
            ended = offset > len(self.condition)
            # what is ours can only fail by the type of the condition
            offset = min(offset, len(self.condition)) if offset >= 0 else 0
            error.place = Source("", self.condition).place(offset)
            error.message = f"{NO_CONDITION}: {error.message}"
        if ended:
            error.message = error.message.replace(_NEAR_OURS, "at end of input")
        error.args = (error.message,)
        error.position = error.place.position

    def taken(self, step: Step) -> tuple[Step, bool]:
        """Return a step with the rows of the statement alone, and whether the condition holds."""
        result = step.outcome.result
        if result is None or result.frame is None:
            return step, False
        own, reached = _own(result), bool(result.frame.iat[0, 0])
        return replace(step, outcome=replace(step.outcome, result=own)), reached


def _own(result: Result) -> Result:
    frame = _without_ours(result.frame)
    tag = f"SELECT {len(frame)}" if result.command_tag.startswith("SELECT ") else result.command_tag
    return replace(result, frame=frame, columns=result.columns[_OURS:], rowcount=len(frame), command_tag=tag)


def _without_ours(frame: Any) -> Any:
    """Return the rows of the statement itself; the one that stands for none goes, and so do the dtypes of its NULLs."""
    rows = frame.iloc[:, _OURS:]
    if frame.iloc[:, 1].notna().all():
        return rows
    rows = rows.iloc[:0]
    nullable = {i: d.numpy_dtype for i, d in enumerate(rows.dtypes) if hasattr(d, "numpy_dtype")}
    for place, dtype in nullable.items():
        rows = rows.astype({rows.columns[place]: dtype})
    return rows
