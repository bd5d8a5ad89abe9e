"""``%tusk password``: what is asked, on which session it runs, what the server is told, and what is kept of it."""

from __future__ import annotations

import getpass

import psycopg
import pytest
from psycopg import sql

import tusk_jupyter
from tests.waiting import ask, running, wait_until
from tusk_jupyter.errors import AuthenticationFailed, ConnectionLost, InvalidInput, QueryFailed, QueryInterrupted
from tusk_jupyter.secret import Secret

CANARY = "canary-Pw9!x'\"@/:% \u00fc"
STORED = "select rolpassword from pg_authid where rolname = %s"


@pytest.fixture
def roles(server):
    """Roles of the test's own by what follows their name in CREATE ROLE; gone with it."""
    made = []

    def do(statement):
        with psycopg.connect(server.conninfo(), autocommit=True) as conn:
            conn.execute(statement)

    def make(name, how="login"):
        do(sql.SQL("create role {} " + how).format(sql.Identifier(name)))
        made.append(name)
        return name

    yield make
    for name in reversed(made):
        do(sql.SQL("drop role {}").format(sql.Identifier(name)))


@pytest.fixture
def types(monkeypatch):
    """Have a person type these answers; the questions come back."""
    questions = []

    def person(*answers):
        left = list(answers)
        questions.clear()

        def answer(question):
            questions.append(question)
            if not left:
                raise EOFError
            return left.pop(0)

        monkeypatch.setattr(getpass, "getpass", answer)
        return questions

    return person


def logs_in(server, user, password):
    try:
        psycopg.connect(
            host="127.0.0.1", port=server.port, user=user, password=password, dbname="postgres", connect_timeout=10
        ).close()
    except psycopg.OperationalError:
        return False
    return True


def test_it_is_asked_for_twice_and_logs_in(cells, server, roles, types):
    role = roles("tusk_analyst")
    questions = types(CANARY, CANARY)
    shown = cells.run("%tusk password tusk_analyst").displayed[0]
    assert questions == ["New password for role tusk_analyst: ", "The same again: "]
    assert shown.startswith("ALTER ROLE")
    assert "password of tusk_analyst set" in shown
    assert "note" not in shown
    assert ask(server.conninfo(), STORED, role).startswith("SCRAM-SHA-256$4096:")
    assert logs_in(server, role, CANARY)
    assert not logs_in(server, role, CANARY.lower())


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("tusk_lower", "Tusk_Lower"),
        ("Tusk Odd", '"Tusk Odd"'),
        ("Tusk Odd", "'Tusk Odd'"),
        ('tusk"quoted', '"tusk""quoted"'),
        ('tusk"quoted', "'tusk\"quoted'"),
        ("tusk'; drop role tester; --", "\"tusk'; drop role tester; --\""),
        ("tüsk-ß", "tüsk-ß"),
        ("--tusk", "'--tusk'"),
    ],
)
def test_names_that_need_quotes(cells, server, roles, types, name, typed):
    roles(name)
    types("secret", "secret")
    assert name in cells.run(f"%tusk password {typed}").displayed[0]
    assert logs_in(server, name, "secret")


def test_upper_and_lower_case_are_two_roles_where_both_are_there(cells, server, roles, types):
    roles("Tusk_Both")
    roles("tusk_both")
    types("secret", "secret")
    cells.run("%tusk password Tusk_Both")
    assert ask(server.conninfo(), STORED, "Tusk_Both")
    assert ask(server.conninfo(), STORED, "tusk_both") is None


@pytest.mark.parametrize(
    ("answers", "error", "said"),
    [
        ((), AuthenticationFailed, "nobody can be asked here"),
        (("",), InvalidInput, "the password is empty"),
        (("secret", "Secret"), InvalidInput, "the two passwords differ"),
        (("secret",), InvalidInput, "the two passwords differ"),
        (("sec\0ret", "sec\0ret"), InvalidInput, "holds a NUL"),
        (("sec\ud800ret", "sec\ud800ret"), InvalidInput, "lone surrogate"),
    ],
)
def test_what_is_no_password_changes_nothing(cells, server, roles, types, answers, error, said):
    role = roles("tusk_analyst")
    types(*answers)
    reply = cells.run("%tusk password tusk_analyst", ok=False)
    assert type(reply.exception) is error
    assert said in reply.displayed[-1]
    assert "Nothing was changed" in reply.exception.advice
    assert ask(server.conninfo(), STORED, role) is None


@pytest.mark.parametrize(
    ("line", "said", "advice"),
    [
        ("tusk_anlyst", "there is no role 'tusk_anlyst'", "Did you mean 'tusk_analyst'?"),
        ("no_such_thing_at_all", "there is no role", "select rolname from pg_roles"),
        ("tusk_analyst tusk_other", "takes one role", "[--connection NAME]"),
        ("tusk_analyst --conection db", "no option '--conection'", "--connection"),
        ("''", "the role's name is empty", "[ROLE]"),
        ("--connection nowhere", "no connection named 'nowhere'", "There are: db"),
    ],
)
def test_what_is_wrong_is_said_before_anybody_is_asked(cells, roles, types, line, said, advice):
    roles("tusk_analyst")
    questions = types("secret", "secret")
    reply = cells.run(f"%tusk password {line}", ok=False)
    assert said in reply.exception.message
    assert advice in reply.exception.advice
    assert questions == []


