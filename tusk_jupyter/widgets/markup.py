"""What panel and status line share: text made safe, and the few styles they are drawn with.

Styles are inline. A ``<style>`` element is dropped by JupyterLab's sanitizer in a notebook that is not trusted, and by
GitHub; inside one notebook it would also apply to every other output. That sanitizer keeps an inline declaration only
if its value is literal, so ``var(--jp-…)`` colours follow a literal middle tone that reads on white and on black; greys
are opacity, which is right in every theme without knowing it. Meaning never rests on a style: it is in words and tags.

Text from a server, a cell or a file goes through :func:`visible` and :func:`escape`. ``html.escape`` alone would let
through ANSI sequences (a terminal obeys them in the text twin), bidirectional overrides (text that reads as something
else) and lone surrogates (which no front end can be sent).
"""

from __future__ import annotations

import html
import re
from typing import Any

from tusk_jupyter.masking import starred

MONO = "font-family:var(--jp-code-font-family,var(--vscode-editor-font-family,monospace))"
MUTED = "opacity:.72"
CODE = "padding:0;background:none"
LINE = "rgba(128,128,128,.35)"
BAD = "color:#d14b41;color:var(--jp-error-color1,var(--vscode-errorForeground,#d14b41))"
# JupyterLab's orange is too light to read on white (3.8:1); a third of the text's own colour makes it darker there and
# lighter in the dark.
WARN = (
    "color:#b36b00;"
    "color:color-mix(in srgb,var(--jp-warn-color0,var(--vscode-editorWarning-foreground,#b36b00)) 68%,currentColor)"
)
_EDGE = "border-left:3px solid {hex};border-left-color:{var};background:rgba({rgb},.07)"
BAD_EDGE = _EDGE.format(
    hex="#d14b41", var="var(--jp-error-color1,var(--vscode-errorForeground,#d14b41))", rgb="209,75,65"
)
WARN_EDGE = _EDGE.format(
    hex="#c98a1b", var="var(--jp-warn-color1,var(--vscode-editorWarning-foreground,#c98a1b))", rgb="201,138,27"
)

# C0 but tab and newline, DEL, C1, soft hyphen; what is invisible or reorders text; lone surrogates; tag characters.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
# What may stand between the word and its literal; bounded, because each of many such words would look to the end.
# (No possessive quantifiers: before Python 3.11.5 they lose matches of a group that backtracks.)
_GAP = r"\s*(?:(?:--[^\n]{0,200}\n|/\*(?:[^*]|\*(?!/)){0,200}\*/)\s*){0,5}"
# Within another literal its quotes are doubled: execute 'alter role r password ''…'''.
_LITERAL = (
    r"(?:''[^']+''|[eE]'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'?|(?:[uU]&)?'[^']*(?:''[^']*)*'?"
    r"|\$(\w*)\$(?:(?!\$\3\$).)*(?:\$\3\$)?)"
)
_PASSWORD = re.compile(rf"\b(password{_GAP})({_LITERAL})", re.IGNORECASE | re.DOTALL)
# Conninfo strings and URLs stand in literals; `where password = x` does not, and is data.
_CONNINFO = re.compile(r"(\bpassword\s*=\s*)(''[^'\n]+''|(?:[^\s'\"\\]|\\.)+)", re.IGNORECASE)
_URL = re.compile(r"(://[^\s:/@'\"]*:)([^\s'\"/]+)(?=@)")
_CODE = re.compile(r"`([^`\n]+)`")


def escape(text: str) -> str:
    """Return text as the content of an element; none of ours is put into an attribute."""
    return html.escape(text, quote=False)


def shown(text: str) -> str:
    """Return text with everything that is invisible, or acts on a terminal, spelt out as Python would."""
    return _INVISIBLE.sub(_spelt, text)


def _spelt(match: re.Match[str]) -> str:
    # ASCII needs no backslash to be encoded, so it is spelt here.
    char = match.group()
    return f"\\x{ord(char):02x}" if char.isascii() else char.encode("ascii", "backslashreplace").decode("ascii")


def visible(text: str, limit: int) -> str:
    """Return at most ``limit`` characters of text, safe to show, with a note of how many were left out.

    The cut comes first: a server may send a message of 100 MB.
    """
    left_out = len(text) - limit
    kept = shown(masked(text[:limit].replace("\r\n", "\n"))).rstrip()
    return f"{kept} … ({left_out:,} more characters)" if left_out > 0 else kept


def masked(text: str) -> str:
    """Return text of the same length, so that carets stay right, with every password in SQL starred out.

    That is ``PASSWORD '…'``, and conninfo strings and URLs inside a literal.
    """
    text = starred(text)
    # what is shown may begin in the middle of a literal, where the lexer is lost
    if "://" in text:
        text = _URL.sub(_starred, text)
    if "password" in text.lower():
        text = _CONNINFO.sub(_starred_in_literal, _PASSWORD.sub(_starred, text))
    return text


def _starred(match: re.Match[str]) -> str:
    return match[1] + re.sub(r"[^\n]", "*", match[2])


def _starred_in_literal(match: re.Match[str]) -> str:
    line = match.string.rfind("\n", 0, match.start()) + 1
    inside = any(match.string.count(quote, line, match.start()) % 2 for quote in "'\"")
    return _starred(match) if inside else match[0]


def with_code(text: str) -> str:
    """Return HTML of advice, in which `backticks` mark what can be typed."""
    # JupyterLab puts a box around code, which is too loud within a sentence.
    return _CODE.sub(rf'<code style="{CODE}">\1</code>', escape(text))


def without_code(text: str) -> str:
    """Return advice for a terminal, which needs no marks."""
    return _CODE.sub(r"\1", text)


def tag(name: str, content: str, style: str = "") -> str:
    """Return an element around content that is HTML already."""
    return f'<{name} style="{style}">{content}</{name}>' if style else f"<{name}>{content}</{name}>"


class Twins:
    """Something with an HTML and a text form that say the same; IPython takes both, ``print`` the text."""

    __slots__ = ()

    def text(self) -> str:
        """Return the twin for a terminal, complete."""
        raise NotImplementedError

    def html(self) -> str:
        """Return the twin for a browser: no script, no style sheet, nothing from elsewhere."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        del include, exclude
        return {"text/plain": self.text(), "text/html": self.html()}
