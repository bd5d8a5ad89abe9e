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
    """One competitor in a measurement; ``run()`` measures it once, in a fresh process."""

    name: str
    run: Callable[[], Sample]


@dataclass(frozen=True, slots=True)
class Aim:
    """A figure of ours, as it is or over another case's, and the most it may be (``None``: no aim, for comparison).

    ``less`` subtracts another figure of the same case first: memory that loading adds is the kernel's less the bare
    kernel's.
    """

    figure: str
    case: str
    over: str | None = None
    at_most: float | None = None
    less: str | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """A family of figures in one unit.

    ``warm_up`` runs every case once, unmeasured, before the rounds: bytecode, page cache, data directories.
    """

    name: str
    title: str
    unit: str
    cases: Sequence[Case]
    aims: Sequence[Aim]
    rounds: int
    warm_up: bool = True
    units: Mapping[str, str] | None = None

    def unit_of(self, figure: str) -> str:
        """Return the unit of a figure."""
        return (self.units or {}).get(figure, self.unit)
