"""The function that was meant by a call that fits none, or the cast that makes it fit (42883).

The message says the types of the arguments in every language. A cast is suggested where it cannot fail and is what
people do: to ``text`` from any scalar, to ``numeric`` from floats, to ``date`` from timestamps, from ``bigint`` to
``integer``. Casts that depend on the values (text to number) are a guess, and so is a choice between overloads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.advice import identifier
from tusk_jupyter.advice.foreign_words import FUNCTIONS
from tusk_jupyter.errors import Correction
from tusk_jupyter.schema.suggest_names import NUMBER, SHORTENED, nearest, nearness
from tusk_jupyter.schema.suggest_operators import operator
from tusk_jupyter.schema.suggest_words import (
    Part,
    Refused,
    Suggested,
    arguments_at,
    called_in,
    cast,
    chain_at,
    chains,
    replaced,
    span,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.schema.catalog import Catalog, Function
    from tusk_jupyter.schema.nesting import Item

_SIGNATURES = 3
_INTERNAL = frozenset({"internal", "cstring", "trigger", "event_trigger", "language_handler", "index_am_handler"})
_SCALAR = frozenset("NBDETI")  # pg_type.typcategory: number, boolean, date and time, enum, timespan, network address
_TO_NUMERIC = frozenset({"real", "double precision"})
_TO_DATE = frozenset({"timestamp without time zone", "timestamp with time zone"})
_STRINGS = frozenset({"text", "character varying", "character", "name"})


def function(refused: Refused, catalog: Catalog) -> Suggested | None:
    """Return what was meant by a function or an operator that does not exist."""
    if not {"functions", "types"} <= catalog.loaded:
        return None
    if refused.offset is None:
        return _dropped(refused, catalog)
    chain = chain_at(refused.statement, refused.offset)
    arguments = arguments_at(refused.statement, chain) if chain else None
    if not chain or arguments is None:
        return operator(refused, catalog)
    if len(chain) > 2:  # noqa: PLR2004
        return None
    schema = chain[0].name if len(chain) > 1 else None
    called = called_in(refused.message)
    # trim() is btrim() to the server
    name = called[0].rpartition(".")[2] if called and called[0].startswith("pg_catalog.") else chain[-1].name
    is_call = refused.statement.lstrip()[:4].lower() == "call"
    overloads = [one for one in catalog.functions(name, schema) if (one.kind == "p") == is_call]
    if overloads:
        return _fitted(refused, chain, overloads, arguments, catalog)
    if name in FUNCTIONS:
        return None
    return _renamed(chain, len(arguments), catalog, is_call=is_call)


def _renamed(chain: Sequence[Part], count: int, catalog: Catalog, *, is_call: bool) -> Suggested | None:
    part = chain[-1]

    def fits(one: Function) -> bool:
        return (one.kind == "p") == is_call and _takes(one, count) and not _is_internal(one)

    def fitting(name: str, schema: str | None) -> bool:
        near = nearness(part.name, name)
        if near is None or near.rank in {NUMBER, SHORTENED} or catalog.type(name) is not None:
            return False  # functions have no plural, and one that is called as a type is a cast
        return any(fits(one) for one in catalog.functions(name, schema))

    schemas = [chain[0].name] if len(chain) > 1 else list(catalog.search_path)
    names = {name for name, found in catalog.functions_by_name.items() if any(one.schema in schemas for one in found)}
    schema = chain[0].name if len(chain) > 1 else None
    near = nearest(part.name, names, accept=lambda name: fitting(name, schema))
    elsewhere = [one for one in catalog.functions_by_name.get(part.name, ()) if fits(one)]
    usable = {one.schema for one in elsewhere if one.schema not in catalog.schemas or catalog.schemas[one.schema].usage}
    if near is not None and (not usable or near.lower() == part.name.lower()):
        new = identifier(near)
        said = f"Its name has capitals, so it needs quotes: `{new}`" if new[0] == '"' else f"There is `{new}`"
        return Suggested(said, part.start, replaced([part], new))
    if len(usable) != 1:
        return None
    new = identifier(part.name, usable.pop())
    where = "in a schema that is not on the search_path" if len(chain) == 1 else "in another schema"
    return Suggested(f"It is {where}: `{new}`", chain[0].start, replaced(chain, new))


def _dropped(refused: Refused, catalog: Catalog) -> Suggested | None:
    """Return the function that was meant by DROP, ALTER, COMMENT or GRANT: the name alone, its types being right."""
    called = called_in(refused.message)
    if called is None:
        return None
    chain = next((one for one in chains(refused.statement) if ".".join(p.name for p in one) == called[0]), None)
    if chain is None or len(chain) > 1 or catalog.functions(chain[0].name):
        return None
    near = nearest(
        chain[0].name,
        [
            n
            for n, found in catalog.functions_by_name.items()
            if any(one.schema in catalog.search_path for one in found)
        ],
        accept=lambda name: any(
            one.types == called[1] and one.schema != "pg_catalog" for one in catalog.functions(name)
        ),
    )
    return (
        Suggested(f"There is `{identifier(near)}`", chain[0].start, replaced(chain, identifier(near))) if near else None
    )


def _is_internal(one: Function) -> bool:
    if one.schema == "pg_catalog" and (one.comment or "").startswith("implementation of"):
        return True
    return one.result in _INTERNAL or not _INTERNAL.isdisjoint(one.types)


def _takes(one: Function, count: int) -> bool:
    """Return whether a function can be called with so many arguments."""
    most = len(one.types)
    return most - one.defaults - one.variadic <= count and (count <= most or one.variadic)


def _fitted(
    refused: Refused,
    chain: Sequence[Part],
    overloads: Sequence[Function],
    arguments: list[list[Item]],
    catalog: Catalog,
) -> Suggested | None:
    usual = [one for one in overloads if not _is_internal(one)]
    count = len(arguments)
    fitting = [one for one in usual if _takes(one, count) and len(one.types) == count]
    if not any(_takes(one, count) for one in usual):
        return _signatures(chain, usual)
    called = called_in(refused.message)
    if called is None or len(called[1]) != count or not count:
        return None
    options = {found for one in fitting if (found := _casts(called[1], one, catalog)) is not None}
    if len(options) > 1 and (texts := {one for one in options if {target for _, target in one} == {"text"}}):
        options = texts if len(texts) == 1 else options
    if len(options) != 1:
        return None
    return _with_casts(refused, arguments, options.pop())


def _signatures(chain: Sequence[Part], overloads: Sequence[Function]) -> Suggested | None:
    if not 0 < len(overloads) <= _SIGNATURES:
        return None
    listed = " or ".join(f"`{one.signature}`" for one in overloads)
    return Suggested(f"It takes other arguments: {listed}", chain[0].start)


def _casts(given: Sequence[str], one: Function, catalog: Catalog) -> tuple[tuple[int, str], ...] | None:
    """Return which arguments need a cast to which type so that the function takes them; None where that is a guess."""
    needed: list[tuple[int, str]] = []
    for at, (source, target) in enumerate(zip(given, one.types, strict=True)):
        if accepts(source, target, catalog):
            continue
        if not is_safe(source, target, catalog):
            return None
        needed.append((at, target))
    return tuple(needed) or None


def accepts(source: str, target: str, catalog: Catalog) -> bool:
    """Return whether an argument of one type goes where another is declared, without a cast."""
    base = base_of(source, catalog)
    if target in {source, base} or source == "unknown" or target.startswith(("any", '"any"')):
        return True
    return (base, target, "i") in catalog.casts


def is_safe(source: str, target: str, catalog: Catalog) -> bool:
    """Return whether a cast between two types is one that cannot fail, and that people write."""
    base = base_of(source, catalog)
    if target == "text":
        found = catalog.type(base)
        return found is not None and found.category in _SCALAR and not base.endswith("[]")
    if target == "numeric":
        return base in _TO_NUMERIC
    if target == "date":
        return base in _TO_DATE
    return (base, target) == ("bigint", "integer")


def base_of(name: str, catalog: Catalog) -> str:
    """Return what a domain is made of; another type is itself."""
    for _ in range(5):
        found = catalog.type(name)
        if found is None or found.kind != "d" or not found.base:
            return name
        name = found.base.partition("(")[0].strip()
    return name


def _with_casts(refused: Refused, arguments: list[list[Item]], needed: Sequence[tuple[int, str]]) -> Suggested | None:
    text = refused.statement
    if any(
        at >= len(arguments) or not arguments[at] or arguments[at][0].word in {"DISTINCT", "ALL"} for at, _ in needed
    ):
        return None
    if any(
        item.word in {"FROM", "FOR", "ORDER", "IN", "AS", "USING", "PLACING"}
        for at, _ in needed
        for item in arguments[at]
    ):
        return None
    start, end = span(arguments[needed[0][0]])[0], span(arguments[needed[-1][0]])[1]
    new, at = [], start
    for number, target in needed:
        begin, stop = span(arguments[number])
        new += [text[at:begin], cast(text, arguments[number], target)]
        at = stop
    correction = Correction(start, end, "".join(new))
    kinds = dict.fromkeys(target for _, target in needed)
    return Suggested(f"It takes {' and '.join(f'`{kind}`' for kind in kinds)} there", start, correction)
