from __future__ import annotations

import os
from pathlib import Path

import pytest

from tusk_jupyter.connections import tls_paths
from tusk_jupyter.connections.conninfo import parse
from tusk_jupyter.connections.tls_paths import resolved, system_roots


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize("keyword", tls_paths.FILES)
def test_paths_are_made_whole(keyword, here):
    assert resolved(parse(f"host=h {keyword}=~/c.pem")).get(keyword) == str(here / "home" / "c.pem")
    assert resolved(parse(f"host=h {keyword}=certs/c.pem")).get(keyword) == str(here / "certs" / "c.pem")


@pytest.mark.parametrize("text", ["sslrootcert=system", "sslkey=pkcs11:token=x", "sslcert=/a/b", "sslcert=~nobody-here/x", "sslcert=''"])
@pytest.mark.skipif(os.name != "posix", reason="paths of Windows")
def test_what_is_no_path_or_whole_already_stays(text):
    conninfo = parse(f"host=h {text}")
    assert resolved(conninfo).params == conninfo.params


def test_a_directory_that_is_gone_is_no_failure(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert resolved(parse("host=h sslcert=c.pem")).get("sslcert") == "c.pem"


def test_system_is_this_machines_bundle(here, monkeypatch):
    bundle = here / "bundle.pem"
    bundle.touch()
    monkeypatch.setattr(tls_paths, "_BUNDLES", (str(here / "none"), str(bundle)))
    found = {"sslrootcert": str(bundle), "sslmode": "verify-full"}
    assert system_roots(parse("host=h sslrootcert=system"), {}) == found
    assert system_roots(parse("host=h"), {"PGSSLROOTCERT": "system"}) == found
    for text, environ in (
        ("host=h", {}),
        ("host=h sslrootcert=/x", {"PGSSLROOTCERT": "system"}),
        # libpq refuses this, and says why
        ("host=h sslrootcert=system sslmode=require", {}),
        ("host=h sslrootcert=system", {"PGSSLMODE": "prefer"}),
        # OpenSSL knows where to look
        ("host=h sslrootcert=system", {"SSL_CERT_FILE": "/x"}),
        ("host=h sslrootcert=system", {"SSL_CERT_DIR": "/x"}),
    ):
        assert system_roots(parse(text), environ) == {}
    bundle.unlink()
    assert system_roots(parse("host=h sslrootcert=system"), {}) == {}


def test_the_bundles_are_whole_paths():
    assert all(Path(path).is_absolute() for path in tls_paths._BUNDLES) or os.name != "posix"


@pytest.mark.parametrize(
    ("service", "environ", "replaced"),
    [
        ("sslrootcert=/my/ca.pem\nsslmode=require", {"PGSSLROOTCERT": "system"}, False),
        ("sslmode=require", {"PGSSLROOTCERT": "system"}, False),
        ("sslrootcert=system", {"PGSSLROOTCERT": "/my/ca.pem"}, True),
    ],
)
def test_a_service_goes_before_the_environment(monkeypatch, tmp_path, service, environ, replaced):
    monkeypatch.setattr(tls_paths, "_BUNDLES", (__file__,))
    (tmp_path / "services").write_text(f"[shop]\n{service}\n")
    environ = {**environ, "PGSERVICEFILE": str(tmp_path / "services")}
    assert bool(system_roots(parse("service=shop"), environ)) is replaced
