"""Mask passwords in a text that is about to leave: an error, an event, a line of the log.

The secrets that are known are looked for in every spelling they travel in (:mod:`~tusk_jupyter.spellings`), because
libpq, SQLAlchemy URLs, Python and HTML each quote in their own way; the places where passwords stand are masked
besides, for those nobody told us of. It is the last line of defence: no text is *built* from a password anywhere.

A mask tells that what it hides is the password, so a word that would stand there anyway is no place for one: with the
password ``postgres``, ``role "****" does not exist`` would tell it to everybody. Such passwords (a word of libpq's
messages, a short number, a part of the user's, host's or database's name: :func:`unspoken`) are masked only where
passwords stand.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tusk_jupyter.secret import Secret

_MASK = "****"
_FLAGS = re.IGNORECASE | re.DOTALL
_SECRET = re.compile(
    r"pass(?!eng|ag|iv)|pwd|secret|token|api_?key|credential|hash|(?:\b|_)salt(?:\b|_)|private_?key", re.IGNORECASE
)
_USER = re.compile(r"://[^\s/?#:@]*:")
_BARE_USER = re.compile(r"(?:^|[^\w.+%-])[\w.+%-]+:(?!/)")
# what follows the first colon of a URL is no password where it is a port; a JSON text goes on behind such a quote
_PORT = re.compile(r"\d{1,5}(?:[/?#,]|\Z)")
_JSON = re.compile(r"(\"[,:}\]])")
# a raw blank is a slip: from the first colon to the next @; behind «host: » a sentence goes on
_SCHEME = r"\bpostgres(?:ql)?(?:\+\w{1,20})?://[^\s:/@]{0,200}:"
_WITH_BLANKS = re.compile(
    rf"({_SCHEME})(?!\d{{1,5}}(?:[\s/?#,]|\Z))(?:[^\s@]{{1,200}}\s[^@]{{0,200}}|\s[^\s@]{{1,200}})(?=@)"
)
_BLANK_FIRST = re.compile(rf"({_SCHEME})\s[^@]{{0,200}}(?=@)")
# what a line for a connection may call it, and what follows to the next keyword or option: a raw blank is a slip, too
_NEXT = r"(?:[\w-]+\s*=|--?[a-zA-Z])"
_TYPED_PAIR = re.compile(
    r"(\b(?:ssl)?(?:pas{1,3}(?:_?w\w*|o\w*rd|phrase|code|key)?|pwd|pw)\s*=\s*)"
    rf"(?:'(?:[^'\\]|\\.)*'(?=\s+{_NEXT}|\s*\Z)|\S+(?:\s+(?!{_NEXT})\S+)*)",
    _FLAGS,
)
_BARE_WITH_BLANKS = re.compile(r"(\A\s*[\w.+%-]{1,200}:)(?!/)[^\s@=]*[ \t][^@=\n]{0,200}(?=@)")
# -W asks; a word behind it is the password where the line says already where to
_SAYS_WHERE = re.compile(r"(?:\A\s*(?!-)|\s[^-\s=][^\s=]*=)\S+\s")
_BEHIND_FLAG = re.compile(r"((?:-W|--password)\s+)(?![-:]|\S*=|\S*://)\S+", _FLAGS)
_ON_FLAG = re.compile(r"((?:\A|\s)-W=?)[^\s=]\S*")
_SIGNS = ("password", "passwd", "passphrase", "pwd", "identified")
# the value as libpq quotes it, and that again doubled or with backslashes, as it stands in a literal of SQL
_PAIR = re.compile(
    r"((?:password|passwd|pwd|passphrase)[\"']?\s*=\s*)"
    r"(?:''(?![\s,;)]|\Z)(?:[^'\\]|\\.|'{4})*(?:''|\Z)|\\'(?:[^'\\]|\\[^'])*(?:\\'|\Z)"
    r"|'(?:[^'\\]|\\.|'')*(?:'|\Z)|(?:\\.|[^\s\\])+)",
    _FLAGS,
)
_ITEM = re.compile(r"(password[\"']\s*:\s*)(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')", _FLAGS)


def names_secret(name: str) -> bool:
    """Whether what is called so is likely to be nothing to show: ``password_hash``, ``api_token``, ``salt``."""
    return _SECRET.search(name) is not None


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Mask these secrets in every spelling they travel in, and whatever stands where a password stands.

    A secret of fewer than four characters is masked only as a word of its own.
    """
    if known := [secret.reveal() for secret in secrets]:
        from tusk_jupyter.spellings import found

        parts, position = [], 0
        for start, end in found(text, known):
            parts += [text[position:start], _MASK]
            position = end
        text = "".join([*parts, text[position:]])
    text = without_url_passwords(text)
    folded = text.lower()
    if any(sign in folded for sign in _SIGNS):
        # a line of the log has 20 µs: a search that ignores case costs 5, one for a character nothing
        if "=" in text:
            text = _PAIR.sub(rf"\g<1>{_MASK}", text)
        if ":" in text:
            text = _ITEM.sub(rf"\g<1>{_MASK}", text)
        from tusk_jupyter.masking import masked_in_words  # 4 ms, with the lexer; a load's own lines do not need it

        text = masked_in_words(text, _MASK)
    return text


def redact_typed(text: str) -> str:
    """Mask besides what stands where a URL without its scheme has a password (``ana:secret@host/shop``).

    For a line that the user typed and for what we say of it; in a server's words ``mailto:ana@host`` is data.
    """
    if "@" in text:
        text = re.sub(r"\S+", lambda word: _without_password(without_url_passwords(word[0]), _BARE_USER), text)
    return redact(text)


def redact_line(line: str) -> str:
    """Mask besides what whoever typed this line for a connection meant for a password, although it is none there."""
    line = _TYPED_PAIR.sub(rf"\g<1>{_MASK}", line)
    if where := _SAYS_WHERE.search(line):
        line = line[: where.end()] + _BEHIND_FLAG.sub(rf"\g<1>{_MASK}", line[where.end() :])
    for pattern in (_ON_FLAG, _BARE_WITH_BLANKS, _BLANK_FIRST):
        line = pattern.sub(rf"\g<1>{_MASK}", line)
    return redact_typed(line)


def unspoken(secrets: Iterable[Secret], *said: str | None) -> list[Secret]:
    """Return the secrets that can be looked for in a text that says these words: a part of one is not told by it."""
    words = [word.casefold() for word in said if word]
    return [secret for secret in secrets if not any(secret.reveal().casefold() in word for word in words)]


def without_url_passwords(text: str) -> str:
    """Mask the passwords of URLs: from the first colon behind ``://`` to the last ``@`` of the word."""
    if "://" not in text or "@" not in text:
        return text
    text = _WITH_BLANKS.sub(rf"\g<1>{_MASK}", text)
    return re.sub(r"\S+", lambda word: "".join(map(_without_password, _JSON.split(word[0]))), text)


def _without_password(word: str, start: re.Pattern[str] = _USER) -> str:
    """Mask from a URL's first ``user:`` to the word's last ``@``; one pattern for both takes quadratic time."""
    user, end = start.search(word), word.rfind("@")
    if user is None or end < user.end() or _PORT.match(word, user.end()):
        return word
    return f"{word[: user.end()]}{_MASK}{word[end:]}"
