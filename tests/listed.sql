-- what test_lists.py lists: names that nobody would choose, and one thing of every kind that a listing knows
create role "Ro'le"; create role "r,o le" in role "Ro'le" noinherit connection limit 3 valid until '2031-01-02 03:04:05+00';
create role regress_quiet nologin createdb bypassrls connection limit 0;
create schema "Order"; create schema "a.b"; create schema "x""y"; create schema s1; create schema s2; create schema "p*?|$[](\)";
comment on schema "Order" is E'two\nlines';
create type "Order"."Mood" as enum ('sad', E'o\'k', '"', 'größe');
create domain "a.b"."d.d" as "Order"."Mood"[] default '{}' not null
  constraint "c""1" check (value is not null) constraint c2 check (cardinality(value) < 9);

create table "Order"."Order" (id int primary key, "Größe" text, "select" "Order"."Mood");
create table "a.b"."c.d" (a int, b int); create table "x""y"."t""t" (); create table "p*?|$[](\)"."p*?|$[](\)" (a int);
create table s1.same (a int); create table s2.same (b int); create table s1."Same" (a int);
create table public.a$b (a int); create table public.plain (a int, b int, c text);
create unlogged table s2.unlogged (a int); create materialized view s1."Mat""view" as select 1 as one;
create view s2.v as select * from s2.same; create sequence s1."Seq.1" owned by s1.same.a;
create table s1.parted (a int, b text) partition by list (a);
create table s1.part1 partition of s1.parted for values in (1) partition by range (b);
create table s1.part11 partition of s1.part1 for values from ('a') to ('m');
create index on s1.parted (b); create index "I n d e x" on public.plain (lower(c)) where a > 1;
create statistics s1."St at" (dependencies, mcv) on a, b from public.plain;

create policy "p 1" on public.plain as restrictive for update to "Ro'le", "r,o le" using (a > 1) with check (b > 2);
create policy p2 on public.plain using (true);
grant select on public.plain to "Ro'le" with grant option; grant update (a, b) on public.plain to public;
revoke all on s1.same from public, current_user;
alter default privileges in schema "Order" grant select on tables to "Ro'le";
alter default privileges for role "Ro'le" revoke execute on functions from public;
comment on table public.plain is E'a \\ and\ta tab'; comment on column public.plain.a is 'no';
comment on constraint c2 on domain "a.b"."d.d" is 'domain''s';
comment on constraint "Order_pkey" on "Order"."Order" is 'key''s';

create function s1.same(a int, variadic b text[] default '{}') returns setof text language sql as 'select null';
create function s2.same("Größe" numeric, out x int, out y "Order"."Mood") language sql as $$select 1, null::"Order"."Mood"$$;
create procedure "Order"."Pro c"(inout a int) language plpgsql as 'begin end'; comment on procedure "Order"."Pro c" is E'\n';
create function s1.tr() returns trigger language plpgsql security definer set search_path = '' as 'begin return new; end';
create trigger "T r" before insert on s1.same for each row execute function s1.tr(); comment on trigger "T r" on s1.same is 't';
create rule "R u" as on insert to s2.same do nothing; comment on rule "R u" on s2.same is 'r';
create operator s1.<<>> (leftarg = int, rightarg = int, function = int4pl); comment on operator s1.<<>> (int, int) is 'an operator';
create operator s1.!! (rightarg = int, function = int4um);
create aggregate s1."Ag g" (int) (sfunc = int4pl, stype = int);
create cast ("Order"."Mood" as int) with inout as assignment; comment on cast ("Order"."Mood" as int) is 'a cast';
create collation "Order"."C o" (locale = 'C');
create text search configuration s1."Con f" (copy = english);
create text search dictionary s2."Di ct" (template = simple, stopwords = english);

create foreign data wrapper "F w" options ("opt ion" 'va''lue', b '2');
create server "S v" type 't' version 'v' foreign data wrapper "F w" options (host 'a b');
create user mapping for public server "S v" options (password 'x'); create user mapping for "Ro'le" server "S v";
create foreign table s2."F t" (a int) server "S v" options ("o" ''''); comment on foreign table s2."F t" is 'far';
create publication "P u" for table public.plain, "x""y"."t""t";
create publication everything for all tables with (publish = 'insert');
create subscription "S u" connection 'host=none' publication a, "B b" with (connect = false, slot_name = none);
create function s1.ev() returns event_trigger language plpgsql as 'begin end';
create event trigger "E v" on ddl_command_end when tag in ('CREATE TABLE', 'DROP TABLE') execute function s1.ev();
alter event trigger "E v" disable;
alter role "Ro'le" set search_path = a, b; alter role "Ro'le" in database hostile set work_mem = '5MB';
select lo_create(4711); comment on large object 4711 is 'large'; grant select on large object 4711 to "Ro'le";
