"""A read-only connection: what is held back, by whom, what is undone, and what no client can close.

The classes are those of queries/read_only.py. Each attempt is made as a cell would make it, and judged by what another
connection sees afterwards.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

import tusk_jupyter
from tests.waiting import running, wait_until
from tusk_jupyter.errors import InvalidInput, QueryCancelled, QueryFailed, QueryTimeout
from tusk_jupyter.queries.binding import Bound
from tusk_jupyter.queries.delivery import Options
from tusk_jupyter.queries.endings import Source
from tusk_jupyter.queries.execution import Execution
from tusk_jupyter.queries.split import split
from tusk_jupyter.results.options import FrameOptions

SETUP = """
create table kept as select 1 as a;
create index kept_a on kept (a);
create sequence numbers;
create view seen as select * from kept;
create materialized view stored as select * from kept;
create function writes() returns int language sql as 'insert into kept values (2) returning a';
create function into_kept() returns trigger language plpgsql as
  'begin insert into kept values (new.a); return new; end';
create trigger instead_of instead of insert on seen for each row execute function into_kept();
create function turns_off() returns int language plpgsql security definer as
  'begin perform set_config(''transaction_read_only'', ''off'', true); insert into kept values (5); return 1; end';
create function resets() returns int language plpgsql as
  'begin reset transaction_read_only; insert into kept values (5); return 1; end';
create procedure commits() language plpgsql as
  'begin commit; set transaction read write; insert into kept values (3); end';
create procedure rolls_back() language plpgsql as
  'begin rollback; set transaction read write; insert into kept values (3); end';
create procedure chains() language plpgsql as
  'begin commit and chain; insert into kept values (3); end';
create procedure off_for_good() language plpgsql as
  'begin perform set_config(''default_transaction_read_only'', ''off'', false); commit; insert into kept values (6); end'
"""

# such a function cannot be made since 16
BEFORE_16 = """
create function turned_off() returns int language plpgsql security definer set transaction_read_only = off as
  'begin insert into kept values (5); return 1; end';
