"""What a user is told of a transaction: in the footer, when it lies idle, when it failed, when nothing was saved."""

from __future__ import annotations

import os
import signal

import pytest

from tests.waiting import ask, meanwhile, running, terminate, wait_until
from tusk_jupyter.errors import QueryFailed


def session_of(connection):
    return connection.live_session


def lies_idle(connection, seconds):
    """Have the open transaction be idle for so long already: nobody waits for that in a test."""
    session_of(connection)._idle_from -= seconds


def shown(reply):
    return "\n".join(reply.displayed)


# -- idle -------------------------------------------------------------------------------------------------------------


def test_the_footer_has_the_idle_time_before_the_cell(cells, connection):
    cells.run("%%sql\ncreate table t (a int); begin; insert into t values (1)")
    assert "idle" not in shown(cells.run("%sql select 1"))
    lies_idle(connection, 31)
    text = shown(cells.run("%%sql\nselect 1; select 2"))
    assert text.count("idle 31 s") == 1
    assert "transaction open · 3 statements · " in text
    assert "idle" not in shown(cells.run("%sql select 1"))


def test_an_idle_transaction_is_pointed_out_once(cells, connection):
    cells.run("%%sql\ncreate table t (a int); begin; insert into t values (1)")
    lies_idle(connection, 75)
    text = shown(cells.run("%tusk queries"))
    assert "the open transaction of db (1 statement) has been idle for 1 min 15 s" in text
    assert "COMMIT saves it, ROLLBACK undoes it" in text
    assert "it keeps locks on t, and VACUUM from removing" in text
    assert "has been idle" not in shown(cells.run("%tusk queries"))
    # it is another period now
    assert "has been idle" not in shown(cells.run("%sql select 1"))
    lies_idle(connection, 75)
    text = shown(cells.run("%sql select 1"))
    assert "has been idle for 1 min 15 s" in text
    assert "idle 1 min 15 s" in text


def test_it_is_pointed_out_in_a_cell_on_another_connection(cells, connection, database):
    cells.run("%%sql\nbegin; set local work_mem = '8MB'")
    cells.run(f"%tusk_connect {database} --name other")
    lies_idle(connection, 61)
    text = shown(cells.run("%sql select 2"))
    assert "transaction of db (1 statement) has been idle" in text
    assert "%sql db commit" in text
    assert "it keeps nothing from others" in text


def test_a_commit_after_long_thought_is_not_told_off(cells, connection):
    for words in ("commit", "rollback", "commit; begin"):
        cells.run("%%sql\nbegin; select 1")
        lies_idle(connection, 75)
        assert "has been idle" not in shown(cells.run(f"%%sql\n{words}"))
        cells.run("%sql rollback")


def test_the_limit_is_a_preference(cells, connection):
    cells.run("%sql begin")
    cells.run("%tusk set idle_transaction_s 300")
    lies_idle(connection, 200)
    assert "has been idle" not in shown(cells.run("%tusk queries"))
    lies_idle(connection, 200)
    assert "has been idle" in shown(cells.run("%tusk queries"))
    cells.run("%tusk set idle_transaction_s 0")
    cells.run("%sql select 1")
    lies_idle(connection, 100_000)
    assert "has been idle" not in shown(cells.run("%tusk queries"))


def test_who_waits_and_what_the_server_will_do(cells, connection, database):
    cells.run("%%sql\ncreate table t (a int); set idle_in_transaction_session_timeout = '5min'; begin; lock table t")
    with meanwhile(lambda: ask(database, "select count(*) from t")):
        wait_until(lambda: ask(database, "select count(*) from pg_locks where not granted"))
        lies_idle(connection, 61)
        text = shown(cells.run("%tusk queries"))
        cells.run("%sql rollback")
    assert "a session waits for it" in text
    assert "the server ends it after 5 min without a statement (idle_in_transaction_session_timeout)" in text


