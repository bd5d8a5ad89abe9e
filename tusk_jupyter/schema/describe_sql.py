r"""What ``\d NAME`` asks: one statement for each kind of fact, about any number of relations at once.

psql asks some ten statements for each relation; here ``\d *`` of a thousand relations is as many round trips as one of
one, which is what counts over a tunnel: each statement takes the relations' oids as ``$1`` and returns the oid first.
Every name is qualified, operators too (:func:`qualified`): a ``search_path`` may lead through anybody's schema. What
PostgreSQL's own functions write (definitions, ``regclass``) follows the ``search_path``, as it does in psql.
"""

from __future__ import annotations

import re
from typing import Final

V13, V14, V15, V18 = 130000, 140000, 150000, 180000
_OPERATOR = re.compile(r" (=|<>|<=|>=|<|>|\|\||~) ")


def qualified(statement: str) -> str:
    """Return a statement with its operators qualified; each stands between spaces, operands of two in parentheses."""
    return _OPERATOR.sub(r" operator(pg_catalog.\1) ", statement)


RELATIONS: Final = qualified("""
select c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident, c.relrowsecurity,
       c.relforcerowsecurity,
       case when c.reloftype <> 0 then c.reloftype::pg_catalog.regtype::pg_catalog.text end,
       am.amname,
       (select s.spcname from pg_catalog.pg_tablespace s where s.oid = c.reltablespace),
       pg_catalog.array_to_string(
           c.reloptions || array(select 'toast.' || x from pg_catalog.unnest(tc.reloptions) x), ', '),
       case when c.relkind = 'p' then pg_catalog.pg_get_partkeydef(c.oid) end,
       case when $2::boolean and c.relkind = any ('{v,m}') then pg_catalog.pg_get_viewdef(c.oid, true) end,
       (select ('"' || tn.nspname) || ('.' || (t.relname || '"')) from pg_catalog.pg_class t
          join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
         where c.relkind = 't' and t.reltoastrelid = c.oid)
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_class tc on c.reltoastrelid = tc.oid
  left join pg_catalog.pg_am am on c.relam = am.oid
 where c.oid = any ($1::pg_catalog.oid[])
 order by n.nspname, c.relname""")

_OPTIONS = """case when {options} is null then null else '(' || (pg_catalog.array_to_string(array(
           select pg_catalog.quote_ident(o.option_name) || (' ' || pg_catalog.quote_literal(o.option_value))
             from pg_catalog.pg_options_to_table({options}) o), ', ') || ')') end"""

_COLUMNS = f"""
select a.attrelid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
       (select pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) from pg_catalog.pg_attrdef d
         where d.adrelid = a.attrelid and d.adnum = a.attnum and a.atthasdef),
       a.attnotnull,
       (select co.collname from pg_catalog.pg_collation co, pg_catalog.pg_type t
         where co.oid = a.attcollation and t.oid = a.atttypid and a.attcollation <> t.typcollation),
       a.attidentity, a.attgenerated,
       case when i.indexrelid is null then null when a.attnum <= i.indnkeyatts then 'yes' else 'no' end,
       case when i.indexrelid is not null then pg_catalog.pg_get_indexdef(a.attrelid, a.attnum, true) end,
       {_OPTIONS.format(options="a.attfdwoptions")},
       a.attstorage, {{compression}},
       case when a.attstattarget = -1 then null else a.attstattarget end,
       pg_catalog.col_description(a.attrelid, a.attnum)
  from pg_catalog.pg_attribute a
  left join pg_catalog.pg_index i on i.indexrelid = a.attrelid
 where a.attrelid = any ($1::pg_catalog.oid[]) and a.attnum > 0 and not a.attisdropped
 order by a.attrelid, a.attnum"""

SEQUENCES: Final = qualified("""
select s.seqrelid, pg_catalog.format_type(s.seqtypid, null), s.seqstart, s.seqmin, s.seqmax, s.seqincrement,
       case when s.seqcycle then 'yes' else 'no' end, s.seqcache
  from pg_catalog.pg_sequence s where s.seqrelid = any ($1::pg_catalog.oid[])""")