"""


@pytest.fixture
def only(tusk, server, database):
    look(database, SETUP)
    if server.version < 16:
        look(database, BEFORE_16)
    return tusk_jupyter.connect(database, name="only", read_only=True)


def look(database, query, *values):
    """What another connection, which may write, sees."""
    with psycopg.connect(database, autocommit=True) as conn:
        cursor = conn.execute(query, values or None)
        return cursor.fetchall() if cursor.description else []


def rows(database):
    return [a for (a,) in look(database, "select a from kept order by a")]


@pytest.fixture
def still_read_only(only, database):
    """Whatever was tried: nothing was written, and the next statement cannot write either."""
    yield
    check(only, database)


def check(only, database):
    assert rows(database) == [1]
    # after a cancel the session gives what may still be under way something harmless to hit
    wait_until(lambda: only.live_session.transaction_status == "IDLE")
    with pytest.raises(QueryFailed) as caught:
        tusk_jupyter.sql("insert into kept values (9)")
    assert caught.value.sqlstate == "25006"
    assert rows(database) == [1]


WRITES = [
    "insert into kept values (2)",
    "with x as (insert into kept values (2) returning a) select * from x",
    "update kept set a = 2",
    "delete from kept",
    "merge into kept using (values (1)) v (b) on a = b when matched then delete",
    "insert into seen values (2)",
    "update pg_settings set setting = 'off' where name = 'transaction_read_only'",
    "explain analyze delete from kept",
    "explain (analyze, costs off) with x as (delete from kept returning a) select * from x",
    "select writes()",
    "select * from kept where a = (select writes())",
    "do $$ begin insert into kept values (2); end $$",
    "do $$ begin execute 'ins' || 'ert into kept values (2)'; end $$",
    "do $$ begin execute 'set default_transaction_read_only = off'; insert into kept values (3); end $$",
    "do $$ begin reset all; insert into kept values (3); end $$",
    "do $$ begin begin insert into kept values (3); exception when others then insert into kept values (4); end; end $$",
    "select nextval('numbers')",
    "select setval('numbers', 10)",
    "select * from kept for update",
    "select * from kept for share",
    "select * from kept for no key update",
    "create temp table t (a int)",
    "create table t as select 1 as a",
    "select 1 as a into t",
    "select 1 as a into temp t",
    "create function pg_temp.f() returns int language sql as 'select 1'",
    "create view v as select 1",
    "create role r",
    "create database other",
    "create extension dblink",
    "alter table kept add b int",
    "alter role tester set default_transaction_read_only = off",
    "alter database template1 set default_transaction_read_only = off",
    "drop table kept",
    "truncate kept",
    "comment on table kept is 'x'",
    "grant select on kept to public",
    "revoke all on kept from public",
    "reassign owned by tester to tester",
    "security label on table kept is null",
    "refresh materialized view stored",
    "copy kept from '/dev/null'",
    "copy kept from program 'echo 2'",
    "drop index concurrently kept_a",
    "create index concurrently on kept (a)",
    "create subscription s connection 'dbname=x' publication p",
]
TURNS_IT_OFF = [
    "call commits()",
    "call rolls_back()",
    "call chains()",
    "call off_for_good()",
    "do $$ begin commit; set transaction read write; insert into kept values (3); end $$",
    "do $$ begin rollback; insert into kept values (3); end $$",
    "do $$ begin commit and chain; end $$",
    "do $$ begin call commits(); end $$",
    "do $$ begin execute 'commit'; end $$",
    "do $$ begin set transaction read write; insert into kept values (3); end $$",
    "do $$ begin set transaction_read_only = off; insert into kept values (3); end $$",
    "do $$ begin perform set_config('transaction_read_only', 'off', true); insert into kept values (3); end $$",
    "do $$ begin perform set_config('transaction_read_only', 'off', false); insert into kept values (3); end $$",
    "do $$ begin execute 'set local transaction read write'; insert into kept values (3); end $$",
    "select turned_off()",
    "select turns_off()",
    "select set_config('transaction_read_only', 'off', true)",
    "select pg_catalog . /* */ set_config('transaction_read_only', 'off', true)",
    """select "set_config"('transaction_read_only', 'off', true)""",
    r"""select U&"\0073et_config"('transaction_read_only', 'off', false)""",
    "select set_config(name, 'off', true) from pg_settings where name = 'transaction_read_only'",
]
HAS_NO_TRANSACTION = [
    "vacuum kept",
    "vacuum (full, analyze) kept",
    "vacuum",
    "alter system set work_mem = '5MB'",
    "discard all",
]
BY_THE_SERVER = {
    "writes": (WRITES, {"25006"}),
    "turns it off": (TURNS_IT_OFF, {"25001", "2D000", "0A000"}),
    "has no transaction": (HAS_NO_TRANSACTION, {"25001"}),
}


def knows(server, statement):
    return server.version >= 15 if statement.startswith("merge") else server.version < 16 or "turned_off" not in statement


@pytest.mark.usefixtures("still_read_only")
@pytest.mark.parametrize("kind", BY_THE_SERVER)
def test_the_server_refuses(server, database, kind):
    statements, states = BY_THE_SERVER[kind]
    let_through = []
    for statement in statements:
        if not knows(server, statement):
            continue
        try:
            tusk_jupyter.sql(statement)
        except QueryFailed as error:
            if error.sqlstate in states and rows(database) == [1]:
                continue
        let_through.append(statement)
    assert let_through == []


CONTROL = [
    "begin", "begin read write", "BEGIN; ", "begin isolation level serializable read write", "start transaction",
    "start transaction read write", "commit", "commit work", "commit and chain", "commit transaction and no chain",
    "end", "end work and chain", "END TRANSACTION", "rollback", "rollback and chain", "rollback work and no chain",
    "abort", "abort transaction and chain", "/* a /* b */ c */ commit and chain", "-- a\n-- b\n commit", "--\rcommit",
    "\f\v\tcommit\n", "\ncommit/**/and/**/chain", "CoMmIt", ";;commit", "savepoint s", "release s",
    "release savepoint s", "rollback to s", "rollback work to savepoint s", "abort to s", "prepare transaction 'x'",
    "prepare/* */transaction 'x'", "commit prepared 'x'", "commit/**/prepared 'x'", "rollback prepared 'x'",
    "set transaction read write", "set local transaction read write", "set session transaction read write",
    "set transaction isolation level serializable", "set transaction snapshot '1'",
    "set transaction_read_only = off", "set transaction_read_only to default", 'set "transaction_read_only" = off',
    "SET LOCAL transaction_read_only = off", "set session transaction_read_only = off",
    "set/**/transaction_isolation = 'serializable'", "reset transaction_read_only", 'reset "transaction_read_only"',
]  # fmt: skip
VANISHES = [
    "listen c", "unlisten c", "unlisten *", "notify c", "notify c, 'x'", "analyze kept", "analyze", "cluster kept",
    "cluster kept using kept_a", "reindex table kept", "reindex index concurrently kept_a",
    "select set_config('default_transaction_read_only', 'off', false)",
    "select set_config('work_mem', '5MB', 1 = 1)", "select SET_CONFIG ( 'work_mem', '5MB', f) from (select false) x(f)",
    """select "set_config"('work_mem', '5MB', false)""", """select U&"set_config"('work_mem', '5MB', false)""",
    "select pg_catalog.set_config('work_mem', '5MB', false)",
    "with x as (select set_config('a.b', 'c', true), set_config('a.c', 'c', false)) select * from x",
]  # fmt: skip
VANISHES_ALONE = [
    "lock kept", "lock table kept in access exclusive mode", "declare c cursor for select 1",
    "declare c cursor with hold for select 1", "set local work_mem = '5MB'", "set constraints all immediate",
]  # fmt: skip


@pytest.mark.usefixtures("still_read_only")
@pytest.mark.parametrize("statements", [CONTROL, VANISHES, VANISHES_ALONE], ids=["control", "vanishes", "in a block"])
def test_we_refuse_before_anything_is_sent(only, database, statements):
    before = sent(only, database)
    for statement in statements:
        with pytest.raises(InvalidInput, match="this connection is read-only") as caught:
            tusk_jupyter.sql(f"{statement}; insert into kept values (9)")
        assert "Nothing was run" in caught.value.advice
    assert sent(only, database) == before


def sent(connection, database):
    """When the session's last statement began: another one makes it another moment."""
    return look(database, "select query_start from pg_stat_activity where pid = %s", connection.session().backend_pid)


