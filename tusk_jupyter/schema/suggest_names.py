"""Which of the names that there are was meant by one that there is not: the nearest, or none.

A wrong suggestion costs more time than none, and a closest name is always there. So names are compared as people mean
them: word by word (``dep_gate`` is nothing like ``dep_date``'s neighbour ``dep_delay``), digits are never a slip
(``orders_2022``, ``x3``), a first letter hardly ever is, and a letter in place of another counts only where it lies
beside it on the keyboard or sounds like it (``prise``, but not ``plants`` for ``planes``). What differs in case,
underscores, accents or number comes before what is misspelt, and two names equally near are none.

A plain distance with a limit by length was refused: it has a nearest name for ``plants``, ``orders_2022`` and ``late``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tusk_jupyter.schema.abbreviations import is_abbreviated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CASE, SQUASHED, NUMBER, SLIP, SHORTENED, SLIPS = range(6)
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SOUNDS = ("aeiouy", "sz", "sc", "ck", "kq", "mn", "dt", "bp", "fv", "vw", "ij")
_LONG, _VERY_LONG = 9, 14
_VOWELS = frozenset("aeiouy")
_ENDINGS = ("ing", "ers", "able", "name", "names")
_LEAST_CUT, _LEAST_CUT_ALONE, _LEAST_LEFT_OUT = 3, 5, 3
_SHORT = 3
_FEW, _MANY = 200, 1_000
_LONGEST = 63  # bytes that PostgreSQL keeps of a name


def _beside() -> frozenset[tuple[str, str]]:
    pairs = {(a, b) for group in _SOUNDS for a in group for b in group}
    for number, row in enumerate(_ROWS):
        below = _ROWS[number + 1] if number + 1 < len(_ROWS) else ""
        for at, key in enumerate(row):
            around = row[max(0, at - 1) : at + 2] + below[max(0, at - 1) : at + 1]
            pairs |= {(key, other) for other in around} | {(other, key) for other in around}
    return frozenset(pairs)


_BESIDE = _beside()
_NEXT = frozenset(pair for row in _ROWS for a, b in pairwise(row) for pair in ((a, b), (b, a)))


class Near(NamedTuple):
    """How a name is near: the kind of difference, less is nearer, and the number of slips."""

    rank: int
    slips: int = 0


def nearest(
    name: str,
    candidates: Iterable[str],
    *,
    at_most: int = SLIPS,
    accept: Callable[[str], bool] | None = None,
    sheets: Iterable[str] = (),
) -> str | None:
    """Return the candidate that was meant by ``name``, None where none or more than one may be.

    :param at_most: the rank that is still near enough.
    :param accept: asked of those that are near, whether they can be meant at all.
    :param sheets: more candidates, many of them, see :func:`sheet`.
    """
    near = ranked(name, candidates, at_most=at_most, sheets=sheets)
    found = [one for one in near if accept is None or accept(one[1])]
    if not found or (len(found) > 1 and found[1][0] == found[0][0]):
        return None
    return found[0][1]


def ranked(
    name: str, candidates: Iterable[str], *, at_most: int = SLIPS, sheets: Iterable[str] = ()
) -> list[tuple[Near, str]]:
    """Return the candidates that are near, the nearest first, each once; ``name`` itself is none."""
    if not 1 < len(name) <= 2 * _LONGEST:
        return []
    names = candidates if isinstance(candidates, Collection) else set(candidates)
    looked_at = list(_sieved(name, sheet(names)) if len(names) > _FEW else names)
    for more in sheets:
        looked_at += _sieved(name, more)
    found = {}
    for candidate in looked_at:
        if (near := nearness(name, candidate)) is not None:
            found[candidate] = near
    return sorted((near, candidate) for candidate, near in found.items() if near.rank <= at_most)


def nearness(name: str, candidate: str) -> Near | None:
    """Return how ``candidate`` is near to ``name``; None where it is not, or is the same."""
    if name == candidate:
        return None
    typed, there = _plain(name), _plain(candidate)
    if typed.folded == there.folded:
        return Near(CASE)
    if not typed.words or not there.words or typed.digits != there.digits or typed.edges != there.edges:
        return None
    if typed.squashed == there.squashed:
        single = any(len(word) == 1 for word in (*typed.words, *there.words))
        return None if single and typed.words != there.words else Near(SQUASHED)
    if typed.singular == there.singular:
        return Near(NUMBER)
    if len(typed.words) == len(there.words):
        return _by_words(typed, there)
    if min(len(typed.squashed), len(there.squashed)) >= _LONG - 1 and abs(len(typed.words) - len(there.words)) == 1:
        slips = _slips(typed.squashed, there.squashed, 1)
        return Near(SLIP, slips + 1) if slips is not None else None
    return None


class _Plain(NamedTuple):
    folded: str
    squashed: str
    singular: str
    digits: tuple[str, ...]
    words: tuple[str, ...]
    edges: tuple[bool, bool]  # whether there is an underscore at either end


@lru_cache(maxsize=4096)
def _plain(name: str) -> _Plain:
    folded = name.lower()
    parted = re.sub(r"(?<=[a-zß-ÿ])(?=[A-ZÀ-Þ])", "_", name).lower()  # firstName
    if not parted.isascii():
        parted = "".join(c for c in unicodedata.normalize("NFKD", parted) if not unicodedata.combining(c))
    words = tuple(word for word in re.split(r"[\W_]+", parted) if word)
    squashed = "".join(words)
    singular = "".join((*words[:-1], _singular(words[-1]))) if words else ""
    edges = name.startswith("_"), name.endswith("_")
    return _Plain(folded, squashed, singular, tuple(re.findall(r"\d+", squashed)), words, edges)


def _singular(word: str) -> str:
    if len(word) <= _SHORT or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("ses", "xes", "zes", "ches", "shes")):
        return word[:-2]
    if word.endswith("ys") and word[-3] not in _VOWELS:
        return f"{word[:-2]}y"  # categorys
    return word[:-1]


def _by_words(typed: _Plain, there: _Plain) -> Near | None:
    """Compare words of the same number one by one: each the same, cut short, in another number, or a slip away."""
    rank, slips = 0, 0
    alike = any(mine == other for mine, other in zip(typed.words, there.words, strict=True))
    for mine, other in zip(typed.words, there.words, strict=True):
        if mine == other:
            continue
        near = _word(mine, other, among=len(typed.words), alike=alike)
        if near is None:
            return None
        rank, slips = max(rank, near.rank), slips + near.slips
    return Near(rank, slips) if slips <= 3 else None  # noqa: PLR2004


def _word(mine: str, other: str, *, among: int, alike: bool) -> Near | None:
    one, another = _singular(mine), _singular(other)
    if one == another:
        return Near(NUMBER)
    if mine.isdigit() or other.isdigit() or 1 in {len(mine), len(other)}:
        return None
    if is_abbreviated(one, another) or is_abbreviated(another, one):
        return Near(SHORTENED)
    length = min(len(mine), len(other))
    if length < _SHORT:  # orders_placed_ix: two are alike
        is_left_out = among > 2 and len(other) - len(mine) == 1 and mine[0] == other[0] and mine[-1] == other[-1]  # noqa: PLR2004
        return Near(SLIP, 1) if is_left_out else None
    most = 1 if length < _LONG else 2 if length < _VERY_LONG else 3
    slips = _slips(mine, other, most)
    if slips is None and length > _SHORT and (slips := _slips(one, another, most)) is not None:
        slips += 1
    if slips is not None:
        return Near(SLIP if slips == 1 else SLIPS, slips)
    least = _LEAST_CUT if alike else _LEAST_CUT_ALONE
    return Near(SHORTENED) if _is_cut(mine, other, least) or _is_cut(other, mine, least) else None


def _is_cut(short: str, whole: str, least: int) -> bool:
    """Return whether ``short`` is what people cut ``whole`` to: sched of scheduled, not state of statement."""
    rest = whole[len(short) :]
    if len(short) < least or len(rest) < _LEAST_LEFT_OUT or not whole.startswith(short):
        return False
    return short[-1] not in _VOWELS and rest not in _ENDINGS


def _slips(mine: str, other: str, most: int) -> int | None:
    """Return how many slips of the fingers lie between two words, None if more than ``most``."""
    if abs(len(mine) - len(other)) > most or not mine or not other:
        return None
    if mine[0] != other[0] and (mine[:2] != other[1::-1] or len(mine) != len(other)):
        return None
    if len(set(mine) ^ set(other)) > 2 * most:
        return None
    length = min(len(mine), len(other))
    if length <= _SHORT:
        return 1 if _is_short_slip(mine, other) else None
    found = _distance(mine, other, _BESIDE if length > _SHORT + 1 else _NEXT)
    return found if found <= most else None


def _is_short_slip(mine: str, other: str) -> bool:
    """Return whether a word of three letters is a slip: most of its neighbours are words themselves."""
    if len(mine) == len(other):
        differ = [(a, b) for a, b in zip(mine, other, strict=True) if a != b]
        return differ == [differ[0], differ[0][::-1]] if len(differ) > 1 else set(differ[0]) == {"m", "n"}
    longer, shorter = (mine, other) if len(mine) > len(other) else (other, mine)
    at = next((n for n, (a, b) in enumerate(zip(longer, shorter, strict=False)) if a != b), len(shorter))
    if longer[:at] + longer[at + 1 :] != shorter:
        return False
    if longer is other:
        return longer[at] in _VOWELS
    return longer[at] in {longer[at - 1], *longer[at + 1 : at + 2]}


def _distance(mine: str, other: str, beside: frozenset[tuple[str, str]]) -> int:
    """Return the optimal string alignment distance, where a letter costs two in place of one that is not beside it."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(mine, 1):
        last, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            swap = 0 if a == b else 1 if (a, b) in beside else 2
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + swap)
            if i > 1 and j > 1 and a == other[j - 2] and mine[i - 2] == b:
                best = min(best, last[j - 2] + 1)
            row.append(best)
    return row[-1]


def sheet(names: Iterable[str]) -> str:
    """Return names as one text that is searched at once; whoever has 100,000 keeps it, for it takes 20 ms."""
    return "\n".join(["", *names, ""])


def _sieved(name: str, text: str) -> list[str]:
    """Return the names of a sheet that may be near, by one search."""
    plain = _plain(name)
    letters = {c for c in (name[0], name[1], *plain.squashed[:2]) for c in (c.lower(), c.upper())}
    first = f"(?=[{re.escape(''.join(sorted(letters)))}])" if all(c.isascii() for c in letters) else ""
    body = r"[^\d\n]*".join(["", *plain.digits, ""])
    found: list[str] = re.findall(rf"\n({first}{body})(?=\n)", text)
    if len(found) <= _MANY:
        return found
    own = set(name.lower())
    least, most = len(name) - 2, len(name) + 2
    return [one for one in found if least <= len(one) <= most and len(own ^ set(one.lower())) <= 2][:_MANY]  # noqa: PLR2004
