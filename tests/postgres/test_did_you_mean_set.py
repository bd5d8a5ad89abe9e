"""The set of mistakes that suggestions are measured on: that it is what it says it is."""

from __future__ import annotations

import pytest

from tests.mistakes import CODES, PATHS, SCHEMAS, mistakes, set_up

# a correction is right, and the tables of the set do not let it happen: what depends on them, what they demand
OTHER_REASONS = {"2BP01", "0A000", "23503", "23514"}


@pytest.fixture(params=SCHEMAS)
def attempt(request, server, database):
    """Runs a statement, takes back what it did, and returns the SQLSTATE it failed with."""
    import psycopg

    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("select pg_advisory_lock(7236)")
        conn.execute("create role tusk_mistakes_reporting")
        try:
            set_up(conn, request.param)
            conn.execute(f"set search_path = {PATHS[request.param]}")

            def run(sql):
                try:
                    with conn.transaction(force_rollback=True):
                        for part in sql.split("; ")[1:] if sql.startswith("begin; ") else [sql]:
                            conn.execute(part)
                except psycopg.Error as error:
                    return error.sqlstate
                return None

            run.schema = request.param
            yield run
        finally:
            conn.execute("drop role tusk_mistakes_reporting")


def test_each_statement_fails_and_its_correction_does_not(attempt):
    found = mistakes(attempt.schema)
    assert [each.sql for each in found if attempt(each.sql) not in CODES] == []
    corrected = [sql for each in found if not each.sql.startswith("begin") for sql in each.corrected]
    assert [sql for sql in corrected if attempt(sql) not in {None, *OTHER_REASONS}] == []


def test_the_set_is_large_and_full_of_traps():
    found = [each for schema in SCHEMAS for each in mistakes(schema)]
    assert len(found) == len({(each.schema, each.sql) for each in found}) >= 500
    assert sum(each.nothing_is_right for each in found) >= 0.4 * len(found)
    assert 0.45 <= sum(each.held_out for each in found) / len(found) <= 0.55
