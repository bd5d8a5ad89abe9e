"""Whose text the cursor is in, by IPython's rules of what a magic is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter.magics import places

OURS = {("cell", "sql"): "sql", ("line", "sql"): "sql", ("line", "tusk"): "tusk", ("cell", "tusk"): "tusk"}


def found(marked):
    """The text of the magic up to the cursor (``|``), or None."""
    cursor = marked.index("|")
    text = marked.replace("|", "", 1)
    place = places.find(text, cursor, lambda kind, name: OURS.get((kind, name)))
    if place is None:
        return None
    assert len(place.text) == len(text)
    assert place.start <= place.cursor <= place.end <= len(text)
    return place.magic, place.is_cell, place.text[place.start : place.cursor]


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("%%sql |", ("sql", True, "")),
        ("%%sql shop --li|", ("sql", True, "shop --li")),
        ("%%sql\n|", ("sql", True, "\n")),
        ("%%sql\nselect|\nfrom t", ("sql", True, "\nselect")),
        ("\n  \n  %%sql\n  select|", ("sql", True, "\n  select")),
        ("%sql select|", ("sql", False, "select")),
        ("x = 1\n%sql select|\ny = 2", ("sql", False, "select")),
        ("for x in y:\n    %sql select|", ("sql", False, "select")),
        ("x = %sql select|", ("sql", False, "select")),
        ("d['a'], b = %sql select|", ("sql", False, "select")),
        ("%sql select \\\n  a|", ("sql", False, "select     a")),
        ("%sql select| \\\n  a", ("sql", False, "select")),
        ("%%time\n%sql select|", ("sql", False, "select")),
        ('"""\ntext\n"""\n%sql select|', ("sql", False, "select")),
        ("%tusk use |", ("tusk", False, "use ")),
    ],
)
def test_ours(marked, expected):
    assert found(marked) == expected


@pytest.mark.parametrize(
    "marked",
    [
        "|%%sql\nselect",
        "%%s|ql\nselect",
        "%%sql|",
        "%%sql|\nselect",
        "%sql|",
        "select|",
        "x = 1|\n%sql select",
        "x %sql select|",
        "# a\n%%sql\nselect|",
        "%%bash\n%sql select|",
        "%%other\nselect|",
        "%other select|",
        "if x == %sql select|",
        's = """\n%sql select|\n"""',
        "y|\n%%sql\nselect",
    ],
)
def test_not_ours(marked):
    assert found(marked) is None


@given(st.text(alphabet="%sql tusk=\\\n\"'#x🐘 ", max_size=60), st.integers(0, 60))
def test_never_fails_and_keeps_offsets(text, cursor):
    found(f"{text[:cursor]}|{text[cursor:]}")
