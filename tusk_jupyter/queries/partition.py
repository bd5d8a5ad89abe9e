"""How one query is divided among connections: by the pages of its one table, or by ranges of a column it returns.

Pages cost nothing to find and hardly anything to read (PostgreSQL reads ranges of ``ctid`` since version 14), but only
a statement that reads one table row by row can be divided so. What looks like one is told from its tokens, because the
condition is written behind it; that it *is* one (no aggregate, no DISTINCT, no view) is said by the server's plan,
which no reading of names could prove: ``select t.count from t`` is an aggregate. Everything else is divided by a
column, as a subquery that is never written into.

The ranges of a column are equal shares of its values (``percentile_disc`` over all of them, or a sample of some
100,000), not steps between its minimum and maximum: a skewed column would give one part nearly everything, and any type
that can be ordered has shares, without arithmetic of its own. Where the boundaries lie decides only how long it takes:
the first and the last range are open, and a row is in exactly one, whatever they are. NULLs are in the first.

Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.lexer import Kind, Token, significant, upper
from tusk_jupyter.queries import classify
from tusk_jupyter.queries.quoting import quote_identifier
from tusk_jupyter.results import builtin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tusk_jupyter.connections.pool import ConnectionPool
    from tusk_jupyter.queries.split import Statement

LEAST: Final = 2
TID_RANGES_SINCE: Final = 140_000
SAMPLE: Final = 100_000
_SPLIT: Final = "--split COLUMN divides any query by a column that it returns"
_NOTHING_RUN: Final = "Nothing was run."
# of a query as a whole; each is a reserved word, so it names nothing unless AS or a dot says so
_WHOLE: Final = {"ORDER": "ORDER BY", "LIMIT": "LIMIT", "OFFSET": "OFFSET", "FETCH": "FETCH FIRST"}
_AFTER_WHERE: Final = _WHOLE.keys() | {"GROUP", "HAVING", "WINDOW", "UNION", "INTERSECT", "EXCEPT", "FOR", "RETURNING"}
_MOMENTS: Final = frozenset({
    "now", "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp",
    "transaction_timestamp", "statement_timestamp", "clock_timestamp",
})  # fmt: skip
_ORDERED: Final = frozenset({
    builtin.INT2, builtin.INT4, builtin.INT8, builtin.OID, builtin.FLOAT4, builtin.FLOAT8, builtin.NUMERIC,
    builtin.DATE, builtin.TIME, builtin.TIMESTAMP, builtin.TIMESTAMPTZ, builtin.INTERVAL, builtin.UUID,
    builtin.TEXT, builtin.VARCHAR, builtin.BPCHAR,
})  # fmt: skip
_UPPER: Final = re.compile("[A-Z]+")  # only ASCII is folded
_CODED: Final = re.compile(r"\\(?:([0-9A-Fa-f]{4})|\+(0[0-9A-Fa-f]{5}))")
_NAMES: Final = frozenset({Kind.IDENTIFIER, Kind.QUOTED_IDENTIFIER})
_SCANS: Final = frozenset({"Seq Scan", "Append", "ProjectSet"})
_INDEX_SCANS: Final = frozenset({"Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Bitmap Index Scan"})


@dataclass(frozen=True, slots=True)
class Parallel:
    """What ``--parallel`` asks for, and the pool that its connections come from."""

    parts: int
    split: str | None
    pool: ConnectionPool
    server_version: int


class OneTable(NamedTuple):
    """A statement that looks like one that reads one table; ``text`` is it, ready for one condition more behind it."""

    name: str
    only: bool
    filtered: bool
    text: str
    shift: int  # how much further behind its text stands there than where it was typed

    def with_pages(self, condition: str) -> str:
        """Return the statement for the rows of some pages."""
        return f"{self.text}\n{') and' if self.filtered else 'where'} {condition}"


class Range(NamedTuple):
    """One part of a column: a condition, and the values of its parameters."""

    condition: str
    values: tuple[str, ...]


def check(statements: Sequence[Statement], wanted: Parallel) -> None:
    """Refuse what cannot be read in parts, as far as its text says so.

    :raises InvalidInput: with the reason; nothing has been sent.
    """
    if len(statements) > 1:
        raise _refused(f"--parallel is for one statement, and here are {len(statements)}", "Use a cell for each.")
    for statement in statements:
        if not classify.reads_only_shape(statement):
            raise _refused(
                "--parallel is for a query that only reads: one SELECT, TABLE, VALUES or WITH",
                "Its parts run in read-only transactions, on other connections than this session's.",
            )
        if (clause := _clause_of_the_whole(statement)) is not None:
            what = (
                "rows come in the order of the parts, not in its"
                if clause == "ORDER BY"
                else "each part would apply it"
            )
            raise _refused(
                f"{clause} belongs to the whole result, and with --parallel {what}",
                "Leave it out and sort or cut the frame, or leave --parallel out.",
            )
        if wanted.split is None and wanted.server_version < TID_RANGES_SINCE:
            raise _refused("before PostgreSQL 14 a table cannot be read by ranges of its pages", f"{_SPLIT}.")
        if wanted.split is not None and "TABLESAMPLE" in _words(statement):
            raise _refused("TABLESAMPLE takes other rows in each part", "Leave --parallel out.")
    if wanted.parts > (most := wanted.pool.max_size - 1):
        raise _refused(
            f"--parallel {wanted.parts} needs as many connections besides the session's, and the pool has {most}",
            f"Use --parallel {most}, or connect with --pool-size {wanted.parts + 1}."
            if most >= LEAST
            else f"Connect with --pool-size {wanted.parts + 1}.",
        )


def one_table(statement: Statement) -> OneTable | None:
    """Read ``TABLE t`` and ``SELECT … FROM t [alias] [WHERE …]``; ``None`` for anything else."""
    text = statement.text
    found = _tokens(statement)
    words = [upper(text, token) for token in found]
    at = 1 if words[0] == "TABLE" else _after_from(words) if words[0] == "SELECT" else 0
    only = words[at : at + 1] == ["ONLY"]
    start = at + only
    end = _name_end(text, found, start)
    if not at or end == start:
        return None
    name = text[found[start].start : found[end - 1].end]
    if text[found[end].start : found[end].end] == "*" if end < len(found) else False:
        end += 1
    if words[0] == "TABLE":
        head = text[: found[0].start] + "select * from"
        whole = head + text[found[0].end :]
        return OneTable(name, only, False, whole, len(whole) - len(text)) if end == len(found) else None
    end = _alias_end(words, found, end)
    if end == len(found):
        return OneTable(name, only, False, text, 0)
    if words[end] != "WHERE" or not _is_one_condition(words[end + 1 :]):
        return None
    # in the place of a space, so that what follows stays where it was
    after = found[end].end
    space = text[after : after + 1].isspace()
    return OneTable(name, only, True, f"{text[:after]}({text[after + space :]}", 0 if space else 1)


def plan_refusal(plan: Mapping[str, Any], *, filtered: bool) -> str | None:
    """Return why a statement with this plan (a node of EXPLAIN's JSON) is not divided by pages; ``None`` if it is.

    :param filtered: it has a WHERE: reading its table through an index is then what pages would undo.
    """
    kind = plan.get("Node Type", "")
    if kind == "Result" and plan.get("One-Time Filter") == "false":
        return None
    if kind in _INDEX_SCANS and filtered:
        return "the server would read it through an index, and its pages would be the whole table"
    if kind not in _SCANS and kind not in _INDEX_SCANS:
        return f"it is more than the rows of one table: the server's plan has {kind!r}"
    below = (p for p in plan.get("Plans", ()) if p.get("Parent Relationship") not in {"InitPlan", "SubPlan"})
    return next((reason for p in below if (reason := plan_refusal(p, filtered=filtered)) is not None), None)


def needs_split(reason: str) -> InvalidInput:
    """Return the refusal of a query that cannot be divided by pages."""
    return InvalidInput(f"this query cannot be divided by itself: {reason}", advice=f"{_NOTHING_RUN} {_SPLIT}.")


def page_ranges(sizes: Sequence[int], parts: int) -> list[str]:
    """Return one condition per part; the last has no end, because a table may grow before it is read.

    :param sizes: pages of the table, or of each of its partitions; a range takes the same pages of all of them.
    """
    cuts = [_cut(sizes, number, parts) for number in range(1, parts)]
    begins = [f"ctid >= '({cut},0)'::tid" for cut in cuts]
    ends = [f"ctid < '({cut},0)'::tid" for cut in cuts]
    return [ends[0], *(f"{begin} and {end}" for begin, end in zip(begins, ends[1:], strict=False)), begins[-1]]


def _cut(sizes: Sequence[int], number: int, parts: int) -> int:
    """Return the page below which ``number`` of ``parts`` of all pages lie."""
    wanted, low, high = sum(sizes) * number // parts, 0, max(sizes, default=0)
    while low < high:
        middle = (low + high) // 2
        if sum(min(size, middle) for size in sizes) < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def ranges(column: str, bounds: Sequence[str | None], *, nulls: bool, first_parameter: int) -> list[Range]:
    """Return one range per part, from the boundaries between them; no two are the same, and some may be empty.

    :param bounds: in PostgreSQL's text and in order; all ``None`` for a column without a value.
    :param nulls: whether there are any.
    """
    name = quote_identifier(column)
    known = [bound for bound in bounds if bound is not None]
    null = f"{name} is null" if nulls else ""
    if not known:
        return [Range("true", ()), *(Range("false", ()) for _ in bounds)]
    lower, upper_ = f"{name} >= ${first_parameter}", f"{name} < ${first_parameter}"
    first = f"{upper_} or {null}" if nulls else upper_
    found = [Range(first, (known[0],))]
    for low, high in pairwise(known):
        between = Range(f"{lower} and {name} < ${first_parameter + 1}", (low, high))
        # the same value again and again: a condition that nothing can meet would still read everything
        found.append(between if low != high else Range("false", ()))
    return [*found, Range(lower, (known[-1],))]


def within(text: str, condition: str) -> tuple[str, str]:
    """Return a query as a subquery with a condition, and what stands before it."""
    before = "select * from (\n"
    return f"{before}{text}\n) as tusk_part where {condition}", before


def shares(text: str, column: str, parts: int, *, rows: float) -> tuple[str, str]:
    """Return the query for the numbers of rows and of values and for the boundaries of equal shares, and its beginning.

    :param rows: how many the server expects; more than :data:`SAMPLE` are sampled, because sorting them all would
        take longer than reading them in parts can save.
    """
    name = quote_identifier(column)
    fractions = ",".join(f"{number / parts:.6f}" for number in range(1, parts))
    sampled = f" filter (where pg_catalog.random() < {SAMPLE / rows:.9f})" if rows > 2 * SAMPLE else ""
    bounds = ", ".join(f"b[{number}]::text" for number in range(1, parts))
    before = (
        f"select n, k, {bounds} from (select pg_catalog.count(*) n, pg_catalog.count({name}) k, "
        f"pg_catalog.percentile_disc(array[{fractions}]::float8[]) within group (order by {name}){sampled} b from (\n"
    )
    return f"{before}{text}\n) as tusk_part) as tusk_shares", before


def split_column(columns: Sequence[tuple[str, int]], wanted: str) -> tuple[str, int]:
    """Return name and type of the column that ``--split`` names: exactly, else as PostgreSQL folds a name.

    :raises InvalidInput: when there is none, or more than one, or its type has no order.
    """
    names = [name for name, _ in columns]
    for spelled in (wanted, wanted.lower()):
        if (count := names.count(spelled)) == 1:
            name, oid = columns[names.index(spelled)]
            if oid in _ORDERED:
                return name, oid
            raise _refused(
                f"--split {wanted}: a column of its type is not divided into ranges",
                "Numbers, dates, times, uuid and text are: cast it in the query (AS names it), or take another.",
            )
        if count > 1:
            raise _refused(f"--split {wanted}: the query returns {count} columns of that name", "Give one an alias.")
    import difflib

    near = difflib.get_close_matches(wanted, names, n=3) or list(names[:8])
    raise _refused(f"--split {wanted}: the query returns no such column", f"It returns: {', '.join(near)}.")


def names_in(statement: Statement) -> frozenset[str]:
    """Return every name in a statement, as PostgreSQL folds it; keywords too."""
    return frozenset(_name(statement.text, token) for token in _tokens(statement) if token.kind in _NAMES)


def called_in(statement: Statement) -> frozenset[str]:
    """Return the names that stand before a parenthesis: functions, among others."""
    text = statement.text
    found = _tokens(statement)
    return frozenset(
        _name(text, token)
        for token, following in pairwise(found)
        if token.kind in _NAMES and text[following.start] == "("
    )


def moments_in(statement: Statement) -> list[str]:
    """Return the names in a statement of what tells the time of its transaction."""
    return sorted(names_in(statement) & _MOMENTS)


def _refused(reason: str, way: str) -> InvalidInput:
    return InvalidInput(reason, advice=f"{_NOTHING_RUN} {way}")


def _tokens(statement: Statement) -> list[Token]:
    return list(significant(statement.text, standard_conforming_strings=statement.standard_conforming_strings))


def _words(statement: Statement) -> list[str]:
    return [upper(statement.text, token) for token in _tokens(statement)]


def _name(text: str, token: Token) -> str:
    word = text[token.start : token.end]
    if token.kind is Kind.IDENTIFIER:
        return _UPPER.sub(lambda found: found[0].lower(), word)
    name = word[word.index('"') + 1 : -1].replace('""', '"')
    # U&"d\0061t\+000061"; with an UESCAPE of its own it stays as it is
    return name if word[0] == '"' else _CODED.sub(lambda found: chr(int(found[1] or found[2], 16)), name)


def _outermost(words: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the words outside every parenthesis that are what they say: not behind AS or a dot, which make names."""
    depth, previous = 0, ""
    for index, word in enumerate(words):
        depth -= word in {")", "]"}
        if depth == 0 and previous not in {"AS", "."}:
            yield index, word
        depth += word in {"(", "["}
        previous = word


def _clause_of_the_whole(statement: Statement) -> str | None:
    words = _words(statement)
    while words[:1] == ["("] and next((i for i, word in _outermost(words) if word == ")"), -1) == len(words) - 1:
        words = words[1:-1]
    return next((_WHOLE[word] for _, word in _outermost(words) if word in _WHOLE), None)


def _after_from(words: Sequence[str]) -> int:
    """Return where the name behind the one FROM stands, 0 where there is none."""
    found = [i for i, word in _outermost(words) if word == "FROM" and words[i - 1] != "DISTINCT"]
    return found[0] + 1 if len(found) == 1 else 0


def _name_end(text: str, found: Sequence[Token], start: int) -> int:
    end = start
    while end < len(found) and found[end].kind in _NAMES:
        end += 1
        if end >= len(found) or text[found[end].start : found[end].end] != ".":
            break
        end += 1
    return end


def _alias_end(words: Sequence[str], found: Sequence[Token], end: int) -> int:
    if words[end : end + 1] == ["AS"]:
        return end + 2 if end + 1 < len(found) and found[end + 1].kind in _NAMES else end
    if end < len(found) and found[end].kind in _NAMES and words[end] not in _AFTER_WHERE | {"WHERE"}:
        return end + 1
    return end


def _is_one_condition(words: Sequence[str]) -> bool:
    depth = 0
    for word in words:
        depth += (word == "(") - (word == ")")
        if depth < 0:
            return False
    return bool(words) and depth == 0 and not any(word in _AFTER_WHERE for _, word in _outermost(words))
