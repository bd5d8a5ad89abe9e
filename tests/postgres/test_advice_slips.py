"""Slips in syntax on a real server: what is said of each, and that the corrected statement is one."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql_slips import FINE, FLIGHTS, LISTED, NO_SLIP, SLIPS
from tusk_jupyter import translate
from tusk_jupyter.advice.texts import BY_CLASS, BY_CODE
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


@pytest.mark.parametrize("statement", FINE)
def test_what_is_right_is_right(flights, statement):
    assert refused(flights, statement) is None


def test_the_panel_shows_the_corrected_line(cells):
    cells.run("%sql create table flights (id int, origin text)")
    cells.ns["n"] = [1, 2]
    reply = cells.run("%%sql --limit 5\nselect id,\n  origin,\nfrom flights where id in :n", ok=False)
    assert reply.exception.corrected == "  origin"
    assert "  origin" in reply.displayed[-1].splitlines()[-3:] or "origin" in reply.displayed[-1]
    reply = cells.run("%%sql --limit 5\nselect id from flights where :n == origin or id in :n", ok=False)
    assert reply.exception.corrected is None or "==" not in reply.exception.corrected