def unchecked(connection, statement):
    """Run a statement past our refusals, as if the lexer had taken it for another."""
    [parsed] = split("select 1")
    bound = Bound(statement)
    execution = Execution(
        connection.session(), statement=parsed, bound=bound, source=Source("", statement),
        options=Options(FrameOptions(), read_only=True),
    )  # fmt: skip
    return execution.wait()


DECEIVING = [
    "commit; begin read write; insert into kept values (2); commit",
    "commit\\; insert into kept values (2)",
    "select 1; insert into kept values (2)",
    "; insert into kept values (2);",
    "copy kept from stdin",
    "copy (select a from generate_series(1, 5000) g (a)) to stdout",
]


@pytest.mark.usefixtures("still_read_only")
def test_the_protocol_holds_where_we_would_be_deceived(only, database):
    for statement in [s for s in CONTROL if not s.startswith("prepare")] + DECEIVING:
        # it may end its own read-only transaction; nothing runs in what it leaves
        unchecked(only, statement)
        assert only.live_session.transaction_status == "IDLE", statement
        assert unchecked(only, "insert into kept values (2)").error.sqlstate == "25006", statement
    assert rows(database) == [1]


def test_the_snapshot_comes_before_the_statement(only):
    # without one this would be granted, to whatever came next in the transaction
    assert unchecked(only, "set transaction read write").error.sqlstate == "25001"
    with tusk_jupyter.transaction():
        assert unchecked(only, "set transaction read write").error.sqlstate == "25001"


