"""The record of a saved connection: what makes it usable, said field by field, and its way through JSON."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tusk_jupyter.connections.saved import (
    AUTH_METHODS,
    COLORS,
    SSL_MODES,
    SavedConnection,
    SshTunnel,
    check,
    from_dict,
    is_host,
    name_problem,
    problems,
    tunnel_from_dict,
)
from tusk_jupyter.errors import InvalidInput

PLAIN = SavedConnection("id", "shop", "db.example.org", "shop", "analyst")
TUNNEL = SshTunnel("bastion", username="jump")


def wrong(saved, **given):
    return [problem.field for problem in problems(saved, **given)]


def test_a_plain_one_is_usable():
    assert wrong(PLAIN) == []
    assert wrong(replace(PLAIN, ssh_tunnel=TUNNEL)) == []
    check(PLAIN, taken=["other", "Shop"])


@pytest.mark.parametrize(
    "host",
    ["localhost", "db-1.example.org", "db_1", "example.org.", "10.0.0.7", "::1", "fe80::1%eth0", "/var/run/postgresql",
     "@abstract", "bücher.example", "x" * 63 + ".org", "a" * 63],
)  # fmt: skip
def test_hosts(host):
    assert is_host(host)
    assert wrong(replace(PLAIN, host=host)) == []


@pytest.mark.parametrize(
    "host",
    ["", " ", "a b", "-x", "x-", "a..b", "10.0.0", "10.0.0.256", "1.2.3.4.5", "x" * 64, "a." * 130, "user@host", "host:5432",
     "http://host", "[::1]", "a/b", "h\n", "@", "/\0", "\ud800", "a,b"],
)  # fmt: skip
def test_what_is_no_host(host):
    assert not is_host(host)
    assert wrong(replace(PLAIN, host=host)) == ["host"]


@pytest.mark.parametrize("name", ["shop", "a.b-c_d@e", "Größe", "名前", "1", "#1", "🦆"])
def test_names(name):
    assert name_problem(name) is None
    assert wrong(replace(PLAIN, name=name)) == []


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", "(x", ":x", "a=b", "a<<b", "a://b", "a\u00a0b", "a\u200bb", "a\x1bb", "o'brien", 'a"b', "a\\b", "n" * 101, "ana:secret@db"])
def test_what_is_no_name(name):
    assert wrong(replace(PLAIN, name=name)) == ["name"]


def test_a_name_that_is_taken():
    assert wrong(PLAIN, taken=("shop",)) == ["name"]
    assert wrong(PLAIN, taken={"Shop": 1}) == []


@pytest.mark.parametrize("port", [0, -1, 65536, 2**64, True, 22.0])
def test_ports(port):
    assert wrong(replace(PLAIN, port=port)) == ["port"]
    assert wrong(replace(PLAIN, ssh_tunnel=replace(TUNNEL, port=port))) == ["ssh_tunnel.port"]
    assert wrong(replace(PLAIN, ssh_tunnel=replace(TUNNEL, local_port=port))) == ["ssh_tunnel.local_port"]


@pytest.mark.parametrize("port", [1, 22, 5432, 65535])
def test_all_other_ports(port):
    assert wrong(replace(PLAIN, port=port, ssh_tunnel=replace(TUNNEL, port=port, local_port=port))) == []


@pytest.mark.parametrize(
    ("tunnel", "field"),
    [
        (SshTunnel(""), "host"),
        (SshTunnel(" "), "host"),
        (SshTunnel("a b", config_alias="x"), "host"),
        (SshTunnel("h", auth="rsa"), "auth"),
        (SshTunnel("h", auth="key"), "key_path"),
        (SshTunnel("h", auth="key", key_path=""), "key_path"),
        (SshTunnel(5), "host"),
        (SshTunnel("h", port="22"), "port"),
        (SshTunnel("h", username="a\0b"), "username"),
    ],
)
def test_tunnels(tunnel, field):
    assert wrong(replace(PLAIN, ssh_tunnel=tunnel)) == [f"ssh_tunnel.{field}"]


def test_a_tunnel_of_an_alias_needs_no_host():
    assert wrong(replace(PLAIN, ssh_tunnel=SshTunnel("", config_alias="bastion"))) == []


@pytest.mark.parametrize("field", [f.name for f in fields(SavedConnection) if f.name != "parameters"])
@pytest.mark.parametrize("value", [object(), [], {}, b"x", 1j])
def test_any_field_may_be_of_any_type_and_is_named(field, value):
    assert wrong(replace(PLAIN, **{field: value})) == [field]


@pytest.mark.parametrize("parameters", [{"password": "x"}, {"sslpassword": "x"}, {"PassWord": "x"}, {"scram_client_key": "x"}])
def test_no_secret_gets_into_the_record(parameters):
    assert wrong(replace(PLAIN, parameters=parameters)) == ["parameters"]
    assert "'x'" not in problems(replace(PLAIN, parameters=parameters))[0].message


def test_a_refusal_names_every_field_and_is_one_error():
    with pytest.raises(InvalidInput, match=r"cannot be saved: .*name.*; .*port") as caught:
        check(replace(PLAIN, name="", port=0))
    assert [field for field, _ in caught.value.facts] == ["name", "port"]


USABLE = st.builds(
    SavedConnection,
    id=st.uuids().map(str),
    name=st.from_regex(r"[a-z][a-z0-9_.@-]{0,20}", fullmatch=True),
    host=st.from_regex(r"[a-z][a-z0-9]{0,20}(\.[a-z]{1,9})?", fullmatch=True) | st.ip_addresses().map(str),
    database=st.from_regex(r"\w[^\x00\ud800-\udfff]{0,20}", fullmatch=True),
    username=st.from_regex(r"\w[^\x00\ud800-\udfff]{0,20}", fullmatch=True),
    port=st.integers(1, 65535),
    ssl_mode=st.sampled_from(SSL_MODES),
    ssh_tunnel=st.none()
    | st.builds(SshTunnel, st.just("bastion"), st.integers(1, 65535), auth=st.sampled_from(AUTH_METHODS), key_path=st.just("/k")),
    read_only=st.booleans(),
    statement_timeout_ms=st.none() | st.integers(0, 2**31 - 1),
    connect_timeout_s=st.none() | st.floats(0.1, 86400),
    pool_size=st.none() | st.integers(1, 1000),
    color=st.none() | st.sampled_from(COLORS),
    parameters=st.dictionaries(st.sampled_from(["options", "target_session_attrs"]), st.text("abc ü'", max_size=5)),
)


@given(USABLE)
def test_the_way_through_json_and_back_changes_nothing(saved):
    assert wrong(saved) == []
    assert from_dict(json.loads(json.dumps(saved.as_dict()))) == saved


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)


@given(st.dictionaries(st.sampled_from([f.name for f in fields(SavedConnection)]), ANYTHING))
def test_whatever_a_file_says_is_usable_or_refused(given_fields):
    try:
        saved = from_dict({**PLAIN.as_dict(), **given_fields})
        check(saved)
    except InvalidInput:
        return
    assert from_dict(json.loads(json.dumps(saved.as_dict()))) == saved


@pytest.mark.parametrize(
    ("given_fields", "says"),
    [
        ({"password": "hunter2"}, "no field 'password'"),
        ({}, "needs database, host, id, name, username"),
        (PLAIN.as_dict() | {"ssh_tunnel": {"host": "h", "password": "hunter2"}}, "no field 'password'"),
        (PLAIN.as_dict() | {"ssh_tunnel": {"port": 22}}, "needs host"),
        (PLAIN.as_dict() | {"ssh_tunnel": "bastion"}, "mapping"),
    ],
)
def test_what_is_no_record(given_fields, says):
    with pytest.raises(InvalidInput, match=says) as caught:
        from_dict(given_fields)
    assert "hunter2" not in str(caught.value)


def test_a_tunnel_may_be_one_already():
    assert tunnel_from_dict(TUNNEL) is TUNNEL
    assert tunnel_from_dict(None) is None
    assert tunnel_from_dict({"host": "bastion", "username": "jump"}) == TUNNEL