OWNED_BY: Final = qualified("""
select d.objid, d.deptype,
       pg_catalog.quote_ident(n.nspname) || ('.' || (pg_catalog.quote_ident(c.relname)
           || ('.' || pg_catalog.quote_ident(a.attname))))
  from pg_catalog.pg_depend d
  join pg_catalog.pg_class c on c.oid = d.refobjid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
 where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
   and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
   and d.objid = any ($1::pg_catalog.oid[]) and d.deptype = any ('{a,i}')""")

_INDEX = """
select i.indexrelid, i.indisunique, i.indisprimary, {distinct}, i.indisclustered, i.indisvalid, i.indisreplident,
       con.condeferrable, con.condeferred, a.amname, n.nspname, t.relname,
       pg_catalog.pg_get_expr(i.indpred, i.indrelid, true)
  from pg_catalog.pg_index i
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  join pg_catalog.pg_am a on a.oid = c.relam
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_class t on t.oid = i.indrelid
  left join pg_catalog.pg_constraint con on con.conrelid = i.indrelid and con.conindid = i.indexrelid
       and con.contype = any ('{{p,u,x}}')
 where i.indexrelid = any ($1::pg_catalog.oid[])"""

_INDEXES = """
select i.indrelid, c.relname, i.indisprimary, i.indisunique, i.indisclustered, i.indisvalid, i.indisreplident,
       pg_catalog.pg_get_indexdef(i.indexrelid, 0, true), pg_catalog.pg_get_constraintdef(con.oid, true), con.contype,
       con.condeferrable, con.condeferred, {period},
       (select s.spcname from pg_catalog.pg_tablespace s where s.oid = c.reltablespace)
  from pg_catalog.pg_index i
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  left join pg_catalog.pg_constraint con on con.conrelid = i.indrelid and con.conindid = i.indexrelid
       and con.contype = any ('{{p,u,x}}')
 where i.indrelid = any ($1::pg_catalog.oid[])
 order by i.indrelid, i.indisprimary desc, c.relname"""

CHECKS: Final = qualified("""
select r.conrelid, r.conname, pg_catalog.pg_get_constraintdef(r.oid, true)
  from pg_catalog.pg_constraint r where r.conrelid = any ($1::pg_catalog.oid[]) and r.contype = 'c'
 order by r.conrelid, r.conname""")

# a partition has those of the tables it is a part of as well; copies of them, on each partition, are left out
FOREIGN_KEYS: Final = qualified("""
select w.oid, r.conname, pg_catalog.pg_get_constraintdef(r.oid, true), r.conrelid = w.oid,
       r.conrelid::pg_catalog.regclass
  from pg_catalog.unnest($1::pg_catalog.oid[]) w(oid)
 cross join lateral (select p.relid::pg_catalog.oid from pg_catalog.pg_partition_ancestors(w.oid) p
                      union select w.oid) l(oid)
  join pg_catalog.pg_constraint r on r.conrelid = l.oid
 where r.contype = 'f' and r.conparentid = 0
 order by w.oid, 4 desc, r.conname""")

REFERENCES: Final = qualified("""
select w.oid, r.conname, pg_catalog.pg_get_constraintdef(r.oid, true), r.conrelid::pg_catalog.regclass
  from pg_catalog.unnest($1::pg_catalog.oid[]) w(oid)
 cross join lateral (select p.relid::pg_catalog.oid from pg_catalog.pg_partition_ancestors(w.oid) p
                      union select w.oid) l(oid)
  join pg_catalog.pg_constraint r on r.confrelid = l.oid
 where r.contype = 'f' and r.conparentid = 0
 order by w.oid, r.conname""")

