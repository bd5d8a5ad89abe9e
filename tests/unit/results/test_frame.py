"""Decoded columns made by hand: what a server would have to be hostile, or changed meanwhile, to send."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tusk_jupyter.errors import ConversionError
from tusk_jupyter.results.decode import BYTES, STORAGE, TEXT, Decoded, Settings, store_for
from tusk_jupyter.results.frame import to_arrow, to_pandas, to_rows
from tusk_jupyter.results.options import FrameOptions
from tusk_jupyter.results.types import BUILTIN, Column, TypeInfo

OPTIONS = FrameOptions()
MOOD = 99_001


def decoded(oid, *chunks, typmod=-1, types=None, settings=None):
    info = {**(types or {}), **BUILTIN}
    name = info[oid].name if oid in info else "???"
    rows = sum(map(len, chunks))
    return Decoded((Column("x", name, oid, typmod),), rows, (list(chunks),), info, settings or Settings())


def text(*values):
    return pa.array(values, TEXT)


def stored(oid, *values):
    return pa.array(values, STORAGE[oid])


@pytest.mark.parametrize("oid", [oid for oid in STORAGE if oid != 17])
def test_nonsense_in_any_typed_column_is_kept_as_text_with_a_note(oid):
    frame, notes = to_pandas(decoded(oid, text("nonsense", None)), OPTIONS)
    assert frame["x"].dtype == object
    assert frame["x"].tolist() == ["nonsense", None]
    assert "1 value is PostgreSQL's text, the first 'nonsense'" in notes[0]


@pytest.mark.parametrize(
    "oid", [oid for oid, info in BUILTIN.items() if info.element or info.subtype or oid in (114, 1186, 1700)]
)
def test_nonsense_in_any_other_structured_column_is_kept_as_text_with_a_note(oid):
    frame, notes = to_pandas(decoded(oid, text('{"', None)), OPTIONS)
    assert frame["x"].tolist() == ['{"', None]
    assert "PostgreSQL's text" in notes[0]


def test_bytea_that_is_none_is_kept_as_text_with_a_note():
    chunk = store_for(17, "utf-8")((b"\\x00", None, b"\\xzz"))
    frame, (note,) = to_pandas(decoded(17, chunk), OPTIONS)
    assert frame["x"].tolist() == [b"\x00", None, "\\xzz"]
    assert "1 value is PostgreSQL's text" in note


def test_one_bad_chunk_turns_the_whole_column_to_objects():
    chunks = stored(1082, date(2024, 1, 1), None), text("infinity"), stored(1082, date(2024, 1, 2))
    frame, notes = to_pandas(decoded(1082, *chunks), OPTIONS)
    assert frame["x"].tolist() == [date(2024, 1, 1), None, "infinity", date(2024, 1, 2)]
    said = "is object, because datetime64[s] cannot hold all of its values"
    assert notes == (f"column 'x': {said}; 1 value is PostgreSQL's text, the first 'infinity'",)


def test_bytes_that_are_no_text_stay_bytes_beside_those_that_are():
    frame, notes = to_pandas(decoded(25, text("a"), pa.array([b"\xff", "é".encode(), None], BYTES)), OPTIONS)
    assert frame["x"].tolist() == ["a", b"\xff", "é", None]
    assert "1 value is bytes that are not utf-8, the first b'\\xff'" in notes[0]


def test_an_unknown_zone_is_shown_in_utc_and_said():
    moment = pa.array([0], STORAGE[1184])
    frame, notes = to_pandas(decoded(1184, moment, settings=Settings(time_zone="Mars/Phobos")), OPTIONS)
    assert str(frame["x"].dtype) == "datetime64[us, UTC]"
    assert frame["x"][0] == pd.Timestamp(0, tz="UTC")
    assert notes == ("column 'x': shown in UTC, because Python does not know the session's zone 'Mars/Phobos'",)


def test_an_unknown_zone_inside_an_array_is_said_too():
    source = decoded(1185, text('{"1970-01-01 03:00:00+03"}'), settings=Settings(time_zone="Mars/Phobos"))
    frame, notes = to_pandas(source, OPTIONS)
    assert frame["x"][0][0].isoformat() == "1970-01-01T00:00:00+00:00"
    assert "Mars/Phobos" in notes[0]


def test_a_label_the_enum_did_not_have_is_text_with_a_note():
    types = {MOOD: TypeInfo(MOOD, "mood", "e", "E", labels=("sad", "ok"))}
    frame, notes = to_pandas(decoded(MOOD, text("ok", "new", None), types=types), OPTIONS)
    assert frame["x"].dtype == "str"
    assert frame["x"].tolist()[:2] == ["ok", "new"]
    assert "enum has changed" in notes[0]


def test_a_type_nobody_could_say_anything_about_is_text():
    frame, notes = to_pandas(decoded(99_999, text("(1,2)", None)), OPTIONS)
    assert frame["x"].dtype == "str"
    assert notes == ()


@pytest.mark.parametrize(("oid", "value"), [(23, 1), (701, 1.5), (16, True), (1082, date(2024, 1, 1))])
def test_a_frame_of_one_chunk_may_be_written_to(oid, value):
    frame, _ = to_pandas(decoded(oid, stored(oid, value)), OPTIONS)
    before = frame["x"].iloc[0]
    frame.loc[0, "x"] = frame["x"].iloc[0]
    assert frame["x"].iloc[0] == before


WIDE = {
    "i": (23, pa.array([1, 2], STORAGE[23])),
    "n": (20, pa.array([1, None], STORAGE[20])),
    "f": (700, pa.array([1.5, None], STORAGE[700])),
    "b": (16, pa.array([True, False], STORAGE[16])),
    "c": (16, pa.array([True, None], STORAGE[16])),
    "t": (25, pa.array(["a", None], TEXT)),
    "d": (1082, pa.array([date(2024, 1, 1), None], STORAGE[1082])),
    "s": (1114, pa.array([0, None], pa.int64()).view(STORAGE[1114])),
    "z": (1184, pa.array([0, None], pa.int64()).view(STORAGE[1184])),
    "v": (1186, pa.array(["1 day", None], TEXT)),
    "w": (1186, pa.array(["1 mon", None], TEXT)),
    "a": (1007, pa.array(["{1}", "{2}"], TEXT)),
    "m": (MOOD, pa.array(["sad", None], TEXT)),
}


def wide(rows=2):
    types = {MOOD: TypeInfo(MOOD, "mood", "e", labels=("sad", "ok")), **BUILTIN}
    columns = tuple(Column(name, types[oid].name, oid) for name, (oid, _) in WIDE.items())
    chunks = tuple([array[:rows]] for _, array in WIDE.values())
    return Decoded(columns, rows, chunks, types, Settings(time_zone="Europe/Berlin"))


@pytest.mark.parametrize("rows", [0, 2])
def test_a_frame_of_blocks_is_the_one_that_the_constructor_makes(rows):
    frame, _ = to_pandas(wide(rows), OPTIONS)
    pd.testing.assert_frame_equal(frame, pd.DataFrame({name: frame[name] for name in WIDE}), check_flags=True)
    assert list(frame.columns) == list(WIDE)
    assert frame.columns.dtype == "str"
    pd.testing.assert_frame_equal(pd.concat([frame.iloc[:1], frame.iloc[1:]]), frame)
    pd.testing.assert_frame_equal(frame.copy(deep=True), frame)


def test_frames_with_the_same_names_share_nothing_that_can_be_changed():
    (one, _), (other, _) = to_pandas(wide(), OPTIONS), to_pandas(wide(), OPTIONS)
    one.columns.name = "mine"
    one.loc[:, "i"] = 7
    with pytest.raises(ValueError, match="read-only"):
        one.columns.array[0] = "j"
    assert other.columns.name is None
    assert other["i"].tolist() == [1, 2]
    assert to_pandas(wide(), OPTIONS)[0].columns.name is None


def test_a_result_without_columns_keeps_its_rows():
    frame, _ = to_pandas(Decoded((), 3, (), BUILTIN, Settings()), OPTIONS)
    pd.testing.assert_frame_equal(frame, pd.DataFrame(index=pd.RangeIndex(3)))


def test_release_lets_go_of_every_chunk():
    source = decoded(25, text("a"), text("b"))
    frame, _ = to_pandas(source, OPTIONS, release=True)
    assert source.chunks == ([],)
    assert frame["x"].tolist() == ["a", "b"]


def test_a_vector_is_an_array_and_a_type_of_that_name_that_is_none_is_text():
    types = {99_002: TypeInfo(99_002, "public.vector"), 99_003: TypeInfo(99_003, "vector", "e", labels=("[1]",))}
    frame, notes = to_pandas(decoded(99_002, text("[1,2.5,-3]", None, "x"), types=types), OPTIONS)
    np.testing.assert_array_equal(frame["x"][0], np.array([1, 2.5, -3], np.float32))
    assert frame["x"].tolist()[1:] == [None, "x"]
    assert "PostgreSQL's text, the first 'x'" in notes[0]
    assert to_pandas(decoded(99_003, text("[1]"), types=types), OPTIONS)[0]["x"].dtype == "category"


def test_numbers_beside_each_other_do_not_become_a_matrix():
    frame, _ = to_pandas(decoded(1007, text("{1,2}", "{3,4}")), OPTIONS)
    assert frame["x"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("oid", "typmod", "value", "type_name"),
    [
        (1082, -1, "infinity", "date32[day]"),
        (1114, -1, "infinity", "timestamp[us]"),
        (1184, -1, "-infinity", "timestamp[us, tz=UTC]"),
        (1700, (10 << 16 | 2) + 4, "NaN", "decimal128(10, 2)"),
        (1083, -1, "24:00:00", "time64[us]"),
        (1007, -1, "{{1,2}}", "list<item: int32>"),
        (1182, -1, "{infinity}", "list<item: date32[day]>"),
    ],
)
def test_arrow_names_row_and_column_of_a_value_that_does_not_fit(oid, typmod, value, type_name):
    with pytest.raises(ConversionError) as caught:
        to_arrow(decoded(oid, text(None, None), text(None, value), typmod=typmod), OPTIONS)
    assert caught.value.message == f"row 4, column 'x': {value!r} does not fit {type_name}"


def test_arrow_refuses_bytes_that_are_no_text():
    with pytest.raises(ConversionError, match="row 1, column 'x'"):
        to_arrow(decoded(25, pa.array([b"\xff"], BYTES)), OPTIONS)


def test_rows_give_a_float4_as_postgresql_writes_it():
    (row,), _ = to_rows(decoded(700, pa.array([0.1], pa.float32())), OPTIONS)
    assert row.x == 0.1