def test_it_takes_two_round_trips(only, database):
    """The statement goes with what protects it, in one message; the ROLLBACK is the other."""
    exchanges = []
    session = only.session()
    exchange = session._exchange

    def counted(*args, **kwargs):
        exchanges.append(args)
        return exchange(*args, **kwargs)

    session._exchange = counted
    tusk_jupyter.sql("select 1 as a")
    assert len(exchanges) == 2
    # rows of a large result come in binary: their columns are asked for, in the same pipeline
    tusk_jupyter.sql("select g from generate_series(1, 5000) g")
    exchanges.clear()
    assert len(tusk_jupyter.sql("select g from generate_series(1, 5000) g")) == 5000
    assert len(exchanges) == 2


def test_a_statement_that_ends_its_own_transaction_is_said_to(only, database):
    outcome = unchecked(only, "commit")
    assert "the statement ended the read-only transaction by itself" in outcome.result.notes
    assert only.live_session.transaction_status == "IDLE"
    outcome = unchecked(only, "commit and chain")
    assert outcome.error is None
    # in the chained one, which took no snapshot, something could have been set
    assert only.live_session.transaction_status == "IDLE"
    assert rows(database) == [1]


KEPT_BY_THE_SESSION = [
    "set default_transaction_read_only = off",
    "set session default_transaction_read_only to default",
    "reset default_transaction_read_only",
    "reset all",
    "set session characteristics as transaction read write",
    "set session_replication_role = replica",
    "prepare p as insert into kept values (2)",
    "discard plans",
    "load 'plpgsql'",
    "set role pg_monitor",
    "set session authorization secretive",
]


@pytest.mark.usefixtures("still_read_only")
def test_what_the_session_keeps_opens_no_door(database):
    look(database, "grant all on kept to public")
    for setting in KEPT_BY_THE_SESSION:
        tusk_jupyter.sql(setting)
        for statement in ("insert into kept values (2)", "execute p"):
            with pytest.raises(QueryFailed) as caught:
                tusk_jupyter.sql(statement)
            assert caught.value.sqlstate == "25006" or "does not exist" in caught.value.message, (setting, statement)
    assert tusk_jupyter.sql("select session_user").iat[0, 0] == "secretive"


# what a read-only transaction lets through, and a query of another connection that would see it
UNDONE = {
    "select pg_notify('c', 'x')": None,
    "select lo_create(4711)": "select 1 from pg_largeobject_metadata",
    "select lo_from_bytea(4711, 'x')": "select 1 from pg_largeobject_metadata",
    "select lo_put(lo_create(4711), 0, 'x')": "select 1 from pg_largeobject",
    "select resets()": "select 1 from kept where a = 5",
    "do $$ begin reset transaction_read_only; drop function writes(); end $$": None,
    "do $$ begin set transaction_read_only to default; create table t (); end $$": "select 1 where to_regclass('t') > 0",
    "explain analyze create table t as select 1": "select 1 where to_regclass('t') is not null",
    "select pg_replication_origin_create('x')": "select 1 from pg_replication_origin",
    "do $$ begin execute 'analyze kept'; end $$": "select 1 from pg_stats where tablename = 'kept'",
    "do $$ begin lock table kept; end $$": "select 1 from pg_locks l join pg_class c on c.oid = relation "
    "where relname = 'kept' and pid <> pg_backend_pid()",
    "select pg_advisory_xact_lock(4711)": "select 1 from pg_locks where locktype = 'advisory' and objid = 4711",
    "do $$ begin listen tusk_c; end $$": None,
}


@pytest.mark.usefixtures("still_read_only")
def test_the_rollback_undoes(database, server):
    heard = []
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("listen c")
        other.add_notify_handler(heard.append)
        for statement, seen in UNDONE.items():
            try:
                tusk_jupyter.sql(statement)
            except QueryFailed as refused:
                # what 15 lets through, later versions may refuse
                assert server.version >= 16, (statement, refused)  # noqa: PT017
            assert other.execute(seen or "select 1 limit 0").fetchall() == [], statement
    assert heard == []
    assert look(database, "select to_regprocedure('writes()') is not null") == [(True,)]
    assert tusk_jupyter.sql("select count(*) from pg_listening_channels()").iat[0, 0] == 0


