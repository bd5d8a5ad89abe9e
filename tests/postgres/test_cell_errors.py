"""What a user sees of a failure: one panel, the exact place, what became of the transaction."""

from __future__ import annotations

import signal
import threading

import psycopg
import pytest

from tests.waiting import ask, running, terminate, wait_until
from tusk_jupyter.errors import (
    ConnectionLost,
    QueryCancelled,
    QueryFailed,
    QueryTimeout,
)
from tusk_jupyter.queries import commit


def caret(reply, line, before):
    """Assert that the panel's caret stands under what follows ``before`` in line ``line``; a wide character is two."""
    rows = reply.displayed[-1].splitlines()
    at = next(i for i, row in enumerate(rows) if row.startswith("LINE "))
    wide = sum(char >= "\u1100" for char in before)
    assert rows[at].startswith(f"LINE {line}: {before}")
    assert rows[at + 1] == " " * (len(f"LINE {line}: {before}") + wide) + "^"
    return True


def meanwhile(database, fragment, act):
    """Call ``act(pid)`` from another thread as soon as the server runs a statement with ``fragment``."""

    def watch():
        act(wait_until(lambda: running(database, fragment)))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


# -- one panel, one line ----------------------------------------------------------------------------------------------


def test_an_error_that_leaves_the_cell_shows_one_panel_and_one_line(cells):
    reply = cells.run("%sql select nope", ok=False)
    assert len(reply.displayed) == 1
    assert reply.displayed[0].startswith('ERROR:  column "nope" does not exist  (42703 undefined_column)')
    assert reply.error["traceback"] == ['QueryFailed: column "nope" does not exist (42703)']


def test_an_error_that_user_code_catches_shows_nothing(cells):
    reply = cells.run(
        "try:\n    get_ipython().run_cell_magic('sql', '', 'select nope')\nexcept Exception as error:\n    caught = error"
    )
    assert reply.outputs == []
    assert cells.ns["caught"].sqlstate == "42703"


def test_an_error_raised_again_later_shows_its_panel_then(cells):
    cells.run(
        "try:\n    get_ipython().run_line_magic('sql', 'select nope')\nexcept Exception as error:\n    caught = error"
    )
    reply = cells.run("raise caught", ok=False)
    assert len(reply.displayed) == 1
    assert "nope" in reply.displayed[0]


def test_an_error_from_the_functions_shows_the_same_panel(cells):
    reply = cells.run("import tusk_jupyter as tusk\ntusk.sql('select nope')", ok=False)
    assert len(reply.displayed) == 1
    assert len(reply.error["traceback"]) == 1


def test_errverbose_shows_everything(cells):
    cells.run("%sql select nope", ok=False)
    text = cells.run("%tusk errverbose").displayed[-1]
    for fact in ("source_function", "sqlstate", "42703", "statement_position", "QueryFailed"):
        assert fact in text


@pytest.mark.parametrize("mode", ["Plain", "Context", "Verbose", "Minimal"])
def test_one_line_in_every_traceback_mode(cells, mode):
    cells.run(f"%xmode {mode}")
    assert len(cells.run("%sql select nope", ok=False).error["traceback"]) == 1
    again = cells.run("%tb")
    assert again.error["traceback"] == ['QueryFailed: column "nope" does not exist (42703)']


def test_facts_of_the_error_are_its_attributes(cells):
    cells.run("%sql create table t (a int constraint small check (a < 10))")
    error = cells.run("%sql insert into t values (11)", ok=False).exception
    assert (error.sqlstate, error.condition, error.kind) == ("23514", "check_violation", "query")
    assert error.diag.constraint_name == "small"
    assert error.diag.table_name == "t"
    assert error.detail == error.diag.message_detail
    assert error.advice


# -- where ------------------------------------------------------------------------------------------------------------


