"""``%%sql --parallel N``: the rows of one statement, read by several connections of the pool in one snapshot."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pandas as pd
import psycopg
import pytest

import tusk_jupyter
from tests.waiting import ask, backends, running, terminate, wait_until
from tusk_jupyter.connections import team
from tusk_jupyter.errors import ConnectionLost, InvalidInput, PoolTimeout, QueryCancelled, QueryFailed, QueryTimeout
from tusk_jupyter.queries import memory, parallel, partition
from tusk_jupyter.queries.split import next_statement

TABLE = """
create table t as select i, i % 7 as few, nullif(i, 3)::numeric(8,2) as n, md5(i::text) as s,
  '2024-01-01'::timestamptz + i * interval '1 hour' as z, '2024-01-01'::date + i as d, i::float8 / 3 as f,
  array[i, null] as a, case when i % 5 = 0 then null else i end as holes
from generate_series(1, 5000) i;
create type mood as enum ('sad', 'happy');
alter table t add m mood default 'happy'
"""


@pytest.fixture
def cells(cells, server):
    if server.version < 14:
        pytest.skip("tables are read by ranges of pages since PostgreSQL 14")
    cells.run(f"%%sql\n{TABLE}")
    return cells


def frame(cells, sql, options=""):
    cells.run(f"%%sql {options} found <<\n{sql}")
    return cells.ns["found"]


def refused(cells, sql, options="--parallel 2"):
    return cells.run(f"%%sql {options}\n{sql}", ok=False).exception


def same(one, other, by="i"):
    one, other = (found.sort_values(by, kind="stable", ignore_index=True) for found in (one, other))
    pd.testing.assert_frame_equal(one, other)


def active(database, fragment):
    """How many other sessions run a statement with ``fragment`` in it."""
    statement = "select count(*) from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and query like %s"
    return ask(database, statement, f"%{fragment}%")


def quiet(database):
    """Whether every kernel's backend is idle, outside any transaction."""
    statement = "select count(*) from pg_stat_activity where application_name = 'Tusk' and datname = current_database() and state <> 'idle'"
    return ask(database, statement) == 0


# -- the rows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [2, 3, 4])
def test_a_table_by_its_pages(cells, parts):
    plain, found = frame(cells, "select * from t"), frame(cells, "select * from t", f"--parallel {parts}")
    # parts are ranges of pages, one after the other: the very order of the table
    pd.testing.assert_frame_equal(plain, found)


@pytest.mark.parametrize(
    "sql",
    [
        "table t",
        "select i, s from t x",
        "select i, n * 2 as n, (select max(i) from t) as most, unnest(array[1, 2]) as u from only t",
        "select i from public.t where few = 3 or s like 'a%' -- some",
        "select i, s from t where false",
        "select i, few from t where few = :few or s = :text",
    ],
)
def test_what_else_is_divided_by_pages(cells, sql):
    cells.ns.update(few=3, text="c4ca4238a0b923820dcc509a6f75849b")
    pd.testing.assert_frame_equal(frame(cells, sql), frame(cells, sql, "--parallel 3"))


def test_a_range_of_pages_is_read_as_such(cells):
    for text in ("select * from t", "select i from t where i > 3 or few = 1"):
        table = partition.one_table(next_statement(text)[0])
        for condition in partition.page_ranges([40], 3):
            plan = frame(cells, f"explain {table.with_pages(condition)}").iloc[0, 0]
            assert plan.startswith("Tid Range Scan"), plan


@pytest.mark.parametrize("column", ["i", "n", "s", "z", "d", "f", "holes", "few"])
@pytest.mark.parametrize("parts", [2, 4])
def test_a_query_by_a_column(cells, column, parts):
    sql = "select t.*, u.i as j from t join t u on u.i = t.i where t.few <> :few"
    cells.ns["few"] = 5
    found = frame(cells, sql, f"--parallel {parts} --split {column}")
    same(frame(cells, sql), found)


@pytest.mark.parametrize(
    "sql",
    [
        "select few, count(*) as i from t group by few",
        "with x as (select i from t where i < 100 order by i limit 50) select * from x",
        "values (1), (2), (null)",
        "table t",
        "select i from t union all select null from t -- all",
        "select i, t.* from (select i as x, * from t) t",
    ],
)
def test_any_query_by_a_column(cells, sql):
    column = "column1" if sql.startswith("values") else "x" if "as x" in sql else "i"
    found = frame(cells, sql, f"--parallel 3 --split {column}")
    same(frame(cells, sql), found, by=list(found.columns[:1]))