def test_a_setting_by_another_name_is_taken_back(only):
    tusk_jupyter.sql(r"""select U&"\0073et_config"('work_mem', '5MB', false)""")
    tusk_jupyter.sql("do $$ begin perform set_config('work_mem', '5MB', false); end $$")
    assert tusk_jupyter.sql("show work_mem").iat[0, 0] != "5MB"


def test_a_cursor_is_gone_with_its_transaction(only):
    tusk_jupyter.sql("do $$ declare c refcursor := 'left'; begin open c for select 1; end $$")
    with pytest.raises(QueryFailed) as caught:
        tusk_jupyter.sql("fetch all from left")
    assert caught.value.sqlstate in {"34000", "42601"}


def test_reading_and_settings_work_as_ever(only):
    assert tusk_jupyter.sql("select a from kept")["a"].tolist() == [1]
    tusk_jupyter.sql("set work_mem = '7MB'")
    assert tusk_jupyter.sql("show work_mem").iat[0, 0] == "7MB"
    assert tusk_jupyter.sql("select a from kept where a = :a", a=1)["a"].tolist() == [1]
    assert tusk_jupyter.sql("select set_config('a.tenant', '7', true), current_setting('work_mem')").iat[0, 0] == "7"
    assert tusk_jupyter.sql("select set_config from (values (1)) v (set_config)").iat[0, 0] == 1
    assert "actual time" in tusk_jupyter.sql("explain analyze select * from kept").iat[0, 0]
    assert tusk_jupyter.sql("show default_transaction_read_only").iat[0, 0] == "on"


def test_an_advisory_lock_of_the_session_stays(only, database):
    tusk_jupyter.sql("select pg_advisory_lock(4711)")
    held = "select count(*) from pg_locks where locktype = 'advisory' and objid = 4711 and granted"
    assert look(database, held) == [(1,)]
    tusk_jupyter.sql("select pg_advisory_unlock(4711)")
    assert look(database, held) == [(0,)]


# -- blocks, and the other ways in ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("still_read_only")
def test_what_protects_is_no_statement_of_the_users(only):
    with tusk_jupyter.transaction():
        tusk_jupyter.sql("select a from kept")
        tusk_jupyter.sql("select a from kept")
        assert only.live_session.transaction.statements == 2


def test_a_block_is_one_read_only_transaction(only, database):
    with tusk_jupyter.transaction():
        assert tusk_jupyter.sql("select count(*) from kept").iat[0, 0] == 1
        look(database, "insert into kept values (100)")
        look(database, "delete from kept where a = 1")
        # one snapshot for all of it is what PostgreSQL gives to those who ask for it
        assert tusk_jupyter.sql("show transaction_read_only").iat[0, 0] == "on"
        for statement in ("lock kept in share mode", "declare c cursor for select 7 as a", "set local work_mem = '5MB'"):
            tusk_jupyter.sql(statement)
        assert tusk_jupyter.sql("fetch all from c").iat[0, 0] == 7
        assert tusk_jupyter.sql("show work_mem").iat[0, 0] == "5MB"
        tusk_jupyter.sql("select pg_advisory_xact_lock(4711)")
        assert look(database, "select count(*) from pg_locks where locktype = 'advisory'") == [(1,)]
    assert look(database, "select count(*) from pg_locks where locktype = 'advisory'") == [(0,)]
    look(database, "update kept set a = 1")


@pytest.mark.usefixtures("still_read_only")
def test_a_block_lets_nothing_through(only, server):
    for statement in [*WRITES, *TURNS_IT_OFF, *HAS_NO_TRANSACTION]:
        if not knows(server, statement):
            continue
        with tusk_jupyter.transaction():
            with pytest.raises(QueryFailed) as caught:
                tusk_jupyter.sql(statement)
            assert caught.value.sqlstate in {"25006", "25001", "2D000", "0A000"}, statement
    for statement in [*CONTROL, *VANISHES]:
        with tusk_jupyter.transaction(), pytest.raises(InvalidInput, match="read-only"):
            tusk_jupyter.sql(statement)


