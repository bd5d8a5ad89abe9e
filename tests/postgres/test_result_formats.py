"""Rows in binary: which statements are asked about, and that to be asked about changes nothing else of a statement."""

import sys

import pandas as pd
import psycopg
import pytest
from psycopg.pq import DiagnosticField, ExecStatus

import tusk_jupyter
from tests.waiting import ask, running, terminate, wait_until
from tusk_jupyter.connections import session as sessions
from tusk_jupyter.connections.session import Session
from tusk_jupyter.connections.wire import CancelledBeforeSentError, Command, Reading, SessionLostError, Token
from tusk_jupyter.queries import formats

NOISY = """create function noisy(i int) returns int language plpgsql as $$
           begin raise notice 'called with %', i; return 10 / i; end $$"""


@pytest.fixture
def session(database):
    conn = psycopg.connect(database, autocommit=True, prepare_threshold=None)
    one = Session(conn, name="formats")
    yield one
    one.close()


def run(session, text, *values, choose=None, token=None):
    """Return everything that a statement gave: reply, error fields, columns, rows, notices, and what is open then."""
    seen = {"rows": [], "notices": []}

    def take(chunk):
        seen["columns"] = [(chunk.fname(i), chunk.ftype(i), chunk.fformat(i)) for i in range(chunk.nfields)]
        seen["rows"] += [[chunk.get_value(r, c) for c in range(chunk.nfields)] for r in range(chunk.ntuples)]

    encoded = [None if value is None else value.encode() for value in values]
    command = Command(text.encode(), encoded, [0] * len(values), [0] * len(values))

    def job():
        return session.run(
            token, command, on_rows=take, on_notice=lambda d: seen["notices"].append(d.message_primary), choose=choose
        )

    reply = session.submit(job).result(20)
    if reply.error is not None:
        # the line of the source differs with what the server was built from
        seen["error"] = {field.name: reply.error.error_field(field) for field in DiagnosticField}
    return seen | {"tag": reply.command_tag, "count": reply.rowcount, "status": session.transaction_status}


def as_text(_):
    return False


def in_binary(_):
    return True


STATEMENTS = [
    "select i, i / 7.0 from generate_series(1, 1234) i",
    "select from generate_series(1, 1200)",
    "select 1 a where false",
    "values (1, 'x'), (2, null)",
    "table pg_namespace",
    "insert into t values (5) returning a",
    "update t set a = a + 1",
    "create table u (b int)",
    "set work_mem = '7MB'",
    "",
    "-- nothing",
    "select noisy(a) from t order by a",
    "begin",
]
ERRORS = [
    "selec 1",
    "select a,\n  nowhere from t",
    "select * from nowhere",
    "select 'x'::int",
    "select 1 / (a - 1) from t",
    "select noisy(a - 1) from t order by a desc",
    "select $1::int from t",
    "select unnest(array[1,2]), a from t where a in (select a from t limit -1)",
    "select 1; select 2",
    "commit; begin",
]


@pytest.fixture
def pair(session, database):
    """The same session, and another to the same database that changed in the same way."""
    session.submit(lambda: session.run(None, Command(NOISY.encode()))).result(5)
    run(session, "create table t (a int)")
    run(session, "insert into t values (1), (2), (3)")
    return session


@pytest.mark.parametrize("before", [None, "begin"])
@pytest.mark.parametrize("text", STATEMENTS + ERRORS)
def test_a_statement_that_was_asked_about_does_what_it_does_without(pair, text, before):
    outcomes = []
    for choose in (None, as_text):
        if before:
            run(pair, before)
        else:
            run(pair, "create temp table if not exists nothing ()")
        outcomes.append(run(pair, text, choose=choose))
        run(pair, "rollback")
        for undo in ("drop table if exists u", "delete from t", "insert into t values (1), (2), (3)", "reset all"):
            run(pair, undo)
    direct, asked = outcomes
    assert direct == asked
    assert pair.lost is None
    assert run(pair, "select 1 a", choose=in_binary)["rows"] == [[b"\0\0\0\1"]]


