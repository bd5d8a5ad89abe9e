from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from tests.fix_postgres import PASSWORD
from tusk_jupyter.redaction import redact, redact_line, redact_typed, unspoken
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
    "base64 within": base64.b64encode(f"u:{PASSWORD}".encode()).decode()[4:-4],
    "hex": PASSWORD.encode().hex(),
    "only what must be": PASSWORD.replace("%", "%25").replace("@", "%40").replace("/", "%2f"),
    "percent, twice": quote(quote(PASSWORD, safe=""), safe=""),
    "sql within sql": PASSWORD.replace("'", "''''"),
    "json within json": json.dumps(json.dumps(PASSWORD))[3:-3],
    "html, decimal": "".join(f"&#{ord(c)};" if c in "'\"&" else c for c in PASSWORD),
    "escapes of bytes": "".join(f"\\x{byte:02x}" for byte in PASSWORD.encode()),
    "wrapped": PASSWORD[:9] + "\n    " + PASSWORD[9:],
    "cut off": PASSWORD[:13] + "…",
    "cut off before": "..." + PASSWORD[3:],
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_known_secret_is_masked_however_it_is_quoted(spelling):
    shown = redact(f"before {spelling} after", [Secret(PASSWORD)])
    assert spelling not in shown
    assert "canary-Zq7" not in shown
    assert shown.replace("…", "").replace("...", "") == "before **** after"


HARD = [
    "p%41ss w@rd", "a:b/c?d#e", "back\\slash\\", "it's \"it\"", "new\nline", "tab\there", "nul\0byte", "pässwörd", "пароль1",
    "\U0001f511key\U0001f511", "lone\udc80surrogate", "%%%%", "''''", "\\\\\\\\", "$(dollar)", "{brace}", "a+b c", "…dots…",
]  # fmt: skip


@pytest.mark.parametrize("secret", HARD)
def test_no_character_makes_a_known_secret_come_through(secret):
    raw = secret.encode(errors="surrogatepass")
    percent = quote(raw, safe="")
    spellings = [
        secret, percent, percent.lower(), quote(raw), quote_plus(raw), quote(percent), repr(secret)[1:-1],
        json.dumps(secret)[1:-1], html.escape(secret), secret.replace("'", "''"), raw.hex(),
        secret.replace("\\", "\\\\").replace("'", "\\'"),
    ]  # fmt: skip
    for spelling in spellings:
        assert redact(f"it is <{spelling}>, they said", [Secret(secret)]) == "it is <****>, they said", spelling


@given(st.text(min_size=4, max_size=30).filter(lambda text: text.strip() and not text.isascii()), st.text(max_size=20))
def test_a_known_secret_is_masked_in_any_text(secret, around):
    assert secret not in redact(f"{around}|{secret}|{around}", [Secret(secret)])


def test_the_end_of_a_long_text_may_be_a_cut():
    long = "x " * 600
    assert redact(long + "canary-Zq7", [Secret(PASSWORD)]) == long + "****"
    assert redact("no cut: cana", [Secret(PASSWORD)]) == "no cut: cana"


LIBPQ = [
    'connection to server at "127.0.0.1", port 5432 failed: FATAL:  password authentication failed for user "postgres"',
    'connection to server at "localhost" (::1), port 5432 failed: Connection refused within 1 s',
    "a server is known by its name",
]


@pytest.mark.parametrize("password", ["a", "1", "127", "is", "postgres", "password", "server", "Connection", "secret"])
@pytest.mark.parametrize("text", LIBPQ)
def test_a_mask_does_not_tell_a_password_that_is_a_word_of_the_message(password, text):
    assert redact(text, [Secret(password)]) == text
    assert redact(f"{text} password={password}", [Secret(password)]) == f"{text} password=****"