@pytest.mark.usefixtures("still_read_only")
def test_what_turns_it_off_within_a_block_holds_for_no_other_statement(server):
    with tusk_jupyter.transaction():
        if server.version < 16:
            tusk_jupyter.sql("do $$ begin reset transaction_read_only; end $$")
        with pytest.raises(QueryFailed) as caught:
            tusk_jupyter.sql("insert into kept values (2)")
        assert caught.value.sqlstate == "25006"
    with tusk_jupyter.transaction(), tusk_jupyter.transaction():
        tusk_jupyter.sql("select lo_create(4711)") if server.version < 16 else None
        tusk_jupyter.sql("set work_mem = '5MB'")
        assert any("ends with the block" in note for note in tusk_jupyter.last_result().notes)
    assert tusk_jupyter.sql("select count(*) from pg_largeobject_metadata").iat[0, 0] == 0
    assert tusk_jupyter.sql("show work_mem").iat[0, 0] != "5MB"


def test_an_error_leaves_a_block_and_the_session_as_they_should_be(only, database):
    with pytest.raises(QueryFailed), tusk_jupyter.transaction():
        tusk_jupyter.sql("select 1/0")
    assert only.live_session.transaction_status == "IDLE"
    with tusk_jupyter.transaction():
        with pytest.raises(QueryFailed):
            tusk_jupyter.sql("select 1/0")
        with pytest.raises(QueryFailed) as caught:
            tusk_jupyter.sql("select 1")
        assert caught.value.sqlstate == "25P02"
    assert only.live_session.transaction_status == "IDLE"
    assert tusk_jupyter.sql("select a from kept").iat[0, 0] == 1


@pytest.fixture
def read_only_cells(shell, only, database):
    """Cells whose current connection is the read-only one, which it still is afterwards."""
    yield shell
    check(only, database)


@pytest.mark.parametrize(
    "cell",
    [
        "%tusk load df --to fresh",
        "%tusk load df --to kept --append",
        "%tusk load df --to kept --replace",
        "%tusk load df --to kept --upsert a",
        "%sql --persist df",
        "%sql --persist-replace df",
        "%sql --append df",
        "%%sql --to written.csv\nwith x as (insert into kept values (2) returning a) select * from x",
        "%%sql --to written.parquet\nselect writes()",
        "%%sql --limit 1\nselect writes()",
        "%%sql --limit 1\ninsert into kept values (2) returning a",
        "%%sql --parallel 2\nselect writes() from kept",
        "%%sql --parallel 2 --split a\nselect a from kept where writes() > 0",
        "%%sql --on-error continue\nselect 1; insert into kept values (2); insert into kept values (3)",
        "%%sql --on-error savepoint\nselect 1; insert into kept values (2); savepoint s; insert into kept values (3)",
        "%sql -f script.sql",
        "%%sql --format arrow\ndelete from kept returning a",
        "with tusk.transaction():\n    %sql insert into kept values (2)",
        "tusk.sql('insert into kept values (:a)', a=2)",
        "%sql x << insert into kept values (2) returning a",
    ],
)
def test_no_way_in_writes(read_only_cells, tmp_path, monkeypatch, cell):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.sql").write_text("select 1;\ninsert into kept values (2);\n")
    read_only_cells.run("import pandas as pd, tusk_jupyter as tusk\ndf = pd.DataFrame({'a': [2]})")
    reply = read_only_cells.run(cell, ok=False)
    assert reply.exception.sqlstate in {"25006", "42P10", "42P01"} or isinstance(reply.exception, InvalidInput), reply
    assert list(tmp_path.glob("written*")) == []


def test_what_the_parts_of_a_query_leave_is_undone(read_only_cells, database, server):
    look(database, "insert into kept select 1 from generate_series(1, 10000)")
    look(database, "analyze kept")
    reply = read_only_cells.run("%%sql --parallel 2\nselect case when ctid = '(0,1)' then lo_create(4711) end from kept", ok=None)
    assert reply.status == "ok" or server.version >= 16
    assert look(database, "select 1 from pg_largeobject_metadata") == []
    look(database, "delete from kept where ctid <> '(0,1)'")


