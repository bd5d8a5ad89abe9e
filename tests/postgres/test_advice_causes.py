"""What is looked up of a refused statement: the row in the way, the owner, the labels, the other side of a deadlock."""

from __future__ import annotations

import os
import re
import signal

import psycopg
import pytest

import tusk_jupyter
from tests.waiting import ask, meanwhile, running, wait_until
from tusk_jupyter import interrupts
from tusk_jupyter.errors import PoolTimeout, QueryInterrupted
from tusk_jupyter.queries import cause_rows


def admin(conninfo, *statements):
    with psycopg.connect(conninfo, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement)


def failed(cells, statement, **names):
    cells.ns.update(names)
    return cells.run(f"%%sql\n{statement}", ok=False).exception


def facts(error):
    return dict(error.facts)


# -- 23505: the row that is there ---------------------------------------------------------------------------------------


@pytest.fixture
def trips(cells, database):
    admin(
        database,
        'create table trips ("Id" int, code text, note text, secret bytea, primary key ("Id", code))',
        "insert into trips values (1, 'a', 'first', 'x'), (2, 'b, c', repeat('long ', 100), null), (3, 'x)y', null, null)",
    )
    return cells


def test_the_row_that_is_there_is_shown(trips):
    error = failed(trips, "insert into trips values (1, 'a', 'mine')")
    assert facts(error)["row there"] == "Id = 1, code = a, note = first"
    assert "DO NOTHING" in error.advice
    assert "ROW THERE: Id = 1" in trips.run("%tusk errverbose").displayed[-1]


def test_a_value_that_can_be_read_in_two_ways_is_not_read(trips):
    assert "row there" not in facts(failed(trips, "insert into trips values (2, 'b, c')"))


def test_a_parenthesis_within_a_value_is_none_of_the_server_s(trips):
    assert facts(failed(trips, "insert into trips values (3, 'x)y')"))["row there"] == "Id = 3, code = x)y, note = NULL"


def test_long_values_are_cut_and_masked_and_kept_out_of_the_history(cells, database):
    admin(
        database,
        "create table t (a int primary key, b text, c text)",
        "insert into t values (1, repeat('x', 1000000), $$alter role r password 'hunter2'$$)",
    )
    reply = cells.run("%sql insert into t values (1)", ok=False)
    row = facts(reply.exception)["row there"]
    assert len(row) < 200
    assert "x…" in row
    assert "hunter2" not in reply.displayed[-1]
    assert "hunter2" not in str(cells.run("%tusk history").outputs)


def test_a_row_of_the_transaction_itself_is_not_shown_as_another(cells, database):
    admin(database, "create table t (a int primary key, b text)", "insert into t values (1, 'old'), (2, 'other')")
    cells.run("%%sql\nbegin; delete from t where a = 1; insert into t values (1, 'new')")
    assert "row there" not in facts(failed(cells, "insert into t values (1)"))
    cells.run("%%sql\nrollback; begin; insert into t values (5)")
    assert facts(failed(cells, "insert into t values (2)"))["row there"] == "a = 2, b = other"
    cells.run("%%sql\nrollback; begin; insert into t values (5)")
    assert "row there" not in facts(failed(cells, "insert into t values (5)"))


@pytest.mark.parametrize("seen", ["owner = current_user", "true"])
def test_no_row_is_shown_where_policies_decide(cells, database, role, seen):
    admin(
        database,
        "create table t (a int primary key, owner text)",
        "insert into t values (1, 'somebody')",
        "alter table t enable row level security",
        f"create policy own on t for select using ({seen})",
        "create policy any_row on t for insert with check (true)",
        f"grant select, insert on t to {role}",
    )
    cells.run(f"%tusk_connect {database} user={role} --name theirs")
    error = failed(cells, "insert into t values (1)")
    assert error.sqlstate == "23505"
    assert "row there" not in facts(error)


def test_only_columns_that_the_user_may_read_are_shown(cells, database, role):
    admin(
        database,
        "create table t (a int primary key, b text, c text)",
        "insert into t values (1, 'open', 'closed')",
        f"grant insert, select (a, b) on t to {role}",
    )
    cells.run(f"%tusk_connect {database} user={role} --name theirs")
    assert facts(failed(cells, "insert into t values (1)"))["row there"] == "a = 1, b = open"


