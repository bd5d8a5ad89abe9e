"""Parameters after a colon: the notebook's names, and nothing of the user's is called."""

from __future__ import annotations

import dataclasses
import enum
import os

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter.magics import notebook_names
from tusk_jupyter.secret import Secret


class Trap:
    """Fails whoever asks it anything."""

    def __init__(self):
        object.__setattr__(self, "inside", 1)

    def __getattribute__(self, name):
        raise AssertionError(name)

    def __repr__(self):
        raise AssertionError("repr")

    def __len__(self):
        raise AssertionError("len")

    @property
    def lazy(self):
        raise AssertionError("property")


@dataclasses.dataclass(slots=True)
class Slotted:
    width: int = 3
    _hidden: int = 4


class Colour(enum.Enum):
    RED = "red"


NAMES = {
    "limit": 5,
    "Limits": [1, 2],
    "cfg": {"a": 1, "b c": 2, "it's": 3, 7: 8},
    "df": pd.DataFrame({"origin": ["EWR"], "dep delay": [1.0]}),
    "row": pd.Series({"carrier": "UA", "delay": 2}),
    "trap": Trap(),
    "slotted": Slotted(),
    "größe": 1,
}


def texts(marked, names=NAMES):
    cursor = marked.index("|")
    text = marked.replace("|", "", 1)
    found = notebook_names.suggestions(text, cursor, names)
    if found is None:
        return None
    return [text[: found.start] + item.text + text[found.end :] for item in found.items]


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("select :li|", ["select :limit", "select :Limits"]),
        ("select :Li|", ["select :Limits", "select :limit"]),
        ("select {{ li|", ["select {{ limit", "select {{ Limits"]),
        ("select :'li|", ["select :'limit", "select :'Limits"]),
        ('select :"li|', ['select :"limit', 'select :"Limits']),
        ("select :gr|", ["select :größe"]),
        ("select '🐘', :li|", ["select '🐘', :limit", "select '🐘', :Limits"]),
        ("select a[1], :li|", ["select a[1], :limit", "select a[1], :Limits"]),
        ("select :cfg.|", ["select :cfg.a"]),
        ("select :cfg['|", ["select :cfg['a']", "select :cfg['b c']"]),
        ("select :cfg['b|'] + 1", ["select :cfg['b c'] + 1"]),
        ("select :df.or|", ["select :df.origin"]),
        ('select :df["dep|', ['select :df["dep delay"]']),
        ("select :row['c|", ["select :row['carrier']"]),
        ("select :slotted.|", ["select :slotted.width"]),
        ("select :trap.|", ["select :trap.inside", "select :trap.lazy"]),
        ("select :nothing.|", []),
        ("select :nothing|", []),
    ],
)
def test_what_could_be_bound(marked, expected):
    assert texts(marked) == expected


@pytest.mark.parametrize(
    "marked",
    ["select li|", "select 1::|", "select 1::li|", "select ':li|", "select -- :li|", "select a[1:li|", "select $$ :li|", "x := li|"],
)
def test_where_no_parameter_is_typed(marked):
    assert texts(marked) is None


def test_only_values_are_offered():
    space = {"os": os, "f": texts, "C": Slotted, "n": None, "x": 1, "_": 2, "In": [], "gen": (i for i in ())}
    assert notebook_names.bindable([{"x": 2.5}, space], {"In"}) == {"x": 2.5, "n": None}


@pytest.mark.parametrize(
    ("value", "name", "shown"),
    [
        (5, "n", "int = 5"),
        ("EWR", "origin", "str = 'EWR'"),
        (None, "n", "NoneType = None"),
        ("hunter2", "password", "str = ****"),
        ("hunter2", "db_pwd", "str = ****"),
        ("postgresql://ana:hunter2@h/d", "url", "str = 'postgresql://ana:****@h/d'"),
        ("x" * 500, "long", f"str = 'x{'x' * 57}…"),
        pytest.param(10**5000, "big", "int", id="big"),
        (Secret("hunter2"), "s", "Secret"),
        ([1, 2], "ids", "list"),
        pytest.param(Trap(), "trap", "Trap", id="trap"),
        (Colour.RED, "colour", "Colour"),
    ],
)
def test_a_name_is_shown_with_its_type_and_a_plain_value(value, name, shown):
    assert notebook_names.named(value, name) == shown


def test_a_cut_never_shows_a_part_of_a_password():
    url = f"postgresql://ana:{'hunter2' * 50}@host/db"
    assert "hunter2" not in notebook_names.named(url, "url")


@given(st.text(alphabet=":'\"{}[]. limcfgdf\\\n$-", max_size=40))
def test_never_fails(text):
    for cursor in range(len(text) + 1):
        notebook_names.suggestions(text, cursor, NAMES)
