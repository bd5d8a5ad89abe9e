"""known_hosts line by line; the same against OpenSSH's own tools is in tests/ssh."""

from __future__ import annotations

import base64
import hashlib
import hmac
import stat

import pytest

from tusk_jupyter.connections.ssh_known_hosts import HostKey, fingerprint, host_name, look_up, record

BLOB = b"\0\0\0\x0bssh-ed25519" + b"k" * 36
KEY = f"ssh-ed25519 {base64.b64encode(BLOB).decode()}"
OTHER = f"ssh-ed25519 {base64.b64encode(BLOB[::-1]).decode()}"


def hashed(name):
    salt = b"s" * 20
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("hosts", "host", "port", "found"),
    [
        ("bastion", "bastion", 22, True),
        ("bastion", "BASTION", 22, True),
        ("Bastion", "bastion", 22, True),
        ("bastion,10.0.0.1", "10.0.0.1", 22, True),
        ("bastion", "bastion2", 22, False),
        ("[bastion]:2222", "bastion", 2222, True),
        ("[bastion]:2222", "bastion", 22, False),
        ("[bastion]:2222", "bastion", 2223, False),
        ("*.example.org", "a.example.org", 22, True),
        ("*.example.org,!a.example.org", "a.example.org", 22, False),
        ("!a.example.org,*.example.org", "b.example.org", 22, True),
        ("10.0.0.?", "10.0.0.7", 22, True),
        ("[*]:2222", "bastion", 2222, True),
        (hashed("bastion"), "bastion", 22, True),
        (hashed("[bastion]:2222"), "bastion", 2222, True),
        (hashed("bastion"), "bastion2", 22, False),
        ("|1|nonsense", "bastion", 22, False),
    ],
)
def test_which_hosts_a_line_means(tmp_path, hosts, host, port, found):
    file = tmp_path / "known_hosts"
    file.write_text(f"# a comment\n\n{hosts} {KEY} a comment\n")
    known = look_up([str(file)], host, port)
    assert [(entry.blob, entry.line) for entry in known.keys] == ([(BLOB, 3)] if found else [])
    assert (known.offending is not None) is found


def test_a_line_without_the_port_counts_only_if_there_is_none_with_it(tmp_path):
    file = tmp_path / "known_hosts"
    file.write_text(f"bastion {KEY}\n")
    known = look_up([str(file)], "bastion", 2222)
    assert [entry.blob for entry in known.keys] == [BLOB]
    assert known.offending is None
    file.write_text(f"bastion {KEY}\n[bastion]:2222 {OTHER}\n")
    known = look_up([str(file)], "bastion", 2222)
    assert [entry.blob for entry in known.keys] == [BLOB[::-1]]
    assert known.offending.line == 2


def test_markers_and_what_means_nothing(tmp_path):
    file = tmp_path / "known_hosts"
    file.write_bytes(
        f"@cert-authority *.example.org {KEY}\n@revoked * {OTHER}\n@unknown * {KEY}\nbastion ssh-rsa\n".encode()
        + b"a.example.org ssh-ed25519 !!!!\n\xff\xff\n@revoked\n"
    )
    known = look_up([str(file), str(tmp_path / "gone"), str(tmp_path)], "a.example.org", 22)
    assert known.keys == ()
    assert [entry.blob for entry in known.authorities] == [BLOB]
    assert [entry.blob for entry in known.revoked] == [BLOB[::-1]]
    assert known.authorities[0].public == KEY.encode()


def test_a_fingerprint_is_that_of_ssh_keygen():
    assert fingerprint(b"") == "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"


def key_for(file, host="bastion", port=22):
    return HostKey(host, port, "ssh-ed25519", "SHA256:x", f"{host_name(host, port)} {KEY}", str(file))


def test_a_key_that_is_recorded_is_found_again(tmp_path):
    file = tmp_path / "new" / "known_hosts"
    record(key_for(file))
    record(key_for(file, "other", 2222))
    assert file.read_text() == f"bastion {KEY}\n[other]:2222 {KEY}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert look_up([str(file)], "other", 2222).keys[0].line == 2


def test_a_file_whose_last_line_does_not_end_is_not_spoilt(tmp_path):
    file = tmp_path / "known_hosts"
    file.write_text(f"first {KEY}")
    file.chmod(0o644)
    record(key_for(file))
    assert file.read_text() == f"first {KEY}\nbastion {KEY}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
