"""A record becomes a target that leads to the same place with the same settings."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from tests.unit.records import FULL
from tusk_jupyter.connections.connection import Connection
from tusk_jupyter.connections.conninfo import Conninfo
from tusk_jupyter.connections.credentials import Credentials
from tusk_jupyter.connections.keeping import saved_of, target_of
from tusk_jupyter.connections.opening import Settings
from tusk_jupyter.connections.target import Target
from tusk_jupyter.events import Events
from tusk_jupyter.secret import Secret


def connection_to(target):
    return Connection("shop", target, credentials=Credentials(), events=Events())


def test_every_field_comes_back():
    target = target_of(FULL)
    again = saved_of(connection_to(target), name="shop", group_id=FULL.group_id, color=FULL.color)
    assert again == FULL
    changed = [f.name for f in fields(FULL) if getattr(FULL, f.name) != f.default]
    assert set(changed) >= {f.name for f in fields(FULL)} - {"embedded", "created_at", "updated_at"}


@pytest.mark.parametrize("name", ["statement_timeout_ms", "lock_timeout_ms"])
def test_no_time_out_is_not_a_time_out_of_nothing(name):
    assert getattr(target_of(FULL).settings, name.removesuffix("_ms"))
    assert getattr(target_of(replace(FULL, **{name: None})).settings, name.removesuffix("_ms")) is None


def test_a_target_has_the_records_id():
    assert connection_to(target_of(FULL)).id == FULL.id


def test_no_secret_comes_into_a_record():
    info = Conninfo(
        (("host", "h"), ("user", "u"), ("dbname", "d"), ("sslkey", "/k")),
        password=Secret("canary-one"),
        sslpassword=Secret("canary-two"),
    )
    saved = saved_of(connection_to(Target(info, Settings())), name="shop")
    assert "canary" not in repr(saved)
    assert "canary" not in repr(saved.as_dict())


def test_an_embedded_server_is_where_it_listens_this_time():
    saved = replace(FULL, embedded="main", host="/old", port=1, ssh_tunnel=None)
    now = Conninfo((("host", "/new"), ("port", "7777")), password=Secret("generated"))
    target = target_of(saved, embedded=now)
    assert (target.conninfo.host, target.conninfo.port) == ("/new", "7777")
    assert target.conninfo.password == Secret("generated")