def test_who_is_somebody_else_by_now_is_not_asked_for(trips, database, role):
    admin(database, f"grant select, insert on trips to {role}")
    trips.run(f"%sql set role {role}")
    assert "row there" not in facts(failed(trips, "insert into trips values (1, 'a')"))
    trips.run("%sql reset role")
    assert "row there" in facts(failed(trips, "insert into trips values (1, 'a')"))


def test_no_row_is_read_with_the_logins_rights_for_another_role(reading, cells, database, role, tusk):
    admin(
        database,
        f"create role other_{role}",
        f"grant other_{role} to {role}",
        "create table t (a int primary key, b text)",
        "insert into t values (1, 'closed')",
        f"grant select, insert on t to {role}",
        f"grant insert, select (a) on t to other_{role}",
    )
    cells.run(f"%tusk_connect {database} user={role} --name theirs")
    tusk.schemas.refresh(tusk.connections.get("theirs")).result(30)
    assert "row there" in facts(failed(cells, "insert into t values (1)"))
    cells.run(f"%sql set role other_{role}")
    assert "row there" not in facts(failed(cells, "insert into t values (1)"))
    cells.run("%tusk disconnect theirs")
    admin(database, f"drop owned by other_{role}", f"drop role other_{role}")


def test_names_are_quoted_and_operators_are_the_server_s(cells, database):
    admin(
        database,
        'create table "We""ird %s" ("a%(b)s" int primary key)',
        'insert into "We""ird %s" values (1)',
        "create function public.lies(int, int) returns bool language sql as 'select true'",
        "create operator public.= (leftarg = int, rightarg = int, function = public.lies)",
    )
    assert facts(failed(cells, 'insert into "We""ird %s" values (1)'))["row there"] == "a%(b)s = 1"


# -- 23503: the rows that refer, and the one that is missing -----------------------------------------------------------


@pytest.fixture
def airlines(cells, database):
    admin(
        database,
        "create table airlines (code text primary key, name text)",
        "create table flights (id int primary key, carrier text references airlines)",
        "insert into airlines values ('AA', 'American'), ('UA', 'United')",
        "insert into flights values (1, 'AA'), (2, 'AA'), (3, 'UA')",
    )
    return cells


def test_the_rows_that_refer_are_counted_and_one_is_shown(airlines):
    error = failed(airlines, "delete from airlines where code = 'AA'")
    assert re.fullmatch(
        "by 2 rows of public.flights, such as carrier = AA, id = [12]|by 2 rows of public.flights, such as id = [12], carrier = AA",
        facts(error)["referred to"],
    )
    assert (
        "2 rows of `public.flights` still refer to it: `delete from public.flights where carrier = …`" in error.advice
    )


def test_one_row_that_refers(airlines):
    error = failed(airlines, "update airlines set code = 'XX' where code = 'UA'")
    assert error.advice.startswith("1 row of `public.flights` still refers to it")


def test_what_is_missing_and_what_is_near(airlines):
    error = failed(airlines, "insert into flights values (9, 'aa')")
    assert facts(error)["missing"] == "public.airlines has no row with code = aa"
    assert facts(error)["near"] == "code = 'AA' is there, which differs in capitals or spaces"
    error = failed(airlines, "insert into flights values (9, 'ZZ')")
    assert "near" not in facts(error)
    error = failed(airlines, "update flights set carrier = 'ZZ' where id = 1")
    assert facts(error)["missing"] == "public.airlines has no row with code = ZZ"


def test_columns_of_the_same_name_on_both_sides(cells, database):
    admin(
        database,
        "create table p (id int primary key)",
        "create table c (id int references p)",
        "insert into p values (1)",
        "insert into c values (1)",
    )
    assert "referred to" in facts(failed(cells, "delete from p"))
    assert facts(failed(cells, "insert into c values (7)"))["missing"] == "public.p has no row with id = 7"


# -- whose tables are asked ---------------------------------------------------------------------------------------------

