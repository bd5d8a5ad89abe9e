r"""Text search as psql lists it: ``\dF \dFd \dFp \dFt``; with a ``+`` what a configuration does with each token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.schema.asking import Listing
from tusk_jupyter.schema.lists.answering import Column, List, Matched, answer, ask_qualified, comment, matching

if TYPE_CHECKING:
    from tusk_jupyter.schema.asking import Ask, Wanted


def _list(what: str, letter: str, catalog: str, columns: tuple[Column, ...]) -> List:
    """Return a listing of one of the four catalogs; ``letter`` begins its columns' names."""
    return List(
        f"List of text search {what}",
        (
            Column("Schema", "n.nspname"),
            Column("Name", f"x.{letter}name"),
            *columns,
            comment("x.oid", catalog, verbose=False),
        ),
        f"pg_catalog.pg_{catalog} x left join pg_catalog.pg_namespace n on n.oid = x.{letter}namespace",
        (Matched(f"x.{letter}name", "n.nspname", visible=f"pg_catalog.pg_{catalog}_is_visible(x.oid)"),),
        order="1, 2",
    )


DICTIONARIES = _list(
    "dictionaries",
    "dict",
    "ts_dict",
    (
        Column(
            "Template",
            "(select nt.nspname || '.' || t.tmplname from pg_catalog.pg_ts_template t"
            " left join pg_catalog.pg_namespace nt on nt.oid = t.tmplnamespace where t.oid = x.dicttemplate)",
            verbose=True,
        ),
        Column("Init options", "x.dictinitoption", verbose=True),
    ),
)
TEMPLATES = _list(
    "templates",
    "tmpl",
    "ts_template",
    (
        Column("Init", "x.tmplinit::pg_catalog.regproc", verbose=True),
        Column("Lexize", "x.tmpllexize::pg_catalog.regproc", verbose=True),
    ),
)
_CONFIGURATIONS = _list("configurations", "cfg", "ts_config", ())
_PARSERS = _list("parsers", "prs", "ts_parser", ())

_TOKENS = (
    "select (select t.alias from pg_catalog.ts_token_type(c.cfgparser) t where t.tokid = m.maptokentype),"
    " pg_catalog.array_to_string(array(select mm.mapdict::pg_catalog.regdictionary from pg_catalog.pg_ts_config_map mm"
    " where mm.mapcfg = c.oid and mm.maptokentype = m.maptokentype order by mm.mapseqno), ',')"
    " from pg_catalog.pg_ts_config c join (select distinct mapcfg, maptokentype from pg_catalog.pg_ts_config_map) m"
    " on m.mapcfg = c.oid where c.oid = $1::pg_catalog.oid order by 1"
)


def configurations(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\dF [NAME]``; with a ``+`` the dictionaries for each kind of token."""
    if not wanted.verbose:
        return [answer(ask, wanted, _CONFIGURATIONS)]
    source = (
        f"{_CONFIGURATIONS.source} left join pg_catalog.pg_ts_parser p on p.oid = x.cfgparser"
        " left join pg_catalog.pg_namespace np on np.oid = p.prsnamespace"
    )
    found = _found(ask, wanted, _CONFIGURATIONS, "x.oid, n.nspname, x.cfgname, np.nspname, p.prsname", source)
    return [
        Listing(
            f'Text search configuration "{_qualified(schema, name)}"\nParser: "{_qualified(parser_schema, parser)}"',
            ("Token", "Dictionaries"),
            tuple(map(tuple, ask_qualified(ask, _TOKENS, oid))),
        )
        for oid, schema, name, parser_schema, parser in found
    ]


_METHODS = (
    ("Start parse", "prsstart"), ("Get next token", "prstoken"), ("End parse", "prsend"),
    ("Get headline", "prsheadline"), ("Get token types", "prslextype"),
)  # fmt: skip


def parsers(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\dFp [NAME]``; with a ``+`` the functions and the kinds of token of each."""
    if not wanted.verbose:
        return [answer(ask, wanted, _PARSERS)]
    listings = []
    for oid, schema, name in _found(ask, wanted, _PARSERS, "x.oid, n.nspname, x.prsname", _PARSERS.source):
        methods = " union all ".join(
            f"select {place}, '{label}', x.{column}::pg_catalog.regproc::pg_catalog.text,"
            f" pg_catalog.obj_description(x.{column}, 'pg_proc')"
            " from pg_catalog.pg_ts_parser x where x.oid = $1::pg_catalog.oid"
            for place, (label, column) in enumerate(_METHODS)
        )
        rows = ask_qualified(ask, f"{methods} order by 1", oid)
        listings.append(
            Listing(
                f'Text search parser "{_qualified(schema, name)}"',
                ("Method", "Function", "Description"),
                tuple((label, None if function == "-" else function, text) for _, label, function, text in rows),
            )
        )
        tokens = ask_qualified(
            ask, "select alias, description from pg_catalog.ts_token_type($1::pg_catalog.oid) order by 1", oid
        )
        listings.append(
            Listing(
                f'Token types for parser "{_qualified(schema, name)}"',
                ("Token name", "Description"),
                tuple(map(tuple, tokens)),
            )
        )
    return listings


def _found(ask: Ask, wanted: Wanted, listed: List, fields: str, source: str) -> list[list[str | None]]:
    values: list[str | None] = []
    [matched] = listed.matched
    conditions = matching(ask, matched, wanted.arguments[0] if wanted.arguments else None, values)
    where = f" where {' and '.join(conditions)}" if conditions else ""
    return ask_qualified(ask, f"select {fields} from {source}{where} order by 2, 3", *values)


def _qualified(schema: str | None, name: str | None) -> str:
    return f"{schema}.{name}" if schema is not None else f"{name}"
