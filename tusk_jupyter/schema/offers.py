"""The catalog's names for each kind of thing that a place may want: relations, functions, types, settings, roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.schema import offered_columns, offered_joins, offered_statements
from tusk_jupyter.schema.finding import PREFIX, WITHIN, WORD
from tusk_jupyter.schema.ground import SYSTEM, Candidate, Ground
from tusk_jupyter.schema.outputs import relation_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tusk_jupyter.schema.catalog import Function, Relation
    from tusk_jupyter.schema.wants import Want

    Offer = Callable[[Ground, tuple[str, ...]], Iterator[Candidate]]

MOST = 500  # while nothing is typed
_MATCHES = 200  # of each kind of match
_KINDS = {
    "r": "table", "p": "table", "v": "view", "m": "materialized view", "f": "foreign table", "S": "sequence",
    "i": "index", "I": "index", "c": "type", "t": "table",
}  # fmt: skip
_WRITES = {"INSERT": "a", "UPDATE": "w", "DELETE": "d", "MERGE": "awd", "COPY": "a", "TRUNCATE": "D"}
_COMMON_FUNCTIONS = (
    "count sum avg min max round now date_trunc string_agg array_agg row_number rank lag lead generate_series "
    "to_char length lower upper"
)
_COMMON_TYPES = (
    "integer bigint text numeric boolean date timestamp timestamptz jsonb uuid double_precision interval smallint real"
)
_SYNONYMS = {
    "int": "integer", "int2": "smallint", "int4": "integer", "int8": "bigint", "bool": "boolean",
    "varchar": "character varying", "char": "character", "float": "double precision", "float4": "real",
    "float8": "double precision", "decimal": "numeric", "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone", "time": "time without time zone", "timetz": "time with time zone",
    "varbit": "bit varying",
}  # fmt: skip
# half of pg_catalog's functions are what operators, types and indexes call; sorted by letters, as front ends do,
# date_cmp would hide date_trunc. A few are called by name all the same
_MACHINERY = {
    "I/O", "I/O typmod", "less-equal-greater", "hash", "sort support", "GiST support", "larger of two",
    "smaller of two", "(internal)", "aggregate transition function", "aggregate final function",
}  # fmt: skip
_CALLED = frozenset(("starts_with", "array_cat", "jsonb_exists", "jsonb_exists_any", "jsonb_exists_all"))
_HIDDEN_RESULTS = ("internal", "trigger", "event_trigger", "cstring", "language_handler", "index_am_handler")


def offered(ground: Ground, want: Want) -> Iterator[Candidate]:
    """Yield what there is of a kind, the likeliest first."""
    yield from _OFFERS[want.kind](ground, want.detail)


def _keywords(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    if ground.cursor.quote or ground.cursor.qualifier:
        return
    typed = ground.cursor.typed
    for keyword in detail:
        if keyword.startswith(typed):
            called = ground.cursor.called and keyword.endswith(" (")
            yield Candidate(PREFIX, ground.word(keyword.removesuffix(" (") if called else keyword), "keyword")


def _relations(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield relations of some relkinds: CTEs, those on the search_path, those of other schemas."""
    kinds, privileges = detail[0], _WRITES.get(ground.path[0].kind, "") if len(detail) > 1 else ""
    qualifier, typed = ground.cursor.qualifier, ground.cursor.typed
    if qualifier:
        for how, relation in ground.index.shelf(qualifier[-1]).find(typed, kinds, MOST):
            if _fits(relation, privileges):
                yield _relation(ground, relation, how)
        return
    if "v" in kinds and not privileges:
        yield from _ctes(ground)
    yield from _on_path(ground, kinds, privileges)
    if typed:
        yield from _elsewhere(ground, kinds, privileges)
    yield from _schemas(ground, ())


def _on_path(ground: Ground, kinds: str, privileges: str) -> Iterator[Candidate]:
    """Yield the relations of the search_path, behind them those that another one hides, with their schema."""
    hidden = []
    most = _MATCHES if ground.cursor.typed else MOST
    for schema in ground.schemas:
        system = schema in SYSTEM
        if system and (not ground.cursor.typed or privileges):
            continue
        worst = PREFIX if system else WITHIN
        for how, relation in ground.index.shelf(schema).find(ground.cursor.typed, kinds, most, worst):
            if not _fits(relation, privileges):
                continue
            if _first_with(ground, relation.name) == schema:
                yield _relation(ground, relation, how)
            else:
                hidden.append(_relation(ground, relation, how, qualified=True))
    yield from hidden


