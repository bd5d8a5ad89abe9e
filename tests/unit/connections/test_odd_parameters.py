"""Parameters that lead nowhere: refused before anything is connected, each in words of its own."""

from __future__ import annotations

import pytest

from tusk_jupyter.connections import opening, service_file
from tusk_jupyter.connections.conninfo import parse
from tusk_jupyter.connections.opening import Settings
from tusk_jupyter.errors import InvalidInput

SERVICES = """\
[good]
host=127.0.0.1
sslkey=/a=b
sslkey=/second
# sslcert=/none
[port]
host=127.0.0.1
port=99999
[mode]
host=127.0.0.1
sslmode=full
[good]
sslcert=/too-late
[blank]
host = x
"""


@pytest.fixture(autouse=True)
def services(monkeypatch, tmp_path):
    import os

    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    file = tmp_path / "services.conf"
    file.write_text(SERVICES)
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    return file


@pytest.mark.parametrize(
    ("text", "environ", "message", "advice"),
    [
        ("service=nowhere", {}, "there is no service 'nowhere' in pg_service.conf", "$PGSERVICEFILE"),
        ("service=port", {}, 'invalid port number: "99999"', "pg_service.conf"),
        ("service=mode", {}, 'invalid sslmode value: "full"', "pg_service.conf"),
        ("service=blank", {}, "syntax error in service file", "without blanks"),
        ("service=x", {"PGSERVICEFILE": "/nowhere/at/all"}, 'service file "/nowhere/at/all" not found', "PGSERVICEFILE"),
        ("host=127.0.0.1", {"PGPORT": "abc"}, 'invalid integer value "abc" for connection option "port"', "PG* variable"),
        ("host=127.0.0.1", {"PGSSLMODE": "full"}, 'invalid sslmode value: "full"', "PG* variable"),
        ("host=127.0.0.1,127.0.0.1 port=1,2,3", {}, "not of one length", "host=a,b port=1,2"),
        ("host=127.0.0.1,127.0.0.1 hostaddr=127.0.0.1", {}, "not of one length", "hostaddr"),
        ("host=x hostaddr=garbage", {}, "hostaddr is no address: 'garbage'", "belongs into host"),
        ("host=127.0.0.1 ssl_min_protocol_version=TLSv9", {}, '"TLSv9"', "Correct it"),
        ("host=127.0.0.1 ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2", {}, "is above", "TLSv1.2"),
        ("host=127.0.0.1 sslcertmode=maybe", {}, 'sslcertmode value: "maybe"', "Correct it"),
        ("host=127.0.0.1 require_auth=magic", {}, 'require_auth value: "magic"', "Correct it"),
        ("host=127.0.0.1 sslnegotiation=direct", {}, "sslmode=prefer is too weak for sslnegotiation=direct", "require"),
        ("host=127.0.0.1 sslmode=require sslrootcert=system", {}, "too weak for sslrootcert=system", "verify-full"),
    ],
)
def test_each_is_named(text, environ, message, advice, monkeypatch):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    outcome = opening.connect(parse(text), password=None, timeout_s=5, settings=Settings(), name="shop")
    assert type(outcome.error) is InvalidInput
    assert message in outcome.error.message
    assert advice in outcome.error.advice


@pytest.mark.parametrize("port", ["abc", "0", "99999", "5432,x"])
def test_a_port_that_is_none(port):
    with pytest.raises(InvalidInput, match="not a number from 1 to 65535") as caught:
        parse(f"host=h port={port}")
    assert "password" not in caught.value.advice


def test_a_service_is_read_as_libpq_reads_it(services, tmp_path):
    environ = {"PGSERVICEFILE": str(services)}
    good = parse("service=good")
    assert service_file.get(good, "sslkey", environ) == "/a=b"
    assert service_file.get(good, "sslcert", environ) is None
    assert service_file.get(parse("host=h"), "host", environ | {"PGSERVICE": "good"}) == "127.0.0.1"
    assert service_file.get(parse("host=h"), "host", environ) is None
    assert service_file.get(parse("service=nowhere"), "host", environ) is None
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "pg_service.conf").write_text("[late]\nhost=there\n")
    both = environ | {"PGSYSCONFDIR": str(shared)}
    assert service_file.get(parse("service=late"), "host", both) == "there"
    assert service_file.get(good, "host", both | {"PGSERVICEFILE": "/nowhere"}) is None