def test_the_parts_are_alike_in_size_although_the_column_is_skewed(cells, monkeypatch):
    counts = []
    monkeypatch.setattr(parallel.PartsSink, "part_ended", lambda whole, part: counts.append(part.kept))
    cells.run("%%sql\ncreate table skewed as select i, (1.004 ^ i)::numeric as x from generate_series(1, 4000) i")
    assert len(frame(cells, "table skewed", "--parallel 4 --split x")) == 4000
    assert max(counts) < 1200, counts
    counts.clear()
    cells.run("%%sql\nupdate skewed set x = 1 where i > 100")
    assert len(frame(cells, "table skewed", "--parallel 4 --split x")) == 4000
    counts.clear()
    monkeypatch.setattr(parallel.partition, "SAMPLE", 100)
    cells.run("%%sql\nanalyze t")
    same(frame(cells, "table t"), frame(cells, "select * from t", "--parallel 2 --split i"))
    assert min(counts) > 500, counts


def test_nothing_and_next_to_nothing(cells):
    cells.run("%%sql\ncreate table empty (i int, n numeric(5,2), m mood, a int[]); create table one as select 1 as i")
    for sql in ("table empty", "select * from empty where i > 3"):
        for options in ("--parallel 4", "--parallel 4 --split i"):
            pd.testing.assert_frame_equal(frame(cells, sql), frame(cells, sql, options))
    assert frame(cells, "table one", "--parallel 4").i.tolist() == [1]
    assert frame(cells, "table one", "--parallel 4 --split i").i.tolist() == [1]
    assert frame(cells, "select null::int as i from one", "--parallel 4 --split i").i.isna().tolist() == [True]
    assert frame(cells, "select from t", "--parallel 3").shape == (5000, 0)


@pytest.mark.parametrize("format_", ["arrow", "polars", "rows", "pandas --exact"])
def test_every_format(cells, format_):
    plain, found = (frame(cells, "table t", f"--format {format_} {more}") for more in ("", "--parallel 3"))
    assert plain.equals(found) if hasattr(plain, "equals") else plain == found
    assert type(plain) is type(found)


def test_partitions_and_children_are_read_as_one_table(cells):
    cells.run(
        "%%sql\ncreate table p (i int, s text) partition by range (i); create table no_rows partition of p for values from (0) to (1);"
        "create table few_rows partition of p for values from (1) to (50); create table many_rows partition of p for values from (50) to (90000);"
        "insert into p select i, md5(i::text) from generate_series(1, 20000) i;"
        "create table mother as select i, 'm' as s from generate_series(1, 1000) i; create table child () inherits (mother);"
        "insert into child select i, 'c' from generate_series(1001, 9000) i"
    )
    for sql in ("table p", "select * from mother", "select * from only mother", "select * from p where i < 60"):
        same(frame(cells, sql), frame(cells, sql, "--parallel 4"))


def test_duplicate_names_and_quoted_ones(cells):
    sql = 'select i as "I d", i, i from t'
    found = frame(cells, sql, '--parallel 2 --split "I d"')
    pd.testing.assert_frame_equal(frame(cells, sql), found)
    assert "2 columns" in refused(cells, sql, "--parallel 2 --split i").message


# -- one snapshot -----------------------------------------------------------------------------------------------------


def test_every_part_sees_the_same_moment(cells, database):
    sql = "select i, few, pg_advisory_lock_shared(7) is null as held from t"
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("select pg_advisory_lock(7)")

        def meddle():
            wait_until(lambda: active(database, "pg_advisory_lock_shared") == 3)
            other.execute("delete from t where i % 2 = 0")
            other.execute("update t set few = 99")
            other.execute("insert into t (i) select generate_series(5001, 9000)")
            other.execute("select pg_advisory_unlock(7)")

        thread = threading.Thread(target=meddle)
        thread.start()
        found = frame(cells, sql, "--parallel 3")
        thread.join()
    assert found.i.tolist() == list(range(1, 5001))
    assert found.few.max() == 6
    assert len(frame(cells, "table t", "--parallel 3")) == 6500


@pytest.mark.parametrize("options", ["--parallel 4", "--parallel 4 --split i"])
def test_parts_that_begin_later_see_the_same_moment(cells, database, monkeypatch, options):
    divided = parallel.ParallelDelivery._divided

    def and_then_others_write(*arguments):
        snapshot = divided(*arguments)
        with psycopg.connect(database) as other:
            other.execute("delete from t where i % 2 = 0")
            other.execute("update t set few = 99")
            other.execute("insert into t (i) select generate_series(5001, 9000)")
        return snapshot

    plain = frame(cells, "table t")
    monkeypatch.setattr(parallel.ParallelDelivery, "_divided", and_then_others_write)
    same(plain, frame(cells, "table t", options))
    monkeypatch.undo()
    assert len(frame(cells, "table t", options)) == 6500


