r"""Access methods as psql lists them: ``\dA``, ``\dAc``, ``\dAf``, ``\dAo``, ``\dAp``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tusk_jupyter.schema.lists.answering import Column, List, Matched, answer, comment, matching, owner, words, yes

if TYPE_CHECKING:
    from tusk_jupyter.schema.asking import Ask, Listing, Wanted


def _of_family(alias: str, schema: str, visible: str, name: str) -> str:
    """Return the SQL of a name, with its schema where it is not visible."""
    qualified = f"pg_catalog.format('%I.%I', {schema}.nspname, {alias}.{name})"
    return f"case when {visible}({alias}.oid) then pg_catalog.format('%I', {alias}.{name}) else {qualified} end"


_METHOD = Matched("am.amname", parts=1)
_FAMILY = _of_family("f", "n", "pg_catalog.pg_opfamily_is_visible", "opfname")
_CLASS_NAME = _of_family("c", "n", "pg_catalog.pg_opclass_is_visible", "opcname")

ACCESS_METHODS = List(
    "List of access methods",
    (
        Column("Name", "am.amname"),
        Column("Type", words("am.amtype", {"i": "Index", "t": "Table"})),
        Column("Handler", "am.amhandler", verbose=True),
        comment("am.oid", "am"),
    ),
    "pg_catalog.pg_am am",
    (_METHOD,),
)

OPERATOR_CLASSES = List(
    "List of operator classes",
    (
        Column("AM", "am.amname"),
        Column("Input type", "pg_catalog.format_type(c.opcintype, null)"),
        Column(
            "Storage type",
            "case when c.opckeytype <> 0 and c.opckeytype <> c.opcintype"
            " then pg_catalog.format_type(c.opckeytype, null) end",
        ),
        Column("Operator class", _CLASS_NAME),
        Column("Default?", yes("c.opcdefault")),
        Column("Operator family", _FAMILY.replace("n.nspname", "fn.nspname"), verbose=True),
        owner("c.opcowner", verbose=True),
    ),
    "pg_catalog.pg_opclass c join pg_catalog.pg_am am on am.oid = c.opcmethod"
    " join pg_catalog.pg_namespace n on n.oid = c.opcnamespace"
    " join pg_catalog.pg_type t on t.oid = c.opcintype"
    " join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace"
    " left join pg_catalog.pg_opfamily f on f.oid = c.opcfamily"
    " left join pg_catalog.pg_namespace fn on fn.oid = f.opfnamespace",
    (_METHOD, Matched("t.typname", "tn.nspname", "pg_catalog.format_type(t.oid, null)")),
    order="1, 2, 4",
)

_FAMILIES = List(
    "List of operator families",
    (
        Column("AM", "am.amname"),
        Column("Operator family", _FAMILY),
        Column(
            "Applicable types",
            "(select pg_catalog.string_agg(pg_catalog.format_type(oc.opcintype, null), ', ')"
            " from pg_catalog.pg_opclass oc where oc.opcfamily = f.oid)",
        ),
        owner("f.opfowner", verbose=True),
    ),
    "pg_catalog.pg_opfamily f join pg_catalog.pg_am am on am.oid = f.opfmethod"
    " join pg_catalog.pg_namespace n on n.oid = f.opfnamespace",
    (_METHOD,),
    order="1, 2",
)


def operator_families(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\dAf [METHOD [TYPE]]``: families with a class for the type."""
    values: list[str | None] = []
    where: tuple[str, ...] = ()
    if len(wanted.arguments) > 1:
        of_type = Matched("t.typname", "tn.nspname", "pg_catalog.format_type(t.oid, null)")
        conditions = ["oc.opcfamily = f.oid", *matching(ask, of_type, wanted.arguments[1], values)]
        where = (
            (
                "exists (select from pg_catalog.pg_opclass oc join pg_catalog.pg_type t on t.oid = oc.opcintype"
                f" join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace where {' and '.join(conditions)})"
            ),
        )
    return [answer(ask, wanted, replace(_FAMILIES, where=where), values)]


_IN_FAMILY = Matched("f.opfname", "n.nspname")
FAMILY_OPERATORS = List(
    "List of operators of operator families",
    (
        Column("AM", "am.amname"),
        Column("Operator family", _FAMILY),
        Column("Operator", "o.amopopr::pg_catalog.regoperator"),
        Column("Strategy", "o.amopstrategy"),
        Column("Purpose", words("o.amoppurpose", {"o": "ordering", "s": "search"})),
        Column("Sort opfamily", "fs.opfname", verbose=True),
        Column("Leakproof?", yes("p.proleakproof"), verbose=True, since=18),
    ),
    "pg_catalog.pg_amop o join pg_catalog.pg_opfamily f on f.oid = o.amopfamily"
    " join pg_catalog.pg_am am on am.oid = f.opfmethod and am.oid = o.amopmethod"
    " join pg_catalog.pg_namespace n on n.oid = f.opfnamespace"
    " left join pg_catalog.pg_opfamily fs on fs.oid = o.amopsortfamily"
    " left join pg_catalog.pg_operator op on op.oid = o.amopopr"
    " left join pg_catalog.pg_proc p on p.oid = op.oprcode",
    (_METHOD, _IN_FAMILY),
    order="1, 2, (o.amoplefttype = o.amoprighttype) desc, pg_catalog.format_type(o.amoplefttype, null),"
    " pg_catalog.format_type(o.amoprighttype, null), o.amopstrategy",
)


def family_functions(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\dAp [METHOD [FAMILY]]``: the support functions; with a ``+`` with their arguments."""
    signature = "a.amproc::pg_catalog.regprocedure" if wanted.verbose else "p.proname"
    listed = List(
        "List of support functions of operator families",
        (
            Column("AM", "am.amname"),
            Column("Operator family", _FAMILY),
            Column("Registered left type", "pg_catalog.format_type(a.amproclefttype, null)"),
            Column("Registered right type", "pg_catalog.format_type(a.amprocrighttype, null)"),
            Column("Number", "a.amprocnum"),
            Column("Function", signature),
        ),
        "pg_catalog.pg_amproc a join pg_catalog.pg_opfamily f on f.oid = a.amprocfamily"
        " join pg_catalog.pg_am am on am.oid = f.opfmethod"
        " join pg_catalog.pg_namespace n on n.oid = f.opfnamespace"
        " join pg_catalog.pg_proc p on p.oid = a.amproc",
        (_METHOD, _IN_FAMILY),
        order="1, 2, (a.amproclefttype = a.amprocrighttype) desc, 3, 4, 5",
    )
    return [answer(ask, wanted, listed)]