def test_third_statement_with_parameters_and_wide_characters(cells):
    cells.ns.update(x=1, y=22)
    cell = """%%sql
select 'ä' as a, :x as b;
select :x as "漢;", ':y' as c;
  select 'é漢字' as d, :x + :y as e, nope, :y
  from pg_class"""
    reply = cells.run(cell, ok=False)
    assert caret(reply, 4, "  select 'é漢字' as d, :x + :y as e, ")
    assert reply.exception.position == cell.index("nope") + 1
    assert "statements" in dict(reply.exception.facts)


def test_after_lists_that_grow_in_the_sent_text(cells):
    cells.ns["ids"] = [1, 2, 3]
    cell = "%%sql db --limit 3\nselect 1 where 1 in :ids and 2 not in (:ids)\n  and\tnope"
    reply = cells.run(cell, ok=False)
    assert reply.exception.position == cell.index("nope") + 1
    assert "LINE 3:" in reply.displayed[-1]


def test_on_the_first_line_of_a_cell(cells):
    cell = "%%sql db select 1,\nnope"
    assert cells.run(cell, ok=False).exception.position == cell.index("nope") + 1
    cell = "%%sql --quiet select nope,\n1"
    reply = cells.run(cell, ok=False)
    assert reply.exception.position == cell.index("nope") + 1
    assert "LINE 1: %%sql --quiet select nope," in reply.displayed[-1]


def test_behind_an_assignment(cells):
    cell = "%%sql\nlate <<\nselect nope"
    reply = cells.run(cell, ok=False)
    assert caret(reply, 3, "select ")
    assert reply.exception.position == cell.index("nope") + 1


def test_at_the_end_of_the_text(cells):
    assert caret(cells.run("%%sql\nselect 1 +\n", ok=False), 2, "select 1 +")


def test_of_a_missing_parameter(cells):
    cells.ns["minutes"] = 5
    cell = "%%sql\nselect 'ü',\n  :minuts"
    reply = cells.run(cell, ok=False)
    assert caret(reply, 3, "  ")
    assert reply.exception.position == cell.index(":minuts") + 1
    assert "minutes" in reply.displayed[-1]


def test_inside_a_function_the_caret_is_in_its_own_query(cells):
    cells.run(
        "%%sql\ncreate function f() returns int language plpgsql as $$ begin return (select nope from pg_class); end $$"
    )
    reply = cells.run("%%sql\nselect 1,\n  f()", ok=False)
    text = reply.displayed[-1]
    assert "LINE 1 of the function's query:" in text
    row, under = next((a, b) for a, b in zip(text.splitlines(), text.splitlines()[1:], strict=False) if "LINE 1" in a)
    assert row[under.index("^") :].startswith("nope")
    assert reply.exception.position is None
    assert "nope" in reply.exception.diag.internal_query


# -- several statements -----------------------------------------------------------------------------------------------


def test_counts_done_failed_and_not_run(cells, database):
    cells.run("%sql create table t (a int)")
    reply = cells.run(
        "%%sql\ninsert into t values (1); insert into t values (2); select 1/0; insert into t values (3);", ok=False
    )
    assert "2 done, 1 failed, 1 not run" in reply.displayed[-1]
    assert ask(database, "select count(*) from t") == 2


def test_continue_goes_on_and_fails_the_cell_at_its_end(cells, database):
    cells.run("%sql create table t (a int)")
    reply = cells.run(
        "%%sql --on-error continue\ninsert into t values (1); select 1/0; insert into t values (2)", ok=False
    )
    assert reply.exception.sqlstate == "22012"
    assert "\n".join(reply.displayed).count("ERROR:  division by zero") == 1
    assert ask(database, "select count(*) from t") == 2


def test_continue_shows_each_failure_once(cells):
    reply = cells.run(
        "%%sql --on-error continue\nselect 1/0; select 'be' || 'tween' as a; select nope; select 'af' || 'ter' as b",
        ok=False,
    )
    text = "\n".join(o["data"]["text/plain"] for o in reply.outputs if "data" in o)
    for once in ("ERROR:  division by zero", 'ERROR:  column "nope"', "between", "after"):
        assert text.count(once) == 1, once


