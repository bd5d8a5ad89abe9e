"""What a user is told of a transaction: in the footer, when it lies idle, when it failed, when nothing was saved."""

from __future__ import annotations

import pytest

from tests.waiting import ask, meanwhile, terminate, wait_until
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
    assert "keeps locks on t, keeps VACUUM from removing" in text
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