def test_a_partition_that_is_attached_meanwhile_is_an_error(cells, database):
    cells.run(
        "%%sql\ncreate table p (i int, k int) partition by list (k); create table first partition of p for values in (1);"
        "create table late as select i, 2 as k from generate_series(1, 400) i; insert into p select i, 1 from generate_series(1, 900) i"
    )
    assert len(frame(cells, "table p", "--parallel 2")) == 900
    read = parallel.ParallelDelivery._read
    attached = threading.Event()

    def attach_before_one_reads(delivery, member, part, whole):
        if member.number == 1:
            attached.wait(10)
        read(delivery, member, part, whole)
        if member.number == 0:
            with psycopg.connect(database, autocommit=True) as other:
                other.execute("alter table p attach partition late for values in (2)")
            attached.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel.ParallelDelivery, "_read", attach_before_one_reads)
        error = refused(cells, "table p")
    assert "got or lost a partition" in error.message
    assert len(frame(cells, "table p", "--parallel 2")) == 1300


def test_the_tables_are_locked_before_the_snapshot_is_taken(cells, database, monkeypatch):
    tried = []
    divided = parallel.ParallelDelivery._divided

    def look(*arguments):
        with psycopg.connect(database) as other:
            try:
                other.execute("lock table t in access exclusive mode nowait")
            except psycopg.errors.LockNotAvailable:
                tried.append("locked")
        return divided(*arguments)

    monkeypatch.setattr(parallel.ParallelDelivery, "_divided", look)
    frame(cells, "table t", "--parallel 2")
    frame(cells, "select i from t group by i", "--parallel 2 --split i")
    assert tried == ["locked", "locked"]


def test_whoever_waits_to_change_a_table_is_not_waited_for(cells, database, monkeypatch):
    divided = parallel.ParallelDelivery._divided
    monkeypatch.setattr(parallel, "_LOCK_TIMEOUT", "100ms")
    with psycopg.connect(database, autocommit=True) as other:
        alter = threading.Thread(target=lambda: other.execute("alter table t add late int"))

        def queue_up(*arguments):
            alter.start()
            wait_until(lambda: ask(database, "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"))
            return divided(*arguments)

        monkeypatch.setattr(parallel.ParallelDelivery, "_divided", queue_up)
        error = refused(cells, "table t")
        assert error.sqlstate == "55P03"
        assert "waits to change a table" in error.advice
        alter.join()
    monkeypatch.undo()
    assert "late" in frame(cells, "table t", "--parallel 2")


def test_a_query_that_gives_others_each_time_is_an_error(cells):
    cells.run(
        "%%sql\ncreate function liar() returns setof int stable language plpgsql as $$ begin return query select * from "
        "generate_series(1, case when current_query() like '%tusk_shares%' then 10 else 7 end); end $$"
    )
    error = refused(cells, "select i from liar() i", "--parallel 2 --split i")
    assert "10 rows at once and 7 in parts" in error.message
    cells.run("%%sql\ncreate function mine() returns int language sql as 'select 1'")
    for call in ("random()", "mine()", '"mine" ()'):
        error = refused(cells, f"select i, {call} as r from t", "--parallel 2 --split i")
        assert "may give something else each time" in error.message
        assert len(frame(cells, f"select i, {call} as r from t", "--parallel 2")) == 5000


def test_now_is_noted(cells):
    reply = cells.run("%%sql --parallel 2\nselect i, now() as n from t")
    assert "now: another moment in each part" in reply.displayed[-1]


# -- the session's settings, and the session --------------------------------------------------------------------------


