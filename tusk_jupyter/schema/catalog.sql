-- What is read of a database, statement by statement: see introspect.py, which qualifies the operators, puts the words
-- in braces in, and runs them on PostgreSQL 12 to 18. Everything else is qualified here.

-- name: place
select pg_catalog.current_database(), current_user, pg_catalog.current_setting('server_version_num'),
       pg_catalog.current_setting('search_path'),
       pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot())

-- name: schemas
select n.nspname, pg_catalog.pg_get_userbyid(n.nspowner), d.description,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE'), pg_catalog.has_schema_privilege(n.oid, 'CREATE')
from pg_catalog.pg_namespace n
left join pg_catalog.pg_description d
  on d.objoid = n.oid and d.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass and d.objsubid = 0
where {shown}
order by n.nspname

-- name: relations
select c.oid, n.nspname, c.relname, c.relkind, pg_catalog.json_build_array(pg_catalog.pg_get_userbyid(c.relowner),
       case when c.relkind = any ('{r,p,m,f,i,I}'::pg_catalog."char"[]) and c.reltuples >= 0::pg_catalog.float4
                 and not (c.reltuples = 0::pg_catalog.float4 and c.relpages = 0) then c.reltuples end,
       c.relpages, d.description,
       case when not c.relkind = any ('{r,p,v,m,f,S}'::pg_catalog."char"[]) then ''
            when is_super.yes or (c.relacl is null and pg_catalog.pg_has_role(c.relowner, 'USAGE'))
              then case when c.relkind = 'S' then 'rwU' else {all_letters} end
            when c.relkind = 'S' then pg_catalog.concat(
              case when pg_catalog.has_sequence_privilege(c.oid, 'SELECT') then 'r' end,
              case when pg_catalog.has_sequence_privilege(c.oid, 'UPDATE') then 'w' end,
              case when pg_catalog.has_sequence_privilege(c.oid, 'USAGE') then 'U' end)
            else pg_catalog.concat({letters}) end)
from (select pg_catalog.current_setting('is_superuser') = 'on' as yes) is_super
cross join pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_description d
  on d.objoid = c.oid and d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objsubid = 0
where c.relkind <> 't' and {shown} and {only}
order by c.oid
limit {limit}

-- name: columns
select a.attrelid, pg_catalog.concat('[', pg_catalog.string_agg(case
         when d.description is not null then pg_catalog.json_build_array(a.attname,
           pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_catalog.pg_get_expr(e.adbin, e.adrelid),
           a.attidentity, a.attgenerated, d.description)
         when a.atthasdef or a.attidentity <> '' then pg_catalog.json_build_array(a.attname,
           pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_catalog.pg_get_expr(e.adbin, e.adrelid),
           a.attidentity, a.attgenerated)
         when a.attnotnull then pg_catalog.json_build_array(a.attname,
           pg_catalog.format_type(a.atttypid, a.atttypmod), true)
         else pg_catalog.json_build_array(a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod))
       end::pg_catalog.text, ',' order by a.attnum), ']')
from pg_catalog.pg_class c
join pg_catalog.pg_attribute a on a.attrelid = c.oid
left join pg_catalog.pg_attrdef e on e.adrelid = a.attrelid and e.adnum = a.attnum
left join pg_catalog.pg_description d
  on d.objoid = a.attrelid and d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
     and d.objsubid = a.attnum::pg_catalog.int4
where a.attnum > 0::pg_catalog.int2 and not a.attisdropped
  and c.relkind = any ('{r,p,v,m,f,c,S}'::pg_catalog."char"[]) and {only}
group by a.attrelid

-- name: keys
-- a foreign key to a partitioned table has a row of its own for each partition that it reaches: those are left out
select k.conrelid, pg_catalog.json_build_array(n.nspname, c.relname, pg_catalog.json_agg(pg_catalog.json_build_array(
         k.conname, k.contype,
         array(select (select a.attname from pg_catalog.pg_attribute a where a.attrelid = k.conrelid and a.attnum = u.num)
               from pg_catalog.unnest(k.conkey) with ordinality u (num, at) order by u.at),
         pg_catalog.pg_get_constraintdef(k.oid, true),
         coalesce(tn.nspname, ''), coalesce(t.relname, ''),
         array(select (select a.attname from pg_catalog.pg_attribute a where a.attrelid = k.confrelid and a.attnum = u.num)
               from pg_catalog.unnest(k.confkey) with ordinality u (num, at) order by u.at)
       ) order by k.conname)),
       pg_catalog.string_agg(case when k.contype = 'f' then k.confrelid::pg_catalog.text end, ',')
from pg_catalog.pg_constraint k
join pg_catalog.pg_class c on c.oid = k.conrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_class t on t.oid = k.confrelid
left join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
where k.contype = any ('{p,u,f,c,x}'::pg_catalog."char"[]) and {only}
  and case when k.conparentid = 0::pg_catalog.oid then true else (
    select up.conrelid <> k.conrelid from pg_catalog.pg_constraint up where up.oid = k.conparentid) end is not false
group by k.conrelid, n.nspname, c.relname

-- name: types
select n.nspname, t.typname, pg_catalog.format_type(t.oid, null), t.typtype, t.typcategory, t.typispreferred,
       case when t.typtype = 'e' then (
         select pg_catalog.json_agg(e.enumlabel order by e.enumsortorder)
         from pg_catalog.pg_enum e where e.enumtypid = t.oid) end,
       case when t.typtype = 'd' then pg_catalog.format_type(t.typbasetype, t.typtypmod) end, d.description
