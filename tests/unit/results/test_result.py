import datetime as dt
import json

import pandas as pd
import pyarrow as pa
import pytest

from tusk_jupyter.errors import Diagnostic
from tusk_jupyter.results.result import Result
from tusk_jupyter.results.types import Column

COLUMNS = (Column("a", "integer", 23), Column("b c", "text", 25))


@pytest.mark.parametrize(
    ("tag", "rows"),
    [("SELECT 3", 3), ("INSERT 0 5", 5), ("UPDATE 0", 0), ("COPY 7", 7), ("CREATE TABLE", None), ("BEGIN", None), ("", None)],
)
def test_what_the_command_tag_says(tag, rows):
    assert Result("q", "shop", command_tag=tag).rows_affected == rows


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": pd.array(["x", None], "str")}),
        pa.table({"a": [1, None], "b": ["x", None]}),
        [(1, "x"), (None, None)],
    ],
    ids=["pandas", "arrow", "rows"],
)
def test_rows_are_tuples_with_none_for_null(frame):
    assert Result("q", "shop", COLUMNS, 2, frame=frame).rows == [(1, "x"), (None, None)]


def test_rows_of_a_polars_frame():
    pl = pytest.importorskip("polars")
    result = Result("q", "shop", COLUMNS, 2, frame=pl.DataFrame({"a": [1, None], "b": ["x", None]}))
    assert result.rows == [(1, "x"), (None, None)]


def test_rows_beyond_pythons_calendar_are_text():
    table = pa.table({"a": pa.array([-800_000, 0], pa.date32()), "b": ["x", None]})
    assert Result("q", "shop", COLUMNS, 2, frame=table).rows == [("-0221-09-04", "x"), ("1970-01-01", None)]


def test_rows_have_names():
    row = Result("q", "shop", COLUMNS, 1, frame=pd.DataFrame({"a": [1], "b": ["x"]})).rows[0]
    assert (row.a, row.b_c) == (1, "x")


def test_zero_columns_keep_their_rows():
    assert Result("q", "shop", (), 3, frame=pd.DataFrame(index=range(3))).rows == [(), (), ()]


def test_a_statement_without_rows_has_none():
    assert Result("q", "shop", command_tag="CREATE TABLE").rows == []


def test_a_missing_time_is_none_and_a_float_keeps_its_nan():
    frame = pd.DataFrame({"a": pd.to_datetime(["2024-01-01", None]), "b": [1.5, float("nan")]})
    (_, first), (missing, nan) = Result("q", "shop", COLUMNS, 2, frame=frame).rows
    assert missing is None
    assert first == 1.5
    assert nan != nan  # noqa: PLR0124 - what NaN is


def test_to_dict_is_json():
    notice = Diagnostic(severity="NOTICE", message_primary="hello")
    frame = pd.DataFrame({"a": [1.5, float("inf")], "b": [dt.date(2024, 2, 29), None]})
    result = Result("q", "shop", COLUMNS, 2, 1.5, "SELECT 2", (notice,), ("n",), frame=frame, query_type="select")
    written = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert written["rows"] == [[1.5, "2024-02-29"], ["inf", None]]
    assert written["columns"][1] == {"name": "b c", "type": "text", "oid": 25}
    assert written["notices"][0]["message_primary"] == "hello"
    assert (written["query_type"], written["rows_affected"]) == ("select", 2)


def test_repr_shows_no_data():
    result = Result("q", "shop", COLUMNS, 1, 1.5, "SELECT 1", frame=pd.DataFrame({"a": ["canary"]}))
    assert repr(result) == "<Result SELECT 1 on 'shop': 1 rows × 2 columns, 2 ms>"
