"""What other databases write, and Jinja: MySQL, SQL Server, Oracle, SQLite, at the place where PostgreSQL stops.

One rule a construct, each on words that PostgreSQL does not have there, so that it is right whenever it speaks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tusk_jupyter.advice.slip_words import RESERVED, Place, Slip, code, inserted, like, replaced
from tusk_jupyter.errors import Correction

if TYPE_CHECKING:
    from collections.abc import Callable

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_BACKTICKS = re.compile(r"`([^`\n]+)`")
_BRACKETS = re.compile(r"(?<![\w\])])\[([A-Za-z_][\w ]*)\]")
_CURLY = re.compile(r"[‘’]([^‘’'\"\n]*)[‘’]")
_IDENTITY = "generated always as identity"


def typographic(place: Place) -> Slip:
    """Advise on quotes that a word processor has made."""
    said = "These are typographic quotes: write `'text'` with plain ones, and `\"name\"` for names."
    return _all(place, said, _CURLY, lambda match: f"'{match[1]}'")


def _backtick(place: Place) -> Slip | None:
    if (place.at and "`" in place.at.text) or (place.before and "`" in place.before[-1].text[:1]):
        said = 'PostgreSQL has no backticks: a name is quoted as in `"name"`, and most need no quotes.'
        return _all(place, said, _BACKTICKS, _requoted)
    return None


def _bracket(place: Place) -> Slip | None:
    named = place.after[0] if place.after else None
    closed = len(place.after) > 1 and place.after[1].text == "]"
    is_name = named is not None and named.kind == "word" and closed
    if place.word() == "[" and is_name and (place.word(1) in RESERVED | {".", ",", "into", "update", "join", "("}):
        said = 'PostgreSQL has no brackets around names: one is quoted as in `"name"`, and most need no quotes.'
        return _all(place, said, _BRACKETS, _requoted)
    return None


def _all(place: Place, said: str, pattern: re.Pattern[str], by: Callable[[re.Match[str]], str]) -> Slip:
    """Return a slip whose correction replaces every match, if all are on one line and nothing of the kind is left."""
    found = list(pattern.finditer(place.statement))
    if not found:
        return Slip(said)
    start, end = found[0].start(), found[-1].end()
    text = pattern.sub(by, place.statement[start:end])
    rest = place.statement[:start] + place.statement[end:]
    left = any(mark in rest + text for mark in "`‘’“”")
    return Slip(said, None if "\n" in text or left else Correction(start, end, text))


def _requoted(match: re.Match[str]) -> str:
    name = match[1]
    return name if _PLAIN.fullmatch(name) and name not in RESERVED else '"{}"'.format(name.replace('"', '""'))


def _top(place: Place) -> Slip | None:
    """SELECT TOP 10, and TOP (10), of which ``top`` is read as a function."""
    back = place.words[-5:]
    if place.at and place.at.kind == "number" and back[-1:] == ["top"] and set(back[-3:-1]) & {"select", "distinct"}:
        top, last = place.before[-1], place.at
    elif place.at and back[-4:-2] == ["top", "("] and back[-1] == ")" and back[:1] in (["select"], ["distinct"]):
        top, last = place.before[-4], place.before[-1]
    else:
        return None
    count = last.text if last.kind == "number" else place.before[-2].text
    said = f"PostgreSQL has no TOP: end the query with `LIMIT {count}`."
    rest = place.statement[last.end :].strip()
    if "\n" in rest or ";" in rest or "--" in rest or "(" in place.statement[: top.start]:
        return Slip(said)
    end = len(place.statement.rstrip())
    return Slip(said, Correction(top.start, end, f"{rest} {like('limit', top.text)} {count}"))


def _column_of_mysql(place: Place) -> Slip | str | None:
    at = place.at
    if at is None:
        return None
    if place.word() in {"auto_increment", "autoincrement"}:
        return replaced(f"PostgreSQL writes `{_IDENTITY}` for {code(at.text)}.", at, at, _IDENTITY)
    if place.word() == "identity" and place.word(1) not in {"as", "restart"}:
        said = f"PostgreSQL writes `{_IDENTITY}`, or `{_IDENTITY} (start 1 increment 1)`."
        numbers = [t.text for t in place.after[:5]]
        last = place.after[4] if numbers[:1] == ["("] and numbers[4:5] == [")"] else at
        return replaced(said, at, last, _IDENTITY)
    if place.word() == "unsigned":
        return "PostgreSQL has no unsigned numbers: leave it out, and add `check (column >= 0)` if it matters."
    if place.word() in {"engine", "charset", "collate"} and place.next() == "=":
        return f"PostgreSQL has no table option {code(at.text.upper())}: leave it out."
    return None


def _insert_of_mysql(place: Place) -> str | None:
    first = place.before[0].lower if place.before else ""
    if not place.before and place.word() == "replace":
        return (
            "PostgreSQL has no REPLACE: write `INSERT INTO t (…) VALUES (…) ON CONFLICT (key) DO UPDATE SET a = "
            "excluded.a`."
        )
    if first != "insert":
        return None
    if place.word() == "ignore":
        return "PostgreSQL has no INSERT IGNORE: end the statement with `ON CONFLICT DO NOTHING`."
    if "duplicate" in {place.word(), place.word(1)}:
        return "PostgreSQL writes `ON CONFLICT (key) DO UPDATE SET a = excluded.a`; `excluded` is the refused row."
    if place.word() == "set" and "values" not in place.vocabulary:
        return "PostgreSQL's INSERT has no SET: write `INSERT INTO t (a, b) VALUES (1, 2)`."
    return None


def _command(place: Place) -> Slip | str | None:
    """Statements that PostgreSQL does not have at all."""
    at = place.at
    if at is None or place.before:
        return None
    if place.word() in {"describe", "desc"}:
        return "PostgreSQL has no DESCRIBE: `\\d NAME` and `%tusk describe NAME` show a table's columns."
    if place.word() == "use":
        return "A connection is to one database: `%tusk_connect` opens another. Schemas: `SET search_path = name`."
    if place.word() in {"exec", "execute"} and place.next():
        return replaced("A procedure is run by `CALL name(…)`, a function by `SELECT name(…)`.", at, at, "call")
    if place.word() in {"from", "where", "group", "order", "having", "limit", "and", "or", "join"}:
        return f"A statement cannot begin with {code(at.text)}: the `;` before it ends the other one too early."
    return None


def _alteration(place: Place) -> Slip | str | None:
    first = place.before[0].lower if place.before else ""
    at = place.at
    if at is None or first not in {"alter", "drop"}:
        return None
    if first == "drop":
        return (
            "`IF EXISTS` comes before the name: `DROP TABLE IF EXISTS t`."
            if place.word() == "if" and place.next() == "exists" and len(place.before) > 2  # noqa: PLR2004
            else None
        )
    if place.word() == "modify":
        return "PostgreSQL writes `ALTER COLUMN a TYPE text`, and `ALTER COLUMN a SET NOT NULL`."
    if place.word() == "change":
        return "PostgreSQL writes `RENAME COLUMN a TO b`, and `ALTER COLUMN b TYPE text`."
    if (
        [place.word(2), place.word(3)] == ["column", "alter"]
        and at.kind == "word"
        and at.lower not in RESERVED
        and place.next() != "type"
    ):
        return inserted("`TYPE` is missing: `ALTER COLUMN a TYPE text`.", at.start, "type ")
    return None


def _operator(place: Place) -> Slip | str | None:
    at = place.at
    if at is None or not place.before:
        return None
    if at.kind == "cast" and at.text == ":=":
        return replaced("Outside of functions PostgreSQL assigns and compares with `=`.", at, at, "=")
    if at.text.startswith("#"):
        return replaced("A comment begins with `--`, or stands in `/* … */`.", at, at, f"--{at.text[1:]}")
    if at.text.endswith("@") and place.after and place.after[0].kind == "word":
        return "PostgreSQL has no @variables: `:name` takes a variable of the notebook, a CTE names a result."
    if place.word() in {"rlike", "regexp"}:
        return replaced(f"PostgreSQL writes `~` for {code(at.text)}, or `~*` without regard to case.", at, at, "~")
    both = next((t for t in reversed(place.before[-6:]) if t.text == "&&"), None)
    if place.word() == "=" and both is not None:
        return replaced("`&&` is for arrays and ranges; conditions are joined with `and`.", both, both, "and")
    if place.word() == "=" and "||" in [t.text for t in place.before[-6:]]:
        return "`||` joins texts; conditions are joined with `or`."
    if place.word() in {"{", "%"} and (place.next() in {"{", "%", "#"} or place.word(1) == "{"):
        return 'There is no templating: `:name` takes a variable of the notebook, `:"name"` one that names a table.'
    return None


def _backslash(place: Place) -> Slip | None:
    """A backslash where psql would see no command either: in the middle of a statement, or at the end of a line."""
    at = place.at
    if at is None or not at.text.startswith("\\"):
        return None
    said = "psql's commands begin a line, or stand behind a statement, as in `\\d NAME`; `\\?` lists them."
    rest = place.statement[at.start + 1 :]
    if place.before and not place.opens_line and not rest.partition("\n")[0].strip():
        said = f"A statement goes on over its lines without a `\\`. {said}"
        return Slip(said, Correction(at.start, at.start + 1, ""))
    return Slip(said)


def _words(place: Place) -> Slip | None:
    at, following = place.at, place.after[0] if place.after else None
    if at is None or not place.before:
        return None
    last = place.before[-1]
    if last.lower == "interval" and at.kind == "number" and following is not None and following.kind == "word":
        text = f"'{at.text} {following.text}'"
        return replaced(f"PostgreSQL writes `interval {text}`.", at, following, text)
    if last.lower == "minus" and place.word() in {"select", "("}:
        return replaced("PostgreSQL writes `EXCEPT` for MINUS.", last, last, like("except", last.text))
    if place.word() == "apply" and last.lower == "cross":
        return replaced("PostgreSQL writes `cross join lateral` for CROSS APPLY.", at, at, "join lateral")
    if place.word() == "go" and following is None:
        return replaced("PostgreSQL has no GO: statements end with `;`.", at, at, "")
    if [last.lower, place.word()] == ["begin", "tran"]:
        return replaced("PostgreSQL writes `BEGIN`, and `COMMIT`.", last, at, last.text)
    return None


def _clauses(place: Place) -> str | None:
    first = place.before[0].lower if place.before else ""
    if [place.word(1), place.word()] == ["outer", "apply"]:
        return "PostgreSQL writes `left join lateral (…) x on true` for OUTER APPLY."
    if "nolock" in {place.word(), place.next()}:
        return "PostgreSQL has no table hints: leave `WITH (NOLOCK)` out; readers never wait for writers."
    if [place.word(1), place.word()] == ["connect", "by"]:
        return "PostgreSQL has no CONNECT BY: `WITH RECURSIVE` walks a tree."
    if place.word() == "," and place.word(2) == "(" and place.word(3) in {"convert", "try_convert"}:
        return "PostgreSQL writes `cast(value as integer)`, or `value::integer`."
    if place.word() == "limit" and first in {"update", "delete"}:
        return "UPDATE and DELETE have no LIMIT: `where id in (select id from t order by … limit 5)`."
    return None


QUOTING: tuple[Callable[[Place], Slip | str | None], ...] = (_backtick, _bracket)
OTHERS: tuple[Callable[[Place], Slip | str | None], ...] = (
    _top,
    _column_of_mysql,
    _insert_of_mysql,
    _command,
    _alteration,
    _backslash,
    _operator,
    _words,
    _clauses,
)