def test_the_sessions_settings_hold_in_the_parts(cells):
    settings = ["TimeZone", "DateStyle", "search_path", "work_mem", "extra_float_digits", "app.tenant", "role", "app.other", "statement_timeout", "lock_timeout"]
    cells.run(
        "%%sql\nset timezone = 'Asia/Tokyo'; set datestyle = 'German'; create schema \"Mine, too\"; create role reader;"
        'create table "Mine, too".t2 as table t; grant usage on schema "Mine, too" to reader; grant select on "Mine, too".t2 to reader;'
        "set search_path = \"Mine, too\", public; set work_mem = '5MB'; set extra_float_digits = 0;"
        "set App.Tenant = '\u00fc 7'; select set_config('app.other', '8', false); set statement_timeout = '55s'; set role reader"
    )
    columns = ", ".join(f"current_setting('{name}') as \"{name}\"" for name in settings)
    sql = f"select {columns}, current_user as u, i from t2"
    try:
        plain = frame(cells, sql)
        pd.testing.assert_frame_equal(plain, frame(cells, sql, "--parallel 2"))
        pd.testing.assert_frame_equal(plain, frame(cells, sql, "--parallel 2 --split i"))
        assert plain["role"][0] == "reader"
        assert plain["app.tenant"][0] == "ü 7"
    finally:
        cells.run("%%sql\nreset role; reset search_path; drop owned by reader; drop role reader")


def test_what_the_role_or_the_database_got_after_the_session_began_is_not_in_force(cells, connection, database):
    name = database.rpartition("dbname=")[2]
    sql = "select w, i, current_setting('work_mem') as m, current_setting('DateStyle') as d from q"
    cells.run(
        "%%sql\ncreate schema other; create table q as select 'public' as w, i from generate_series(1, 500) i;"
        "create table other.q as select 'other' as w, i from generate_series(1, 500) i"
    )
    plain = frame(cells, sql)
    cells.run(f"%%sql\nalter database {name} set search_path = other, public; alter database {name} set work_mem = '9MB'")
    try:
        with connection.pool.borrow() as conn:
            assert conn.execute("select w from q limit 1").fetchone() == ("other",)
        pd.testing.assert_frame_equal(plain, frame(cells, sql, "--parallel 2"))
        pd.testing.assert_frame_equal(plain, frame(cells, sql, "--parallel 2 --split i"))
        with psycopg.connect(database, autocommit=True) as other:  # the session that does it has it, and empty
            other.execute(f"alter database {name} set app.late = 'x'")
        assert "'app.late' was set for the role or the database" in refused(cells, sql).message
    finally:
        cells.run(f"%%sql\nalter database {name} reset all")


def test_what_only_a_superuser_may_set_is_left_as_it_is(cells, database, server):
    name = database.rpartition("dbname=")[2]
    sql = "select current_setting('work_mem') as m, i from t"
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("create role plain login; grant select on t to plain")
        try:
            plain = tusk_jupyter.connect(database.replace(f"user={server.user}", "user=plain"), name="plain")
            found = frame(cells, f"select current_user as u, x.* from ({sql}) x")
            assert found.u[0] == "plain"
            other.execute(f"alter database {name} set log_min_duration_statement = '1h'")
            other.execute(f"alter database {name} set work_mem = '9MB'")
            pd.testing.assert_frame_equal(found[["m", "i"]], frame(cells, sql, "--parallel 2"))
            plain.close()
        finally:
            other.execute(f"alter database {name} reset all; drop owned by plain")
            other.execute("drop role plain")


def test_set_role_none_takes_back_a_role_that_a_connection_begins_with(cells, database):
    name = database.rpartition("dbname=")[2]
    sql = "select i, current_user as u, current_setting('role') as r, current_setting('log_min_duration_statement') as l from t"
    cells.run(
        f"%%sql\ncreate role reader; grant select on t to reader; alter database {name} set role = reader;"
        "set role none; set log_min_duration_statement = '1h'"
    )
    try:
        plain = frame(cells, sql)
        assert plain.r[0] == "none"
        pd.testing.assert_frame_equal(plain, frame(cells, sql, "--parallel 2"))
    finally:
        cells.run(f"%%sql\nalter database {name} reset all; drop owned by reader; drop role reader")


def test_settings_with_a_dot_whatever_way_they_are_made(cells):
    sql = "select i, current_setting('app.x.y') as x, current_setting('app.upper') as u from t"
    cells.run("%%sql\nset app.x.y = 'q'; SELECT SET_CONFIG('App.Upper', '8', false)")
    pd.testing.assert_frame_equal(frame(cells, sql), frame(cells, sql, "--parallel 2"))
    cells.ns["name"] = "app.other"
    cells.run("%%sql\nselect set_config(:name, '1', false)")
    error = refused(cells, sql)
    assert "a setting whose name only the server has seen" in error.message
    assert "Connect again" in error.advice


