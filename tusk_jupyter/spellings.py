"""Where a secret stands in a text, however each of its characters is written.

Percent-encoded in either case, and twice; with a quote doubled or behind backslashes, as SQL, libpq, Python and JSON
have it, and one within the other; as HTML; broken over lines by whoever wrapped the text; cut off at an ellipsis, or at
the end of a text so long that somebody may have cut it; and as a whole in base64 or in hexadecimal digits. A list of
whole spellings, which this was, misses each mixture: ``pa%40ss:w'd``, where only what had to be encoded is.

Character by character and by hand: a regular expression would be kept, with the password in it, in the cache of ``re``.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHORT: Final = 4
_ELLIPSES = ("…", "...")
_WRAP = re.compile(r"[ \t]{0,100}\r?\n[ \t]*")
_MAY_BE_CUT = 1000
_SHORTEST_ENCODED = 6
# what messages say by themselves, and what is often a password: masked, it would be told
_ORDINARY = (
    "a access address admin an and are as at attempt authentication authority available be been before but by ca "
    "can cannot certificate channel cipher client closed code connect connected connecting connection connections "
    "could database default denied detail did disabled does down enabled encryption entry error exist exists "
    "expected expired fatal file find for found from full given has have hba hint host hostaddr hostname id if in "
    "into invalid is it its key known last local localhost login lost many match max message method missing mode "
    "name network no none not null of off on open option or out parameter password permission permitted pg pg_hba "
    "port postgres postgresql prefer private protocol public query read received refused remaining request "
    "require required reset resolve response role root secret server service session set slots socket ssl sslmode "
    "started starting state superuser supported system than that the there this through time timed timeout tls to "
    "too translate try unexpectedly unix unknown unreachable up used user valid value verify version via was "
    "while who with within wrong you your"
)
_ORDINARY_WORDS = frozenset(_ORDINARY.split())
_LONGEST = max(map(len, _ORDINARY_WORDS))


def found(text: str, secrets: Sequence[str]) -> list[tuple[int, int]]:
    """Return where these secrets stand, first to last, none overlapping another."""
    spans = sorted(span for secret in set(secrets) if secret.strip() for span in _spans(text, secret))
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _spans(text: str, secret: str) -> Iterator[tuple[int, int]]:
    characters = [_forms(character) for character in secret]
    for start in sorted({at for form in characters[0] for at in _all(text, form)}):
        end = _end(text, start, characters)
        if end is not None and not _is_said_anyway(text, start, end, short=len(secret) < SHORT):
            yield start, end
    if len(secret) < SHORT:
        return
    for start in (at + len(mark) for mark in _ELLIPSES for at in _all(text, mark)):
        tails = range(1, len(secret) - SHORT + 1)
        yield from ((start, end) for n in tails if (end := _end(text, start, characters[n:])) is not None)
    for whole in _as_a_whole(secret):
        yield from ((at, at + len(whole)) for at in _all(text, whole))


def _end(text: str, start: int, characters: Sequence[Sequence[str]]) -> int | None:
    """Return the end of the longest way to read these characters at ``start``, to where the text is cut off."""
    ends, cut = {start}, None
    for count, forms in enumerate(characters):
        if count >= SHORT:
            cut = next((at for at in ends if _is_cut(text, at)), cut)
        broken = {wrap.end() for at in ends if (wrap := _WRAP.match(text, at)) is not None} if count else set()
        ends = {at + len(form) for at in ends | broken for form in forms if text.startswith(form, at)}
        if not ends:
            return cut
    return max(ends)


def _is_cut(text: str, at: int) -> bool:
    return (at == len(text) >= _MAY_BE_CUT) or text.startswith(_ELLIPSES, at)


def _is_said_anyway(text: str, start: int, end: int, *, short: bool) -> bool:
    """Return whether the text says this by itself, so that a mask would tell it."""
    part = text[start:end]
    if short and (part.isdigit() or _is_of_word(text[start - 1 : start]) or _is_of_word(text[end : end + 1])):
        return True
    if not all(map(_is_of_word, part)):
        return False
    low, high = start, end
    while low and high - low <= _LONGEST and _is_of_word(text[low - 1]):
        low -= 1
    while high < len(text) and high - low <= _LONGEST and _is_of_word(text[high]):
        high += 1
    return text[low:high].casefold() in _ORDINARY_WORDS


def _is_of_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _all(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _forms(character: str) -> list[str]:
    """Return how one character may be written; the longest first does not matter, all are tried."""
    import html  # 1 ms, and every load has a line of the log masked
    import json
    from urllib.parse import quote

    raw = character.encode(errors="surrogatepass")
    code = ord(character)
    percent = "".join(f"%{byte:02X}" for byte in raw)
    forms = {character, html.escape(character), f"&#{code};", f"&#x{code:x};", f"&#x{code:X};", f"&#x{code:02x};"}
    forms |= {"&apos;", "&#39;", "&#x27;"} if character == "'" else set()
    forms |= {percent, percent.lower(), quote(raw), *({"+"} if character == " " else ())}
    forms |= {form.replace("%", "%25") for form in forms if form.startswith("%") and form != character}
    forms |= {"".join(f"\\x{byte:02x}" for byte in raw), "".join(f"\\{byte:03o}" for byte in raw)}
    forms |= {f"\\u{code:04x}", f"\\u{code:04X}", f"\\U{code:08x}", f"\\U{code:08X}", f"\\x{code:02x}"}
    forms |= {f"\\+{code:06x}", f"\\+{code:06X}", f"\\{code:04x}", f"\\{code:04X}"}
    forms |= {json.dumps(character)[1:-1], repr(character)[1:-1]}
    # one text quoted within another
    forms |= {form.replace("\\", "\\" * 2) for form in forms if "\\" in form}
    forms |= {"\\" * count + character for count in range(1, 5)}
    if character in "'\\\"":
        forms |= {character * count for count in (2, 4)} | {f"\\{character}\\{character}"}
    return sorted(forms)


def _as_a_whole(secret: str) -> set[str]:
    import base64

    if len(secret) < SHORT:
        return set()
    raw = secret.encode(errors="surrogatepass")
    digits = {raw.hex(), raw.hex().upper(), raw.hex(" "), raw.hex("-")}
    for encode in (base64.b64encode, partial(base64.b64encode, altchars=b"-_")):
        # what stands before shifts it by so many bits; the outer characters are shared with the neighbours
        for before in range(3):
            encoded = encode(b"\0" * before + raw).decode()
            digits.add(encoded[4 * (before > 0) : len(encoded) - 4] if before else encoded.rstrip("="))
            digits.add(encoded[4 * (before > 0) : -4])
    return {form for form in digits if len(form) >= _SHORTEST_ENCODED}