def _first_with(ground: Ground, name: str) -> str | None:
    """Return the schema in which a bare name is found; no record is made for it."""
    by_schema = ground.catalog.by_schema
    return next((schema for schema in ground.catalog.search_path if name in by_schema.get(schema, ())), None)


def _elsewhere(ground: Ground, kinds: str, privileges: str) -> Iterator[Candidate]:
    """Yield the matching relations of schemas that are not on the search_path, the system's last."""
    others = set(ground.catalog.by_schema).difference(ground.catalog.search_path)
    left = _MATCHES
    for schema in sorted(others, key=lambda schema: (_is_system(schema), schema)):
        system = _is_system(schema)
        if left <= 0 or (system and privileges):
            return
        for how, relation in ground.index.shelf(schema).find(
            ground.cursor.typed, kinds, left, PREFIX if system else WORD
        ):
            if _fits(relation, privileges):
                left -= 1
                yield _relation(ground, relation, how, qualified=True)


def _is_system(schema: str) -> bool:
    return schema in SYSTEM or schema.startswith("pg_")


def _fits(relation: Relation, privileges: str) -> bool:
    return not (privileges and relation.privileges) or not set(privileges).isdisjoint(relation.privileges)


def _relation(ground: Ground, relation: Relation, how: int, *, qualified: bool = False) -> Candidate:
    text = ground.name(relation.name, relation.schema if qualified else None)
    return Candidate(how, text, _KINDS.get(relation.relkind, "table"), _about(relation))


def _about(relation: Relation) -> str:
    if relation.comment:
        return relation.comment.partition("\n")[0][:80]
    return f"about {relation.rows:,.0f} rows" if relation.rows and relation.rows > 0 else ""


def _ctes(ground: Ground) -> Iterator[Candidate]:
    seen = set()
    for query in ground.path:
        for cte in query.ctes:
            how = ground.match(cte.name)
            if how is not None and cte.name not in seen and not cte.start <= ground.cursor.start <= cte.end:
                seen.add(cte.name)
                yield Candidate(how, ground.name(cte.name), "cte", "WITH")