def test_continue_skips_the_rest_of_a_failed_transaction(cells, database):
    cells.run("%sql create table t (a int)")
    reply = cells.run(
        "%%sql --on-error continue\nbegin; insert into t values (1); select 1/0; "
        "insert into t values (2); commit; insert into t values (3)",
        ok=False,
    )
    assert reply.exception.sqlstate == "22012"
    assert "2 done, 1 failed, 3 " in reply.displayed[-1]
    assert "is now failed" in reply.displayed[-1]
    assert "nothing was saved" in cells.run("%sql commit").displayed[-1]
    assert ask(database, "select count(*) from t") == 0


def test_savepoint_keeps_an_open_transaction_alive(cells, database):
    cells.run("%sql create table t (a int)")
    reply = cells.run(
        "%%sql --on-error savepoint\nbegin; insert into t values (1); select 1/0; insert into t values (2); commit",
        ok=False,
    )
    assert reply.exception.sqlstate == "22012"
    assert ask(database, "select array_agg(a order by a) from t") == [1, 2]
    assert "transaction" not in cells.run("%sql select 1").displayed[-1]


def test_savepoint_opens_no_transaction_and_leaves_no_savepoint(cells, database):
    cells.run("%sql create table t (a int)")
    cells.run("%%sql --on-error savepoint\ninsert into t values (1); select 1/0; insert into t values (2)", ok=False)
    assert ask(database, "select count(*) from t") == 2
    cells.run("%%sql --on-error savepoint\nbegin; insert into t values (3)")
    assert cells.run("%sql rollback to tusk_statement", ok=False).exception.sqlstate == "3B001"
    cells.run("%sql rollback")


# -- transactions -----------------------------------------------------------------------------------------------------


def test_the_panel_says_what_became_of_the_transaction(cells):
    cells.run("%%sql\ncreate temp table t (a int); begin; insert into t values (1); insert into t values (2)")
    reply = cells.run("%sql select nope", ok=False)
    assert (
        "The transaction (2 statements) is now failed: ROLLBACK, or ROLLBACK TO a savepoint. Nothing was undone yet."
        in reply.displayed[-1]
    )
    cells.run("%sql rollback")
    assert "transaction" not in cells.run("%sql select nope", ok=False).displayed[-1].lower()


def test_an_error_of_ours_leaves_the_transaction_open_and_says_so(cells):
    cells.run("%sql begin")
    assert "still open" in cells.run("%sql select :nope", ok=False).displayed[-1]
    assert "transaction open" in cells.run("%sql select 1").displayed[-1]


# -- time -------------------------------------------------------------------------------------------------------------


def session_pid(cells):
    cells.run("pid_now = %sql select pg_backend_pid()")
    return int(cells.ns["pid_now"].iat[0, 0])


def test_timeout_stops_the_statement_and_keeps_the_session(cells, database):
    pid = session_pid(cells)
    cells.run("%sql create temp table mine as select 7 as x")
    error = cells.run("%%sql --timeout 300ms\nselect pg_sleep(600)", ok=False).exception
    assert type(error) is QueryTimeout
    assert error.duration_s == pytest.approx(0.3)
    assert "--timeout" in str(error)
    assert session_pid(cells) == pid
    assert "7" in cells.run("%sql select x from mine").value
    assert not running(database, "pg_sleep(600)")


def test_timeout_is_the_whole_cells(cells, database):
    cells.run("%sql create sequence done")
    # each has time enough by itself, all of them take ten seconds at least
    body = "select pg_sleep(0.25), nextval('done');" * 40
    reply = cells.run(f"%%sql --timeout 600ms\n{body}", ok=False)
    assert type(reply.exception) is QueryTimeout
    assert ask(database, "select last_value from done") < 20
    assert reply.exception.duration_s == pytest.approx(0.6)


