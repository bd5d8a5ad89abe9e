"""Any text, number, list and document arrives as it was."""

from __future__ import annotations

import pandas as pd
import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tusk_jupyter.connections.session import Session
from tusk_jupyter.connections.wire import Command
from tusk_jupyter.results.copy_csv import Encoder
from tusk_jupyter.results.feeds import feed_of

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
INT8 = st.integers(-(2**63), 2**63 - 1)
LIKELY = {"max_examples": 40, "deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@pytest.fixture
def session(database):
    session = Session(psycopg.connect(database, autocommit=True), name="db")
    yield session
    session.close()


def arrived(session, database, value, kind):
    """Load one column and read it again."""
    encoder = Encoder(feed_of(value, "df"))

    class Source:
        chunk = staticmethod(encoder.chunk)

        @staticmethod
        def stopped():
            return False

    def job():
        session.run(None, Command(b"drop table if exists p"))
        session.run(None, Command(f"create table p (n int generated always as identity, a {kind})".encode()))
        return session.run(None, Command(b"copy p (a) from stdin (format csv, encoding 'UTF8')"), source=Source)

    reply = session.submit(job).result(timeout=20)
    assert reply.error is None, reply.error.error_message
    with psycopg.connect(database) as conn:
        return [a for (a,) in conn.execute("select a from p order by n").fetchall()]


@settings(**LIKELY)
@given(values=st.lists(st.none() | TEXT, min_size=1))
def test_texts(session, database, values):
    assert arrived(session, database, pd.DataFrame({"a": pd.Series(values, dtype=object)}), "text") == values
    assert arrived(session, database, pa.table({"a": pa.array(values, pa.string())}), "text") == values


@settings(**LIKELY)
@given(values=st.lists(st.none() | st.floats() | st.just(-0.0), min_size=1))
def test_floats(session, database, values):
    found = arrived(session, database, pa.table({"a": pa.array(values, pa.float64())}), "float8")
    # repr tells -0.0 from 0.0, and says nan of any
    assert list(map(repr, found)) == list(map(repr, values))


@settings(**LIKELY)
@given(values=st.lists(st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=4), min_size=1))
def test_numerics(session, database, values):
    assert arrived(session, database, pd.DataFrame({"a": pd.Series(values, dtype=object)}), "numeric") == values


@settings(**LIKELY)
@given(values=st.lists(st.none() | st.lists(st.none() | TEXT), min_size=1))
def test_lists_of_texts(session, database, values):
    assert arrived(session, database, pd.DataFrame({"a": pd.Series(values, dtype=object)}), "text[]") == values
    assert arrived(session, database, pa.table({"a": pa.array(values, pa.list_(pa.string()))}), "text[]") == values


@settings(**LIKELY)
@given(values=st.lists(st.dictionaries(TEXT, st.recursive(st.none() | st.booleans() | INT8 | TEXT, st.lists)), min_size=1))
def test_documents(session, database, values):
    assert arrived(session, database, pd.DataFrame({"a": pd.Series(values, dtype=object)}), "jsonb") == values


@settings(**LIKELY)
@given(values=st.lists(st.none() | st.datetimes(), min_size=1), spans=st.lists(st.timedeltas(), min_size=1))
def test_moments_and_spans(session, database, values, spans):
    assert arrived(session, database, pa.table({"a": pa.array(values, pa.timestamp("us"))}), "timestamp") == values
    small = [span for span in spans if abs(span.days) < 10**8]
    assert arrived(session, database, pd.DataFrame({"a": pd.Series(small, dtype=object)}), "interval") == small


