"""The planner's estimate beside the rows so far: there where it is honest, and nowhere else."""

from __future__ import annotations

import threading

import psycopg
import pytest

import tusk_jupyter
from tests.postgres.test_watching import executions, flight, idle_in, sessions  # noqa: F401
from tests.waiting import wait_until
from tusk_jupyter.connections import liveness
from tusk_jupyter.connections.wire import Command
from tusk_jupyter.queries import estimates
from tusk_jupyter.queries.split import split

ROWS = 20_000
# a row comes, and then nothing for a long time: chunks are of some thousand rows
SLOW = "case when i = 15000 then pg_sleep(60) end"


@pytest.fixture
def things(sessions):  # noqa: F811
    other = sessions()
    other.execute(f"create table things as select i, i % 10 as n from generate_series(1, {ROWS}) i")
    other.execute("analyze things")
    return other


def asked(execution):
    """Wait until the planner was asked, or would have been; return what the progress says."""
    wait_until(lambda: execution.rows > 0)
    watch = None

    def settled():
        nonlocal watch
        watching = execution.kernel.watching
        watch = next((each for each in list(watching._watches.values()) if each.has(execution)), None)
        return watch is not None and watch._followed[execution.id][1].is_estimated

    wait_until(settled)
    seen = execution.seen
    wait_until(lambda: execution.seen is not seen)
    return execution.progress.seen.expected_rows


@pytest.fixture
def fly(flight):  # noqa: F811
    def begin(statement, connection=None):
        execution = flight.run(statement, connection)
        execution.kernel = flight.tusk
        return execution

    return begin


def test_a_large_select_is_measured_by_the_planners_estimate(fly, things):
    assert asked(fly(f"select i, {SLOW} from things")) == ROWS


def test_a_condition_and_its_parameters_count(fly, things, cells, flight, executions):  # noqa: F811
    cells.ns["digit"] = 3
    cells.ns["slow"] = 14_993
    thread = threading.Thread(
        target=lambda: cells.run("%sql select i, case when i = :slow then pg_sleep(60) end from things where n = :digit", ok=None)
    )
    thread.start()
    execution = wait_until(lambda: executions and executions[-1])
    execution.kernel = flight.tusk
    try:
        assert 1_500 < asked(execution) < 2_500
    finally:
        flight.stop_all(thread)


def test_an_estimate_that_was_passed_is_not_shown(fly, things, tusk):
    things.execute(f"insert into things select i, 0 from generate_series({ROWS}, {ROWS * 3}) i")
    things.execute("update pg_class set reltuples = 100 where relname = 'things'")
    execution = fly(f"select i, {SLOW.replace('15000', '50000')} from things")

    assert asked(execution) is None
    assert execution.rows > 10_000


@pytest.mark.parametrize(
    "statement",
    [
        f"select i, {SLOW} from generate_series(1, 20000) i",
        f"select i, unnest('{{1,2}}'::int[]), {SLOW} from things",
        f"select i, {SLOW} from mine(20000) i",
        f"select i, {SLOW} from things where strange(i)",
        f"select i, {SLOW} from never_analyzed",
        f"select i, {SLOW} from guarded",
        f"with recursive r as (select 1 as i union all select i + 1 from r where i < 20000) select i, {SLOW} from r",
        f"create temp table made as select 1; select i, {SLOW} from things",
    ],
)
def test_what_the_planner_only_assumes_is_not_shown(fly, things, statement):
    things.execute("create function mine(n int) returns setof int language sql as 'select generate_series(1, n)'")
    things.execute("create function strange(i int) returns bool immutable language sql as 'select true'")
    things.execute(f"create table never_analyzed as select i from generate_series(1, {ROWS}) i")
    things.execute("create table guarded as select * from things; alter table guarded enable row level security")
    things.execute("analyze guarded")
    if statement.startswith("create temp"):
        tusk_jupyter.sql("create temp table things as select i from generate_series(1, 20000) i")
        statement = statement.partition("; ")[2]

    assert asked(fly(statement)) is None


