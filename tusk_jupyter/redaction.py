"""Mask passwords in a text that is about to leave: an error, an event, a line of the log.

The secrets that are known are looked for in every spelling they travel in, because libpq, SQLAlchemy URLs, Python and
HTML each quote in their own way; the places where passwords stand are masked besides, for those nobody told us of. It
is the last line of defence: no text is *built* from a password anywhere.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tusk_jupyter.secret import Secret

_MASK = "****"
_SHORT = 4
_FLAGS = re.IGNORECASE | re.DOTALL
_USER = re.compile(r"://[^\s/?#:@]*:")
_BARE_USER = re.compile(r"(?:^|[^\w.+%-])[\w.+%-]+:(?!/)")
_SIGNS = ("password", "passwd", "passphrase", "pwd", "identified")
# the value as libpq quotes it, and that again doubled or with backslashes, as it stands in a literal of SQL
_PAIR = re.compile(
    r"((?:password|passwd|pwd|passphrase)[\"']?\s*=\s*)"
    r"(?:''(?![\s,;)]|\Z)(?:[^'\\]|\\.|'{4})*(?:''|\Z)|\\'(?:[^'\\]|\\[^'])*(?:\\'|\Z)"
    r"|'(?:[^'\\]|\\.|'')*(?:'|\Z)|(?:\\.|[^\s\\])+)",
    _FLAGS,
)
_ITEM = re.compile(r"(password[\"']\s*:\s*)(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')", _FLAGS)


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Mask these secrets in every spelling they travel in, and whatever stands where a password stands.

    A secret of fewer than four characters is masked only as a word of its own: masking each ``a`` of a message would
    spell the password out.
    """
    forms = {form for secret in secrets for form in _spellings(secret.reveal())}
    for form in sorted(forms, key=len, reverse=True):
        pattern = rf"(?<!\w){re.escape(form)}(?!\w)" if len(form) < _SHORT else re.escape(form)
        text = re.sub(pattern, _MASK, text)
    if "://" in text:
        text = re.sub(r"\S+", lambda word: _without_password(word[0]), text)
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
        text = re.sub(r"\S+", lambda word: _without_password(word[0], _BARE_USER), text)
    return redact(text)


def _without_password(word: str, start: re.Pattern[str] = _USER) -> str:
    """Mask from a URL's first ``user:`` to the word's last ``@``; one pattern for both takes quadratic time."""
    user, end = start.search(word), word.rfind("@")
    return f"{word[: user.end()]}{_MASK}{word[end:]}" if user and end >= user.end() else word


def _spellings(secret: str) -> set[str]:
    """Return the secret raw, percent-encoded, and quoted for libpq, SQL, Python, JSON, HTML and base64."""
    if not secret.strip():
        return set()
    import base64
    import html  # 1 ms, and every load has a line of the log masked

    raw = secret.encode(errors="surrogatepass")
    encoded = {quote(raw, safe=safe) for safe in ("", "/", "!$&'()*+,;=", "!$&'()*+,;=:/?#[]")} | {quote_plus(raw)}
    lowered = {re.sub(r"%[0-9A-F]{2}", lambda hit: hit[0].lower(), form) for form in encoded}
    libpq = secret.replace("\\", "\\\\").replace("'", "\\'")
    quoted = {libpq, secret.replace("'", "''"), libpq.replace("\\'", "''"), html.escape(secret)}
    escaped = {repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    based = {base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
    return {secret} | encoded | lowered | quoted | escaped | based