def _schemas(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    del detail
    if ground.cursor.qualifier:
        return
    found = []
    path = [name for name in ground.schemas if name not in SYSTEM]
    for name, schema in ground.catalog.schemas.items():
        how = ground.match(name)
        if how is not None and not name.startswith(("pg_toast", "pg_temp")):
            rank = path.index(name) if name in path else len(path)
            found.append((how, rank, name in SYSTEM, name, schema.comment or ""))
    for how, _, _, name, comment in sorted(found)[:MOST]:
        yield Candidate(how, ground.name(name), "schema", comment)


def _functions(ground: Ground, detail: tuple[str, ...], *, own: bool = False) -> Iterator[Candidate]:
    """Yield functions of some kinds; the system's by prefix only, a few of them when nothing is typed."""
    kinds, sets, result = (*detail, "", "")[:3] if detail else ("faw", "", "")
    typed, qualifier = ground.cursor.typed, ground.cursor.qualifier
    if typed:
        names = ground.index.functions.find(typed, MOST)
    else:
        names = ((PREFIX, functions) for functions in ground.catalog.functions_by_name.values())
    common = {name: n for n, name in enumerate(_COMMON_FUNCTIONS.split())}
    path = ground.schemas
    found = []
    for how, overloads in names:
        fitting = [one for one in overloads if one.kind in kinds and _is_offered(one, sets, result)]
        if not qualifier and all(map(_is_machinery, fitting)):
            continue
        first = _first(path, fitting, qualifier[-1] if qualifier else None, typed=bool(typed))
        hidden = ground.cursor.quote or (first is not None and first.name in ground.index.taken.routines)
        if first is None or (first.schema in SYSTEM and hidden):
            continue  # current_user is written without parentheses, substring offered as a keyword
        name, system = first.name, first.schema in SYSTEM
        if system and not qualifier and (own or how != PREFIX or (not typed and name not in common)):
            continue
        shown = first.schema in ground.catalog.search_path or bool(qualifier)
        rank = (how, not shown, system and name not in common, common.get(name, 0) if system else 0, name)
        found.append((rank, _function(ground, first, fitting, how, qualified=not shown)))
        if len(found) >= MOST:
            break
    yield from (candidate for _, candidate in sorted(found, key=lambda pair: pair[0]))


def _is_offered(function: Function, sets: str, result: str) -> bool:
    if result:
        return function.result == result
    return (function.returns_set or not sets or function.result == "record") and function.result not in _HIDDEN_RESULTS


def _is_machinery(function: Function) -> bool:
    """Return whether the server calls it, not a user; behind ``pg_catalog.`` it is offered."""
    about = function.comment or ""
    machinery = about in _MACHINERY or about.startswith("implementation of ")
    return machinery and function.schema in SYSTEM and function.name not in _CALLED


def _first(path: Sequence[str], overloads: Sequence[Function], schema: str | None, *, typed: bool) -> Function | None:
    """Return the overload that would be called: of the schema, on the search_path, or any."""
    if schema is not None:
        return next((one for one in overloads if one.schema == schema), None)
    for searched in path:
        for one in overloads:
            if one.schema == searched:
                return one
    return overloads[0] if overloads and typed else None


def _function(
    ground: Ground, first: Function, overloads: Sequence[Function], how: int, *, qualified: bool
) -> Candidate:
    same = [one for one in overloads if one.schema == first.schema]
    name = ground.name(first.name, first.schema if qualified else None, routine=True)
    if first.schema in SYSTEM and ground.cursor.typed and name.isidentifier():
        name = ground.word(name)
    if not ground.cursor.called:
        name += "()" if not any(one.arguments for one in same) else "("
    more = f" (+{len(same) - 1})" if len(same) > 1 else ""
    return Candidate(how, name, "procedure" if first.kind == "p" else "function", first.signature + more)


def _types(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    del detail
    typed, qualifier = ground.cursor.typed, ground.cursor.qualifier
    common = [name.replace("_", " ") for name in _COMMON_TYPES.split()]
    found: list[tuple[tuple[int, int, int, str], Candidate]] = []
    for name, full in _SYNONYMS.items() if not qualifier else ():
        how = ground.match(name)
        if how is not None and (typed or name in common):
            at = common.index(name) if name in common else len(common)
            found.append(((how, 0, at, name), Candidate(how, ground.word(name), "type", full)))
    for type_ in ground.catalog.types:
        how = ground.match(type_.name.strip('"'))
        system = type_.schema in SYSTEM
        wrong = type_.schema != qualifier[-1] if qualifier else system and not typed and type_.name not in common
        if how is None or wrong:
            continue
        shown = type_.schema in ground.catalog.search_path or bool(qualifier)
        text = type_.name if shown else f"{ground.name(type_.schema)}.{type_.name}"
        at = common.index(type_.name) if type_.name in common else len(common)
        found.append(((how, 0 if system else 1, at, text), Candidate(how, text, "type", type_.comment or "")))
    yield from (candidate for _, candidate in sorted(found, key=lambda pair: pair[0])[:MOST])


def _parameters(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    del detail
    for name in ground.names:
        how = ground.match(name.text)
        if how is not None:
            yield Candidate(how, name.text, "parameter", name.signature)


def _names(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield names that the catalog has by kind: roles, extensions, languages …"""
    kind = detail[0]
    found = [(how, name) for name in ground.catalog.names.get(kind, ()) if (how := ground.match(name)) is not None]
    for how, name in sorted(found)[:MOST]:
        yield Candidate(how, ground.name(name), kind.removeprefix("available_"))


def _constraints(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    del detail
    for query in ground.path[:1]:
        relation = relation_of(query.target, ground.path, ground.catalog) if query.target else None
        for key in ground.catalog.keys_of(relation) if relation else ():
            how = ground.match(key.name)
            if how is not None and key.kind in "pux":
                yield Candidate(how, ground.name(key.name), "constraint", key.definition)


_OFFERS: dict[str, Offer] = {
    "keywords": _keywords,
    "relations": _relations,
    "schemas": _schemas,
    "functions": _functions,
    "set functions": lambda ground, _: _functions(ground, ("f", "set", "")),
    "own functions": lambda ground, _: _functions(ground, ("faw", "", ""), own=True),
    "trigger functions": lambda ground, _: _functions(ground, ("f", "", "trigger")),
    "procedures": lambda ground, _: _functions(ground, ("p",)),
    "types": _types,
    "parameters": _parameters,
    "names": _names,
    "constraints": _constraints,
    **offered_columns.OFFERS,
    **offered_joins.OFFERS,
    **offered_statements.OFFERS,
}