def test_nor_one_that_is_a_part_of_what_the_message_says():
    secrets = [Secret(text) for text in ("shop", "5433", "Ana", "db.example", "canary-Zq7")]
    assert unspoken(secrets, "shop_eu", "ana", "db.example.org", "5433", None, "") == [Secret("canary-Zq7")]
    assert unspoken(secrets) == secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("%tusk_connect postgresql://me:my hush word@h/db -n x", "%tusk_connect postgresql://me:****@h/db -n x"),
        ("%sql postgres+psycopg://me:1hush more@h/db", "%sql postgres+psycopg://me:****@h/db"),
        ("me:hush@h/db, ana@x", "me:****@h/db, ana@x"),
        ("postgresql://h:5432/db is ana@x's", "postgresql://h:5432/db is ana@x's"),
        ("postgresql://h:5432 or ana@x", "postgresql://h:5432 or ana@x"),
    ],
)
def test_what_a_user_types_is_masked_as_it_was_meant(text, shown):
    assert redact_typed(text) == shown


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
        ("no way to postgresql://db.example.org: ask a@b.org", "no way to postgresql://db.example.org: ask a@b.org"),
        ("postgresql://me: hush@h", "postgresql://me:****@h"),
    ],
)
def test_passwords_nobody_told_us_of_are_masked_where_they_stand(text, shown):
    assert redact(text) == shown


def test_a_longer_secret_is_masked_before_one_it_contains():
    assert redact("hush-hush hush", [Secret("hush"), Secret("hush-hush")]) == "**** ****"


def test_a_short_secret_is_masked_only_as_a_word():
    assert redact("qt bad hqt: qt", [Secret("qt")]) == "**** bad hqt: ****"


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_secret_masks_nothing(blank):
    assert redact("a b c", [Secret(blank)]) == "a b c"


def test_redacting_twice_changes_nothing_more():
    once = redact("postgresql://me:hush@h password=x", [Secret("hush")])
    assert redact(once, [Secret("hush")]) == once


@pytest.mark.parametrize(
    "line",
    [
        "shop", "-W shop", "shop -W --save", "--name prod -W shop", "postgresql://me@h/db -W --save --name shop", ":url",
        "host=h user=me dbname=d -W --name shop", "host=h --password-env VAR --save", "host=h -W :url", "host=h -W port=1",
        "host=h passfile=~/.pgpass dbname=d", "service=shop --password-command 'pass show db/shop'",
        "postgresql://h:5432/db --sslkey ~/pass.key", "--embedded shop", "me@h", "host=h --password postgresql://h",
    ],
)  # fmt: skip
def test_a_line_without_a_password_stays_as_it_is(line):
    assert redact_line(line) == line


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("host=h pass=hush word user=u", "host=h pass=**** user=u"),
        ("host=h pasword = 'hush hush' -n x", "host=h pasword = **** -n x"),
        ("host=h password='hu'sh more --save", "host=h password=**** --save"),
        ("host=h passphrase=hush   pw=hush ", "host=h passphrase=****   pw=**** "),
        ("shop --save -W hush --name x", "shop --save -W **** --name x"),
        ("host=h port=1 --password hush", "host=h port=1 --password ****"),
        ("postgresql://me: my hush@h/db", "postgresql://me:****@h/db"),
        ("passengers=3 passed = yes passport='X' pass_rate=0.5", "passengers=3 passed = yes passport='X' pass_rate=0.5"),
    ],
)
def test_what_a_line_for_a_connection_calls_a_password_is_masked(line, shown):
    assert redact_line(line) == shown


# quadratic time would not end within the time limit of a test
LONG = 400_000
HOSTILE = [
    "pass = 'a" + " " * LONG + "b", "h " + " a=b" * LONG, "h " + " a=b" * LONG + " -W ", "h a" + "=" * LONG, "h " + "-W a" * LONG,
    "password" + " " * LONG, "password = '" * (LONG // 10), "password=''a'" * (LONG // 10), "'; " + "password -- " * (LONG // 10),
    "password/*" * (LONG // 10), "'; " + "password --password\n" * (LONG // 20),
    "'; " + "password /*" * 50_000 + "*/" * 50_000, "'; " + "password/*" * 50_000 + "*/" * 50_000,
    "postgresql://a:b " * (LONG // 10) + "@", "a://" * LONG + "@", "a:" * LONG + "@",
    'passwd": "\\' * (LONG // 10), "password=\\'a" * (LONG // 10), "-W" + " " * LONG, "a" * LONG,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_takes_quadratic_time(text):
    assert len(redact_line(text)) <= len(text) + LONG


@pytest.mark.parametrize(("text", "shown"), [("a" * 60_000, "****"), (" " * 400_000, " " * 400_000)])
def test_no_text_takes_quadratic_time_for_a_known_secret(text, shown):
    assert redact(text, [Secret("aaaa"), Secret(" a a")]) == shown