def test_a_failed_one_has_its_ways_out(cells, connection):
    cells.run("%%sql\nbegin; savepoint before")
    cells.run("%sql select nope", ok=False)
    lies_idle(connection, 61)
    text = shown(cells.run("%tusk queries"))
    assert "the failed transaction of db (1 statement) has been idle" in text
    assert "ROLLBACK ends it, ROLLBACK TO before goes on from there" in text


def test_one_that_the_server_has_ended_meanwhile(cells, connection, database):
    cells.run("%%sql\ncreate table t (a int); begin; insert into t values (1)")
    terminate(database, session_of(connection).backend_pid)
    lies_idle(connection, 61)
    assert "the server has ended its session: nothing of it was saved" in shown(cells.run("%tusk queries"))


# -- savepoints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "last"),
    [
        ("savepoint a", "a"),
        ("savepoint a; savepoint b", "b"),
        ("savepoint a; savepoint b; release b", "a"),
        ("savepoint a; savepoint b; release savepoint a", None),
        ("savepoint a; savepoint b; savepoint c; rollback to b", "b"),
        ("savepoint a; savepoint b; rollback work to savepoint A", "a"),
        ("savepoint a; savepoint a; release a", "a"),
        ('savepoint "Ab c"; savepoint x; rollback to "Ab c"', '"Ab c"'),
        ("savepoint a /* b */ -- c\n", "a"),
        ("savepoint a; rollback and chain", None),
        ("savepoint a; commit and chain", None),
        ("savepoint a; commit; begin", None),
        (f"savepoint {'ä' * 40}; savepoint b; rollback to {'ä' * 31}", "ä" * 40),
    ],
)
def test_the_last_savepoint_is_the_way_back(cells, connection, script, last):
    cells.run(f"%%sql\nbegin; {script}")
    text = shown(cells.run("%sql select nope", ok=False))
    if last is None:
        assert "ROLLBACK, or ROLLBACK TO a savepoint." in text
    else:
        assert f"ROLLBACK, or ROLLBACK TO {last}, its last savepoint." in text
        cells.run(f"%sql rollback to {last}")
        assert session_of(connection).transaction_status == "INTRANS"


def test_a_block_in_a_transaction_leaves_no_savepoint(cells, connection):
    cells.run("%%sql\ncreate table t (a int); begin; savepoint mine")
    block = "import tusk_jupyter as tusk\nwith tusk.transaction():\n    tusk.sql('savepoint inner_one')\n    {}"
    cells.run(block.format("tusk.sql('insert into t values (1)')"))
    assert session_of(connection).transaction.savepoint == "mine"
    cells.run(block.format("1 / 0"), ok=False)
    assert session_of(connection).transaction.savepoint == "mine"
    assert cells.run("%sql rollback to tusk_block", ok=False).exception.sqlstate == "3B001"


def test_a_chained_transaction_is_a_new_one(cells, connection):
    cells.run("%%sql\nbegin; select 1; select 2")
    before = session_of(connection).transaction
    cells.run("%sql commit and chain")
    after = session_of(connection).transaction
    assert after.statements == 0
    assert after.since > before.since


# -- nothing was saved ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("commit", "so COMMIT became ROLLBACK"),
        ("end", "so END became ROLLBACK"),
        ("commit work", "so COMMIT became ROLLBACK"),
        ("commit and chain", "so COMMIT became ROLLBACK; the next one of the chain is open"),
        ("prepare transaction 'x'", "so PREPARE TRANSACTION became ROLLBACK"),
    ],
)
@pytest.mark.parametrize("form", ["%sql {}", "%%sql\n{}", "%%sql --quiet\n{}", "%%sql --on-error continue\n{}"])
def test_a_commit_that_became_a_rollback_is_loud(cells, words, said, form):
    cells.run("%sql begin")
    cells.run("%sql select nope", ok=False)
    reply = cells.run(form.format(words))
    text = shown(reply)
    assert f"WARNING:  nothing was saved: the transaction had failed, {said}" in text
    html = "".join(output["data"].get("text/html", "") for output in reply.outputs if "data" in output)
    red = html[html.index("nothing was saved") - 200 : html.index("nothing was saved")]
    assert "--jp-error-color1" in red
    assert text.count("nothing was saved") == 1