def test_a_search_path_of_the_session_leads_to_no_other_table(fly, things):
    things.execute("create schema other; create table other.things as select i from generate_series(1, 20000) i")
    things.execute("analyze other.things")
    tusk_jupyter.sql("set search_path = other")

    assert asked(fly(f"select i, {SLOW} from things")) is None


def test_rows_of_an_open_transaction_are_nobody_elses_to_estimate(fly, things):
    tusk_jupyter.sql("begin")
    execution = fly(f"select i, {SLOW} from things")
    wait_until(lambda: execution.rows > 0)

    assert execution.planned is None


def test_a_function_with_effects_is_not_called_by_asking(fly, things, database):
    things.execute("create table calls(n int)")
    things.execute(
        "create function counting(i int) returns int stable language plpgsql as "
        "$$ begin perform dblink_like(i); return i; end $$"
    )
    things.execute(
        "create function dblink_like(i int) returns void language plpgsql as $$ begin raise exception 'called'; end $$"
    )
    [statement] = split("select i from things where i > counting(3)")
    assert estimates.called(statement) == {"counting"}
    with psycopg.connect(database, autocommit=True) as conn:
        assert estimates.expected_rows(conn, statement, Command(statement.text.encode()), [0]) is None
        assert conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_table_that_is_locked_is_not_waited_for(things, database):
    idle_in(things, "lock table things")
    [statement] = split("select i from things")
    with psycopg.connect(database, autocommit=True) as conn:
        assert estimates.expected_rows(conn, statement, Command(b"select i from things"), [0]) is None
        assert conn.execute("select 1").fetchone() == (1,)


# by the session's rules one literal; by another's, its end, and statements behind it
ESCAPED = r"""select i, {slow} from things where 'x' <> '\'; rollback; begin read write; drop table victims; commit; --'"""


def test_a_literal_of_a_session_with_other_rules_is_never_statements(fly, things, database):
    things.execute("create table victims()")
    tusk_jupyter.sql("set standard_conforming_strings = off; set escape_string_warning = off")

    execution = fly(ESCAPED.format(slow=SLOW))
    wait_until(lambda: execution.rows > 0)
    assert execution.planned is None
    seen = execution.seen
    wait_until(lambda: execution.seen is not seen)

    assert execution.progress.seen.expected_rows is None
    assert things.execute("select to_regclass('victims')").fetchone()[0] == "victims"


def test_rules_that_differ_are_not_asked_about(things, database):
    [conforming] = split("select i from things")
    [other] = split("select i from things", standard_conforming_strings=False)
    command = Command(b"select i from things")
    with psycopg.connect(database, autocommit=True) as conn:
        pids = [idle_in(things, "lock table things in access share mode")]
        assert estimates.expected_rows(conn, conforming, command, pids) == ROWS
        assert estimates.expected_rows(conn, other, command, pids) is None
        conn.execute("set standard_conforming_strings = off")
        assert estimates.expected_rows(conn, conforming, command, pids) is None


def test_what_a_user_wrote_is_sent_as_one_statement(database, things):
    things.execute("create table victims()")
    with psycopg.connect(database, autocommit=True) as conn:
        with pytest.raises(psycopg.errors.SyntaxError):
            liveness.ask(conn, 5, b"explain select 1; drop table victims", Command(b"select 1; drop table victims"))
        assert conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert things.execute("select to_regclass('victims')").fetchone()[0] == "victims"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("select count(*), Max (x) from t where a in (1)", {"count", "max", "in"}),
        ('select "lower"(x), f /* c */ (1), (2)', {"lower", "f"}),
        ('select "Odd Name"(x)', None),
        ("select 'f(x)', $$ g(y) $$ -- h(z)\nfrom t", set()),
    ],
)
def test_the_names_that_may_be_functions(text, names):
    [statement] = split(text)
    assert estimates.called(statement) == names
