"""Many texts read at once are what each of them is alone: whatever stands in them."""

import gc
import threading

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tusk_jupyter.results import batches, builtin
from tusk_jupyter.results.batches import UNREAD, batch_reader, without_collector
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
    "{1_000}", "{\u0661}", "1e999999999999999999", "{1e999999999999999999}", "\x00", "{\x00}", " {1}", "nonsense",
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


def together(oid, texts):
    source = column(oid, texts)
    readers = source.readers()
    return shown(value for values in source.objects(readers) for value in values), readers.remarks


@pytest.mark.parametrize("oid", WELL_FORMED)
def test_what_postgresql_writes_is_read_at_once(oid):
    texts = WELL_FORMED[oid] * 3
    assert shown(batch_reader(oid, BUILTIN)(pa.array(texts, TEXT))) == alone(oid, texts)[0]


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


def test_keys_of_one_batch_are_one_string():
    first, second = batch_reader(builtin.JSONB, BUILTIN)(pa.array(['{"a long key": 1}', '{"a long key": 2}'], TEXT))
    (mine,), (its,) = first, second
    assert mine is its


@example(7)
@given(st.integers(1, 40))
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
