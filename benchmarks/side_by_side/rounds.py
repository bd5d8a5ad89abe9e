"""Rounds: every case takes its turn in each, and another one begins each time.

What disturbs the machine for a while disturbs all cases; whoever comes first after a pause does so in turn. A slow peer
sits out the later rounds, and a peer that cannot do it at all is left at that, with its reason.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from side_by_side.shell import ChildFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from side_by_side.cases import Case, Measurement, Sample

# (figure, case) → samples of all rounds
Samples = dict[tuple[str, str], list[float]]


@dataclass(frozen=True, slots=True)
class Measured:
    """What all rounds of a measurement gave, and why a case gave nothing."""

    samples: Samples
    failures: Mapping[str, str]


def measured(measurement: Measurement) -> Measured:
    """Run all rounds of a measurement."""
    began = time.monotonic()
    samples: Samples = defaultdict(list)
    failures: dict[str, str] = {}
    cases = list(measurement.cases)
    if measurement.warm_up:
        for case in cases:
            _run(case, failures)
    for turn in range(measurement.rounds):
        first = turn % len(cases)
        for case in cases[first:] + cases[:first]:
            if case.name in failures or (case.rounds is not None and turn >= case.rounds):
                continue
            for figure, values in _run(case, failures).items():
                samples[figure, case.name].extend(values)
    print(f"{measurement.name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return Measured(dict(samples), failures)


def _run(case: Case, failures: dict[str, str]) -> Sample:
    try:
        return case.run()
    except ChildFailed as error:
        if not case.may_fail:
            raise
        failures[case.name] = error.reason
        return {}