POLICIES: Final = qualified("""
select p.polrelid, p.polname, p.polpermissive,
       case when p.polroles::pg_catalog.text <> '{0}' then pg_catalog.array_to_string(array(
           select r.rolname from pg_catalog.pg_roles r where r.oid = any (p.polroles) order by 1), ',') end,
       pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), p.polcmd
  from pg_catalog.pg_policy p where p.polrelid = any ($1::pg_catalog.oid[])
 order by p.polrelid, p.polname""")

_STATISTICS = """
select s.stxrelid, pg_catalog.quote_ident(n.nspname), s.stxname, {columns}, s.stxrelid::pg_catalog.regclass,
       'd' = any (s.stxkind), 'f' = any (s.stxkind), 'm' = any (s.stxkind), {target}
  from pg_catalog.pg_statistic_ext s
  join pg_catalog.pg_namespace n on n.oid = s.stxnamespace
 where s.stxrelid = any ($1::pg_catalog.oid[])
 order by s.stxrelid, {order}"""
_STATISTICS_COLUMNS = """(select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ')
          from pg_catalog.unnest(s.stxkeys) k(attnum)
          join pg_catalog.pg_attribute a on a.attrelid = s.stxrelid and a.attnum = k.attnum and not a.attisdropped)"""

RULES: Final = qualified("""
select r.ev_class, pg_catalog.rtrim(pg_catalog.pg_get_ruledef(r.oid, true), ';'), r.ev_enabled
  from pg_catalog.pg_rewrite r where r.ev_class = any ($1::pg_catalog.oid[]) and r.rulename <> '_RETURN'
 order by r.ev_class, r.rulename""")

PUBLICATIONS_13: Final = qualified("""
select w.oid, p.pubname, null, null
  from pg_catalog.unnest($1::pg_catalog.oid[]) w(oid)
 cross join pg_catalog.pg_publication p
 where (p.puballtables and pg_catalog.pg_relation_is_publishable(w.oid))
    or exists (select 1 from pg_catalog.pg_publication_rel r where r.prpubid = p.oid and r.prrelid = w.oid)
 order by w.oid, p.pubname""")

PUBLICATIONS: Final = qualified("""
select w.oid, p.pubname, null as conditions, null as columns
  from pg_catalog.unnest($1::pg_catalog.oid[]) w(oid)
 cross join pg_catalog.pg_publication p
 where pg_catalog.pg_relation_is_publishable(w.oid)
   and (p.puballtables or exists (
       select 1 from pg_catalog.pg_publication_namespace pn join pg_catalog.pg_class c on c.relnamespace = pn.pnnspid
        where pn.pnpubid = p.oid and c.oid = w.oid))
union
select r.prrelid, p.pubname, pg_catalog.pg_get_expr(r.prqual, r.prrelid),
       (select pg_catalog.string_agg(a.attname, ', ' order by k.place)
          from pg_catalog.unnest(r.prattrs::pg_catalog.int2[]) with ordinality k(attnum, place)
          join pg_catalog.pg_attribute a on a.attrelid = r.prrelid and a.attnum = k.attnum)
  from pg_catalog.pg_publication p
  join pg_catalog.pg_publication_rel r on r.prpubid = p.oid
 where r.prrelid = any ($1::pg_catalog.oid[])
 order by 1, 2""")

NOT_NULLS: Final = qualified("""
select r.conrelid, r.conname, a.attname, r.connoinherit, r.conislocal, r.coninhcount <> 0, r.convalidated
  from pg_catalog.pg_constraint r
  join pg_catalog.pg_attribute a on a.attrelid = r.conrelid and a.attnum = r.conkey[1]
 where r.contype = 'n' and r.conrelid = any ($1::pg_catalog.oid[])
 order by r.conrelid, a.attnum""")

_TRIGGERS = """
select t.tgrelid, pg_catalog.pg_get_triggerdef(t.oid, true), t.tgenabled, t.tgisinternal, {parent}
  from pg_catalog.pg_trigger t
 where t.tgrelid = any ($1::pg_catalog.oid[])
   and (not t.tgisinternal or t.tgenabled = 'D'{also})
 order by t.tgrelid, t.tgname"""
