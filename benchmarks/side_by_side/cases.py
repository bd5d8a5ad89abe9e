"""What a measurement is made of: cases that take turns, and aims that are checked on their medians."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
# figure → its samples from one fresh process
Sample = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Case:
    """One competitor in a measurement; ``run()`` measures it once, in a fresh process.

    :param rounds: how many rounds it takes part in at most (a slow peer); ``None``: in all.
    :param may_fail: a case that cannot do it is shown as failed, with the reason; ours must work.
    :param returns: what its user has in hand at the end.
    """

    name: str
    run: Callable[[], Sample]
    rounds: int | None = None
    may_fail: bool = False
    returns: str = ""


@dataclass(frozen=True, slots=True)
class Aim:
    """A figure, as it is or over another case's or another figure, and the most or the least it may be.

    Without either it is there for comparison. Where ``case`` or ``over`` name several cases the fastest of them counts,
    the one with the lowest median of ``chosen_by``, which is the figure itself unless it says another. ``less``
    subtracts another figure of the same case first: memory that loading adds is the kernel's less the bare kernel's.

    :param is_worst: of the highest sample instead of the median: what must never be more.
    :param row: the row of the table at the end that it belongs to, and ``label`` its name in there.
    """

    figure: str
    case: str | tuple[str, ...]
    over: str | tuple[str, ...] | None = None
    at_most: float | None = None
    less: str | None = None
    at_least: float | None = None
    over_figure: str | None = None
    chosen_by: str | None = None
    is_worst: bool = False
    row: str | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A family of figures in one unit.

    ``warm_up`` runs every case once, unmeasured, before the rounds: bytecode, page cache, data directories.

    :param limit: cases of which the faster one's first figure is what all others are shown as multiples of; with it,
        the table has a row for each case.
    """

    name: str
    title: str
    unit: str
    cases: Sequence[Case]
    aims: Sequence[Aim]
    rounds: int
    warm_up: bool = True
    units: Mapping[str, str] | None = None
    limit: tuple[str, ...] = ()

    def unit_of(self, figure: str) -> str:
        """Return the unit of a figure."""
        return (self.units or {}).get(figure, self.unit)
