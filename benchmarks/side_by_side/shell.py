"""Measure code in an InteractiveShell of a fresh process; see ``child.py``."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from side_by_side.place import Place
    from side_by_side.subjects import Reader, Subject

CHILD = Path(__file__).parent / "child.py"
LIMIT_S = 900.0
REASON_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Timing:
    """The seconds of each repetition, and the memory at the peak and the processor time that all of them took."""

    seconds: list[float]
    added_mb: float
    cpu_s: float
    asked: dict[str, float] = field(default_factory=dict)


class ChildFailed(RuntimeError):
    """The code raised; ``reason`` is its last line."""

    def __init__(self, name: str, printed: str) -> None:
        super().__init__(f"{name}: {printed[-4000:]}")
        lines = [line for line in printed.splitlines() if line.strip()]
        self.reason = lines[-1].strip()[:REASON_LENGTH] if lines else "no word of why"


def time_code(
    place: Place,
    subject: Subject | Reader,
    *,
    setup: str = "",
    timed: dict[str, str],
    asked: dict[str, str] | None = None,
    warm_up: int = 0,
    repeat: int = 1,
    variables: dict[str, str] | None = None,
    label: str = "",
) -> dict[str, Timing]:
    """Run ``setup`` once and each of ``timed`` ``repeat`` times in one process of the subject's environment.

    :param label: what a profile's file is named after, beside the subject.
    :raises ChildFailed: when it could not.
    """
    answer = Path(place.fresh_directory())
    job = {
        "setup": setup,
        "timed": timed,
        "asked": asked or {},
        "warm_up": warm_up,
        "repeat": repeat,
        "answer": str(answer),
        "profile": _profile(place, subject, label or "-".join(timed)),
    }
    try:
        done = subprocess.run(
            # -P: the child's folder is no place to import from
            [place.python(subject), "-P", str(CHILD), json.dumps(job)],
            env=place.environment(**(variables or {})),
            cwd=place.scratch,
            text=True,
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ChildFailed(subject.name, f"not done after {LIMIT_S:.0f} s") from None
    if not answer.exists():
        raise ChildFailed(subject.name, f"{done.stdout}\n{done.stderr}\n")
    told = json.loads(answer.read_text("utf-8"))
    return {name: Timing(**figures, asked=told["asked"]) for name, figures in told["timings"].items()}


def _profile(place: Place, subject: Subject | Reader, label: str) -> str | None:
    """Return where the profile of this child goes; of ours only, a peer's is not ours to explain."""
    if place.profiles is None or subject.environment != "own":
        return None
    name = re.sub(r"\W+", "-", f"{subject.name} {label}")
    return str(place.profiles.absolute() / f"{name}-{len(list(place.profiles.iterdir()))}.perf")