def test_without_a_transaction_none_has_failed(cells):
    text = shown(cells.run("%sql prepare transaction 'x'"))
    assert "there is no transaction in progress" in text  # the server's
    assert "had failed" not in text
    assert "nothing was saved" not in text


def test_it_is_a_note_of_the_result_as_well(cells, tusk):
    cells.run("%sql begin")
    cells.run("%sql select nope", ok=False)
    cells.run("import tusk_jupyter as tusk\ntusk.sql('commit')\nnotes = tusk.last_result().notes")
    assert "nothing was saved" in cells.ns["notes"][0]


@pytest.mark.parametrize("words", ["rollback", "abort", "rollback and chain"])
def test_a_rollback_is_what_was_asked_for(cells, words):
    cells.run("%sql begin")
    cells.run("%sql select nope", ok=False)
    assert "nothing was saved" not in shown(cells.run(f"%sql {words}"))


def test_a_commit_with_deferred_constraints_fails(cells, database):
    cells.run(
        "%%sql\ncreate table d (a int unique deferrable initially deferred); begin; insert into d values (1), (1)"
    )
    reply = cells.run("%sql commit", ok=False)
    assert isinstance(reply.exception, QueryFailed)
    assert reply.exception.sqlstate == "23505"
    assert ask(database, "select count(*) from d") == 0


# -- several statements, some of which fail ---------------------------------------------------------------------------

SAVED = "%%sql --on-error savepoint\n"


@pytest.fixture
def t(cells):
    cells.run("%sql create table t (a int)")
    return cells


def rows(database):
    return ask(database, "select coalesce(array_agg(a order by a), '{}') from t")


def test_what_survived_is_said_where_it_failed_and_at_the_end(t, connection):
    script = "begin; insert into t values (1); insert into t values (2); select 1/0; insert into t values (3); select nope; select 5"
    reply = t.run(f"{SAVED}{script}", ok=False)
    first, second = [text for text in reply.displayed if text.startswith("ERROR")]
    assert "statements: 3 done, 1 failed, 3 to come (failed: 4)" in first.lower()
    assert (
        "The 2 statements of the transaction before this one are kept; this one was rolled back to its savepoint. "
        "The transaction is open." in first
    )
    assert "The 3 statements of the transaction before this one are kept" in second
    assert reply.displayed[-1] == (
        "5 of 7 statements succeeded, numbers 4 and 6 failed; the transaction is open, and keeps what those in it have done"
    )
    assert session_of(connection).transaction_status == "INTRANS"


def test_a_transaction_of_an_earlier_cell_is_kept_too(t, database):
    t.run("%%sql\nbegin; insert into t values (1)")
    text = shown(t.run(f"{SAVED}select 1/0", ok=False))
    assert "The statement of the transaction before this one is kept; this one was rolled back" in text
    t.run("%sql commit")
    assert rows(database) == [1]


def test_continue_says_what_ran(t, database):
    reply = t.run("%%sql --on-error continue\ninsert into t values (1); select 1/0; insert into t values (2)", ok=False)
    assert reply.displayed[-1] == "2 of 3 statements succeeded, number 2 failed"
    assert rows(database) == [1, 2]


def test_what_stops_a_script_is_not_to_come(t):
    reply = t.run("%%sql --on-error continue\nbegin; select 1/0; select 1; select 2", ok=False)
    assert "1 done, 1 failed, 2 not run (failed: 2)" in shown(reply)