def test_functions_of_the_same_names_are_not_called_instead(cells, monkeypatch):
    functions = [
        "random() returns float8", "set_config(text, text, boolean) returns text", "current_setting(text) returns text",
        "current_setting(text, boolean) returns text", "json_each_text(json, out key text, out value text) returns setof record",
        "json_array_elements_text(json) returns setof text", "encode(bytea, text) returns text", "convert_to(text, name) returns bytea",
        "lower(text) returns text", "split_part(text, text, int) returns text", "to_regclass(text) returns regclass",
    ]  # fmt: skip
    body = "language plpgsql as $$ begin raise 'the wrong one'; end $$"
    cells.run("%%sql\nanalyze t; create schema mine; " + "; ".join(f"create function mine.{f} {body}" for f in functions))
    cells.run(f"%%sql\ncreate function mine.later(float8, int) returns float8 {body};"
              "create aggregate mine.count(int) (sfunc = mine.later, stype = float8, initcond = '0');"
              "set search_path = mine, pg_catalog, public; set app.x = '1'")  # fmt: skip
    monkeypatch.setattr(partition, "SAMPLE", 100)
    for options in ("--parallel 2", "--parallel 2 --split i"):
        same(frame(cells, "table t"), frame(cells, "table t", options))


def test_the_sessions_of_the_parts_are_told_apart(cells, monkeypatch):
    names = []
    read = parallel.ParallelDelivery._read

    def note(delivery, member, *arguments):
        names.append(member.session.name)
        read(delivery, member, *arguments)

    monkeypatch.setattr(parallel.ParallelDelivery, "_read", note)
    frame(cells, "table t", "--parallel 3")
    assert sorted(names) == ["db part 1", "db part 2", "db part 3"]


def test_row_security_by_role_and_by_setting(cells):
    cells.run(
        "%%sql\nalter table t enable row level security; create role tenant; grant select on t to tenant;"
        "create policy p on t to tenant using (few = current_setting('app.few', true)::int); set role tenant; set app.few = 4"
    )
    try:
        assert set(frame(cells, "table t", "--parallel 2").few) == {4}
        assert set(frame(cells, "table t", "--parallel 2 --split i").few) == {4}
    finally:
        cells.run("%%sql\nreset role; drop owned by tenant; drop role tenant")


def test_another_client_encoding(cells):
    cells.run("%%sql\ncreate table \"läut\" as select i, 'ä' || i as \"ü\" from generate_series(1, 500) i; set client_encoding = 'LATIN1'")
    for options in ("--parallel 2", "--parallel 2 --split ü"):
        same(frame(cells, "select * from läut where ü <> 'ö'"), frame(cells, "select * from läut where ü <> 'ö'", options))


def test_the_pools_connections_come_back_clean_and_the_session_is_as_it_was(cells, connection, database):
    cells.run("%%sql\nset timezone = 'Asia/Tokyo'; create temp table mine (x int); set app.tenant = '7'")
    before = frame(cells, "select pg_backend_pid() as p, pg_current_xact_id_if_assigned()::text as x")
    frame(cells, "table t", "--parallel 4")
    wait_until(lambda: connection.pool.status().available == 4)
    first = backends(database)
    assert len(first) == 5
    assert quiet(database)
    with connection.pool.borrow() as conn:
        zone, tenant, read_only = conn.execute(
            "select current_setting('TimeZone'), current_setting('app.tenant', true), current_setting('transaction_read_only')"
        ).fetchone()
        assert zone != "Asia/Tokyo"
        assert not tenant
        assert read_only == "off"
        assert conn.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)
    frame(cells, "table t", "--parallel 4 --split i")
    assert backends(database) == first
    pd.testing.assert_frame_equal(before, frame(cells, "select pg_backend_pid() as p, pg_current_xact_id_if_assigned()::text as x"))
    assert frame(cells, "select current_setting('TimeZone') as z, count(*) as n from mine").iloc[0].tolist() == ["Asia/Tokyo", 0]


def test_a_read_only_connection(shell, tusk, database, server):
    if server.version < 14:
        pytest.skip("tables are read by ranges of pages since PostgreSQL 14")
    with psycopg.connect(database) as conn:
        conn.execute("create table t as select generate_series(1, 3000) i")
    shell.run(f"%tusk_connect {database} --name safe --read-only")
    assert len(frame(shell, "table t", "--parallel 2")) == 3000
    assert len(frame(shell, "table t", "--parallel 2 --split i")) == 3000