def test_limit_and_files_read_as_ever(read_only_cells, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read_only_cells.run("%%sql --limit 3 x <<\nselect * from generate_series(1, 1000000) g (a)")
    assert len(read_only_cells.ns["x"]) == 3
    read_only_cells.run("%%sql --to out.csv\nselect a from kept")
    assert (tmp_path / "out.csv").read_text().split() == ["a", "1"]
    read_only_cells.run("%%sql --limit 1 y <<\nselect a from kept order by a")
    assert read_only_cells.ns["y"]["a"].tolist() == [1]


# -- what stops it --------------------------------------------------------------------------------------------------


def stopped(tusk, database, statement, fragment):
    """Run a statement in a thread, cancel it when the server runs ``fragment``, and return what came of it."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(tusk_jupyter.sql, statement)
        wait_until(lambda: running(database, fragment))
        tusk.queries.cancel_all()
        return future.exception(timeout=20)


@pytest.mark.usefixtures("still_read_only")
@pytest.mark.parametrize("statement", ["select pg_sleep(60)", "set work_mem = '5MB'; select pg_sleep(60)"])
def test_a_cancel_leaves_the_session_idle_and_read_only(tusk, only, database, statement):
    session = only.live_session
    assert isinstance(stopped(tusk, database, statement, "pg_sleep"), QueryCancelled)
    assert only.live_session is session


@pytest.fixture
def no_safe_snapshot(only, database):
    """Let the snapshot of a deferrable transaction wait, as PostgreSQL has it wait for a writing serializable one."""
    with psycopg.connect(database) as other:
        other.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        other.execute("insert into kept values (100)")
        tusk_jupyter.sql("set default_transaction_isolation = 'serializable'; set default_transaction_deferrable = on")
        yield
        other.rollback()
    tusk_jupyter.sql("set default_transaction_deferrable = off; set statement_timeout = 0")


def locks(database):
    return look(database, "select 1 from pg_locks where locktype = 'advisory' and objid = 4711")


@pytest.mark.usefixtures("still_read_only", "no_safe_snapshot")
def test_nothing_runs_when_its_protection_could_not_be_had(only, database):
    tusk_jupyter.sql("set statement_timeout = '200ms'")
    with pytest.raises(QueryTimeout):
        tusk_jupyter.sql("select pg_advisory_lock(4711)")
    assert only.live_session.transaction_status == "IDLE"
    assert locks(database) == []


@pytest.mark.usefixtures("still_read_only", "no_safe_snapshot")
def test_a_cancel_reaches_what_protects_as_well(tusk, only, database):
    session = only.live_session
    assert isinstance(stopped(tusk, database, "select pg_advisory_lock(4711)", "select 1"), QueryCancelled)
    assert only.live_session is session
    assert locks(database) == []


# -- what no client can close: it happens, and the warning above is all that there is ---------------------------------

AT_ONCE = {
    "checkpoint": "select checkpoints_req from pg_stat_bgwriter",
    "select pg_reload_conf()": "select pg_conf_load_time()",
    "select pg_stat_reset()": "select stats_reset from pg_stat_database where datname = current_database()",
    "select pg_switch_wal() from pg_logical_emit_message(false, 'tusk', 'x')": "select pg_current_wal_insert_lsn()",
    "select pg_logical_emit_message(false, 'tusk', 'x')": "select pg_current_wal_insert_lsn()",
    "select pg_create_physical_replication_slot('tusk_slot')": "select count(*) from pg_replication_slots",
    "select pg_drop_replication_slot('tusk_slot')": "select count(*) from pg_replication_slots",
}


@pytest.mark.usefixtures("still_read_only")
def test_what_the_server_does_at_once_stays(database, server):
    for statement, seen in AT_ONCE.items():
        if statement == "checkpoint" and server.version >= 17:
            continue  # counted elsewhere since
        before = look(database, seen)
        tusk_jupyter.sql(statement)
        wait_until(lambda seen=seen, before=before: look(database, seen) != before, otherwise=statement)


@pytest.mark.usefixtures("still_read_only")
def test_server_files_and_programs_are_not_closable(database, server):
    look(database, "select lo_from_bytea(4711, 'x')")
    for number, statement in enumerate(
        ["copy kept to '{}'", "copy kept to program 'cat > {}'", "select lo_export(4711, '{}')"]
    ):
        path = server.root / "data" / f"left_{number}"
        tusk_jupyter.sql(statement.format(path))
        assert look(database, "select size > 0 from pg_stat_file(%s)", str(path)) == [(True,)]


@pytest.mark.usefixtures("still_read_only")
def test_another_session_is_not_closable(database):
    with psycopg.connect(database, autocommit=True) as victim:
        tusk_jupyter.sql("select pg_terminate_backend(:pid)", pid=victim.info.backend_pid)
        with pytest.raises(psycopg.OperationalError):
            victim.execute("select 1")


def test_dblink_is_not_closable(only, database):
    need(database, "dblink")
    look(database, "create extension dblink")
    tusk_jupyter.sql("select dblink_exec(:where, 'insert into kept values (77)')", where=database)
    assert rows(database) == [1, 77]


def test_before_16_a_sequence_is_not_closable(only, database, server):
    advanced = "do $$ begin reset transaction_read_only; perform nextval('numbers'); end $$"
    if server.version >= 16:
        with pytest.raises(QueryFailed):
            tusk_jupyter.sql(advanced)
        return
    tusk_jupyter.sql(advanced)
    # numbers are never given back, by any ROLLBACK
    assert look(database, "select is_called from numbers") == [(True,)]


def test_a_connection_of_the_pool_is_python_s_and_not_closable(only, database):
    with only.pool.borrow() as conn:
        conn.execute("set default_transaction_read_only = off")
        conn.execute("insert into kept values (77)")
    assert rows(database) == [1, 77]


# -- what is said of it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("superuser", "superuser: nothing is closed to it"),
        ("in role pg_execute_server_program", "may run programs of the server (pg_execute_server_program))"),
        ("in role pg_write_server_files", "may write files of the server (pg_write_server_files))"),
        ("replication", "may make replication slots (REPLICATION))"),
        ("in role tusk_group", "may run programs of the server (pg_execute_server_program))"),
        ("", "without write rights "),
    ],
)
def test_a_role_that_reaches_past_it_is_said_to(shell, database, made, said):
    look(database, "create role tusk_group in role pg_execute_server_program")
    look(database, f"create role tusk_reader login noinherit {made}")
    try:
        where = database.replace("user=tester", "user=tusk_reader")
        connected = shell.run(f"%tusk_connect {where} --name only --read-only").displayed[0]
        tested = shell.run(f"%tusk_connect {where} --read-only --test").displayed[0]
        shell.run("%tusk disconnect only")
    finally:
        look(database, "drop role tusk_reader")
        look(database, "drop role tusk_group")
    for text in (connected, tested):
        words = " ".join(text.split()) + " "
        assert "read-only" in words
        assert "protects against mistakes" in words
        assert said in words, words


def need(database, extension):
    if not look(database, "select 1 from pg_available_extensions where name = %s", extension):
        pytest.skip(f"the server's {extension} is not installed")


def test_dblink_is_said_to_be_there(shell, database):
    need(database, "dblink")
    look(database, "create role tusk_reader login")
    try:
        where = database.replace("user=tester", "user=tusk_reader")
        assert "dblink" not in shell.run(f"%tusk_connect {where} --name first --read-only").displayed[0]
        look(database, "create extension dblink")
        assert "dblink, which is installed here" in shell.run(f"%tusk_connect {where} --name b --read-only").displayed[0]
        assert "dblink" not in shell.run(f"%tusk_connect {where} --name c").displayed[0]
        shell.run("%unload_ext tusk_jupyter")
    finally:
        look(database, "drop role tusk_reader")