_TRIGGER_PARENT = """case when t.tgparentid <> 0 then (
           select u.tgrelid::pg_catalog.regclass
             from pg_catalog.pg_trigger u, pg_catalog.pg_partition_ancestors(t.tgrelid) with ordinality l(relid, depth)
            where u.tgname = t.tgname and u.tgrelid = l.relid and u.tgparentid = 0
            order by l.depth limit 1) end"""
_TRIGGER_DEPENDS = """ or exists (
       select 1 from pg_catalog.pg_depend d
        where d.objid = t.oid and d.refclassid = 'pg_catalog.pg_trigger'::pg_catalog.regclass)"""

FOREIGN: Final = qualified(f"""
select f.ftrelid, s.srvname, {_OPTIONS.format(options="f.ftoptions")}
  from pg_catalog.pg_foreign_table f join pg_catalog.pg_foreign_server s on s.oid = f.ftserver
 where f.ftrelid = any ($1::pg_catalog.oid[])""")

PARENTS: Final = qualified("""
select h.inhrelid, c.oid::pg_catalog.regclass
  from pg_catalog.pg_inherits h join pg_catalog.pg_class c on c.oid = h.inhparent
 where h.inhrelid = any ($1::pg_catalog.oid[]) and c.relkind <> all ('{p,I}')
 order by h.inhrelid, h.inhseqno""")

_CHILDREN = """
select h.inhparent, c.oid::pg_catalog.regclass, c.relkind, {detached}, pg_catalog.pg_get_expr(c.relpartbound, c.oid)
  from pg_catalog.pg_inherits h join pg_catalog.pg_class c on c.oid = h.inhrelid
 where h.inhparent = any ($1::pg_catalog.oid[])
 order by h.inhparent, pg_catalog.pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT',
       c.oid::pg_catalog.regclass::pg_catalog.text"""

_PARTITION_OF = """
select h.inhrelid, h.inhparent::pg_catalog.regclass, pg_catalog.pg_get_expr(c.relpartbound, c.oid), {detached},
       pg_catalog.pg_get_partition_constraintdef(h.inhrelid)
  from pg_catalog.pg_inherits h join pg_catalog.pg_class c on c.oid = h.inhrelid
 where h.inhrelid = any ($1::pg_catalog.oid[]) and c.relispartition"""


def columns(version: int) -> str:
    """Return the statement for columns."""
    return qualified(_COLUMNS.format(compression="a.attcompression" if version >= V14 else "null"))


def index(version: int) -> str:
    """Return the statement for what an index is."""
    return qualified(_INDEX.format(distinct="i.indnullsnotdistinct" if version >= V15 else "false"))


def indexes(version: int) -> str:
    """Return the statement for the indexes of tables."""
    return qualified(_INDEXES.format(period="con.conperiod" if version >= V18 else "false"))


def statistics(version: int) -> str:
    """Return the statement for extended statistics."""
    columns = "pg_catalog.pg_get_statisticsobjdef_columns(s.oid)" if version >= V14 else _STATISTICS_COLUMNS
    target = "case when s.stxstattarget <> -1 then s.stxstattarget end" if version >= V13 else "null"
    order = "2, s.stxname" if version >= V14 else "s.oid"
    return qualified(_STATISTICS.format(columns=columns, target=target, order=order))


def triggers(version: int) -> str:
    """Return the statement for triggers; before 15 a partition's copies of them were internal ones."""
    parent = _TRIGGER_PARENT if version >= V13 else "null"
    return qualified(_TRIGGERS.format(parent=parent, also=_TRIGGER_DEPENDS if version < V15 else ""))


def children(version: int) -> str:
    """Return the statement for partitions and child tables."""
    return qualified(_CHILDREN.format(detached="h.inhdetachpending" if version >= V14 else "false"))


def partition_of(version: int) -> str:
    """Return the statement for what a table is a partition of."""
    return qualified(_PARTITION_OF.format(detached="h.inhdetachpending" if version >= V14 else "false"))
