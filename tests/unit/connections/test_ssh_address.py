"""What --ssh takes, what it refuses, and that it repeats no password."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter.connections.saved import SshTunnel
from tusk_jupyter.connections.ssh_address import parse_ssh, written
from tusk_jupyter.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "host", "port", "user"),
    [
        ("ann@bastion.example.org", "bastion.example.org", 22, "ann"),
        ("bastion", "bastion", 22, None),
        ("ann@bastion:2222", "bastion", 2222, "ann"),
        (" ann@10.0.0.1:22 ", "10.0.0.1", 22, "ann"),
        ("ann@corp.example@bastion", "bastion", 22, "ann@corp.example"),
        ("ann@::1", "::1", 22, "ann"),
        ("ann@[::1]", "::1", 22, "ann"),
        ("[::1]:2222", "::1", 2222, None),
        ("ann@[fe80::1%eth0]:2222", "fe80::1%eth0", 2222, "ann"),
        ("ssh://ann@bastion:2222/", "bastion", 2222, "ann"),
        ("SSH://bastion", "bastion", 22, None),
        ("bücher.example", "bücher.example", 22, None),
        ("my_host", "my_host", 22, None),
    ],
)
def test_what_is_read(text, host, port, user):
    assert parse_ssh(text) == SshTunnel(host=host, port=port, username=user)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "host"),
        ("@bastion", "user"),
        ("ann@", "host"),
        ("ann@bastion:", "port"),
        ("ann@bastion:0", "port"),
        ("ann@bastion:65536", "port"),
        ("ann@bastion:ssh", "port"),
        ("ann@bastion:２２", "port"),
        ("ann@[bastion]:22", "IPv6"),
        ("ann@[::1", "host"),
        ("ann@::1]:22", "host"),
        ("ann@ba stion", "' '"),
        ("ann@bastion\n", None),
        ("ann@bas\x00tion", "x00"),
        ("ann@/tmp/socket", "host"),
        ("ann@300.1.1.1", "host"),
        ("-oProxyCommand=id@bastion", "'-'"),
        ("ann@-oProxyCommand", "host"),
        ("ssh://", "host"),
    ],
)
def test_what_is_refused(text, word):
    if word is None:
        assert parse_ssh(text).host == "bastion"
        return
    with pytest.raises(InvalidInput) as raised:
        parse_ssh(text)
    assert word in str(raised.value)
    assert "USER@HOST" in raised.value.advice


@pytest.mark.parametrize("text", ["ann:canary-5@bastion", "ssh://ann:canary-5@bastion:22", "ann:canary@5@bastion"])
def test_a_password_is_refused_and_not_repeated(text):
    with pytest.raises(InvalidInput, match="password") as raised:
        parse_ssh(text)
    assert "canary" not in repr(raised.value.info())


def test_what_is_written_reads_the_same():
    for text in ("ann@bastion", "bastion:2222", "ann@[::1]:2222", "::1"):
        tunnel = parse_ssh(text)
        assert written(tunnel.host, tunnel.port, tunnel.username) == text


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        tunnel = parse_ssh(text)
    except InvalidInput:
        return
    assert parse_ssh(written(tunnel.host, tunnel.port, tunnel.username)) == tunnel