TRAPS = {
    "cast": (
        "create type m.mood as enum ('a')",
        "create function m.run(m.mood) returns text language plpgsql as 'begin perform m.prove(); return 1; end'",
        "create cast (m.mood as text) with function m.run(m.mood)",
        "create table m.orders (customer int references public.customers, mood m.mood)",
        "insert into m.orders values (1, 'a')",
    ),
    "index": (
        "create function m.run() returns bool language plpgsql immutable as 'begin return true; end'",
        "create table m.orders (customer int references public.customers, note text)",
        "insert into m.orders values (1, 'a')",
        "create index on m.orders (note) where m.run()",
        """create or replace function m.run() returns bool language plpgsql immutable
          as 'begin perform m.prove(); return true; end'""",
    ),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_the_table_of_another_is_not_asked(cells, database, role, trap):
    """Neither as it is, nor when its owner has put it into the hands of who deletes."""
    admin(
        database,
        "create table customers (id int primary key, name text)",
        "insert into customers values (1, 'Ada')",
        f"grant select, references on customers to {role}",
        f"create schema m authorization {role}",
        f"set role {role}",
        """create function m.prove() returns void language plpgsql as $$ begin
          if (select rolsuper from pg_roles where rolname = current_user) then
            execute format('copy (select 1) to %L', current_setting('data_directory') || '/' || current_database());
          end if; end $$""",
        *TRAPS[trap],
    )
    error = failed(cells, "delete from customers where id = 1")
    assert error.sqlstate == "23503"
    assert "referred to" not in facts(error)
    proof = "select (pg_stat_file(current_setting('data_directory') || '/' || current_database(), true)).size"
    assert ask(database, proof) is None
    # the trap is one
    with psycopg.connect(database) as conn:
        conn.execute("select mood::text from m.orders" if trap == "cast" else "select from m.orders")
    assert ask(database, proof) >= 0
    admin(database, "drop schema m cascade")


def test_the_row_of_a_table_that_the_statement_writes_is_shown_whoever_owns_it(cells, database, role):
    admin(
        database,
        "create table t (a int primary key, b text)",
        "insert into t values (1, 'x')",
        f"alter table t owner to {role}",
        "create table by_trigger (c int)",
        "create function f() returns trigger language plpgsql as 'begin insert into t values (1); return new; end'",
        "create trigger f after insert on by_trigger for each row execute function f()",
    )
    assert facts(failed(cells, "insert into t values (1)"))["row there"] == "a = 1, b = x"
    error = failed(cells, "insert into by_trigger values (1)")
    assert error.sqlstate == "23505"
    assert "row there" not in facts(error)


def test_what_is_called_like_a_secret_is_not_read(cells, database):
    columns = ("secret", "password_hash", "api_token", "password", "salt", "note")
    admin(
        database,
        f"create table t (id int primary key, {', '.join(f'{name} text' for name in columns)})",
        "insert into t values (1, 'hunter2', '$2b$xyz', 'tok-123', 'correct horse battery', 'NaCl', 'seen')",
        "create table c (t int references t, token text, b text)",
        "insert into c values (1, 'tok-9', 'x')",
    )
    assert facts(failed(cells, "insert into t values (1)"))["row there"] == "id = 1, note = seen"
    assert facts(failed(cells, "delete from t"))["referred to"] == "by 1 row of public.c, such as t = 1, b = x"


# -- 42501: owner, privilege, GRANT -------------------------------------------------------------------------------------


@pytest.fixture
def role(server, database):
    name = f"guest_{database.rpartition('dbname=')[2]}"
    admin(database, f"create role {name} login")
    yield name
    admin(database, f"drop owned by {name}", f"drop role {name}")


@pytest.fixture
def guest(cells, database, role):
    """Cells of a role that may do nothing, with the objects of another."""
    boss = f"boss_{role}"
    admin(
        database,
        f"create role {boss}",
        "create schema sales",
        f"grant usage on schema sales to {role}",
        "create schema hidden",
        f"alter schema hidden owner to {boss}",
        "create table hidden.t (a int)",
        "create table sales.flights (id int, origin text, pay int)",
        'create table sales."Ord er" (a int)',
        "create sequence sales.numbers",
        "create function sales.f(a int, b text) returns int language sql as 'select 1'",
        "revoke execute on function sales.f from public",
        "create view sales.v as select 1 as a",
        *(
            f"alter {what} owner to {boss}"
            for what in (
                "table sales.flights",
                'table sales."Ord er"',
                "sequence sales.numbers",
                "function sales.f",
                "view sales.v",
            )
        ),
    )
    cells.run(f"%tusk_connect {database} user={role} --name theirs")
    yield cells
    cells.run("%tusk disconnect theirs")
    admin(database, f"drop owned by {boss} cascade", f"drop role {boss}")


@pytest.mark.parametrize(
    ("statement", "grant"),
    [
        ("select * from sales.flights", "GRANT SELECT ON sales.flights TO"),
        ("select * from sales.v", "GRANT SELECT ON sales.v TO"),
        ("insert into sales.flights values (1)", "GRANT INSERT ON sales.flights TO"),
        ("insert into sales.flights values (1) returning id", "GRANT INSERT, SELECT ON sales.flights TO"),
        ("update sales.flights set id = 1", "GRANT UPDATE ON sales.flights TO"),
        ("update sales.flights set id = 1 where id = 2", "GRANT UPDATE, SELECT ON sales.flights TO"),
        ("delete from sales.flights", "GRANT DELETE ON sales.flights TO"),
        ("delete from sales.flights where id = 1", "GRANT DELETE, SELECT ON sales.flights TO"),
        ("truncate sales.flights", "GRANT TRUNCATE ON sales.flights TO"),
        ('select * from sales."Ord er"', 'GRANT SELECT ON sales."Ord er" TO'),
        ("select nextval('sales.numbers')", "GRANT USAGE ON SEQUENCE sales.numbers TO"),
        ("select sales.f(1, 'x')", "GRANT EXECUTE ON FUNCTION sales.f(integer,text) TO"),
        ("select * from hidden.t", "GRANT USAGE ON SCHEMA hidden TO"),
        ("create table hidden.u (a int)", "GRANT CREATE ON SCHEMA hidden TO"),
    ],
)
def test_the_grant_to_ask_for_and_whom(guest, database, role, statement, grant):
    error = failed(guest, statement)
    assert error.sqlstate == "42501"
    assert f"`{grant} {role}`" in error.advice
    assert f"`boss_{role}` owns it" in error.advice
    assert facts(error)["owner"] == f"boss_{role}"
    # it would help
    admin(database, re.search(r"`(GRANT .*?)`", error.advice)[1])
    again = guest.run(f"%%sql\n{statement}", ok=None).exception
    assert again is None or again.message != error.message


def test_who_a_role_was_set_to_and_the_table_that_the_statement_names(reading, cells, database, role, tusk, connection):
    admin(
        database,
        "create schema errors",
        "create schema other",
        "create table errors.account (a int)",
        "create table other.account (a int)",
        f"grant usage on schema errors, other to {role}",
    )
    tusk.schemas.refresh(connection).result(30)
    for begin in (f"set role {role}", f"reset role; begin; set local role {role}"):
        cells.run(f"%%sql\n{begin}")
        error = failed(cells, "select * from errors.account")
        assert facts(error)["owner"] == "tester"
        assert f"`GRANT SELECT ON errors.account TO {role}`" in error.advice
    cells.run("%sql rollback")
    assert cells.run("%sql select * from errors.account")


def test_the_columns_that_are_missing(guest, database, role):
    admin(database, f"grant select (id, origin) on sales.flights to {role}")
    error = failed(guest, "select * from sales.flights")
    assert f"`GRANT SELECT (pay) ON sales.flights TO {role}`" in error.advice


def test_what_only_the_owner_may_do(guest, role):
    for statement in (
        "drop table sales.flights",
        "create index on sales.flights (id)",
        "alter table sales.flights add x int",
    ):
        error = failed(guest, statement)
        assert f"Only its owner may do that, which is `boss_{role}`" in error.advice


def test_a_policy_that_refuses_a_row(guest, database, role):
    admin(
        database,
        "alter table sales.flights enable row level security",
        "create policy cheap on sales.flights for insert with check (pay < 100)",
        f"grant select, insert on sales.flights to {role}",
    )
    error = failed(guest, "insert into sales.flights values (1, 'x', 500)")
    assert facts(error)["policy cheap"] == "lets in what fits (pay < 100)"
    assert f"`boss_{role}`" in error.advice


# -- values -----------------------------------------------------------------------------------------------------------


def test_the_labels_of_an_enum(cells):
    cells.run("%sql create type mood as enum ('sad', 'ok', 'Happy')")
    error = failed(cells, "select 'hapy'::mood")
    assert facts(error)["labels"] == "'sad', 'ok', 'Happy'"
    assert error.advice.startswith("Perhaps you meant `'Happy'`.")
    assert not failed(cells, "select 'blue'::mood").advice.startswith("Perhaps")


def test_the_column_that_is_too_short(cells):
    cells.run("%sql create table people (name varchar(3), nick varchar(5), alias varchar(5), note text)")
    error = failed(cells, "insert into people (name) values ('abcd')")
    assert facts(error)["column"] == "name"
    assert "`alter table people alter column name type text`" in error.advice
    assert facts(failed(cells, "update people set nick = 'too long'")).get("one of") in {None, "nick, alias"}
    cells.run("%sql insert into people values ('a', 'b', 'c', 'd')")
    assert facts(failed(cells, "update people set nick = 'too long'"))["one of"] == "nick, alias"
    assert "column" not in facts(failed(cells, "select 'abcd'::varchar(3) from people where 1 / 0 = 1"))


def test_what_a_check_demands(cells, database, role):
    admin(
        database,
        "create table accounts (balance int, constraint positive check (balance >= 0))",
        "create domain percent as int constraint in_range check (value between 0 and 100)",
        f"grant insert on accounts to {role}",
    )
    error = failed(cells, "insert into accounts values (-1)")
    assert facts(error)["check"] == "balance >= 0"
    assert error.advice.startswith("Correct the value: `positive` of `public.accounts` refuses a row")
    error = failed(cells, "select 101::percent")
    assert facts(error)["check"] == "VALUE >= 0 AND VALUE <= 100"
    assert "`in_range` of `public.percent` refuses a value" in error.advice
    cells.run(f"%sql set role {role}")
    assert facts(failed(cells, "insert into accounts values (-1)"))["check"] == "balance >= 0"


def test_a_check_that_only_the_transaction_knows(reading, cells, database, tusk, connection):
    admin(database, "create table accounts (balance int, constraint positive check (balance >= 0))")
    tusk.schemas.refresh(connection).result(30)
    cells.run("%%sql\nbegin; create table mine (a int constraint small check (a < 5))")
    error = failed(cells, "insert into mine values (7)")
    assert "check" not in facts(error)
    assert "pg_get_constraintdef" in error.advice
    changed = "alter table accounts drop constraint positive; alter table accounts add constraint positive check (balance > 9)"
    cells.run(f"%%sql\nrollback; begin; {changed}")
    assert "check" not in facts(failed(cells, "insert into accounts values (5)"))


# -- 40P01 --------------------------------------------------------------------------------------------------------------


def test_both_statements_of_a_deadlock(cells, database):
    admin(database, "create table t (a int primary key, n int)", "insert into t values (1, 0), (2, 0)")
    with psycopg.connect(database, autocommit=True, application_name="nightly") as other:
        other.execute("begin")
        other.execute("set local deadlock_timeout = '60s'")
        other.execute("update t set n = 1 where a = 2")
        pid = other.info.backend_pid
        cells.run("%%sql\nbegin; set local deadlock_timeout = '50ms'; update t set n = 2 where a = 1")
        blocked = meanwhile(lambda: other.execute("update t set n = 1 /* theirs */ where a = 1"))
        with blocked:
            wait_until(lambda: waits(database, pid))
            error = failed(cells, "update t set n = 2 /* ours */ where a = 2")
        other.rollback()
    assert error.sqlstate == "40P01"
    said = facts(error)
    assert "/* ours */" in said["this session"]
    assert said["other session"].startswith(f"pid {pid}, tester (nightly), ")
    assert "/* theirs */" in said["other session"]


def test_a_deadlock_with_a_job_of_this_kernel_shows_what_it_runs_and_no_look_up_of_ours(cells, database):
    admin(database, "create table t (a int primary key, n int)", "insert into t values (1, 0), (2, 0)")
    cells.run("%%sql\nbegin; set local deadlock_timeout = '50ms'; update t set n = 2 where a = 1")
    cells.run(
        "job = %sql --bg begin; set local deadlock_timeout = '60s'; update t set n = 1 where a = 2; "
        "update t set n = 1 /* theirs */ where a = 1; select pg_sleep(1); commit"
    )
    job = cells.ns["job"]
    wait_until(lambda: job.pid is not None and waits(database, job.pid))
    error = failed(cells, "update t set n = 2 /* ours */ where a = 2")
    cells.run("%sql rollback")
    assert error.sqlstate == "40P01"
    other = [text for label, text in error.facts if label == "other session"]
    assert len(other) == 1
    assert f"query {job.id[:8]} of this kernel" in other[0]
    assert "/* theirs */" in other[0]
    job.wait(30)


def waits(conninfo, pid):
    with psycopg.connect(conninfo, autocommit=True) as conn:
        return conn.execute("select cardinality(pg_blocking_pids(%s)) > 0", [pid]).fetchone()[0]


# -- jobs ---------------------------------------------------------------------------------------------------------------


def failed_job(cells, script):
    cells.run(f"job = %sql --bg {script}\njob.wait(30)")
    return cells.ns["job"].error


def test_a_job_s_error_has_its_cause(cells, database):
    admin(database, "create table t (a int primary key, b text)", "insert into t values (1, 'there')")
    error = failed_job(cells, "begin; select 1; insert into t values (1, 'mine'); commit")
    assert error.sqlstate == "23505"
    assert facts(error)["row there"] == "a = 1, b = there"
    cells.run("%sql create type mood as enum ('sad', 'Happy')")
    assert failed_job(cells, "select 'hapy'::mood").advice.startswith("Perhaps you meant `'Happy'`.")


def test_a_job_that_is_somebody_else_by_now_is_not_asked_for(trips, database, role):
    admin(database, f"grant select, insert on trips to {role}")
    error = failed_job(trips, f"set session authorization {role}; insert into trips values (1, 'a')")
    assert error.sqlstate == "23505"
    assert "row there" not in facts(error)


# -- bounded ------------------------------------------------------------------------------------------------------------


def test_a_pool_that_has_none_left_delays_nothing_and_says_nothing(shell, database):
    connection = tusk_jupyter.connect(database, name="one", pool_size=1)
    shell.run("%%sql\ncreate table t (a int primary key); insert into t values (1)")
    error = failed(shell, "insert into t values (1)")
    assert "row there" not in facts(error)
    assert connection.live_session.transaction_status == "IDLE"


def test_a_connection_that_another_uses_is_not_waited_for(shell, database, monkeypatch):
    pool = tusk_jupyter.connect(database, name="two", pool_size=2).pool
    shell.run("%%sql\ncreate table t (a int primary key); insert into t values (1)")
    waited, wait = [], type(pool)._wait
    monkeypatch.setattr(type(pool), "_wait", lambda *given: waited.append(given) or wait(*given))
    with pool.borrow(20):
        waited.clear()
        assert "row there" not in facts(failed(shell, "insert into t values (1)"))
        assert waited == []
    assert "row there" in facts(failed(shell, "insert into t values (1)"))


def test_a_server_that_takes_no_more_is_not_waited_for(cells, database, role):
    admin(database, f"alter role {role} connection limit 1")
    cells.run(f"%tusk_connect {database} user={role} --name theirs --pool-size 3")
    pool = tusk_jupyter.state().connections.get("theirs").pool

    def borrow():
        with pool.borrow_spare(60):
            pass

    with pytest.raises(PoolTimeout, match="too many connections"):
        interrupts.spawn("test", borrow).result(20)


@pytest.mark.parametrize("how", ["stop", "continue", "savepoint"])
def test_an_interrupt_of_the_look_up_ends_the_cell(cells, database, monkeypatch, how):
    admin(database, "create table t (a int primary key)", "insert into t values (1)")
    monkeypatch.setattr(cause_rows, "_UNIQUE", "select pg_sleep(0.65), %s, %s, %s")
    script = "insert into t values (1); insert into t values (2)"
    begin = "begin; " if how == "savepoint" else ""
    with meanwhile(
        lambda: wait_until(lambda: running(database, "pg_sleep(0.65)")), lambda: os.kill(os.getpid(), signal.SIGINT)
    ):
        reply = cells.run(f"%%sql --on-error {how}\n{begin}{script}", ok=False)
    assert isinstance(reply.exception, QueryInterrupted)
    assert "already exists" in "".join(reply.displayed)
    cells.run("%sql commit" if begin else "%sql select 1")
    assert ask(database, "select count(*) from t") == 1
