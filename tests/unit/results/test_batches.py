"""Many texts read at once are what each of them is alone: whatever stands in them."""

import gc
import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tusk_jupyter.results import batches, builtin, native
from tusk_jupyter.results.batches import UNREAD, batch_reader, reader_of_many, without_collector
from tusk_jupyter.results.decode import TEXT, Settings
from tusk_jupyter.results.sources import Source
from tusk_jupyter.results.types import BUILTIN, Column
from tusk_jupyter.results.values import Readers

ARRAY_OF = {info.element: oid for oid, info in BUILTIN.items() if info.element}
WELL_FORMED = {
    builtin.JSON: ['{"a": 1, "b": [1.5, 1e400, null]}', " [ ] ", '"words, and \\u00e9"', "12345678901234567890", "true", "-0"],
    builtin.JSONB: ['{"a": 1}', '{"id": 2, "name": "n2"}', "[]", '"]"', "null", "0.1234567890123456789", "1.0", "-0.0"],
    ARRAY_OF[builtin.INT4]: ["{}", "{1,2}", "{-2147483648,NULL}", "{NULL}"],
    ARRAY_OF[builtin.INT8]: ["{9223372036854775807}", "{}", "{0,-1}"],
    ARRAY_OF[builtin.FLOAT8]: ["{1,2.5}", "{NaN,Infinity,-Infinity,NULL}", "{1e-05,-0,1.7976931348623157e+308}", "{}"],
    ARRAY_OF[builtin.NUMERIC]: ["{1,2.50}", "{NaN,Infinity,-Infinity,NULL}", "{" + "9" * 60 + ".000}", "{}"],
    ARRAY_OF[builtin.BOOL]: ["{t,f}", "{NULL,t}", "{}"],
    ARRAY_OF[builtin.TEXT]: ["{a,bc}", "{NULL,null,Null}", "{}", "{\u20ac}"],
}  # fmt: skip
ODD = [
    '{"a": 1, "a": 2}', "NaN", '{"a": NaN}', '"\\ud800"', '"\\uD83D\\uDE00"', "[" * 3000 + "]" * 3000, "1" * 5000, "[1", "2]", "1,2", "",
    '"', '",', "]", "[0:1]={1,2}", "{{1,2},{3,4}}", "{{}}", '{"a b",c}', '{"NULL"}', '{"\\""}', "{,}", "{1,}", "{1 }", "{01}", "{+1}", "{1.}",
    "{.5}", "{-}", "{--1}", "{1}\n{2}", "{1}{2}", "{NULLNULL}", "{N}", "{true}", "{1e5}", "{nan}", "{Infinity1}", "{-NaN}", "{a\nb}", "{a\tb}",
    "{1_000}", '{"a\\\\b","c\\"d","e,f}",NULL,"","\n"}', "{{{{{{{1}}}}}}}", "{{{{{{1}}}}}}", "{{1},2}", "{{1},{}}", '{"a"b}', '{a"b"}', '{"a}',
    '{"a": "\\u00e9\\n\\/\\b", "b\\t": 1}', '{"a": 1, "b": 2, "a": 3}', "[" * 70 + "]" * 70, "1.5e+10", "1E5", "0.1234567890123456", "0.12345678901234567", "900719925474099.35",
    "123456789012345.5", "[1,]", "[,1]", '{"a" 1}', '{"a": 1,}', "tru", "truex", "[1 2]", "-", "01", "1.", ".5", "+1", '"\t"', '"\x7f"',
    '"\\x"', '"\\', "9223372036854775807", "9223372036854775808", "{9223372036854775808}", " 1 ", "{1.5,2}", "{a b}", "{\\a}",
    '{"k": 1, "\u20ac": [{"k": {"k": null}}]}', "{\u0661}", "1e999999999999999999", "{1e999999999999999999}", "\x00", "{\x00}", " {1}", "nonsense",
]  # fmt: skip
MUTATED = st.builds(
    lambda text, at, put, cut: text[:at] + put + text[at + cut :],
    st.sampled_from([text for texts in WELL_FORMED.values() for text in texts]),
    st.integers(0, 30),
    st.sampled_from(["", "{", "}", "[", "]", '"', ",", "\\", "\n", " ", "1", "-", ".", "e", "N", "NULL", "t", "\u00e9"]),
    st.integers(0, 2),
)


def shown(values):
    """Their text, in which 1 is not 1.0 or True, and NaN is NaN."""
    return [repr(value) for value in values]


def column(oid, texts):
    return Source(Column("x", "?", oid), "x", [pa.array(texts, TEXT)], BUILTIN, Settings())


def alone(oid, texts):
    """The values read one by one, and how many of them stayed text."""
    readers = Readers(Settings(), BUILTIN)
    read = readers.of(oid)
    return shown(None if text is None else read(text) for text in texts), readers.remarks


@pytest.fixture(autouse=True, params=["python", "compiled"])
def way(request, monkeypatch):
    """With the compiled decoder, where there is one, and without."""
    if request.param == "compiled" and (why := native.why_not()):
        pytest.skip(why)
    monkeypatch.setenv(native.VARIABLE, request.param)
    return request.param


def together(oid, texts):
    source = column(oid, texts)
    readers = source.readers()
    return shown(value for values in source.objects(readers) for value in values), readers.remarks