def test_one_row_of_history_one_event_one_line(cells, tusk):
    seen = []
    tusk.events.subscribe(seen.append)
    reply = cells.run("%%sql --parallel 3\ntable t")
    line = reply.displayed[-1].splitlines()[0]
    assert line.startswith("SELECT 5000 · 3 parts · ")
    cells.run("%%sql --parallel 2 out <<\nselect i from t")
    assert "2 parts · assigned to out" in cells.run("%%sql --parallel 2 out <<\nselect i from t").displayed[-1]
    wait_until(lambda: sum(getattr(event, "status", "") == "completed" for event in seen) == 3)
    history = cells.run("%tusk history --limit 3").value
    assert history.count("table t") == 1
    done = [event for event in seen if getattr(event, "status", "") == "completed"]
    assert done[0].rows_fetched == 5000


# -- what is refused --------------------------------------------------------------------------------------------------


def test_an_open_transaction_is_refused(cells):
    cells.run("%%sql\nbegin; insert into t (i) values (0)")
    error = refused(cells, "table t")
    assert isinstance(error, InvalidInput)
    assert "open transaction" in error.message
    assert len(frame(cells, "table t")) == 5001
    cells.run("%sql rollback")
    assert len(frame(cells, "table t", "--parallel 2")) == 5000


def test_a_name_of_a_temp_relation_is_refused(cells):
    cells.run('%%sql\ncreate temp table t as select 1 as i; create temp view "V w" as select 2 as i; create temp table other (a int)')
    for sql in ("table t", "select * from T", 'select * from "V w"', "select 1 as i from pg_temp.unknown", "select i from public.t"):
        error = refused(cells, sql, "--parallel 2 --split i")
        assert "may be a temp table" in error.message, sql
    cells.run("%%sql\ndrop table t")
    assert len(frame(cells, "table t", "--parallel 2")) == 5000


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select * from v", "v is a view"),
        ("select count(*) from t", "'Aggregate'"),
        ("select t.count from t", "'Aggregate'"),
        ("select distinct few from t", "Aggregate"),
        ("select max(i) from u", "'Result'"),
        ("select row_number() over () from t", "'WindowAgg'"),
        ("select i from u where i = 3", "through an index"),
        ("select t.i from t, u", "not SELECT … FROM one table"),
        ("select 1", "not SELECT … FROM one table"),
    ],
)
def test_what_has_no_pages_of_its_own_asks_for_a_column(cells, sql, reason):
    cells.run("%%sql\ncreate view v as table t; create table u as select i from t; create index on u (i); analyze u")
    error = refused(cells, sql)
    assert isinstance(error, InvalidInput)
    assert reason in error.message
    assert "--split COLUMN" in error.advice


@pytest.mark.parametrize(
    ("options", "sql", "reason"),
    [
        ("--parallel 2", "select * from t order by i", "ORDER BY"),
        ("--parallel 2", "select * from t limit 5", "LIMIT"),
        ("--parallel 2", "delete from t", "only reads"),
        ("--parallel 2", "table t; table t", "one statement"),
        ("--parallel 5", "table t", "the pool has 4"),
        ("--parallel 1", "table t", "two parts"),
        ("--parallel 2 --limit 5", "table t", "--limit"),
        ("--split i", "table t", "nothing divides it"),
        ("--parallel 2 --to out.parquet", "table t", "a file for each part"),
        ("--parallel 2 --split nope", "table t", "no such column"),
        ("--parallel 2 --split a", "table t", "not divided into ranges"),
    ],
)
def test_refused(cells, database, options, sql, reason):
    error = refused(cells, sql, options)
    assert isinstance(error, InvalidInput)
    assert reason in error.message
    assert "Nothing was run" in error.advice
    wait_until(lambda: quiet(database))
    assert len(frame(cells, "table t")) == 5000


def test_what_is_refused_costs_no_connection(cells, connection, database):
    refused(cells, "select count(*) from t")
    wait_until(lambda: connection.pool.status().available == 2)
    before = backends(database)
    refused(cells, "select count(*) from t")
    refused(cells, "select nope from t")
    wait_until(lambda: connection.pool.status().available == 2)
    assert backends(database) == before
    assert quiet(database)


def test_the_preference_limit_is_refused(cells):
    cells.run("%config Tusk.limit = 10")
    assert "preference limit = 10" in refused(cells, "table t").message


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", ["--parallel 2", "--parallel 2 --split i"])
def test_an_error_of_the_text_stands_where_it_was_typed(cells, options):
    error = refused(cells, "select i,\n  nope from t", options)
    assert isinstance(error, QueryFailed)
    assert error.place.text[error.place.offset :].startswith("nope from t")


