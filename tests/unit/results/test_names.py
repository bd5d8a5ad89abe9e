import copy
import pickle

import pytest

from tusk_jupyter.results.names import row_type, unique_names


@pytest.mark.parametrize(
    ("names", "unique"),
    [
        ([], ()),
        (["a", "b"], ("a", "b")),
        (["a", "a", "a"], ("a", "a_1", "a_2")),
        (["a", "a", "a_1"], ("a", "a_2", "a_1")),
        (["a_1", "a", "a"], ("a_1", "a", "a_2")),
        (["a", "a", "a_1", "a_1"], ("a", "a_2", "a_1", "a_1_1")),
        (["", ""], ("", "_1")),
        (["A", "a"], ("A", "a")),
    ],
)
def test_repeated_names_are_numbered_past_those_that_exist(names, unique):
    result, notes = unique_names(names)
    assert result == unique
    assert bool(notes) == (len(set(names)) < len(names))


def test_one_note_names_the_first_of_them():
    assert unique_names(["x", "x"])[1] == ("repeated column names are numbered: 'x' is 'x_1'",)
    (note,) = unique_names(["x"] * 1600)[1]
    assert note.endswith("'x' is 'x_3' and 1596 more")


def test_fields_become_identifiers():
    row = row_type('public."my type"', ["a b", "class", "1st", "_x", "", "?column?", "a_b", "é"])
    assert row._fields == ("a_b", "class_", "f1st", "f_x", "f", "f_column_", "a_b_1", "é")
    assert row.__name__ == "f_my_type_"


def test_rows_survive_pickle_and_copy():
    value = row_type("point", ["x", "y z"])(1, None)
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value).y_z is None
    assert type(pickle.loads(pickle.dumps(value))) is type(value)