@pytest.mark.parametrize("oid", WELL_FORMED)
def test_what_postgresql_writes_is_read_at_once(oid):
    texts = WELL_FORMED[oid] * 3
    assert shown(batch_reader(oid, BUILTIN)(pa.array(texts, TEXT))) == alone(oid, texts)[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(st.sampled_from(sorted(WELL_FORMED)), st.data())
def test_anything_is_what_it_is_alone(oid, data):
    usual = st.sampled_from(WELL_FORMED[oid])
    texts = data.draw(st.lists(usual | st.none() | MUTATED | st.sampled_from(ODD), max_size=12))
    assert together(oid, texts) == alone(oid, texts)


@pytest.mark.parametrize("oid", WELL_FORMED)
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:30])
def test_one_odd_value_among_others(oid, odd):
    for texts in ([odd], [*WELL_FORMED[oid], odd, None], [odd, odd]):
        assert together(oid, texts) == alone(oid, texts)


@pytest.mark.parametrize("texts", [["[1", "2]", "3,4"], ["1,2", "[3", "4]"], ["{1}\n{2}", ""], ['"a', 'b"', "1,2"]])
@pytest.mark.parametrize("oid", WELL_FORMED)
def test_values_that_make_sense_only_together_do_not(oid, texts):
    with pytest.raises(UNREAD):
        batch_reader(oid, BUILTIN)(pa.array(texts, TEXT))


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("oid", [oid for oid in WELL_FORMED if oid != ARRAY_OF[builtin.NUMERIC]])
def test_what_postgresql_writes_is_read_by_the_compiled_decoder_itself(compiled, oid):
    content = 0 if oid in (builtin.JSON, builtin.JSONB) else batches._CONTENTS[BUILTIN[oid].element]
    texts = [text for text in WELL_FORMED[oid] if not any(part in text for part in ("e9", "1e400", "0.1234", "12345678901", "e+308"))]
    texts += {0: ['"a \\"quoted\\" word\\n"'], 4: ['{"a b","c\\"d\\\\",NULL,"NULL",""}', "{{a,b},{c,NULL}}"]}.get(content, [])
    chunk = pa.array(texts, TEXT)
    values, refused = compiled.read_objects(content, *chunk.buffers()[1:], 0, len(chunk))
    assert refused == []
    assert shown(values) == alone(oid, texts)[0]


def test_texts_that_are_not_there_are_not_read(compiled):
    offsets, data = pa.array([0, 1, 3]).buffers()[1], b"123"
    assert compiled.read_objects(0, offsets, data, 0, 2) == ([1, 23], [])
    assert compiled.read_objects(0, offsets, data, 1, 1) == ([23], [])
    assert compiled.read_objects(0, b"\0" * 8, b"", 0, 0) == ([], [])
    bad = [(-1, 0, 1), (5, 0, 1), (0, -1, 1), (0, 0, -1), (0, 0, 10**6), (0, 10**6, 1), (0, 2**62, 2**62), (0, 0, 2**63 - 1)]
    for content, first, count in bad:
        with pytest.raises(ValueError, match="no such texts"):
            compiled.read_objects(content, offsets, data, first, count)
    for ends in ([0, 4], [-1, 1], [2, 1], [0, 2**62]):
        with pytest.raises(ValueError, match="no such texts"):
            compiled.read_objects(0, pa.array(ends).buffers()[1].slice(0, 16), data, 0, 1)


def test_texts_behind_more_than_two_gigabytes_are_read(compiled):
    start = 2**31 + 10
    data = np.zeros(start + 4, "u1")  # only its last page is ever touched
    data[start:] = list(b"1[2]")
    offsets = pa.array([start, start + 1, start + 4]).buffers()[1]
    assert compiled.read_objects(0, offsets, data, 0, 2) == ([1, [2]], [])
    assert compiled.read_objects(0, offsets, data, 1, 1) == ([[2]], [])


def test_keys_of_one_batch_are_one_string():
    first, second = reader_of_many(builtin.JSONB, BUILTIN)(pa.array(['{"a long key": 1}', '{"a long key": 2}'], TEXT), None)
    (mine,), (its,) = first, second
    assert mine is its


@pytest.mark.parametrize("rows", [1, 2, 7, 40])
def test_pieces_of_a_column(rows):
    texts = [None if i % 5 == 0 else f"{{{i}}}" for i in range(rows)]
    whole = pa.array(["{nonsense}", *texts, "{1}"], TEXT)
    source = Source(Column("x", "?", ARRAY_OF[builtin.INT4]), "x", [whole.slice(1, rows)], BUILTIN, Settings())
    assert shown(v for values in source.objects(source.readers()) for v in values) == alone(ARRAY_OF[builtin.INT4], texts)[0]


def test_what_nothing_reads_at_once():
    assert batch_reader(builtin.TEXT, BUILTIN) is None
    assert batch_reader(ARRAY_OF[builtin.DATE], BUILTIN) is None
    assert batch_reader(987_654, BUILTIN) is None


@pytest.mark.parametrize("was_enabled", [True, False])
def test_the_collector_is_as_it_was(was_enabled):
    entered, leave = threading.Event(), threading.Event()

    def other():
        with without_collector():
            entered.set()
            leave.wait(20)

    thread = threading.Thread(target=other)
    before = gc.isenabled()
    (gc.enable if was_enabled else gc.disable)()
    try:
        with without_collector():
            thread.start()
            assert entered.wait(20)
            assert not gc.isenabled()
        with pytest.raises(ValueError, match="within"), without_collector():
            raise ValueError("within")
        assert not gc.isenabled()  # the other still makes its lists
        leave.set()
        thread.join(20)
        assert gc.isenabled() is was_enabled
        assert batches._pauses == []
    finally:
        (gc.enable if before else gc.disable)()