@pytest.mark.parametrize("options", ["--parallel 4", "--parallel 4 --split i"])
def test_an_error_in_one_part_stops_the_others(cells, database, options):
    cells.run("%%sql\ncreate function nap(i int) returns int stable language sql as 'select 1 from pg_sleep(60 + i)'")
    sql = "select i, case when i = 1 then 1 / (i - 1) when i > 1000 then nap(i) end as x from t"
    before = backends(database)
    error = refused(cells, sql, options)
    assert error.sqlstate == "22012"
    wait_until(lambda: not active(database, "nap"))
    wait_until(lambda: quiet(database))
    assert before <= backends(database)
    same(frame(cells, "table t"), frame(cells, "table t", "--parallel 4"))


def test_a_connection_that_is_lost(cells, database, connection):
    pid = connection.live_session.backend_pid

    def kill():
        wait_until(lambda: active(database, "pg_sleep(60)") == 3)
        terminate(database, running(database, "pg_sleep(60)"))

    thread = threading.Thread(target=kill)
    thread.start()
    error = refused(cells, "select i, pg_sleep(60) from t", "--parallel 3")
    thread.join()
    assert isinstance(error, ConnectionLost)
    assert "This session is as it was" in error.advice
    assert connection.live_session.backend_pid == pid
    wait_until(lambda: not active(database, "pg_sleep(60)"))
    assert len(frame(cells, "table t", "--parallel 3")) == 5000


def test_a_function_that_writes_is_told_why_it_cannot(cells):
    cells.run("%%sql\ncreate sequence numbers")
    error = refused(cells, "select i, nextval('numbers') from t")
    assert error.sqlstate == "25006"
    assert "--parallel" in error.advice


@pytest.mark.parametrize("options", ["--parallel 3", "--parallel 3 --split i"])
def test_memory_is_watched_over_all_parts(cells, options):
    cells.run("%%sql\ncreate table wide as select i, repeat(md5(i::text), 30) as x from generate_series(1, 9000) i")
    cells.run("%tusk set memory_limit_mb 6")
    error = refused(cells, "table wide", options)
    assert isinstance(error, QueryCancelled)
    assert "memory_limit_mb = 6" in error.message
    cells.run("%tusk set memory_limit_mb 20")
    assert len(frame(cells, "table wide", options)) == 9000


def test_what_is_free_bounds_the_sum(cells, monkeypatch):
    monkeypatch.setattr(memory, "LOOK_EVERY", 0)
    monkeypatch.setattr(memory, "available", lambda: memory.RESERVE)
    assert "memory that is free" in refused(cells, "table t", "--parallel 3").message


# -- stopped ----------------------------------------------------------------------------------------------------------


@contextmanager
def meanwhile(what):
    failed = []

    def run():
        try:
            what()
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()
    assert not failed, failed


def test_a_cancel_stops_all_parts_and_keeps_the_session(cells, tusk, database, connection):
    pid, seen = connection.live_session.backend_pid, set()

    def cancel():
        wait_until(lambda: active(database, "pg_sleep(60)") == 4)
        seen.update(backends(database))
        assert tusk.queries.cancel_all() == 1

    with meanwhile(cancel):
        error = refused(cells, "select i, pg_sleep(60) from t", "--parallel 4")
    assert isinstance(error, QueryCancelled)
    assert "cancelled after" in error.message
    wait_until(lambda: not active(database, "pg_sleep(60)"))
    # those that were cancelled are thrown away
    wait_until(lambda: backends(database) & seen == {pid})
    assert connection.live_session.backend_pid == pid
    assert len(frame(cells, "table t", "--parallel 4")) == 5000
    wait_until(lambda: quiet(database))


def test_connections_that_were_given_back_are_not_given_up(cells, connection, monkeypatch):
    deliveries = []
    run = parallel.ParallelDelivery.run
    monkeypatch.setattr(parallel.ParallelDelivery, "run", lambda delivery: (deliveries.append(delivery), run(delivery))[1])
    frame(cells, "table t", "--parallel 2")
    wait_until(lambda: connection.pool.status().available == 2)
    with connection.pool.borrow() as one, connection.pool.borrow() as other:
        assert "This session is as it was" in deliveries[0].give_up(5.0).advice
        assert [conn.execute("select 1").fetchone() for conn in (one, other)] == [(1,), (1,)]
    assert len(frame(cells, "table t", "--parallel 2")) == 5000


def test_a_cancel_is_ours_however_early_its_answer_comes(cells, tusk, database, monkeypatch):
    stop, ended = team.Team.stop, threading.Event()

    def stop_and_stay(of):
        sent = stop(of)
        if threading.current_thread().name == "tusk-cancel":
            ended.wait(10)
        return sent

    monkeypatch.setattr(team.Team, "stop", stop_and_stay)

    def cancel():
        wait_until(lambda: active(database, "pg_sleep(60)") == 2)
        tusk.queries.cancel_all()

    with meanwhile(cancel):
        error = refused(cells, "select i, pg_sleep(60) from t")
    ended.set()
    assert "cancelled after" in error.message
    assert "Somebody else" not in (error.advice or "")


