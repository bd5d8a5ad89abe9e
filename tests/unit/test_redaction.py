from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from psycopg.conninfo import make_conninfo

from tests.fix_postgres import PASSWORD
from tusk_jupyter.redaction import redact
from tusk_jupyter.secret import Secret

SPELLINGS = {
    "raw": PASSWORD,
    "percent": quote(PASSWORD, safe=""),
    "percent, lower": "".join(f"%{b:02x}" if chr(b) in "!'\"@/:%" else chr(b) for b in PASSWORD.encode()),
    "path": quote(PASSWORD),
    "plus": quote_plus(PASSWORD),
    "libpq": make_conninfo(user=PASSWORD).removeprefix("user="),
    "sql": PASSWORD.replace("'", "''"),
    "python": repr(PASSWORD)[1:-1],
    "json": json.dumps(PASSWORD)[1:-1],
    "html": html.escape(PASSWORD),
    "base64": base64.b64encode(PASSWORD.encode()).decode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_known_secret_is_masked_however_it_is_quoted(spelling):
    shown = redact(f"before {spelling} after", [Secret(PASSWORD)])
    assert spelling not in shown
    assert "canary-Zq7" not in shown
    assert shown.startswith("before ****")
    assert shown.endswith("after")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:hush@h/db", "postgresql://me:****@h/db"),
        ("postgresql://me:a@b/c@h/db", "postgresql://me:****@h/db"),
        ("postgresql://:hush@h", "postgresql://:****@h"),
        ("http://a/,postgresql://me:hush@h", "http://a/,postgresql://me:****@h"),
        ("see postgresql://me:a@h or b@c", "see postgresql://me:****@h or b@c"),
        ("postgresql://me@h:5432/db", "postgresql://me@h:5432/db"),
        ("host=h password=hush user=u", "host=h password=**** user=u"),
        (r"password='it\'s a' user=u", "password=**** user=u"),
        (r"password = a\ b user=u", "password = **** user=u"),
        ("sslpassword=hush", "sslpassword=****"),
        ("PGPASSWORD=hush ls", "PGPASSWORD=**** ls"),
        ('{"password": "hu\\"sh", "a": 1}', '{"password": ****, "a": 1}'),
        ("alter role me password 'hu''sh' login", "alter role me password **** login"),
        ("alter role me password E'hu\\'sh' login", "alter role me password **** login"),
        ("alter role me password $$hush$$ login", "alter role me password **** login"),
        ("alter role me password $t$hush$t$ login", "alter role me password **** login"),
        ("alter role me password U&'hush' uescape '!'", "alter role me password **** uescape '!'"),
        ("alter role me encrypted password /* c */ -- d\n 'hush'", "alter role me encrypted password /* c */ -- d\n ****"),
        ("options (user 'u', sslpassword 'hush')", "options (user 'u', sslpassword ****)"),
        ("do 'alter role me password ''hu sh'' login'", "do 'alter role me password **** login'"),
        ("'alter role me password \\'hu sh\\' login'", "'alter role me password **** login'"),
        ("connection 'host=h password=''hu sh'' port=1'", "connection 'host=h password=**** port=1'"),
        ("connection E'host=h password=\\'hu sh\\' port=1'", "connection E'host=h password=**** port=1'"),
        ("password='hush", "password=****"),
        ("the password's length, isn't it", "the password's length, isn't it"),
        ('password authentication failed for user "me"', 'password authentication failed for user "me"'),
        ("no password supplied", "no password supplied"),
    ],
)
def test_passwords_nobody_told_us_of_are_masked_where_they_stand(text, shown):
    assert redact(text) == shown


def test_a_longer_secret_is_masked_before_one_it_contains():
    assert redact("hush-hush hush", [Secret("hush"), Secret("hush-hush")]) == "**** ****"


def test_a_short_secret_is_masked_only_as_a_word():
    assert redact("a bad hat: a", [Secret("a")]) == "**** bad hat: ****"


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_secret_masks_nothing(blank):
    assert redact("a b c", [Secret(blank)]) == "a b c"


def test_redacting_twice_changes_nothing_more():
    once = redact("postgresql://me:hush@h password=x", [Secret("hush")])
    assert redact(once, [Secret("hush")]) == once
