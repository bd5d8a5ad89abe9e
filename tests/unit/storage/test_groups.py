"""The groups of saved connections: a forest, in order, whoever changes it."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import partial

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.waiting import at_one_moment
from tusk_jupyter.connections.saved import Group, SavedConnection
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.storage.groups import Groups, in_order
from tusk_jupyter.storage.saved_connections import SavedConnections


@pytest.fixture
def groups(file):
    return Groups(lambda: file)


@pytest.fixture
def forest(groups):
    """Work (EU (Berlin), US), Home; the ids are the names in lower case."""
    for name, parent in (("Work", None), ("Home", None), ("EU", "work"), ("US", "work"), ("Berlin", "eu")):
        groups.save(Group(name.lower(), name, parent))
    return groups


def shape(groups):
    """Return each group's name below dots that say how deep it is."""
    depth = {None: -1}
    lines = []
    for group in groups.list():
        depth[group.id] = depth[group.parent_id] + 1
        lines.append("." * depth[group.id] + group.name)
    return lines


def refused(call, field):
    with pytest.raises(InvalidInput) as caught:
        call()
    assert [name for name, _ in caught.value.facts] == [field]
    return caught.value


def test_what_goes_in_comes_out(groups):
    kept = groups.save(Group("", "Production 🦆 'x'", None, 3, "red"))
    assert kept.id
    assert groups.list() == [kept]
    changed = groups.save(replace(kept, name="Prod", color=None))
    assert groups.list() == [changed]


def test_parents_come_before_children_and_siblings_in_their_order(forest):
    assert shape(forest) == ["Home", "Work", ".EU", "..Berlin", ".US"]
    forest.save(Group("home", "Home", None, 5))
    forest.save(Group("us", "US", "work", -1))
    assert shape(forest) == ["Work", ".US", ".EU", "..Berlin", "Home"]


def test_a_name_is_unique_among_siblings_only(forest):
    refused(lambda: forest.save(Group("", "EU", "work")), "name")
    refused(lambda: forest.save(Group("us", "EU", "work")), "name")
    forest.save(Group("", "EU", "home"))
    forest.save(Group("", "EU", None))
    assert shape(forest).count(".EU") == 2


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a\0b", "a\nb", "x" * 201, "\ud83e"])
def test_a_name_that_cannot_be(groups, name):
    refused(lambda: groups.save(Group("", name)), "name")
    assert groups.list() == []


@pytest.mark.parametrize(
    ("field", "group"),
    [
        ("parent_id", Group("", "x", "nowhere")),
        ("color", Group("", "x", color="mauve")),
        ("sort_order", Group("", "x", sort_order=2**40)),
        ("sort_order", Group("", "x", sort_order="first")),
    ],
)
def test_a_group_that_cannot_be(groups, field, group):
    refused(lambda: groups.save(group), field)


@pytest.mark.parametrize("parent", ["work", "eu", "berlin"])
def test_no_group_is_below_itself(forest, parent):
    before = forest.list()
    refused(lambda: forest.save(Group("work", "Work", parent)), "parent_id")
    refused(lambda: forest.move("work", parent_id=parent), "parent_id")
    assert forest.list() == before


def test_move(forest):
    assert forest.move("berlin", parent_id="work", position=0).sort_order == 0
    assert shape(forest) == ["Home", "Work", ".Berlin", ".EU", ".US"]
    forest.move("berlin", parent_id="work", position=1)
    assert shape(forest) == ["Home", "Work", ".EU", ".Berlin", ".US"]
    forest.move("berlin", parent_id="work")
    assert shape(forest) == ["Home", "Work", ".EU", ".US", ".Berlin"]
    forest.move("work", parent_id="home", position=99)
    assert shape(forest) == ["Home", ".Work", "..EU", "..US", "..Berlin"]
    refused(lambda: forest.move("nowhere", parent_id=None), "id")


def test_a_deleted_groups_content_moves_up(file, forest):
    stored = SavedConnections(lambda: file)
    stored.save(SavedConnection("c", "shop", "h", "d", "u", group_id="eu"))
    assert forest.delete("eu") is True
    assert shape(forest) == ["Home", "Work", ".Berlin", ".US"]
    assert stored.by_id("c").group_id == "work"
    assert forest.delete("eu") is False
    forest.delete("work")
    assert shape(forest) == ["Berlin", "Home", "US"]
    assert stored.by_id("c").group_id is None


def test_who_moves_up_to_a_namesake_gets_a_number(forest):
    forest.save(Group("", "US", "eu"))
    forest.save(Group("", "EU", "eu"))
    forest.delete("eu")
    assert shape(forest) == ["Home", "Work", ".Berlin", ".EU", ".US", ".US 2"]


def test_two_kernels_tie_no_knot(opened):
    both = [Groups(lambda file=file: file) for file in (opened(), opened())]
    both[0].save(Group("a", "A"))
    both[0].save(Group("b", "B"))

    def put(groups, group_id, parent_id):
        try:
            return groups.move(group_id, parent_id=parent_id).parent_id
        except InvalidInput as error:
            return error.facts[0][0]

    outcomes = at_one_moment(partial(put, both[0], "a", "b"), partial(put, both[1], "b", "a"))
    assert sorted(outcomes)[1] == "parent_id"
    assert len(shape(both[0])) == 2


def test_a_circle_in_the_file_is_shown_all_the_same(file, forest, tmp_path, caplog):
    with closing(sqlite3.connect(tmp_path / "tusk.db")) as conn:
        conn.execute("update connection_groups set parent_id = 'berlin' where id = 'work'")
        conn.execute("update connection_groups set parent_id = 'nowhere' where id = 'home'")
        conn.commit()
    with caplog.at_level(logging.WARNING, logger="tusk_jupyter"):
        assert shape(forest) == ["Berlin", ".Work", "..EU", "..US", "Home"]
    assert "ancestor" in caplog.text
    refused(lambda: forest.save(Group("eu", "EU", "berlin")), "parent_id")
    forest.save(Group("work", "Work"))
    assert shape(forest) == ["Home", "Work", ".EU", "..Berlin", ".US"]


ANY_GROUPS = st.lists(
    st.builds(
        Group,
        id=st.sampled_from("abcdefgh"),
        name=st.text(max_size=3),
        parent_id=st.none() | st.sampled_from("abcdefghz"),
        sort_order=st.integers(-2, 2),
    ),
    unique_by=lambda group: group.id,
)


@given(ANY_GROUPS)
def test_whatever_the_parents_are_all_are_listed_once_and_below_them(groups):
    logging.getLogger("tusk_jupyter.storage").disabled = True
    try:
        ordered = in_order(groups)
    finally:
        logging.getLogger("tusk_jupyter.storage").disabled = False
    assert sorted(group.id for group in ordered) == sorted(group.id for group in groups)
    seen = {None}
    for group in ordered:
        assert group.parent_id in seen
        seen.add(group.id)


def test_ten_thousand_levels(groups):
    chain = [Group(str(n), "x", str(n - 1) if n else None) for n in range(10_000)]
    assert [group.id for group in in_order(chain[::-1])] == [group.id for group in chain]
