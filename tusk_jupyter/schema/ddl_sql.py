r"""What ``%tusk ddl`` asks of the catalogs: parts of statements, quoted by the server, whatever the ``search_path`` is.

A script must mean the same wherever it is run, so that every name in it has its schema. What PostgreSQL's functions
write depends on the ``search_path``, which therefore is empty while a statement runs: where it takes the oids that it
is about, it sets it (:func:`pathless`), for its transaction, which is the statement itself unless the user has one
open; then :func:`ask_pathless` puts it back, and a failure's savepoint does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tusk_jupyter.schema.describe_sql import qualified

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tusk_jupyter.schema.asking import Ask

V13, V14, V15, V18 = 130000, 140000, 150000, 180000
_OIDS = "$1::pg_catalog.oid[]"
# an uncorrelated sub-select is run once, and before any row is found
_EMPTY_PATH = (
    "(select case when pg_catalog.set_config('search_path', '', true) = '' then $1::pg_catalog.oid[] end)"
    "::pg_catalog.oid[]"
)
_NAME = "pg_catalog.quote_ident({0}.nspname) || ('.' || pg_catalog.quote_ident({1}))"
_OPTIONS = """(select pg_catalog.string_agg({prefix}pg_catalog.quote_ident(o.option_name)
              || ('=' || pg_catalog.quote_literal(o.option_value)), ', ')
          from pg_catalog.pg_options_to_table({options}) o)"""
_FDW_OPTIONS = """(select pg_catalog.string_agg(pg_catalog.quote_ident(o.option_name)
              || (' ' || pg_catalog.quote_literal(o.option_value)), ', ')
          from pg_catalog.pg_options_to_table({options}) o)"""


def pathless(statement: str) -> str:
    """Return a statement that sets an empty ``search_path`` where it takes its oids."""
    return qualified(statement.replace(_OIDS, _EMPTY_PATH))


def ask_pathless(ask: Ask, statements: Mapping[str, str], oids: Iterable[str]) -> dict[str, list[list[str | None]]]:
    """Ask statements about some objects under an empty ``search_path``, and put it back; an oid is first in a row."""
    path = ask("select pg_catalog.current_setting('search_path')")[0][0]
    wanted = "{" + ",".join(oids) + "}"
    rows = {kind: ask(statement, wanted) for kind, statement in statements.items()}
    ask("select pg_catalog.set_config('search_path', $1, true)", path)
    return rows


def _comment(oid: str, catalog: str) -> str:
    return f"pg_catalog.quote_literal(pg_catalog.obj_description({oid}, '{catalog}'))"


def _options(options: str, prefix: str = "") -> str:
    return _OPTIONS.format(options=options, prefix=f"'{prefix}' || " if prefix else "")


RELATIONS: Final = pathless(f"""
select c.oid, {_NAME.format("n", "c.relname")}, c.relkind, c.relpersistence, c.relreplident, c.relrowsecurity,
       c.relforcerowsecurity, c.relispopulated,
       case when c.reloftype <> 0 then pg_catalog.format_type(c.reloftype, null) end,
       case when am.amname <> pg_catalog.current_setting('default_table_access_method')
            then pg_catalog.quote_ident(am.amname) end,
       (select pg_catalog.quote_ident(s.spcname) from pg_catalog.pg_tablespace s where s.oid = c.reltablespace),
       pg_catalog.concat_ws(', ', {_options("c.reloptions")}, {_options("tc.reloptions", "toast.")}),
       case when c.relkind = 'p' then pg_catalog.pg_get_partkeydef(c.oid) end,
       case when c.relkind = any ('{{v,m}}') then pg_catalog.pg_get_viewdef(c.oid, true) end,
       case when c.relispartition then pg_catalog.pg_get_expr(c.relpartbound, c.oid) end,
       (select pg_catalog.string_agg(h.inhparent::pg_catalog.regclass::pg_catalog.text, ', ' order by h.inhseqno)
          from pg_catalog.pg_inherits h where h.inhrelid = c.oid),
       (select pg_catalog.quote_ident(s.srvname) from pg_catalog.pg_foreign_table f
          join pg_catalog.pg_foreign_server s on s.oid = f.ftserver where f.ftrelid = c.oid),
       (select {_FDW_OPTIONS.format(options="f.ftoptions")}
          from pg_catalog.pg_foreign_table f where f.ftrelid = c.oid),
       {_comment("c.oid", "pg_class")}, pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner))
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_class tc on c.reltoastrelid = tc.oid
  left join pg_catalog.pg_am am on c.relam = am.oid and am.amtype = 't'
 where c.oid = any ($1::pg_catalog.oid[])
 order by n.nspname, c.relname""")

_COLUMNS = f"""
select a.attrelid, pg_catalog.quote_ident(a.attname), pg_catalog.format_type(a.atttypid, a.atttypmod),
       (select {_NAME.format("cn", "co.collname")} from pg_catalog.pg_collation co
          join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace
         where co.oid = a.attcollation and a.attcollation <> t.typcollation),
       pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attnotnull{{proven}}, a.attidentity, a.attgenerated,
       case when a.attstorage <> t.typstorage then a.attstorage end, {{compression}},
       case when a.attstattarget <> -1 then a.attstattarget end, {_options("a.attoptions")},
       {_FDW_OPTIONS.format(options="a.attfdwoptions")}, a.attislocal,
       (select pg_catalog.max(pg_catalog.pg_get_expr(pd.adbin, pd.adrelid))
          from pg_catalog.pg_inherits h
          join pg_catalog.pg_attribute p on p.attrelid = h.inhparent and p.attname = a.attname
          join pg_catalog.pg_attrdef pd on pd.adrelid = p.attrelid and pd.adnum = p.attnum
         where h.inhrelid = a.attrelid),
       exists (select 1 from pg_catalog.pg_inherits h
          join pg_catalog.pg_attribute p on p.attrelid = h.inhparent and p.attname = a.attname
         where h.inhrelid = a.attrelid and p.attnotnull),
       {{not_null}}, pg_catalog.quote_literal(pg_catalog.col_description(a.attrelid, a.attnum))
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_type t on t.oid = a.atttypid
  left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where a.attrelid = any ($1::pg_catalog.oid[]) and a.attnum > 0 and not a.attisdropped
 order by a.attrelid, a.attnum"""
_PROVEN = """ and not exists (select 1 from pg_catalog.pg_constraint r
         where r.conrelid = a.attrelid and r.contype = 'n' and r.conkey[1] = a.attnum and not r.convalidated)"""
_NOT_NULL = """(select pg_catalog.quote_ident(r.conname) || case when r.connoinherit then ' no inherit' else '' end
          from pg_catalog.pg_constraint r
         where r.conrelid = a.attrelid and r.contype = 'n' and r.conkey[1] = a.attnum and r.convalidated
           and (r.connoinherit or r.conname <> pg_catalog.concat(
               (select c.relname from pg_catalog.pg_class c where c.oid = a.attrelid), '_', a.attname, '_not_null')))"""

INHERITED: Final = pathless("""
select h.inhrelid, pg_catalog.quote_ident(a.attname)
  from pg_catalog.pg_inherits h join pg_catalog.pg_attribute a on a.attrelid = h.inhparent
 where h.inhrelid = any ($1::pg_catalog.oid[]) and a.attnum > 0 and not a.attisdropped
 order by h.inhseqno, a.attnum""")

PARENTS: Final = pathless("""
select h.inhrelid, h.inhparent::pg_catalog.regclass from pg_catalog.pg_inherits h
 where h.inhrelid = any ($1::pg_catalog.oid[]) order by h.inhseqno""")

SEQUENCES: Final = pathless(f"""
select w.oid, c.oid, {_NAME.format("n", "c.relname")}, c.relpersistence,
       pg_catalog.format_type(s.seqtypid, null), s.seqstart,
       s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle, d.deptype,
       {_NAME.format("tn", "t.relname")}, pg_catalog.quote_ident(a.attname),
       c.relname = pg_catalog.concat(t.relname, '_', a.attname, '_seq') and c.relnamespace = t.relnamespace,
       {_comment("c.oid", "pg_class")}
  from (select u.oid, u.oid as seqrelid from pg_catalog.unnest($1::pg_catalog.oid[]) u(oid)
        union all
        select d.refobjid, d.objid from pg_catalog.pg_depend d
         where d.refobjid = any ($1::pg_catalog.oid[]) and d.deptype = any ('{{a,i}}')
           and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
           and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass) w
  join pg_catalog.pg_sequence s on s.seqrelid = w.seqrelid
  join pg_catalog.pg_class c on c.oid = s.seqrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid
       and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype = any ('{{a,i}}')
  left join pg_catalog.pg_class t on t.oid = d.refobjid
  left join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
  left join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
 order by c.relname""")

CONSTRAINTS: Final = pathless(f"""
select r.conrelid, pg_catalog.quote_ident(r.conname), r.contype, pg_catalog.pg_get_constraintdef(r.oid), r.conislocal,
       r.coninhcount > 0, r.convalidated, {_comment("r.oid", "pg_constraint")}
  from pg_catalog.pg_constraint r
 where r.conrelid = any ($1::pg_catalog.oid[]) and r.contype = any ('{{p,u,x,c,f,n}}')
   and not (r.contype = 'f' and r.conparentid <> 0)
 order by pg_catalog.strpos('pucxfn', r.contype::pg_catalog.text), r.conname""")

INDEXES: Final = pathless(f"""
select w.oid, {_NAME.format("n", "c.relname")}, pg_catalog.quote_ident(c.relname), pg_catalog.pg_get_indexdef(c.oid),
       i.indisclustered, i.indisreplident, {_options("c.reloptions")},
       (select pg_catalog.quote_ident(s.spcname) from pg_catalog.pg_tablespace s where s.oid = c.reltablespace),
       {_comment("c.oid", "pg_class")},
       (select r.contype from pg_catalog.pg_constraint r where r.conindid = c.oid and r.conrelid = i.indrelid
           and r.contype = any ('{{p,u,x}}')),
       (select pg_catalog.quote_ident(r.conname) || (' ' || pg_catalog.pg_get_constraintdef(r.oid))
          from pg_catalog.pg_constraint r where r.conindid = c.oid and r.conrelid = i.indrelid
           and r.contype = any ('{{p,u,x}}')),
       {_NAME.format("tn", "t.relname")},
       (select pg_catalog.string_agg(pg_catalog.concat(a.attnum, ' ', a.attstattarget), ',' order by a.attnum)
          from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attstattarget >= 0),
       (select h.inhparent::pg_catalog.regclass from pg_catalog.pg_inherits h where h.inhrelid = c.oid),
       i.indisvalid
  from (select u.oid, u.oid as indexrelid from pg_catalog.unnest($1::pg_catalog.oid[]) u(oid)
        union all
        select o.indrelid, o.indexrelid from pg_catalog.pg_index o where o.indrelid = any ($1::pg_catalog.oid[])) w
  join pg_catalog.pg_index i on i.indexrelid = w.indexrelid
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_class t on t.oid = i.indrelid
  join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
 order by c.relname""")

STATISTICS: Final = pathless(f"""
select s.stxrelid, {_NAME.format("n", "s.stxname")}, pg_catalog.pg_get_statisticsobjdef(s.oid), {{target}},
       {_comment("s.oid", "pg_statistic_ext")}
  from pg_catalog.pg_statistic_ext s join pg_catalog.pg_namespace n on n.oid = s.stxnamespace
 where s.stxrelid = any ($1::pg_catalog.oid[]) order by s.oid""")

RULES: Final = pathless(f"""
select r.ev_class, pg_catalog.quote_ident(r.rulename), pg_catalog.pg_get_ruledef(r.oid), r.ev_enabled,
       {_comment("r.oid", "pg_rewrite")}
  from pg_catalog.pg_rewrite r
 where r.ev_class = any ($1::pg_catalog.oid[]) and r.rulename <> '_RETURN' order by r.rulename""")

TRIGGERS: Final = pathless(f"""
select t.tgrelid, pg_catalog.quote_ident(t.tgname), pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled,
       {_comment("t.oid", "pg_trigger")}
  from pg_catalog.pg_trigger t
 where t.tgrelid = any ($1::pg_catalog.oid[]) and not t.tgisinternal{{copies}} order by t.tgname""")

# the triggers of its foreign keys; they have no names that a script could know
DISABLED: Final = pathless("""
select t.tgrelid from pg_catalog.pg_trigger t join pg_catalog.pg_constraint r on r.oid = t.tgconstraint
 where t.tgrelid = any ($1::pg_catalog.oid[]) and t.tgisinternal and r.conrelid = t.tgrelid
 group by t.tgrelid having pg_catalog.bool_and(t.tgenabled = 'D')""")

_CHANGED_COPIES = """
select t.tgrelid, pg_catalog.quote_ident(t.tgname), t.tgenabled
  from pg_catalog.pg_trigger t join pg_catalog.pg_trigger o on o.oid = t.tgparentid
 where t.tgrelid = any ($1::pg_catalog.oid[]) and {theirs} and t.tgenabled <> o.tgenabled
 order by t.tgname"""

POLICIES: Final = pathless(f"""
select p.polrelid, pg_catalog.quote_ident(p.polname), p.polpermissive, p.polcmd,
       case when p.polroles::pg_catalog.text <> '{{0}}' then pg_catalog.array_to_string(array(
           select pg_catalog.quote_ident(r.rolname) from pg_catalog.pg_roles r where r.oid = any (p.polroles)
            order by 1), ', ') end,
       pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid),
       {_comment("p.oid", "pg_policy")}
  from pg_catalog.pg_policy p where p.polrelid = any ($1::pg_catalog.oid[]) order by p.polname""")

_PRIVILEGES = """
select {owner}, case when g.grantee = 0 then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(
           g.grantee)) end, pg_catalog.string_agg(pg_catalog.lower(g.privilege_type){column}, ', '
           order by g.privilege_type), g.is_grantable
  from {source}
 where {acl} is not null and {owner} = any ($1::pg_catalog.oid[])
 group by 1, 2, 4 order by 2, 4"""
PRIVILEGES: Final = pathless(
    _PRIVILEGES.format(
        column="", acl="c.relacl", owner="c.oid",
        source="pg_catalog.pg_class c cross join lateral pg_catalog.aclexplode(c.relacl) g",
    )
)  # fmt: skip
COLUMN_PRIVILEGES: Final = pathless(
    _PRIVILEGES.format(
        acl="a.attacl", owner="a.attrelid",
        column=" || (' (' || (pg_catalog.quote_ident(a.attname) || ')'))",
        source="pg_catalog.pg_attribute a cross join lateral pg_catalog.aclexplode(a.attacl) g",
    )
)  # fmt: skip


def columns(version: int) -> str:
    """Return the statement for columns."""
    return pathless(
        _COLUMNS.format(
            compression="case when a.attcompression = 'p' then 'pglz' when a.attcompression = 'l' then 'lz4' end"
            if version >= V14
            else "null",
            proven=_PROVEN if version >= V18 else "",
            not_null=_NOT_NULL if version >= V18 else "null",
        )
    )


def statistics(version: int) -> str:
    """Return the statement for extended statistics."""
    target = "case when s.stxstattarget <> -1 then s.stxstattarget end" if version >= V13 else "null"
    return STATISTICS.replace("{target}", qualified(target))


def triggers(version: int) -> str:
    """Return the statement for triggers, without a partition's copies."""
    return TRIGGERS.replace("{copies}", " and t.tgparentid operator(pg_catalog.=) 0" if version >= V13 else "")


def changed_copies(version: int) -> str:
    """Return the statement for a partition's copies of triggers that are not in the state of what they copy."""
    if version >= V13:
        # before 15 all copies were internal ones, and those of foreign keys had no parents
        return pathless(_CHANGED_COPIES.format(theirs="not t.tgisinternal" if version >= V15 else "true"))
    return pathless("select oid from pg_catalog.pg_class where oid = any ($1::pg_catalog.oid[]) and false")