def test_timeout_that_is_not_reached_changes_nothing(cells):
    assert "1" in cells.run("%sql --timeout 30s select 1").value


def test_statement_timeout_of_the_session(cells):
    pid = session_pid(cells)
    cells.run("%sql set statement_timeout = '200ms'")
    error = cells.run("%sql select pg_sleep(30)", ok=False).exception
    assert type(error) is QueryTimeout
    assert error.duration_s == pytest.approx(0.2)
    assert "statement_timeout" in error.advice
    assert session_pid(cells) == pid


def test_statement_timeout_of_the_connection(cells, database):
    cells.run(f"%tusk_connect {database} --name hasty --statement-timeout 200ms")
    error = cells.run("%sql select pg_sleep(30)", ok=False).exception
    assert type(error) is QueryTimeout
    assert error.duration_s == pytest.approx(0.2)


def test_a_cancel_from_elsewhere_says_so(cells, database):
    pid = session_pid(cells)
    thread = meanwhile(database, "pg_sleep(33)", lambda pid: ask(database, "select pg_cancel_backend(%s)", pid))
    reply = cells.run("%sql select pg_sleep(33)", ok=False)
    thread.join(10)
    assert type(reply.exception) is QueryCancelled
    assert "omebody else" in reply.displayed[-1]
    assert session_pid(cells) == pid


# -- lost sessions ----------------------------------------------------------------------------------------------------


def test_killed_while_idle_says_that_nothing_was_sent(cells, database):
    cells.run("%sql create table t (a int)")
    terminate(database, session_pid(cells))
    reply = cells.run("%sql insert into t values (1)", ok=False)
    assert isinstance(reply.exception, ConnectionLost)
    assert str(reply.exception).endswith("was lost: terminating connection due to administrator command (57P01)")
    assert "The statement was not sent" in reply.displayed[-1]
    assert "temp tables" in reply.displayed[-1]
    assert ask(database, "select count(*) from t") == 0
    cells.run("%sql insert into t values (2)")
    assert ask(database, "select count(*) from t") == 1


def test_killed_with_an_open_transaction_says_what_was_lost(cells, database):
    cells.run("%%sql\ncreate table t (a int); begin; insert into t values (1)")
    terminate(database, session_pid(cells))
    reply = cells.run("%sql insert into t values (2)", ok=False)
    assert "open transaction (2 statements)" in reply.displayed[-1]
    assert ask(database, "select count(*) from t") == 0
    assert "transaction" not in cells.run("%sql select 1").displayed[-1]


def test_killed_while_reading_is_no_unknown_outcome(cells, database):
    thread = meanwhile(database, "pg_sleep(34)", lambda pid: terminate(database, pid))
    reply = cells.run("%sql select pg_sleep(34)", ok=False)
    thread.join(10)
    assert isinstance(reply.exception, ConnectionLost)
    assert reply.exception.sqlstate == "57P01"
    assert "unknown" not in reply.displayed[-1]


@pytest.mark.parametrize("more", ["", "--read-only"])
def test_killed_in_a_pipeline_says_the_servers_last_word(cells, database, more):
    cells.run(f"%tusk_connect {database} --name other {more}")
    statement = "select relname, pg_sleep(38) from pg_class limit 1"
    thread = meanwhile(database, "pg_sleep(38)", lambda pid: terminate(database, pid))
    reply = cells.run(f"%sql {statement}", ok=False)
    thread.join(10)
    assert isinstance(reply.exception, ConnectionLost)
    assert reply.exception.sqlstate == "57P01"


def test_killed_while_writing_outside_a_transaction_is_an_unknown_outcome(cells, database):
    cells.run("%sql create table t (a text)")
    thread = meanwhile(database, "pg_sleep(35)", lambda pid: terminate(database, pid))
    reply = cells.run("%sql insert into t select pg_sleep(35)", ok=False)
    thread.join(10)
    assert "Outcome unknown" in reply.displayed[-1]


