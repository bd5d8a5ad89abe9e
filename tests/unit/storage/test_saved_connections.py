"""The rows of saved connections: what goes in comes out, what is wrong is refused, what is damaged costs only itself."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from dataclasses import fields, replace
from functools import partial

import pytest

from tests.waiting import at_one_moment
from tusk_jupyter.connections.saved import Group, SavedConnection, SshTunnel
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.storage.groups import Groups
from tusk_jupyter.storage.saved_connections import SavedConnections

PLAIN = SavedConnection("", "shop", "db.example.org", "shop", "analyst")


@pytest.fixture
def stored(file):
    return SavedConnections(lambda: file)


def run(file, statement, *values):
    return file.write(lambda conn: conn.execute(statement, values).rowcount).result(timeout=5)


def refused(call, *fields_named):
    with pytest.raises(InvalidInput) as caught:
        call()
    assert tuple(field for field, _ in caught.value.facts) == fields_named
    return caught.value


def test_every_field_survives(file, stored):
    Groups(lambda: file).save(Group("g", "Production"))
    tunnel = SshTunnel("bastion", 2222, "jump", "key", "/keys/id", 15432, "bastion-eu")
    full = SavedConnection(
        "c1", "shop", "::1", "shöp 'x'", 'ana"lyst', 6543, "verify-full", "/ca", "/cert", "/key", tunnel, True, 30_000,
        0, 2.5, 60, "Ünicode 🦆", 7, "red", "g", False, "demo", {"target_session_attrs": "read-write", "options": "-c a=b"},
    )  # fmt: skip
    # a default that is saved by accident would pass unseen
    default = SavedConnection("", "", "", "", "")
    assert [f.name for f in fields(full) if getattr(full, f.name) == getattr(default, f.name)] == [
        "created_at", "updated_at",
    ]  # fmt: skip
    kept = stored.save(full)
    assert replace(kept, created_at="", updated_at="") == full
    assert stored.list() == [kept]
    assert stored.get("shop") == stored.get("c1") == stored.by_name("shop") == stored.by_id("c1") == kept


def test_times_are_the_rows_own(stored):
    first = stored.save(replace(PLAIN, created_at="long ago", updated_at="never"))
    assert first.id
    assert first.created_at == first.updated_at > "2026"
    second = stored.save(replace(first, port=6543, created_at=""))
    assert second.created_at == first.created_at
    assert second.updated_at > first.updated_at
    assert stored.list() == [second]


def test_a_name_is_one_connections(stored):
    kept = stored.save(PLAIN)
    error = refused(lambda: stored.save(PLAIN), "name")
    assert "'shop'" in error.message
    stored.save(replace(kept, host="other.example.org"))
    other = stored.save(replace(PLAIN, name="Shop"))
    refused(lambda: stored.save(replace(other, name="shop")), "name")
    assert [saved.name for saved in stored.list()] == ["Shop", "shop"]


def test_all_that_is_wrong_is_said_at_once(stored):
    stored.save(PLAIN)
    wrong = replace(PLAIN, database=" ", username="", port=0, host="a b", color="mauve", ssl_mode="yes")
    refused(lambda: stored.save(wrong), "name", "database", "username", "host", "port", "ssl_mode", "color")
    assert len(stored.list()) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a\0b"), ("name", "a\nb"), ("name", "a b"), ("name", "\ud83e"), ("name", "-x"), ("name", ""), ("name", None),
        ("host", "h\0"), ("database", "\ud800"), ("database", 5), ("username", "a\0b"), ("application_name", "\udfff"),
        ("port", "5432"), ("port", 5432.0), ("port", True), ("port", 2**70), ("port", None), ("pool_size", 0),
        ("connect_timeout_s", float("nan")), ("connect_timeout_s", float("inf")), ("pool_timeout_s", "9"),
        ("statement_timeout_ms", 1.5), ("lock_timeout_ms", -1), ("read_only", 1), ("read_only", "no"), ("history", None),
        ("ssl_ca_cert", "/a\0"), ("parameters", {"a": 1}), ("parameters", None), ("parameters", {"a\0": "b"}),
        ("parameters", {"password": "hunter2"}), ("parameters", {"SSLPASSWORD": "x"}), ("ssh_tunnel", {"host": "h"}),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_field(stored, field, value):
    error = refused(lambda: stored.save(replace(PLAIN, **{field: value})), field)
    assert "hunter2" not in str(error) + str(error.facts)
    assert stored.list() == []


@pytest.mark.parametrize("name", ["🦆", "x;drop", "größe", "a%b_c", "--".join("xy"), "名前"])
def test_any_name_that_cells_can_say_is_kept(stored, name):
    kept = stored.save(replace(PLAIN, name=name))
    assert stored.get(name) == kept
    assert [saved.name for saved in stored.list()] == [name]


def test_the_list_is_by_name_whatever_the_case(stored):
    for name in ("beta", "Alpha", "alpha", "Ärger", "GAMMA", "ärger"):
        stored.save(replace(PLAIN, name=name))
    assert [saved.name for saved in stored.list()] == ["Alpha", "alpha", "beta", "GAMMA", "Ärger", "ärger"]


def test_delete(stored):
    kept = stored.save(PLAIN)
    assert stored.delete(kept.id) is True
    assert stored.delete(kept.id) is False
    assert stored.list() == []
    assert stored.get("shop") is None
    assert stored.get("half \ud800 a character") is None


def test_the_group_has_to_be_there(file, stored):
    error = refused(lambda: stored.save(replace(PLAIN, group_id="gone")), "group_id")
    assert "group" in error.message
    Groups(lambda: file).save(Group("g", "Production"))
    assert stored.save(replace(PLAIN, group_id="g")).group_id == "g"


def test_of_two_kernels_that_take_a_name_at_once_one_gets_it(opened):
    files = [opened() for _ in range(4)]

    def save(file, host):
        try:
            return SavedConnections(lambda: file).save(replace(PLAIN, host=host))
        except InvalidInput as error:
            return error.facts[0][0]

    outcomes = at_one_moment(*(partial(save, file, f"host-{n}") for n, file in enumerate(files)))
    won = [outcome for outcome in outcomes if isinstance(outcome, SavedConnection)]
    assert [outcome for outcome in outcomes if outcome not in won] == ["name"] * 3
    assert SavedConnections(lambda: files[0]).list() == won


@pytest.mark.parametrize(
    ("column", "value", "survives"),
    [
        ("ssh_tunnel", "{not json", False),
        ("ssh_tunnel", '{"host": "h", "proxy": "p"}', False),
        ("ssh_tunnel", '{"port": 22}', False),
        ("ssh_tunnel", "[1, 2]", False),
        ("parameters", "nonsense", False),
        ("parameters", '{"a": 1}', False),
        ("parameters", "null", False),
        ("name", "two words", False),
        ("host", "a b", False),
        ("application_name", b"\x00\xff", False),
        ("pool_size", -5, False),
        ("color", "mauve", True),
        ("color", 7, True),
        ("created_at", b"\xff", True),
    ],
)
def test_a_row_that_makes_no_sense_costs_no_other(file, stored, caplog, column, value, survives):
    stored.save(replace(PLAIN, name="good"))
    kept = stored.save(replace(PLAIN, name="bad", color="red"))
    assert run(file, f"update connections set {column} = ? where id = ?", value, kept.id) == 1
    with caplog.at_level(logging.WARNING, logger="tusk_jupyter"):
        names = [saved.name for saved in stored.list()]
    assert names == (["bad", "good"] if survives else ["good"])
    assert ("left out" in caplog.text) is not survives
    if survives:
        assert getattr(stored.by_id(kept.id), column) in {None, ""}


@pytest.mark.parametrize(
    ("column", "value"),
    [("port", 0), ("port", "http"), ("ssl_mode", "never"), ("read_only", 7), ("connect_timeout_s", "soon"), ("name", " ")],
)
def test_what_would_lead_elsewhere_is_kept_out_by_sqlite_itself(file, stored, column, value):
    stored.save(PLAIN)
    with pytest.raises(Exception, match="CHECK constraint"):
        run(file, f"update connections set {column} = ?", value)


def test_a_group_that_went_is_none(file, stored, tmp_path):
    Groups(lambda: file).save(Group("g", "Production"))
    stored.save(replace(PLAIN, group_id="g"))
    with closing(sqlite3.connect(tmp_path / "tusk.db")) as conn:  # as another program would, without foreign keys
        conn.execute("delete from connection_groups")
        conn.commit()
    assert stored.list()[0].group_id is None


def test_ten_thousand_are_listed(file, stored):
    kept = stored.save(PLAIN)
    columns = ", ".join(f.name for f in fields(PLAIN))
    others = columns.replace("id, name", "id || n, name || n", 1)
    numbers = "with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 9999)"
    assert run(file, f"insert into connections ({columns}) {numbers} select {others} from connections, numbers") == 9_999
    assert len(stored.list()) == 10_000
    assert stored.get("shop9999").host == kept.host
    assert stored.save(replace(PLAIN, name="one-more")).name == "one-more"