def test_a_read_only_connection_sets_none(cells, database, types):
    questions = types("secret", "secret")
    tusk_jupyter.connect(database, name="only", read_only=True)
    reply = cells.run("%tusk password", ok=False)
    assert "'only' is read-only" in reply.exception.message
    assert questions == []
    # the other one is not
    reply = cells.run("%tusk password tusk_nobody --connection db", ok=False)
    assert "there is no role" in reply.exception.message


def test_another_role_s_password_needs_the_right(cells, server, database, roles, types):
    roles("tusk_analyst")
    roles("tusk_other")
    tusk_jupyter.connect(database.replace("user=tester", "user=tusk_analyst"), name="mine")
    types("secret", "secret")
    reply = cells.run("%tusk password tusk_other", ok=False)
    assert reply.exception.sqlstate == "42501"
    assert "CREATEROLE" in reply.exception.advice
    assert "secret" not in reply.everything.replace("secretive", "")
    types("secret", "secret")
    cells.run("%tusk password")
    assert logs_in(server, "tusk_analyst", "secret")
    cells.run("%tusk disconnect mine")


def test_the_current_role_is_the_one_that_set_role_made(cells, server, roles, types):
    roles("tusk_analyst")
    cells.run("%sql set role tusk_analyst")
    questions = types("secret", "secret")
    cells.run("%tusk password")
    assert "tusk_analyst" in questions[0]
    assert logs_in(server, "tusk_analyst", "secret")
    cells.run("%sql reset role")


def test_a_session_authorization_is_not_the_login(cells, tusk, server, roles, types):
    roles("tusk_analyst")
    cells.run("%sql set session authorization tusk_analyst")
    types("secret", "secret")
    shown = cells.run("%tusk password").displayed[0]
    assert "this kernel uses the new one" not in shown
    assert logs_in(server, "tusk_analyst", "secret")
    assert tusk.connections.current.target.conninfo.password is None
    cells.run("%sql reset session authorization")


def test_a_session_that_is_gone_is_said_to_be_once(cells, connection, server, roles, types):
    roles("tusk_analyst")
    questions = types("secret", "secret")
    ask(server.conninfo(), "select pg_terminate_backend(%s, 5000)", connection.session().backend_pid)
    reply = cells.run("%tusk password tusk_analyst", ok=False)
    assert type(reply.exception) is ConnectionLost
    assert "temp tables, settings" in reply.displayed[-1]
    assert questions == []
    assert cells.run("%sql select 1").value


def test_an_open_transaction_takes_it_back_or_keeps_it(cells, server, roles, types):
    roles("tusk_analyst")
    for ending, there in (("rollback", False), ("commit", True)):
        cells.run("%sql begin")
        types("secret", "secret")
        shown = cells.run("%tusk password tusk_analyst").displayed[0]
        assert "it is not yet committed" in shown
        assert "transaction open" in shown
        assert not logs_in(server, "tusk_analyst", "secret")
        cells.run(f"%sql {ending}")
        assert logs_in(server, "tusk_analyst", "secret") is there


def test_a_failed_transaction_is_no_place_for_it(cells, roles, types):
    roles("tusk_analyst")
    cells.run("%sql begin")
    cells.run("%sql select 1/0", ok=False)
    questions = types("secret", "secret")
    reply = cells.run("%tusk password tusk_analyst", ok=False)
    assert reply.exception.sqlstate == "25P02"
    assert questions == []
    cells.run("%sql rollback")


def test_a_server_that_keeps_md5_is_said_to(cells, server, roles, types):
    role = roles("tusk_analyst")
    cells.run("%sql set password_encryption = md5")
    types("secret", "secret")
    shown = cells.run("%tusk password tusk_analyst").displayed[0]
    assert "the server keeps it as MD5" in shown
    assert ask(server.conninfo(), STORED, role).startswith("md5")


def test_the_connection_goes_on_with_its_own_new_password(tusk, server, roles, types, shell):
    roles("tusk_analyst", "login password 'old'")
    where = f"host=127.0.0.1 port={server.port} user=tusk_analyst dbname=postgres password=old"
    connection = tusk_jupyter.connect(where, name="mine")
    types("new", "new")
    shown = shell.run("%tusk password").displayed[0]
    assert "this kernel uses the new one from now on\nnote: where the old one is written down" in shown
    lost = connection.session().backend_pid
    ask(server.conninfo(), "select pg_terminate_backend(%s, 5000)", lost)
    # the session is opened again, and the pool's connections are, with what the server wants now
    shell.run("%sql select 1", ok=False)
    shell.run("%sql select 1")
    assert connection.session().backend_pid != lost
    with connection.pool.borrow(timeout_s=10) as borrowed:
        assert borrowed.execute("select current_user").fetchone() == ("tusk_analyst",)
    shell.run("%tusk disconnect mine")


