"""Passwords in SQL text replaced by ``'****'``, for history, snippets, logs and error excerpts.

Covered are the places where PostgreSQL itself takes a password in a statement: ``PASSWORD '…'`` (roles, ``OPTIONS`` of
user mappings, also ``sslpassword`` and its kind), in each of its quotings and with comments between, and conninfo
strings and URLs inside any literal (subscriptions, dblink). Literals are taken apart and looked into, because DO blocks
and functions EXECUTE such statements; so are comments and quoted identifiers, because a statement is commented out, and
the server quotes whole ones in its CONTEXT. A literal that never ends is masked to the end. In a statement about a role
the slips are masked as well, since they fail and are kept all the same: ``IDENTIFIED BY '…'``, ``PASSWORD = '…'``,
``PASSWORD "…"``, a word without quotes, and what follows a quote that was not doubled.

Everything else is the user's data and stays, ``WHERE password = 'x'``, ``f(password => 'x')`` and JSON among it: a
history whose searches do not find what was run would be no history. Text of more than 100 kB inside a literal is not
read as SQL, only searched: 0.8 µs a token is too much for a document.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tusk_jupyter.lexer import WHITESPACE, Kind, Token, significant, token_at, upper
from tusk_jupyter.literals import taken_apart

if TYPE_CHECKING:
    from collections.abc import Iterator

MASK = "'****'"
_WORDS = "password|passwd|passphrase|pwd"
# looked for in folded text: a pattern that ignores case takes 47 ms for a script of 1 MB, this 4
_SIGNS = (*_WORDS.split("|"), "identified", "://")
_OPTION = re.compile(rf'"?\w*(?:{_WORDS})"?\Z', re.IGNORECASE)
_KEYWORD = re.compile(rf"(?:(?:{_WORDS})\"?|\bidentified\s+by)(?=\s|--|/\*)", re.IGNORECASE)
# libpq's rules: a backslash takes the next character, quotes only where they begin the value
_CONNINFO = re.compile(
    rf"((?:{_WORDS})\s*=\s*)(?:'(?:[^'\\]|\\.)*(?:'|\Z)|(?:[^\s\\]|\\.)+)", re.IGNORECASE | re.DOTALL
)
_URL = re.compile(r"(://[^\s:/@'\"]*:)[^@/\s]*(?=@)")
_BEGINS_A_CONNINFO = re.compile(r"\s*\w+\s*=")
# a quote in the password that was not doubled: what is glued to the literal is the rest of it
_GLUED = re.compile(r"[\w'\\$][^\s;,()]*")
# a literal within one, as typed
_REQUOTED = re.compile(r"''(?=[^\s;,)])(?:[^']|'{4})*(?:''|\Z)|\\'(?:[^\\']|\\[^'])*(?:\\'|\Z)")
_DEPTH = 8
_READ_AS_SQL = 100_000
_ABOUT_A_ROLE = re.compile(r"\s*(?:create|alter)\s+(?:role|user|group)\b", re.IGNORECASE)
_ROLES = {"ROLE", "USER", "GROUP"}


class _Piece(NamedTuple):
    """A token as it counts here: ``end`` may be behind the token's; ``glued`` is where the rest of a secret begins."""

    token: Token
    end: int
    secret: bool = False
    glued: int = 0


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
    return any(sign in folded for sign in _SIGNS)


def masked_in_words(text: str, mask: str = MASK) -> str:
    """Mask the literals behind PASSWORD in a text that is no SQL from its beginning: a message, a comment, a log."""
    if "'" not in text and "$" not in text:
        return text
    parts, position = [], 0
    for keyword in _KEYWORD.finditer(text):
        start = keyword.end()
        if start < position:
            continue
        while start < len(text) and (token := token_at(text, start)).kind <= Kind.COMMENT and token.closed:
            start = token.end
        start += text[start : start + 2] in {"N'", "n'"}
        if start == len(text):
            break
        token, requoted = token_at(text, start), _REQUOTED.match(text, start)
        if requoted or token.kind is Kind.STRING:
            end = requoted.end() if requoted else _end_of_secret(text, token, conforming=True)
            parts += [text[position:start], mask]
            position = glued.end() if (glued := _GLUED.match(text, end)) else end
        elif not token.closed:
            break
    return "".join([*parts, text[position:]]) if parts else text