from pg_catalog.pg_type t
join pg_catalog.pg_namespace n on n.oid = t.typnamespace
left join pg_catalog.pg_description d
  on d.objoid = t.oid and d.classoid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.objsubid = 0
left join pg_catalog.pg_class c on c.oid = t.typrelid
left join pg_catalog.pg_type element on element.oid = t.typelem and element.typarray = t.oid
where {shown} and element.oid is null and (t.typrelid = 0::pg_catalog.oid or c.relkind = 'c') and t.typisdefined
order by n.nspname, t.typname

-- name: casts
select pg_catalog.format_type(castsource, null), pg_catalog.format_type(casttarget, null), castcontext
from pg_catalog.pg_cast

-- name: functions
-- what takes or gives internal cannot be called
select n.nspname, p.proname, p.prokind, pg_catalog.pg_get_function_arguments(p.oid),
       array_to_json.types, p.pronargdefaults, p.provariadic <> 0::pg_catalog.oid,
       pg_catalog.pg_get_function_result(p.oid), p.proretset, d.description, p.oid
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
left join pg_catalog.pg_description d
  on d.objoid = p.oid and d.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objsubid = 0
cross join lateral (
  select pg_catalog.json_agg(pg_catalog.format_type(u.type, null) order by u.at) as types,
         pg_catalog.bool_or(u.type = 'pg_catalog.internal'::pg_catalog.regtype::pg_catalog.oid) as is_internal
  from pg_catalog.unnest(p.proargtypes::pg_catalog.oid[]) with ordinality u (type, at)) array_to_json
where {shown} and array_to_json.is_internal is not true
  and p.prorettype <> 'pg_catalog.internal'::pg_catalog.regtype::pg_catalog.oid
order by p.oid

-- name: names
select 'extension', extname::pg_catalog.text from pg_catalog.pg_extension
union all select 'available_extension', name::pg_catalog.text from pg_catalog.pg_available_extensions
union all select 'role', rolname::pg_catalog.text from pg_catalog.pg_roles
union all select 'database', datname::pg_catalog.text from pg_catalog.pg_database
union all select 'tablespace', spcname::pg_catalog.text from pg_catalog.pg_tablespace
union all select 'language', lanname::pg_catalog.text from pg_catalog.pg_language
union all select 'collation', collname::pg_catalog.text from pg_catalog.pg_collation
          where collencoding = '-1'::pg_catalog.int4 or collencoding = pg_catalog.pg_char_to_encoding(pg_catalog.getdatabaseencoding())
union all select 'access_method', amname::pg_catalog.text from pg_catalog.pg_am
union all select 'index_method', amname::pg_catalog.text from pg_catalog.pg_am where amtype = 'i'::pg_catalog."char"
union all select 'publication', pubname::pg_catalog.text from pg_catalog.pg_publication
union all select 'subscription', s.subname::pg_catalog.text from pg_catalog.pg_subscription s
          join pg_catalog.pg_database d on d.oid = s.subdbid and d.datname = pg_catalog.current_database()
union all select 'foreign_server', srvname::pg_catalog.text from pg_catalog.pg_foreign_server
union all select 'foreign_data_wrapper', fdwname::pg_catalog.text from pg_catalog.pg_foreign_data_wrapper
union all select 'event_trigger', evtname::pg_catalog.text from pg_catalog.pg_event_trigger
union all select 'text_search_configuration', cfgname::pg_catalog.text from pg_catalog.pg_ts_config
order by 1, 2

-- name: settings
select name, short_desc, vartype, unit, pg_catalog.to_json(enumvals), context from pg_catalog.pg_settings order by name

-- name: keywords
select word, catcode from pg_catalog.pg_get_keywords() order by word

-- name: changed
-- relations of which something was written since that transaction, and those with one of the names; what was frozen
-- long ago has an age that says nothing, or none at all
with since as materialized (select pg_catalog.age('{xmin}'::pg_catalog.xid) as age)
select c.oid from pg_catalog.pg_class c, since
where pg_catalog.age(c.xmin) <= since.age and pg_catalog.age(c.xmin) >= 0
union select a.attrelid from pg_catalog.pg_attribute a, since
where pg_catalog.age(a.xmin) <= since.age and pg_catalog.age(a.xmin) >= 0
union select k.conrelid from pg_catalog.pg_constraint k, since
where pg_catalog.age(k.xmin) <= since.age and pg_catalog.age(k.xmin) >= 0
union select e.adrelid from pg_catalog.pg_attrdef e, since
where pg_catalog.age(e.xmin) <= since.age and pg_catalog.age(e.xmin) >= 0
union select d.objoid from pg_catalog.pg_description d, since
where d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
  and pg_catalog.age(d.xmin) <= since.age and pg_catalog.age(d.xmin) >= 0
union select c.oid from pg_catalog.pg_class c where c.relname = any ({names}::pg_catalog.name[])

-- name: count
select pg_catalog.count(*) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind <> 't' and {shown}

-- name: oids
select pg_catalog.string_agg(c.oid::pg_catalog.text, ',')
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind <> 't' and {shown}

-- name: looks
select pg_catalog.current_setting('search_path'), current_user,
       (select n.nspname from pg_catalog.pg_namespace n where n.oid = pg_catalog.pg_my_temp_schema())

-- name: of_schema
select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = {schema}
