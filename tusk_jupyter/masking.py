"""Passwords in SQL text replaced by ``'****'``, for history, snippets, logs and error excerpts.

Covered are the places where a password or a key stands in a statement (:mod:`~tusk_jupyter.secret_literals` lists
them), in each of PostgreSQL's quotings and with comments between; conninfo strings and URLs inside any literal
(subscriptions, dblink); and in the command of ``COPY … PROGRAM`` what curl and its kind are given. Literals are taken
apart and looked into, because DO blocks and functions EXECUTE such statements; so are comments and quoted identifiers,
because a statement is commented out, and the server quotes whole ones in its CONTEXT. A literal that never ends is
masked to the end.

Everything else is the user's data and stays, ``WHERE password = 'x'``, ``f(password => 'x')`` and JSON among it: a
history whose searches do not find what was run would be no history. Text of more than 100 kB inside a literal is not
read as SQL, only searched: 0.8 µs a token is too much for a document.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tusk_jupyter.lexer import Kind, significant, token_at, tokens
from tusk_jupyter.literals import taken_apart
from tusk_jupyter.redaction import without_url_passwords
from tusk_jupyter.secret_literals import SIGN, WORDS, end_of_glued, end_of_secret, pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

MASK = "'****'"
# looked for in folded text: a pattern that ignores case takes 47 ms for a script of 1 MB, this 4
_SIGNS = (*WORDS.split("|"), "identified", "://", "crypt", "hmac", "options", "program", "create", "alter")
_KEYWORD = re.compile(rf"(?:(?:{WORDS})\"?|\bidentified\s+by)(?=\s|--|/\*)", re.IGNORECASE)
# libpq's rules: a backslash takes the next character, quotes only where they begin the value
_CONNINFO = re.compile(rf"((?:{WORDS})\s*=\s*)(?:'(?:[^'\\]|\\.)*(?:'|\Z)|(?:[^\s\\]|\\.)+)", re.IGNORECASE | re.DOTALL)
# a raw blank or quote in the password: whatever follows it before the next keyword
_REST_OF_PAIR = re.compile(r"(\b(?:ssl)?password\s*=\s*\*{4})(?:\S+|\s+(?![^\s=]+\s*=)\S+)+", re.IGNORECASE)
_PROGRAM = re.compile(
    r"((?:\s(?:-u|-U|--user|--proxy-user)[\s=]*[\"']{0,2}[^\s:\"'=][^\s:\"']*:)|\bauthorization:\s*\w+\s+|--password[\s=]+)[^\s\"']+",
    re.IGNORECASE,
)
_BEGINS_A_CONNINFO = re.compile(r"\s*\w+\s*=")
# a literal within one, as typed
_REQUOTED = re.compile(r"''(?=[^\s;,)])(?:[^']|'{4})*(?:''|\Z)|\\'(?:[^\\']|\\[^'])*(?:\\'|\Z)")
_DEPTH = 8
# what stands between PASSWORD and its literal; a text that is all keywords and comments would take quadratic time
_GAP = 1000
_READ_AS_SQL = 100_000


def masked(text: str, *, standard_conforming_strings: bool = True) -> str:
    """Return ``text`` with every password literal as ``'****'``; the rest is unchanged, lengths are not kept."""
    return _masked(text, standard_conforming_strings, _DEPTH)


def starred(text: str) -> str:
    """Return ``text`` with stars for every password, of the same length and in the same lines, so that carets stay."""
    if not may_hold_password(text):
        return text
    return "".join(_stars(part, shown) for part, shown in _parts(text, True, _DEPTH))


def _stars(part: str, shown: str) -> str:
    """Return ``part`` with stars where ``shown`` differs from it."""
    if part == shown:
        return part
    begin = 0 if shown == MASK else _shared(part, shown)
    stop = len(part) - (0 if shown == MASK else _shared(part[begin:][::-1], shown[begin:][::-1]))
    return part[:begin] + re.sub(r"[^\r\n]", "*", part[begin:stop]) + part[stop:]


def _shared(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (mine, others) in pairs if mine != others), min(len(one), len(other)))


def may_hold_password(text: str) -> bool:
    """Return whether there is anything that this module looks into more closely."""
    folded = text.lower()
    return any(sign in folded for sign in _SIGNS) and SIGN.search(folded) is not None


def masked_in_words(text: str, mask: str = MASK) -> str:
    """Mask the literals behind PASSWORD in a text that is no SQL from its beginning: a message, a comment, a log."""
    if "'" not in text and "$" not in text:
        return text
    parts, position = [], 0
    for keyword in _KEYWORD.finditer(text):
        start = keyword.end()
        if start < position:
            continue
        gap = _gap(text[start : start + _GAP])
        if gap == _GAP:
            continue
        start += gap
        start += text[start : start + 2] in {"N'", "n'"}
        if start == len(text):
            break
        token, requoted = token_at(text, start), _REQUOTED.match(text, start)
        if requoted or token.kind is Kind.STRING:
            end = requoted.end() if requoted else end_of_secret(text, token, conforming=True)
            parts += [text[position:start], mask]
            position = end_of_glued(text, end)
        elif not token.closed:
            break
    return "".join([*parts, text[position:]]) if parts else text


def _gap(text: str) -> int:
    """Return where the white space and the comments end that ``text`` begins with."""
    return next((token.start for token in tokens(text) if token.kind > Kind.COMMENT), len(text))


def password_literals(text: str, *, depth: int = _DEPTH) -> list[str]:
    """Return what a report about ``text`` must not repeat, as the server quotes it: a syntax error names its token.

    The longest come first, for replacing.
    """
    found = set()
    for piece in pieces(text, conforming=True):
        token = piece.token
        if piece.secret:
            typed = text[token.start : token.end]
            found.add(typed if token.kind in {Kind.STRING, Kind.QUOTED_IDENTIFIER} else f'"{typed}"')
            if piece.glued:
                rest = text[piece.glued : piece.end]
                found |= {f'"{rest[one.start : one.end]}"' for one in significant(rest)}
        elif token.kind is Kind.STRING and depth and token.end - token.start <= _READ_AS_SQL:
            typed = text[token.start : token.end]
            if may_hold_password(typed) and (said := taken_apart(typed, closed=token.closed)) is not None:
                found |= set(password_literals(said.body, depth=depth - 1))
    return sorted(found, key=len, reverse=True)


def _masked(text: str, conforming: bool, depth: int) -> str:
    if not may_hold_password(text):
        return text
    return "".join(shown for _, shown in _parts(text, conforming, depth))


def _parts(text: str, conforming: bool, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the text piece by piece, as typed and as shown."""
    for piece in pieces(text, conforming=conforming):
        token = piece.token
        part = shown = text[token.start : piece.end]
        if piece.secret:
            shown = MASK
        elif token.kind is Kind.STRING:
            shown = _inside(part, token.closed, conforming, depth)
            shown = _PROGRAM.sub(r"\1****", shown) if piece.program else shown
        elif token.kind in {Kind.COMMENT, Kind.QUOTED_IDENTIFIER}:
            end = part[-2:] if part.endswith("*/") else part[-1:] if part.endswith('"') else ""
            shown = masked_in_words(_without_pairs(part.removesuffix(end))) + end
        yield part, shown


def _inside(text: str, closed: bool, conforming: bool, depth: int) -> str:
    """Return a literal with the passwords in what it says masked; as it was typed where there are none."""
    if not may_hold_password(text):
        return text
    literal = taken_apart(text, closed=closed, standard_conforming_strings=conforming)
    if literal is None:
        return text
    body = literal.body
    if depth and (literal.is_dollar_quoted or len(body) <= _READ_AS_SQL):
        body = _masked(body, conforming, depth - 1)
    if not literal.is_dollar_quoted or depth == 0 or _BEGINS_A_CONNINFO.match(body):
        body = _without_pairs(body)
        body = _REST_OF_PAIR.sub(r"\1", body) if _BEGINS_A_CONNINFO.match(body) else body
    if not literal.is_dollar_quoted and body == literal.body:
        body = masked_in_words(body)
    return text if body == literal.body else literal.saying(body)


def _without_pairs(text: str) -> str:
    return _CONNINFO.sub(r"\1****", without_url_passwords(text))
