"""Rounds: every case takes its turn in each, and another one begins each time.

What disturbs the machine for a while disturbs all cases; whoever comes first after a pause does so in turn.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from side_by_side.cases import Measurement

# (figure, case) → samples of all rounds
Samples = dict[tuple[str, str], list[float]]


def measured(measurement: Measurement) -> Samples:
    """Run all rounds of a measurement."""
    began = time.monotonic()
    samples: Samples = defaultdict(list)
    cases = list(measurement.cases)
    if measurement.warm_up:
        for case in cases:
            case.run()
    for turn in range(measurement.rounds):
        first = turn % len(cases)
        for case in cases[first:] + cases[:first]:
            for figure, values in case.run().items():
                samples[figure, case.name].extend(values)
    print(f"{measurement.name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return dict(samples)
