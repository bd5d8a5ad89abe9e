from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tusk_jupyter.results.changes import COLUMNS, ROWS, compare


def marks(before, now):
    """Which cells of ``now`` are marked, and how many rows are new and gone."""
    table = compare(pd.DataFrame(before), pd.DataFrame(now))
    return [[cell.changed for cell in row] for row in table.rows], table.new, table.gone


def test_without_one_before_nothing_is_marked():
    table = compare(None, pd.DataFrame({"a": [1], "b": ["x"]}))
    assert not table.cells_changed
    assert not table.changed
    assert (table.columns, table.numbers) == (("a", "b"), (True, False))
    assert [[cell.text for cell in row] for row in table.rows] == [["1", "x"]]


def test_rows_are_matched_by_a_first_column_that_names_them():
    before = {"name": ["a", "b", "c"], "n": [1, 2, 3]}
    assert marks(before, {"name": ["c", "a"], "n": [3, 5]}) == ([[False, False], [False, True]], 0, 1)
    assert marks(before, {"name": ["x", "a", "b", "c"], "n": [0, 1, 2, 3]}) == ([[True] * 2, *[[False] * 2] * 3], 1, 0)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        # one row: a measure, not a name
        ({"n": [1], "m": [5]}, {"n": [2], "m": [5]}, ([[True, False]], 0, 0)),
        # a clock first: no row is shared
        ({"t": [1, 2], "m": [5, 6]}, {"t": [3, 4], "m": [5, 7]}, ([[True, False], [True, True]], 0, 0)),
        # duplicates, and what cannot be hashed
        ({"n": ["a", "a"], "m": [1, 2]}, {"n": ["a", "a"], "m": [1, 3]}, ([[False, False], [False, True]], 0, 0)),
        ({"n": [[1], [2]], "m": [1, 2]}, {"n": [[1], [2]], "m": [1, 3]}, ([[False, False], [False, True]], 0, 0)),
        ({"n": [None, "a"], "m": [1, 2]}, {"n": [None, "a"], "m": [1, 2]}, ([[False] * 2] * 2, 0, 0)),
        # more and fewer rows
        ({"n": [1]}, {"n": [1, 2]}, ([[False], [True]], 1, 0)),
        ({"n": [1, 2]}, {"n": [1]}, ([[False]], 0, 1)),
        ({"n": []}, {"n": []}, ([], 0, 0)),
    ],
)
def test_otherwise_by_their_place(before, now, expected):
    assert marks(before, now) == expected


def test_missing_values_are_the_same_as_themselves():
    before = pd.DataFrame({"a": [np.nan], "b": [None], "c": [pd.NaT]})
    assert not compare(before, before.copy()).changed


def test_other_columns_mark_nothing_and_are_a_change():
    table = compare(pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]}))
    assert table.changed
    assert not table.cells_changed


def test_it_is_bounded_and_what_is_not_shown_counts_as_a_change():
    before = pd.DataFrame(np.zeros((1000, 50), dtype=int))
    now = before.copy()
    assert not compare(before, now).changed
    now.iat[900, 40] = 1
    table = compare(before, now)
    assert (len(table.rows), len(table.rows[0]), table.more_rows, table.more_columns) == (ROWS, COLUMNS, 970, 30)
    assert table.changed
    assert not table.cells_changed


def test_arrays_within_are_compared():
    before = pd.DataFrame({"v": [np.array([1, 2]), np.array([3])]})
    now = pd.DataFrame({"v": [np.array([1, 2]), np.array([4])]})
    assert not compare(before, before.copy()).changed
    assert compare(before, now).cells_changed == 1