def password_literals(text: str) -> list[str]:
    """Return what a report about ``text`` must not repeat, as the server quotes it: a syntax error names its token.

    Those behind PASSWORD, and every literal in a statement about a role, where ``create user u 'secret'`` is the slip
    that leaves the word out. The longest come first, for replacing.
    """
    found = set()
    for piece in _pieces(text, conforming=True):
        token = piece.token
        if piece.secret:
            typed = text[token.start : token.end]
            found.add(typed if token.kind in {Kind.STRING, Kind.QUOTED_IDENTIFIER} else f'"{typed}"')
            if piece.glued:
                rest = text[piece.glued : piece.end]
                found |= {f'"{rest[one.start : one.end]}"' for one in significant(rest)}
        elif token.kind is Kind.STRING and _ABOUT_A_ROLE.match(text):
            found.add(text[token.start : token.end])
    return sorted(found, key=len, reverse=True)


def _masked(text: str, conforming: bool, depth: int) -> str:
    if not may_hold_password(text):
        return text
    return "".join(shown for _, shown in _parts(text, conforming, depth))


def _parts(text: str, conforming: bool, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the text piece by piece, as typed and as shown."""
    for piece in _pieces(text, conforming=conforming):
        token = piece.token
        part = shown = text[token.start : piece.end]
        if piece.secret:
            shown = MASK
        elif token.kind is Kind.STRING:
            shown = _inside(part, token.closed, conforming, depth)
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
    if not literal.is_dollar_quoted and body == literal.body:
        body = masked_in_words(body)
    return text if body == literal.body else literal.saying(body)


def _without_pairs(text: str) -> str:
    return _CONNINFO.sub(r"\1****", _URL.sub(r"\1****", text))


def _pieces(text: str, *, conforming: bool) -> Iterator[_Piece]:
    """Yield the tokens, and which of them are secrets; together they are the text."""
    position = 0
    role = expected = False
    before = last = ""
    while position < len(text):
        token = token_at(text, position, standard_conforming_strings=conforming)
        piece = _Piece(token, token.end)
        if token.kind > Kind.COMMENT:
            word = upper(text, token)
            if expected and _is_secret(text, token, word, role=role):
                piece = _secret(text, token, conforming=conforming)
                expected = False
            elif word == ";":
                role = expected = False
            elif not (expected and _goes_on(text, token, word, role=role)):
                role = role or (word in _ROLES and last in {"CREATE", "ALTER"})
                expected = _asks(text, token, word, before=before, last=last, role=role)
            before, last = last, word
        yield piece
        position = piece.end


def _asks(text: str, token: Token, word: str, *, before: str, last: str, role: bool) -> bool:
    """Return whether a password is to follow: behind its keyword, unless that is the name of a role."""
    if word == "BY":
        return last == "IDENTIFIED"
    if token.kind not in {Kind.IDENTIFIER, Kind.QUOTED_IDENTIFIER} or token.end - token.start > 64:  # noqa: PLR2004 - NAMEDATALEN
        return False
    if role and last in _ROLES and before in {"CREATE", "ALTER"}:
        return False
    return _OPTION.match(text[token.start : token.end]) is not None


def _goes_on(text: str, token: Token, word: str, *, role: bool) -> bool:
    """Return whether what stands between keyword and literal changes nothing."""
    if word == "N":  # N'…' is no password to PostgreSQL, and typed all the same
        return text.startswith("'", token.end)
    return role and token.kind is Kind.OPERATOR and text[token.start : token.end] == "="


def _is_secret(text: str, token: Token, word: str, *, role: bool) -> bool:
    if token.kind is Kind.STRING:
        # in words inside a literal, «the password's …» is none
        return role or text[token.start - 1] in f"{WHITESPACE}/"
    if token.kind is Kind.IDENTIFIER:
        return role and word not in {"NULL", "N"}
    return role and token.kind in {Kind.QUOTED_IDENTIFIER, Kind.NUMBER}


def _secret(text: str, token: Token, *, conforming: bool) -> _Piece:
    end = _end_of_secret(text, token, conforming=conforming)
    glued = _GLUED.match(text, end) if token.kind is not Kind.IDENTIFIER else None
    return _Piece(token, glued.end(), True, end) if glued else _Piece(token, end, True)


def _end_of_secret(text: str, token: Token, *, conforming: bool) -> int:
    # whoever asks may not know the session's rule: the longer reading hides the password under both
    return max(token.end, token_at(text, token.start, standard_conforming_strings=not conforming).end)