def test_what_is_kept_stays_the_old_one_until_commit(tusk, server, roles, types, shell):
    roles("tusk_analyst", "login password 'old'")
    where = f"host=127.0.0.1 port={server.port} user=tusk_analyst dbname=postgres"
    types("old")
    connection = tusk_jupyter.connect(where, name="mine")
    shell.run("%sql begin")
    types("new", "new")
    assert "what is kept for mine stays the old one" in shell.run("%tusk password").displayed[0]
    assert tusk.credentials.recall(connection.target.password_key) == Secret("old")
    shell.run("%sql rollback")
    types("new", "new")
    shell.run("%tusk password")
    assert tusk.credentials.recall(connection.target.password_key) == Secret("new")
    shell.run("%tusk disconnect mine")


def test_a_saved_connection_s_password_is_the_new_one(tusk, server, roles, types, shell):
    roles("tusk_analyst", "login password 'old'")
    types("old")
    shell.run(
        f"%tusk_connect host=127.0.0.1 port={server.port} user=tusk_analyst dbname=postgres --name mine --save"
    )
    types("new", "new")
    assert "the password that is kept for mine" in shell.run("%tusk password").displayed[0]
    saved = tusk.saved.get("mine")
    assert tusk.credentials.get(saved.id, "db") == Secret("new")
    shell.run("%tusk disconnect mine")
    questions = types()
    shell.run("%tusk_connect mine")
    assert questions == []
    shell.run("%tusk disconnect mine")


def test_python_sets_one_as_well(tusk, connection, server, roles):
    roles("tusk_analyst")
    done = tusk.set_password(Secret("secret"), role="tusk_analyst", connection=connection)
    assert done.role == "tusk_analyst"
    assert logs_in(server, "tusk_analyst", "secret")


def test_a_cancel_stops_it_while_it_waits(tusk, connection, server, roles):
    from concurrent.futures import ThreadPoolExecutor

    role = roles("tusk_analyst")
    with ThreadPoolExecutor(1) as pool, psycopg.connect(server.conninfo()) as other:
        other.execute("alter role tusk_analyst password 'first'")
        future = pool.submit(tusk.set_password, Secret("secret"), role=role, connection=connection)
        wait_until(lambda: running(server.conninfo(), 'alter role "tusk_analyst"'))
        [query] = tusk.queries.active()
        assert query.sql == "ALTER ROLE \"tusk_analyst\" PASSWORD '****'"
        tusk.queries.cancel_all()
        assert future.exception(timeout=20).sqlstate == "57014"
        other.rollback()
    assert ask(server.conninfo(), STORED, role) is None


def test_the_canary_is_nowhere(cells, tusk, server, roles, types):
    role = roles("tusk_analyst")
    types(CANARY, CANARY)
    outputs = cells.run("%tusk password tusk_analyst").everything
    seen = ask(server.conninfo(), "select string_agg(query, ' ') from pg_stat_activity")
    assert f'alter role "{role}" password \'SCRAM-SHA-256$' in seen
    history = cells.run("%tusk history").everything + cells.run("%tusk logs").everything
    source = "\n".join(cells.ns["In"])
    files = b"".join(path.read_bytes() for path in tusk.files.directory.rglob("*") if path.is_file())
    for text in (outputs, seen, history, source, files.decode(errors="replace"), repr(tusk.results.last.to_dict())):
        assert CANARY[:10] not in text
    kept = tusk.storage.write(lambda conn: conn.execute("select sql from history").fetchall()).result(10)
    assert kept == [("ALTER ROLE \"tusk_analyst\" PASSWORD '****'",)]


def test_tracebacks_do_not_hold_it(cells, roles, types):
    roles("tusk_analyst")
    cells.run("%sql begin; set transaction read only")
    types(CANARY, CANARY)
    cells.run("%xmode Verbose")
    reply = cells.run("%tusk password tusk_analyst", ok=False)
    assert isinstance(reply.exception, QueryFailed)
    assert reply.exception.sqlstate == "25006"
    assert CANARY[:10] not in reply.everything
    frame = reply.exception.__traceback__
    while frame is not None:
        for value in frame.tb_frame.f_locals.values():
            assert CANARY[:10] not in repr(value)
        frame = frame.tb_next
    cells.run("%xmode Context")
    cells.run("%sql rollback")


def test_an_interrupted_prompt_changes_nothing(cells, server, roles, monkeypatch):
    role = roles("tusk_analyst")

    def interrupted(question):
        raise KeyboardInterrupt

    monkeypatch.setattr(getpass, "getpass", interrupted)
    reply = cells.run("%tusk password tusk_analyst", ok=False)
    assert isinstance(reply.exception, KeyboardInterrupt | QueryInterrupted)
    assert ask(server.conninfo(), STORED, role) is None
