"""The results that ``tusk.last_result()`` and ``tusk.result(df)`` can still tell about.

The last one keeps its frame, as ``_`` does. Older ones keep everything but the frame, so that they hold no memory;
whoever asks brings the frame along. A background job's result is never the last one: it arrives between two cells, and
would be another statement's than the one that was just run. The job has it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput

if TYPE_CHECKING:
    from tusk_jupyter.results.result import Result

KEEP = 200


class RecentResults:
    """The last 200 results, by query id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_id: OrderedDict[str, Result] = OrderedDict()
        self.last: Result | None = None

    def add(self, result: Result, *, of_job: bool = False) -> None:
        """Keep a result; that of a job without its frame."""
        with self._lock:
            if of_job:
                self._by_id[result.query_id] = replace(result, frame=None)
            else:
                self._add_last(result)
            while len(self._by_id) > KEEP:
                self._by_id.popitem(last=False)

    def _add_last(self, result: Result) -> None:
        if self.last is not None and self.last.query_id in self._by_id:
            self._by_id[self.last.query_id] = replace(self.last, frame=None)
        self.last = result
        self._by_id[result.query_id] = result

    def of(self, frame: Any) -> Result:
        """Return the result that ``frame`` came from.

        :raises InvalidInput: when it is not a cell's result, or one of more than 200 statements ago.
        """
        query_id = getattr(frame, "attrs", {}).get("tusk")
        with self._lock:
            found = self._by_id.get(query_id) if isinstance(query_id, str) else None
        if found is None:
            raise InvalidInput(
                "this is not a result of this kernel, or it is too old",
                advice="tusk.last_result() gives that of the last statement.",
            )
        return replace(found, frame=frame)

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._by_id.clear()
            self.last = None
