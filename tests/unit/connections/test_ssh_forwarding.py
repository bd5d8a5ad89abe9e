"""Whose connection comes to the local end of a tunnel, by the kernel's tables."""

from __future__ import annotations

import os
import sys

import pytest

from tusk_jupyter.connections import ssh_forwarding

PORT, HERE = 0xB1C2, 0x1538


def row(address, *, owner, inode="4711", to="1538"):
    return ["0:", f"{address}:B1C2", f"0100007F:{to}", "01", "00000000:00000000", "00:00000000", "00000000", str(owner), "0", inode]


IPV4 = "0100007F" if sys.byteorder == "little" else "7F000001"
MAPPED = ("0" * 16 + "FFFF0000" + IPV4) if sys.byteorder == "little" else ("0" * 20 + "FFFF" + IPV4)
ELSE = os.geteuid() + 12345


@pytest.mark.parametrize("address", [IPV4, MAPPED])
@pytest.mark.parametrize(
    ("owner", "inode", "own"),
    [(os.geteuid(), "4711", True), (0, "4711", True), (ELSE, "4711", False), (0, "0", False)],
    ids=["mine", "root's", "another's", "closed by whoever it was"],
)
def test_the_owner_is_read_from_the_table(address, owner, inode, own):
    rows = [row("00000000", owner=os.geteuid()), row(address, owner=owner, inode=inode)]
    assert ssh_forwarding.own(rows, PORT, HERE) is own
    assert ssh_forwarding.own(rows, PORT + 1, HERE) is None


def test_what_the_same_port_had_to_do_with_another_server_is_not_this_connection():
    closed_lately = row(IPV4, owner=0, inode="0", to="1539")
    assert ssh_forwarding.own([closed_lately, row(IPV4, owner=os.geteuid())], PORT, HERE) is True
    assert ssh_forwarding.own([closed_lately], PORT, HERE) is None


@pytest.mark.parametrize(
    ("readings", "own"),
    [
        ([[], [], [], [], []], True),
        ([[row("00000000", owner=0)], [row(IPV4, owner=os.geteuid())]], True),
        ([[row("00000000", owner=0)], [row(IPV4, owner=ELSE)]], False),
        ([[row("00000000", owner=0)]] * ssh_forwarding.READS, False),
    ],
    ids=["no tables", "missed once", "another's, missed once", "never seen"],
)
def test_a_peer_that_a_reading_missed_is_looked_for_again(monkeypatch, readings, own):
    monkeypatch.setattr(ssh_forwarding, "_connections", iter(readings).__next__)
    assert ssh_forwarding.is_own(PORT, HERE) is own