def test_a_lost_session_stops_a_script_that_would_go_on(cells, database):
    cells.run("%sql create table t (a int)")
    thread = meanwhile(database, "pg_sleep(36)", lambda pid: terminate(database, pid))
    reply = cells.run("%%sql --on-error continue\nselect pg_sleep(36); insert into t values (1)", ok=False)
    thread.join(10)
    assert isinstance(reply.exception, ConnectionLost)
    assert ask(database, "select count(*) from t") == 0


# -- loss during COMMIT -----------------------------------------------------------------------------------------------


@pytest.fixture
def through_proxy(cells, database, proxy):
    """The cells, connected as ``far`` through a relay."""
    cells.run("%sql create table t (a int)")
    cells.run(f"%tusk_connect {proxy.conninfo(database.rpartition('=')[2])} --name far")
    return cells


def test_commit_whose_answer_was_lost_is_looked_up(through_proxy, database, proxy):
    through_proxy.run("%%sql\nbegin; insert into t values (1)")
    proxy.cut_answer_to(b"commit")
    reply = through_proxy.run("%sql commit", ok=False)
    assert proxy.cut.is_set()
    assert isinstance(reply.exception, ConnectionLost)
    assert "The COMMIT took effect" in reply.displayed[-1]
    assert ask(database, "select count(*) from t") == 1


def test_commit_that_never_arrived_is_looked_up(through_proxy, database, proxy):
    through_proxy.run("%%sql\nbegin; insert into t values (1)")
    proxy.cut_before(b"commit")
    reply = through_proxy.run("%sql commit", ok=False)
    assert "The COMMIT did not take effect" in reply.displayed[-1]
    assert ask(database, "select count(*) from t") == 0


def test_commit_of_a_transaction_that_wrote_nothing(through_proxy, proxy):
    through_proxy.run("%%sql\nbegin; select 1")
    proxy.cut_answer_to(b"commit")
    assert "had written nothing" in through_proxy.run("%sql commit", ok=False).displayed[-1]


@pytest.mark.parametrize("cut", ["cut_answer_to", "cut_before"])
def test_commit_of_a_transaction_that_had_failed(through_proxy, database, proxy, cut):
    through_proxy.run("%%sql\nbegin; insert into t values (1); select 1/0", ok=False)
    getattr(proxy, cut)(b"commit")
    said = through_proxy.run("%sql commit", ok=False).displayed[-1]
    assert "had failed before: the COMMIT could only roll it back" in said
    assert "written nothing" not in said
    assert ask(database, "select count(*) from t") == 0


def test_commit_of_a_transaction_whose_id_is_not_told(through_proxy, proxy, monkeypatch):
    through_proxy.run("%%sql\nbegin; insert into t values (1)")
    monkeypatch.setattr(commit, "_OWN_ID", "select 1/0")
    proxy.cut_answer_to(b"commit")
    said = through_proxy.run("%sql commit", ok=False).displayed[-1]
    assert "The outcome of the COMMIT is unknown. Check before you run it again." in said
    assert "written nothing" not in said


def test_an_interrupt_of_the_look_up_leaves_the_error(through_proxy, database, proxy, monkeypatch):
    monkeypatch.setattr(commit, "_STATUS", "select pg_sleep(61)::text, {xid}::text")
    through_proxy.run("%%sql\nbegin; insert into t values (1)")
    proxy.cut_answer_to(b"commit")

    def interrupt(_pid):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = meanwhile(database, "pg_sleep(61)", interrupt)
    reply = through_proxy.run("%sql commit", ok=False)
    thread.join(10)
    assert isinstance(reply.exception, ConnectionLost)
    assert f"outcome of the COMMIT is unknown (transaction {reply.exception.xid})" in reply.displayed[-1]
    terminate(database, running(database, "pg_sleep(61)"))


