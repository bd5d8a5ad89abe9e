"""Whether a column of ``numeric`` may be ``float64``, decided on its text or its decimals, without an object per value.

15 significant digits survive a float in every case, so a column with no more is given as what pandas computes with.
Where ``numeric`` has no declared scale it is mostly an ``avg`` with 16 digits of a quotient: that is rounded, and said.
Everything else stays exact. Arrow's own decimals are refused in pandas: their mean of 1, 2, 2 is 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tusk_jupyter.results.arrays import nulls, numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tusk_jupyter.results.arrays import Array

SAFE_DIGITS: Final = 15
_FAR: Final = 290  # texts longer than this may be beyond a float's exponents: looked at one by one
_SMALLEST: Final = 1e-290
_VALUES_AT_ONCE: Final = 65_536
_FIRST: Final = 1_000
_PLAIN_SCALE: Final = 6
_MOST_DIGITS: Final = 18
_POWERS: Final = np.array([float(10**power) for power in range(_MOST_DIGITS + 1)])


@dataclass(frozen=True, slots=True)
class Floats:
    """A column as ``float64``; ``rounded`` when some value had more digits than that."""

    column: pa.ChunkedArray
    rounded: bool


_NO_FLOATS: Final = Floats(pa.chunked_array([], pa.float64()), rounded=False)


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
    # where one of the first has too many, nobody has to count the digits of the others
    is_safe = all(_largest(_significant_digits(part)) <= SAFE_DIGITS for part in (long.slice(0, _FIRST), long))
    if is_safe and all(map(_recoverable, far)):
        return Floats(floats, rounded=False)
    if declared or _largest(_digits_before_point(long)) > SAFE_DIGITS or not _small(far):
        return None
    return Floats(floats, rounded=True)


def numeric_floats(chunks: Sequence[pa.Array], *, declared: bool, take: bool) -> tuple[Array, bool] | None:
    """Return a column as floats, NULL as NaN, and whether some are rounded; None as :func:`as_floats` does.

    :param chunks: PostgreSQL's text, or decimals of 64 bits.
    :param take: whether the decimals' memory may become the floats'; it does not where the answer is None.
    """
    texts = [chunk for chunk in chunks if not pa.types.is_decimal(chunk.type)]
    read = as_floats(pa.chunked_array(texts, pa.large_string()), declared=declared) if texts else _NO_FLOATS
    if read is None or (texts and _any_null(chunks) and pc.any(pc.is_nan(read.column)).as_py()):
        return None
    decimals = {i: _Decimals.of(chunk, take=take) for i, chunk in enumerate(chunks) if pa.types.is_decimal(chunk.type)}
    if not all(decimal.is_safe for decimal in decimals.values()):
        return None
    values = numbers(read.column.chunks, "f8", np.nan, take=True)
    if not decimals:
        return values, read.rounded
    parts, row = [], 0
    for i, chunk in enumerate(chunks):
        if i in decimals:
            parts.append(decimals[i].floats(chunk, take=take))
        else:
            parts.append(values[row : row + len(chunk)])
            row += len(chunk)
    return parts[0] if len(parts) == 1 else np.concatenate(parts), read.rounded


def as_text(chunk: pa.Array) -> pa.Array:
    """Return decimals as PostgreSQL writes them, and texts as they are."""
    if not pa.types.is_decimal(chunk.type):
        return chunk
    text = pc.cast(chunk, pa.large_string())
    zeros = chunk.type.scale
    if zeros > _PLAIN_SCALE:
        # Arrow writes what is small with an exponent; zero, the one that comes often, is told apart at once
        text = pc.if_else(pc.equal(text, f"0E-{zeros}"), f"0.{'0' * zeros}", text)
        is_short = pc.fill_null(pc.match_substring(text, "E"), False)
        plain = pa.array([f"{Decimal(value):f}" for value in pc.filter(text, is_short).to_pylist()], text.type)
        text = pc.replace_with_mask(text, is_short, plain)
    return text


def _any_null(chunks: Sequence[pa.Array]) -> bool:
    return any(chunk.null_count for chunk in chunks)


@dataclass(frozen=True, slots=True)
class _Decimals:
    """Decimals of 64 bits without their point, and the long ones again, without the zeros at their end."""

    unscaled: Array
    rows: Array
    digits: Array
    zeros: Array

    @classmethod
    def of(cls, chunk: pa.Array, *, take: bool) -> _Decimals:
        unscaled = numbers([chunk], "i8", 0, take=take)
        limit = 10**SAFE_DIGITS
        if unscaled.max(initial=0) < limit and unscaled.min(initial=0) > -limit:
            rows = np.empty(0, np.int64)
        else:
            rows = np.flatnonzero((unscaled >= limit) | (unscaled <= -limit))
        digits, zeros = unscaled[rows], np.zeros(len(rows), np.int64)
        for _ in range(_MOST_DIGITS - SAFE_DIGITS):
            is_round = digits % 10 == 0
            digits, zeros = np.where(is_round, digits // 10, digits), zeros + is_round
        return cls(unscaled, rows, digits, zeros)

    @property
    def is_safe(self) -> bool:
        """Whether a float keeps every digit."""
        return not len(self.digits) or bool(np.abs(self.digits).max() < 10**SAFE_DIGITS)

    def floats(self, chunk: pa.Array, *, take: bool) -> Array:
        """Return the floats nearest to the decimals, in their memory if that may be taken.

        Integers of 15 digits and powers of ten up to 10^22 are floats themselves, so each quotient or product of two
        is rounded once.
        """
        floats: Array = self.unscaled.view("f8") if take else np.empty(len(self.unscaled))
        for start in range(0, len(self.unscaled), _VALUES_AT_ONCE):
            part = slice(start, start + _VALUES_AT_ONCE)
            np.divide(self.unscaled[part], _POWERS[chunk.type.scale], out=floats[part])
        if len(self.rows):
            places = chunk.type.scale - self.zeros
            floats[self.rows] = np.where(
                places < 0, self.digits * _POWERS[np.maximum(-places, 0)], self.digits / _POWERS[np.maximum(places, 0)]
            )
        if chunk.null_count:
            floats[nulls([chunk])] = np.nan
        return floats


def _significant_digits(text: pa.ChunkedArray) -> pa.ChunkedArray:
    led = pc.replace_substring_regex(text, pattern=r"^-?0*\.?0*", replacement="")
    bare = pc.replace_substring_regex(led, pattern=r"0*\.?0*$", replacement="")
    return pc.subtract(pc.binary_length(bare), pc.cast(pc.match_substring(bare, "."), pa.int64()))


def _digits_before_point(text: pa.ChunkedArray) -> pa.ChunkedArray:
    point = pc.find_substring(text, ".")
    whole = pc.if_else(pc.less(point, 0), pc.binary_length(text), point)
    return pc.subtract(whole, pc.cast(pc.starts_with(text, "-"), whole.type))


def _largest(numbers: pa.ChunkedArray) -> int:
    return pc.max(numbers).as_py() or 0


def _recoverable(exact: Decimal) -> bool:
    number = float(exact)
    return Decimal(repr(number)) == exact and (number == 0 or abs(number) >= _SMALLEST)


def _small(values: Iterable[Decimal]) -> bool:
    return all(value == 0 or (abs(float(value)) >= _SMALLEST and value.adjusted() < SAFE_DIGITS) for value in values)
