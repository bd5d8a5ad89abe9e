"""Measure code in an InteractiveShell of a fresh process; see ``child.py``."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from side_by_side.place import Place
    from side_by_side.subjects import Subject

CHILD = Path(__file__).parent / "child.py"


@dataclass(frozen=True, slots=True)
class Timing:
    """The seconds of each repetition, and the memory that all of them added at their peak."""

    seconds: list[float]
    added_mb: float


def time_code(
    place: Place,
    subject: Subject,
    *,
    setup: str = "",
    timed: dict[str, str],
    warm_up: int = 0,
    repeat: int = 1,
    variables: dict[str, str] | None = None,
) -> dict[str, Timing]:
    """Run ``setup`` once and each of ``timed`` ``repeat`` times in one process of the subject's environment."""
    answer = Path(place.fresh_directory())
    job = {"setup": setup, "timed": timed, "warm_up": warm_up, "repeat": repeat, "answer": str(answer)}
    done = subprocess.run(
        # -P: the child's folder is no place to import from
        [place.python(subject), "-P", str(CHILD), json.dumps(job)],
        env=place.environment(**(variables or {})),
        cwd=place.scratch,
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )
    if not answer.exists():
        raise RuntimeError(f"{subject.name}: {done.stdout[-1000:]} {done.stderr[-3000:]}")
    return {name: Timing(**figures) for name, figures in json.loads(answer.read_text("utf-8")).items()}