def test_a_lost_commit_is_looked_up_without_a_pool(cells, database, proxy):
    cells.run("%sql create table t (a int)")
    cells.run(f"%tusk_connect {proxy.conninfo(database.rpartition('=')[2])} --name far --pool-size 1")
    cells.run("%%sql\nbegin; insert into t values (1)")
    proxy.cut_answer_to(b"commit")
    assert "The COMMIT took effect" in cells.run("%sql commit", ok=False).displayed[-1]


def test_an_insert_whose_answer_was_lost_is_not_run_again(through_proxy, database, proxy):
    proxy.cut_answer_to(b"insert into t")
    reply = through_proxy.run("%sql insert into t values (1)", ok=False)
    assert "Outcome unknown" in reply.displayed[-1]
    assert ask(database, "select count(*) from t") == 1
    assert not isinstance(reply.exception, QueryFailed)


@pytest.mark.parametrize("words", ["commit", "END", "commit and chain", "commit work and chain"])
def test_every_spelling_of_commit_is_looked_up(through_proxy, database, proxy, words):
    through_proxy.run("%%sql\nbegin; insert into t values (1)")
    proxy.cut_answer_to(words.lower().encode())
    # the last of several statements
    reply = through_proxy.run(f"%%sql\ninsert into t values (2); {words}", ok=False)
    assert "The COMMIT took effect" in reply.displayed[-1]
    assert ask(database, "select count(*) from t") == 2


@pytest.mark.parametrize("arrives", [True, False])
def test_commit_of_a_block_is_looked_up(through_proxy, database, proxy, arrives):
    (proxy.cut_answer_to if arrives else proxy.cut_before)(b"commit")
    block = "import tusk_jupyter as tusk\nwith tusk.transaction():\n    tusk.sql('insert into t values (1)')"
    reply = through_proxy.run(block, ok=False)
    assert f"The COMMIT {'took' if arrives else 'did not take'} effect" in reply.displayed[-1]
    assert ask(database, "select count(*) from t") == int(arrives)


@pytest.mark.parametrize("arrives", [True, False])
@pytest.mark.parametrize("words", ["PREPARE TRANSACTION", "COMMIT PREPARED", "ROLLBACK PREPARED"])
def test_what_became_of_a_prepared_transaction_is_looked_up(through_proxy, database, proxy, words, arrives):
    name = f"it''s {database.rpartition('=')[2]}"
    through_proxy.run("%%sql\nbegin; insert into t values (1)")
    if words != "PREPARE TRANSACTION":
        through_proxy.run(f"%sql prepare transaction '{name}'")
    (proxy.cut_answer_to if arrives else proxy.cut_before)(words.lower().encode())
    reply = through_proxy.run(f"%sql {words} '{name}'", ok=None)
    # one that stays would keep its database from being dropped
    if ask(database, "select count(*) from pg_prepared_xacts where database = current_database()"):
        through_proxy.run(f"%sql db rollback prepared '{name}'")
    assert isinstance(reply.exception, ConnectionLost)
    assert f"The {words} {'took' if arrives else 'did not take'} effect" in reply.displayed[-1]
    assert ask(database, "select count(*) from t") == int(words == "COMMIT PREPARED" and arrives)


def test_a_prepared_transaction_is_known_beside_one_that_began_before_it(through_proxy, database, proxy):
    with psycopg.connect(database) as before:
        before.execute("select txid_current()")
        through_proxy.run("%%sql\nbegin; insert into t values (1)")
        through_proxy.run("%sql prepare transaction 'mine'")
        proxy.cut_before(b"commit prepared")
        reply = through_proxy.run("%sql COMMIT PREPARED 'mine'", ok=False)
        through_proxy.run("%sql db rollback prepared 'mine'")
    assert "The COMMIT PREPARED did not take effect" in reply.displayed[-1]
