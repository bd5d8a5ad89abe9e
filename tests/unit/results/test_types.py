import pytest

from tusk_jupyter.results.spelling import format_type
from tusk_jupyter.results.types import BUILTIN, Column, TypeInfo, declared_scale, named, oid_array, parse_type_info


def typmod(precision, scale):
    return ((precision << 16) | (scale & 0x7FF)) + 4


@pytest.mark.parametrize(("precision", "scale"), [(10, 2), (5, -2), (3, 5), (1000, -1000), (1000, 1000), (38, 0)])
def test_declared_scale_has_a_sign(precision, scale):
    assert declared_scale(typmod(precision, scale)) == (precision, scale)


def test_no_typmod_declares_nothing():
    assert declared_scale(-1) is None


def test_user_types_are_left_to_the_server():
    assert format_type(99_999) == "???"
    assert format_type(0) == "-"


def test_arrays_ranges_and_multiranges_know_what_they_are_made_of():
    assert BUILTIN[1007].element == 23
    assert BUILTIN[1020].delimiter == ";"
    assert BUILTIN[3904].subtype == BUILTIN[4451].subtype == 23
    assert BUILTIN[6155].element == 4535
    assert all(BUILTIN[info.element].name + "[]" == info.name for info in BUILTIN.values() if info.element)


def test_type_info_is_read_from_text():
    rows = [
        ("1", "mood", "e", "E", ",", "0", "0", '["a,b", "c\\"d"]', None, None),
        ("2", "pt", "c", "C", ",", "0", "0", None, '[["x y", "23"], ["z", "1"]]', None),
        ("3", "fr", "r", "R", ",", "0", "0", None, None, "701"),
        ("4", "mood[]", "b", "A", ",", "1", "0", None, None, None),
    ]
    assert parse_type_info(rows) == {
        1: TypeInfo(1, "mood", "e", "E", labels=("a,b", 'c"d')),
        2: TypeInfo(2, "pt", "c", "C", fields=(("x y", 23), ("z", 1))),
        3: TypeInfo(3, "fr", "r", "R", subtype=701),
        4: TypeInfo(4, "mood[]", "b", "A", element=1),
    }


def test_columns_of_user_types_get_their_names():
    columns = (Column("a", "integer", 23), Column("b", "???", 99_999))
    assert [c.type for c in named(columns, {99_999: TypeInfo(99_999, "mood", "e")})] == ["integer", "mood"]


def test_oid_array():
    assert oid_array({3, 1}) == "{1,3}"