def test_a_connection_that_is_closed_stops_all_parts(cells, database, connection):
    def close():
        try:
            wait_until(lambda: active(database, "pg_sleep(60)") == 3)
            connection.close()
            wait_until(lambda: not active(database, "pg_sleep(60)"), otherwise="the parts run on")
        finally:
            while pid := running(database, "pg_sleep(60)"):
                terminate(database, pid)

    with meanwhile(close):
        error = refused(cells, "select i, pg_sleep(60) from t", "--parallel 3")
    assert isinstance(error, QueryCancelled)


def test_a_connection_that_is_closed_before_the_parts_begin(cells, connection):
    def close():
        wait_until(lambda: connection.pool.status().waiting)
        connection.live_session.close()

    with connection.pool.borrow(), meanwhile(close):
        assert isinstance(refused(cells, "table t", "--parallel 4"), QueryCancelled)


def test_a_cancel_while_the_shares_are_counted(cells, tusk, database):
    cells.run("%%sql\ncreate function nap(i int) returns int stable language sql as 'select 1 from pg_sleep(60 + i)'")

    def cancel():
        wait_until(lambda: active(database, "tusk_shares"))
        tusk.queries.cancel_all()

    with meanwhile(cancel):
        error = refused(cells, "select i from t where case when i > 0 then nap(i) end = 1", "--parallel 2 --split i")
    assert isinstance(error, QueryCancelled)
    wait_until(lambda: not active(database, "nap"))


def test_a_cancel_while_a_lock_is_waited_for(cells, tusk, database):
    with psycopg.connect(database) as other:
        other.execute("lock table t in access exclusive mode")

        def cancel():
            wait_until(lambda: active(database, "explain"))
            tusk.queries.cancel_all()

        with meanwhile(cancel):
            assert isinstance(refused(cells, "table t"), QueryCancelled)


def test_a_cancel_while_the_pool_is_waited_for(cells, tusk, connection):
    with connection.pool.borrow():

        def cancel():
            wait_until(lambda: connection.pool.status().waiting)
            tusk.queries.cancel_all()

        with meanwhile(cancel):
            assert isinstance(refused(cells, "table t", "--parallel 4"), QueryCancelled)
    wait_until(lambda: connection.pool.status().available)
    assert len(frame(cells, "table t", "--parallel 4")) == 5000


def test_a_pool_that_has_not_as_many_in_time(cells, tusk, connection):
    connection.pool.timeout_s = 0.2
    with connection.pool.borrow():
        error = refused(cells, "table t", "--parallel 4")
    assert isinstance(error, PoolTimeout)
    assert "within 0.2 s" in error.message


def test_a_time_out_of_either_side(cells, database):
    sql = "select i, pg_sleep(60) from t"
    error = refused(cells, sql, "--parallel 3 --timeout 500ms")
    assert isinstance(error, QueryTimeout)
    assert "--timeout" in error.message
    wait_until(lambda: not active(database, "pg_sleep(60)"))
    cells.run("%sql set statement_timeout = '300ms'")
    error = refused(cells, sql, "--parallel 3")
    assert isinstance(error, QueryTimeout)
    assert (error.setting, error.duration_s) == ("statement_timeout", 0.3)
    wait_until(lambda: quiet(database))


def test_connections_that_do_not_answer_are_left(shell, tusk, proxy, database, monkeypatch):
    from tusk_jupyter.queries import execution

    monkeypatch.setattr(execution, "GIVE_UP_S", 0.5)
    name = database.rpartition("dbname=")[2]
    with psycopg.connect(database) as conn:
        conn.execute("create table t as select generate_series(1, 3000) i")
    shell.run(f"%tusk_connect {proxy.conninfo(name)} --name slow")
    assert len(frame(shell, "table t", "--parallel 2")) == 3000

    def cancel():
        wait_until(lambda: active(database, "pg_sleep(60)") == 2)
        proxy.freeze()
        tusk.queries.cancel_all()

    with meanwhile(cancel):
        error = refused(shell, "select i, pg_sleep(60) from t")
    assert "given up" in error.message
    assert "as pids" in error.advice
    proxy.thaw()
    assert len(frame(shell, "table t")) == 3000
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(60)%' and pid <> pg_backend_pid()")