@pytest.mark.parametrize(
    ("script", "kept"),
    [
        # the user's own savepoints, before and between
        ("savepoint a; insert into t values (1); select 1/0; rollback to a; insert into t values (2)", [2]),
        ("insert into t values (1); savepoint a; insert into t values (2); select 1/0; release a", [1, 2]),
        ("savepoint tusk_statement; insert into t values (1); select 1/0; rollback to tusk_statement", []),
        # that are not there
        ("insert into t values (1); rollback to nope; insert into t values (2)", [1, 2]),
        ("insert into t values (1); release nope; insert into t values (2)", [1, 2]),
        ("savepoint a; release a; insert into t values (1); rollback to a", [1]),
        # an end in the middle
        ("insert into t values (1); select 1/0; commit; insert into t values (2); begin", [1, 2]),
        ("insert into t values (1); select 1/0; rollback; insert into t values (2); begin", [2]),
        ("insert into t values (1); select 1/0; commit and chain; insert into t values (2); select 1/0", [1, 2]),
        # a deferred constraint, looked at now
        (
            (
                "create table d (a int unique deferrable initially deferred); insert into d values (1); select 1/0; "
                "insert into d values (1); set constraints all immediate; insert into t values (1); delete from d"
            ),
            [1],
        ),
        # a cursor goes on behind a failure elsewhere
        (
            (
                "declare c cursor for select 7 union all select 8; fetch c; select 1/0; "
                "insert into t select 1; fetch c; close c"
            ),
            [1],
        ),
        # what failed may have set something as well
        ("set local work_mem = '1MB'; select set_config('work_mem', '2MB', true), 1/0; insert into t values (1)", [1]),
    ],
)
def test_savepoints_and_what_else_a_transaction_holds(t, connection, database, script, kept):
    t.run(f"{SAVED}begin; {script}", ok=False)
    assert session_of(connection).transaction_status == "INTRANS"
    t.run("%sql commit")
    assert rows(database) == kept


def test_set_local_outlives_its_savepoint_and_one_that_failed_does_not(t, connection):
    script = "begin; set local statement_timeout = '2min'; select set_config('statement_timeout', '1min', true), 1/0"
    t.run(f"{SAVED}{script}", ok=False)
    assert session_of(connection).statement_timeout_ms == 120_000
    t.run("x = %sql show statement_timeout")
    assert t.ns["x"].iat[0, 0] == "2min"


def test_one_that_had_failed_before_is_not_mended(t):
    t.run("%sql begin")
    t.run("%sql select nope", ok=False)
    text = shown(t.run(f"{SAVED}select 1; select 2", ok=False))
    assert "0 done, 1 failed, 1 not run" in text
    assert "is now failed" in text


def test_a_statement_that_ran_out_of_time_is_rolled_back_to_its_savepoint(t, database):
    script = "begin; insert into t values (1); set local statement_timeout = '100ms'; select pg_sleep(60); insert into t values (2); commit"
    text = shown(t.run(f"{SAVED}{script}", ok=False))
    assert "this one was rolled back to its savepoint. The transaction is open." in text
    assert rows(database) == [1, 2]


def test_the_cell_s_own_time_stops_the_script_and_keeps_the_transaction(t, connection, database):
    script = "begin; insert into t values (1); select pg_sleep(60); insert into t values (2)"
    text = shown(t.run(f"%%sql --on-error savepoint --timeout 500ms\n{script}", ok=False))
    assert "2 done, 1 failed, 1 not run" in text
    assert "this one was rolled back to its savepoint. The transaction is open." in text
    t.run("%sql commit")
    assert rows(database) == [1]


def test_an_interrupted_statement_is_rolled_back_to_its_savepoint(t, connection, database):
    def interrupt():
        wait_until(lambda: running(database, "pg_sleep(63)"))
        os.kill(os.getpid(), signal.SIGINT)

    with meanwhile(interrupt):
        reply = t.run(
            f"{SAVED}begin; insert into t values (1); select pg_sleep(63); insert into t values (2)", ok=False
        )
    assert "this one was rolled back to its savepoint. The transaction is open." in shown(reply)
    t.run("%sql commit")
    assert rows(database) == [1]


def test_outside_a_transaction_nothing_is_said_of_one(t):
    text = shown(t.run(f"{SAVED}select 1/0; select 1", ok=False))
    assert "transaction" not in text
    assert text.endswith("1 of 2 statements succeeded, number 1 failed")
