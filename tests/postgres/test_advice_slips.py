"""Slips in syntax on a real server: what is said of each, and that the corrected statement is one."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql_slips import FINE, FLIGHTS, LISTED, NO_SLIP, SECOND, SECOND_NO_SLIP, SLIPS, VALID
from tusk_jupyter import translate
from tusk_jupyter.advice.texts import BY_CLASS, BY_CODE
from tusk_jupyter.advice.tokens import tokens
from tusk_jupyter.errors import Place


@pytest.fixture(scope="module")
def flights(server, databases):
    name = databases.take()
    with psycopg.connect(server.conninfo(name), autocommit=True, prepare_threshold=None) as conn:
        conn.execute(FLIGHTS)
        yield conn
    databases.give_back(name)


def refused(conn, statement):
    """Return the error of a statement, None if it has none; nothing of it stays."""
    conn.execute("begin")
    result = conn.pgconn.exec_params(statement.encode(), None)
    conn.rollback()
    if not result.error_message:
        return None
    diag = translate.diagnostic(result)
    offset = (diag.statement_position or 1) - 1
    return translate.query_error(diag, statement=statement, place=Place(f"%%sql\n{statement}", len("%%sql\n") + offset))


def corrected(error):
    """Return the statement with its correction."""
    edit, text = error.correction, error.place.text
    return None if edit is None else (text[: edit.start] + edit.replacement + text[edit.end :]).removeprefix("%%sql\n")


def is_general(error):
    return error.advice in {BY_CODE.get(error.sqlstate), BY_CLASS.get(error.sqlstate[:2])}


@pytest.mark.parametrize(("statement", "part", "better"), LISTED)
def test_a_slip_that_is_known(flights, statement, part, better):
    error = refused(flights, statement)
    assert part in error.advice
    assert corrected(error) == better


@pytest.mark.parametrize("statement", [statement for statement, *_ in (*LISTED, *SLIPS)])
def test_a_corrected_statement_has_no_such_slip(flights, statement):
    better = corrected(refused(flights, statement))
    again = refused(flights, better) if better is not None else None
    # names that are not there are another matter
    assert again is None or (again.sqlstate, again.position) != ("42601", refused(flights, statement).position)
    assert again is None or again.sqlstate in {"42703", "42P01", "42601", "42803", "42883"}


def test_how_many_of_the_others_are_found(flights):
    missed, wrong = [], []
    for statement, parts in SLIPS:
        error = refused(flights, statement)
        if is_general(error):
            missed.append(statement)
        elif not any(part in error.advice.lower() for part in parts):
            wrong.append((statement, error.advice))
    assert len(missed) <= 1, missed
    # that a subquery needs a name is right, and the parenthesis behind it the next error
    assert [statement for statement, _ in wrong] == ["select id from (select id from flights) where id = 1)"]


def test_what_is_no_one_slip_gets_no_wrong_advice(flights):
    said = {}
    for statement in NO_SLIP:
        error = refused(flights, statement)
        if error.sqlstate == "42601" and not is_general(error):
            said[statement] = error.advice
    assert said == {
        "create view v select 1": "`AS` is missing before the query.",
        "with x as select 1 select * from x": (
            "The query of a WITH stands in parentheses: `with x as (select …) select …`."
        ),
        "select interval 1 day": "PostgreSQL writes `interval '1 day'`.",
        "select row_number() over partition by id from flights": (
            "`OVER` takes its window in parentheses: `over (partition by a order by b)`."
        ),
        "select distinct on id from flights": (
            "`DISTINCT ON` takes its expressions in parentheses: `select distinct on (a) a, b …`."
        ),
        "select id from flights union select id from": (
            "The statement ends after `from`: what belongs there is missing."
        ),
        "select (id, origin from flights where (id = 3": "A `)` is missing before `from`.",
        "select id from flights cross airlines": "`JOIN` is missing before `airlines`.",
    }


def test_a_second_set_written_when_the_rules_were_there(flights):
    for statement, parts in SECOND:
        error = refused(flights, statement)
        assert any(part in error.advice.lower() for part in parts), (statement, error.advice)
    said = [statement for statement in SECOND_NO_SLIP if not is_general(refused(flights, statement))]
    assert [s for s in said if refused(flights, s).sqlstate == "42601"] == ["select 1 from"]


def broken(statement):
    """Yield what one slip of the finger makes of a statement."""
    for token in tokens(statement):
        head, text, tail = statement[: token.start], token.text, statement[token.end :]
        yield head + tail
        yield f"{head}{text} {text}{tail}"
        yield f"{head}{text},{tail}"
        if token.kind == "word" and len(text) > 3:
            yield f"{head}{text[0]}{text[2]}{text[1]}{text[3:]}{tail}"


def test_corrections_of_what_slips_of_the_finger_make_are_statements(flights):
    offered = wrong = 0
    for slip in (slip for statement in VALID for slip in broken(statement)):
        error = refused(flights, slip)
        if error is not None and error.sqlstate == "42601" and error.correction is not None:
            again = refused(flights, corrected(error))
            offered += 1
            wrong += again is not None and again.sqlstate == "42601"
    assert offered > 600
    assert wrong / offered < 0.05


@pytest.mark.parametrize("statement", FINE)
def test_what_is_right_is_right(flights, statement):
    assert refused(flights, statement) is None


def test_the_panel_shows_the_corrected_line(cells):
    cells.run("%sql create table flights (id int, origin text)")
    cells.ns["n"] = [1, 2]
    reply = cells.run("%%sql --limit 5\nselect id,\n  origin,\nfrom flights where id in :n", ok=False)
    assert reply.exception.corrected == "  origin"
    reply = cells.run("%%sql --limit 5\nselect id from flights\nwhere id in :n and id == 1", ok=False)
    assert reply.exception.corrected == "where id in :n and id = 1"
    assert "where id in :n and id = 1" in reply.displayed[-1]