def test_values_go_with_the_execution(pair):
    wanted = run(pair, "select $1::int + a, $2::text from t where $2 is null", "40", None)
    assert wanted["tag"] == "SELECT 3"
    assert run(pair, "select $1::int + a, $2::text from t where $2 is null", "40", None, choose=as_text) == wanted


def test_it_is_told_the_columns_and_decides_for_all_of_them(pair):
    told = []

    def choose(columns):
        assert columns.status == ExecStatus.COMMAND_OK
        told.extend((columns.fname(i), columns.ftype(i)) for i in range(columns.nfields))
        return True

    seen = run(pair, "select a, a::int8 b from t order by a limit 1", choose=choose)
    assert told == [(b"a", 23), (b"b", 20)]
    assert seen["columns"] == [(b"a", 23, 1), (b"b", 20, 1)]
    assert seen["rows"] == [[b"\0\0\0\1", b"\0\0\0\0\0\0\0\1"]]


def test_an_error_of_the_statement_is_the_first_thing_that_comes(pair):
    def never(_):
        raise AssertionError("asked about what does not exist")

    assert run(pair, "select nowhere from t", choose=never)["error"]["SQLSTATE"] == b"42703"


def test_between_the_question_and_the_execution_no_table_can_change(pair, database):
    def choose(_):
        with psycopg.connect(database, autocommit=True) as other:
            other.execute("set lock_timeout = '50ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute("alter table t alter a type text")
        return True

    assert run(pair, "select a from t order by a limit 1", choose=choose)["rows"] == [[b"\0\0\0\1"]]


DESCRIBED = ["select a from t", "select nowhere from t", "selec 1", "insert into t values (7)", ""]


@pytest.mark.skipif(sys.platform != "linux", reason="psycopg traces what is sent on Linux only")
@pytest.mark.parametrize("text", DESCRIBED)
def test_to_describe_is_one_unit_to_a_pooler(session, tmp_path, text):
    run(session, "create table t (a int)")
    with (tmp_path / "trace").open("w") as trace:
        pgconn = session.adapt.pgconn
        pgconn.trace(trace.fileno())
        reply, columns = session.submit(lambda: session.describe(None, Command(text.encode()))).result(5)
        pgconn.untrace()
    lines = [line.split("\t") for line in (tmp_path / "trace").read_text().splitlines()]
    sent = [line[3] for line in lines if line[1] == "F"]
    # two with a Sync each could meet two servers, and another client's statement on the second
    assert sent == ["Parse", "Describe", "Sync"]
    if reply.error is None:
        names = [columns.fname(i) for i in range(columns.nfields)]
        assert names == ([b"a"] if text.startswith("select") else [])
    assert (reply.error is not None) is ("nowhere" in text or "selec " in text)
    assert run(session, "select count(*) from t", choose=as_text)["rows"] == [[b"0"]]


def test_a_cancel_between_them_executes_nothing(pair):
    token = Token()

    def choose(_):
        assert pair.cancel(token)
        return True

    with pytest.raises(CancelledBeforeSentError):
        run(pair, "select noisy(a) from t", choose=choose, token=token)
    assert token.sent == 1
    assert run(pair, "select 1 a", choose=in_binary)["status"] == "IDLE"
    assert run(pair, "select 1 a", choose=in_binary)["tag"] == "SELECT 1"


def test_what_was_not_executed_is_no_statement_of_the_transaction(pair):
    def cancel(_):
        assert pair.cancel(token)
        return True

    def fail(_):
        raise ZeroDivisionError

    run(pair, "begin", token=Token())
    run(pair, "select a from t", choose=as_text, token=Token())
    token = Token()
    with pytest.raises(CancelledBeforeSentError):
        run(pair, "select a from t", choose=cancel, token=token)
    with pytest.raises(ZeroDivisionError):
        run(pair, "select a from t", choose=fail, token=Token())
    assert pair.transaction.statements == 1


def test_what_fails_in_the_choice_leaves_the_session_usable(pair):
    def choose(_):
        raise ZeroDivisionError

    run(pair, "begin")
    with pytest.raises(ZeroDivisionError):
        run(pair, "select noisy(a) from t", choose=choose)
    assert pair.transaction_status == "INTRANS"
    assert run(pair, "select 1 a", choose=in_binary)["tag"] == "SELECT 1"


def test_a_server_that_goes_between_them_is_a_lost_session(pair, database):
    def choose(_):
        terminate(database, pair.backend_pid)
        return True

    with pytest.raises(SessionLostError, match="terminat"):
        run(pair, "select a from t", choose=choose)
    assert pair.lost


@pytest.mark.parametrize("choose", [None, in_binary])
def test_what_fails_in_the_reading_itself_ends_the_session(pair, database, monkeypatch, choose):
    def fail(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(Reading, "take", fail)
        with pytest.raises(MemoryError):
            run(pair, "select a from t", choose=choose)
    with pytest.raises(SessionLostError, match="not read to its end: MemoryError") as caught:
        run(pair, "select a from t")
    assert not caught.value.sent
    wait_until(lambda: not ask(database, "select count(*) from pg_stat_activity where pid = %s", pair.backend_pid))


def test_a_cell_that_fails_in_the_reading_gets_a_new_session_next(cells, connection, monkeypatch):
    def fail(*_):
        raise MemoryError

    pid = connection.session().backend_pid
    with monkeypatch.context() as patch:
        patch.setattr(Reading, "take", fail)
        reply = cells.run("%sql select 1 a from pg_class limit 3", ok=False)
    assert "The session ended with it. Lost with it: temp tables" in reply.displayed[-1]
    assert "7" in cells.run("%sql select 7 a from pg_class limit 1").value
    assert connection.session().backend_pid != pid


def test_what_the_callback_refuses_is_read_to_its_end(pair):
    def job():
        def refuse(_):
            raise ZeroDivisionError

        return pair.run(None, Command(b"select i from generate_series(1, 5000) i"), on_rows=refuse, choose=in_binary)

    with pytest.raises(ZeroDivisionError):
        pair.submit(job).result(20)
    assert run(pair, "select 1 a", choose=in_binary)["tag"] == "SELECT 1"


# -- which ones are asked, in cells --------------------------------------------------------------------------------

# what rounds texts, and only texts, shows which of the two came
THIRD = "select 1 / 3::float8 x, {extra} y from generate_series(1, {rows}) i"
EXACT = 1 / 3


@pytest.fixture
def rounded(cells, monkeypatch):
    monkeypatch.setattr(sessions, "NEAR_S", 5.0)
    cells.run("%%sql\nset extra_float_digits = -15")
    return cells


def third(cells, rows=5, extra="1", options=""):
    cells.run(f"%%sql {options}\n{THIRD.format(rows=rows, extra=extra)}")
    return "binary" if tusk_jupyter.last_result().frame["x"].iloc[0] == EXACT else "text"


def test_a_statement_is_asked_about_once_and_again_if_it_was_large(rounded):
    assert [third(rounded) for _ in range(3)] == ["binary", "text", "text"]
    assert [third(rounded, rows=2000) for _ in range(3)] == ["binary"] * 3


def test_a_server_far_away_is_asked_about_what_is_known_to_be_large(rounded, monkeypatch):
    monkeypatch.setattr(sessions, "NEAR_S", 0.0)
    assert [third(rounded) for _ in range(2)] == ["text"] * 2
    assert [third(rounded, rows=2000) for _ in range(3)] == ["text", "binary", "binary"]


def test_what_reads_from_nothing_is_not_asked_about(rounded, monkeypatch):
    monkeypatch.setattr(formats.classify, "reads_only_shape", lambda _: pytest.fail("asked"))
    rounded.run("%%sql\nselect 1 / 3::float8 x")
    assert tusk_jupyter.last_result().frame["x"].iloc[0] != EXACT


@pytest.mark.parametrize(("name", "least"), [("LEAST_TIMEOUT_MS", 60_001), ("LEAST_TIMEOUT_TRIPS", 10**10)])
def test_what_has_little_time_is_not_asked_about(rounded, monkeypatch, name, least):
    rounded.run("%%sql\nset statement_timeout = '1min'")
    assert [third(rounded, rows=rows) for rows in (2000, 2000, 2001)] == ["binary"] * 3
    monkeypatch.setattr(formats, name, least)
    assert [third(rounded, rows=rows) for rows in (2000, 2000, 2002)] == ["text"] * 3
    rounded.run("%%sql\nset statement_timeout = 0")
    assert third(rounded, rows=2000) == "binary"


def test_what_writes_does_not_pay_for_a_look_at_the_distance(cells, monkeypatch):
    cells.run("%sql create table t (a int)")
    monkeypatch.setattr(Session, "is_near", lambda _: pytest.fail("measured"))
    cells.run("%sql insert into t select i from generate_series(1, 5) i returning a")
    assert len(tusk_jupyter.last_result().frame) == 5


def test_a_session_that_is_lost_in_the_look_at_its_distance_has_sent_nothing(database, proxy):
    dbname = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    one = Session(psycopg.connect(proxy.conninfo(dbname), autocommit=True), name="far")
    proxy.cut_before(b"p\0\0\0\x08\0\0\0\0")  # the Parse of an empty statement; the relay looks at small letters
    with pytest.raises(SessionLostError) as caught:
        one.submit(one.is_near).result(20)
    assert not caught.value.sent
    one.close()


@pytest.mark.parametrize("extra", ["1::numeric", "'{}'::jsonb", "array[1]", "'1 day'::interval", "time '10:00'", "null"])
def test_one_column_of_another_type_makes_all_of_them_text(rounded, extra):
    assert third(rounded, extra=extra) == ("binary" if extra == "null" else "text")


def test_a_column_that_gains_makes_up_for_a_few_that_lose(rounded):
    texts = ", ".join(["'a'::text"] * 4)
    assert third(rounded, extra=texts) == "binary"
    assert third(rounded, extra=f"{texts}, 'a'::text") == "text"


@pytest.mark.parametrize(
    ("setting", "extra", "wanted"),
    [
        ("datestyle = 'German'", "date '2024-01-01'", "text"),
        ("datestyle = 'German'", "1", "binary"),
        ("datestyle = 'ISO, DMY'", "now()", "binary"),
        ("timezone = '<+03>-3'", "now()", "binary"),
        ("timezone = 'localtime'", "now()", "text"),
        ("timezone = 'localtime'", "now()::timestamp", "binary"),
        ("client_encoding = 'LATIN1'", "1", "text"),
    ],
)
def test_settings_under_which_a_text_could_not_be_spelled(rounded, setting, extra, wanted):
    rounded.run(f"%%sql\nset {setting}")
    assert third(rounded, extra=extra) == wanted


def test_in_every_way_that_a_statement_runs(rounded, connection, tmp_path):
    assert third(rounded, options="--limit 2000", rows=10) == "binary"
    assert third(rounded, options="--limit 1998", rows=10) == "text"
    rounded.run("%%sql\nbegin")
    assert third(rounded, rows=2001) == "binary"
    assert third(rounded, rows=2001, options="--limit 2000") == "binary"
    assert third(rounded, rows=2002, options="--on-error savepoint") == "binary"
    rounded.run("%%sql\nrollback")
    for kind, wanted in (("parquet", EXACT), ("csv", 0.3)):
        rounded.run(f"%%sql --to {tmp_path}/rows.{kind}\n{THIRD.format(rows=2002, extra=1)}")
        read = pd.read_parquet if kind == "parquet" else pd.read_csv
        assert read(tmp_path / f"rows.{kind}")["x"].tolist() == [wanted] * 2002


def test_on_a_read_only_connection(rounded, database):
    tusk_jupyter.connect(database, name="only", read_only=True)
    rounded.run("%%sql only\nset extra_float_digits = -15")
    assert third(rounded, options="only") == "binary"
    assert third(rounded, options="only") == "text"


def test_a_limited_run_says_nothing_of_the_whole(rounded):
    assert third(rounded, rows=2500, options="--limit 3") == "text"
    assert third(rounded, rows=2500) == "binary"


def test_the_environment_decides_for_tests(rounded, monkeypatch):
    monkeypatch.setenv(formats.VARIABLE, "text")
    assert third(rounded, rows=2500) == "text"
    monkeypatch.setenv(formats.VARIABLE, "binary")
    assert [third(rounded) for _ in range(2)] == ["binary"] * 2


def test_only_so_many_statements_are_remembered(connection, monkeypatch):
    monkeypatch.setattr(formats, "REMEMBERED", 3)
    session = connection.session()
    from tusk_jupyter.queries.split import split

    statements = split("select 1; select 2; select 3; select 4")
    for number in (0, 1, 2, 0, 3):
        formats.remember(session, statements[number], number)
    assert list(session.sizes) == [hash(statements[number].text) for number in (2, 0, 3)]


@pytest.mark.usefixtures("decoder")
def test_a_frame_is_the_same_in_either_format(cells, monkeypatch):
    cells.run("%%sql\nset timezone = 'Europe/Berlin'")
    text = """%%sql
        select i, i::float8 / 3 f, date '2024-01-01' + i d, i % 2 = 0 b, md5(i::text)::uuid u, nullif(i, 3)::int2 n, 'é' || i t,
               case when i = 2500 then 'infinity' else timestamptz '1850-01-01' + i * interval '40 days' end z,
               timestamp '0044-03-15 BC' + i * interval '1 year' y, decode(md5(i::text), 'hex') h
        from generate_series(1, 3000) i"""
    made = []
    for wanted in ("text", "binary"):
        monkeypatch.setenv(formats.VARIABLE, wanted)
        cells.run(text)
        made.append(tusk_jupyter.last_result())
    one, other = made
    assert one.notes == other.notes
    assert one.frame.equals(other.frame)
    assert [repr(row) for row in one.rows] == [repr(row) for row in other.rows]


def test_a_cancel_and_a_timeout_stop_a_statement_that_was_asked_about(cells, database, monkeypatch):
    monkeypatch.setenv(formats.VARIABLE, "binary")
    error = cells.run("%%sql --timeout 200ms\nselect i, pg_sleep(60)::text from generate_series(1, 5) i", ok=False).exception
    assert type(error).__name__ == "QueryTimeout"
    cells.run("%%sql\nset statement_timeout = '1s'")
    error = cells.run("%%sql\nselect i, pg_sleep(60)::text from generate_series(1, 5) i", ok=False).exception
    assert error.sqlstate == "57014"
    cells.run("%%sql\nset statement_timeout = 0")
    wait_until(lambda: not running(database, "pg_sleep(60)"))
    cells.run("%sql select 1 a from pg_class limit 1")


def test_a_timeout_between_the_question_and_the_execution_is_a_timeout(cells, monkeypatch):
    run = Session.run

    def held(self, token, command, *, choose=None, **how):
        def choose_late(columns):
            return wait_until(lambda: token.requested) and choose(columns)

        return run(self, token, command, choose=choose and choose_late, **how)

    monkeypatch.setenv(formats.VARIABLE, "binary")
    monkeypatch.setattr(Session, "run", held)
    error = cells.run("%%sql --timeout 200ms\nselect i from generate_series(1, 5) i", ok=False).exception
    assert type(error).__name__ == "QueryTimeout"
    assert error.duration_s == pytest.approx(0.2)
    assert "not run" in error.advice
