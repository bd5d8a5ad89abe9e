"""Whether a column of ``numeric`` may be ``float64``, decided on its text, without an object per value.

15 significant digits survive a float in every case, so a column with no more is given as what pandas computes with.
Where ``numeric`` has no declared scale it is mostly an ``avg`` with 16 digits of a quotient: that is rounded, and said.
Everything else stays exact. Arrow's own decimals are refused in pandas: their mean of 1, 2, 2 is 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable

SAFE_DIGITS: Final = 15
_FAR: Final = 290  # texts longer than this may be beyond a float's exponents: looked at one by one
_SMALLEST: Final = 1e-290


@dataclass(frozen=True, slots=True)
class Floats:
    """A column as ``float64``; ``rounded`` when some value had more digits than that."""

    column: pa.ChunkedArray
    rounded: bool


def as_floats(text: pa.ChunkedArray, *, declared: bool) -> Floats | None:
    """Return the column as floats, None where that would lose something the rule does not allow.

    :param text: PostgreSQL's text of each value.
    :param declared: whether the column declares a scale.
    """
    floats = pc.cast(text, pa.float64())
    if text.null_count and pc.any(pc.is_nan(floats)).as_py():
        return None  # NULL and NaN would become one
    lengths = pc.binary_length(text)
    if (pc.max(lengths).as_py() or 0) <= SAFE_DIGITS:
        return Floats(floats, rounded=False)
    long = pc.filter(text, pc.and_(pc.greater(lengths, SAFE_DIGITS), pc.less_equal(lengths, _FAR)))
    far = [Decimal(value) for value in pc.filter(text, pc.greater(lengths, _FAR)).to_pylist()]
    if _largest(_significant_digits(long)) <= SAFE_DIGITS and all(map(_recoverable, far)):
        return Floats(floats, rounded=False)
    if declared or _largest(_digits_before_point(long)) > SAFE_DIGITS or not _small(far):
        return None
    return Floats(floats, rounded=True)


def _significant_digits(text: pa.ChunkedArray) -> pa.ChunkedArray:
    led = pc.replace_substring_regex(text, pattern=r"^-?0*\.?0*", replacement="")
    bare = pc.replace_substring_regex(led, pattern=r"0*\.?0*$", replacement="")
    return pc.subtract(pc.binary_length(bare), pc.cast(pc.match_substring(bare, "."), pa.int64()))


def _digits_before_point(text: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_length(pc.replace_substring_regex(text, pattern=r"^-|\..*$", replacement=""))


def _largest(numbers: pa.ChunkedArray) -> int:
    return pc.max(numbers).as_py() or 0


def _recoverable(exact: Decimal) -> bool:
    number = float(exact)
    return Decimal(repr(number)) == exact and (number == 0 or abs(number) >= _SMALLEST)


def _small(values: Iterable[Decimal]) -> bool:
    return all(value == 0 or (abs(float(value)) >= _SMALLEST and value.adjusted() < SAFE_DIGITS) for value in values)
