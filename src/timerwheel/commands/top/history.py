"""A history of looks at a page: rates, and percentiles between two looks."""

from __future__ import annotations

from collections import deque
from typing import Any

from timerwheel.commands.buckets import bound, difference, percentile

KEPT = 60
"""The number of looks to remember."""

_RATES = {
    "scheduled": ("scheduled",),
    "made": ("fired",),
    "cancelled": ("cancelled",),
    "moved": ("moved_later", "moved_sooner"),
    "passes": ("passes",),
    "idle": ("idle_passes",),
    "busy": ("seconds_in_passes",),
}


class History:
    """The looks so far.

    @ivar latest: what the page showed last, as `timerwheel.web.snapshot` makes it.
    @ivar lines: values over the last looks, by name: `pending`; what happened a second, such as
        `made`; and `median`, `p99` and `largest` lateness in seconds, 0 if no call was made.
    """

    def __init__(self) -> None:
        self.latest: dict[str, Any] = {}
        self.lines: dict[str, deque[float]] = {}

    def add(self, data: dict[str, Any]) -> None:
        """Add a look. If it is earlier than the last, the program was restarted: start again."""
        before, now = self.latest.get("stats"), data["stats"]
        self.latest = data
        if before is not None and now["elapsed"] < before["elapsed"]:
            self.lines.clear()
            before = None
        self._add("pending", now["pending"])
        if before is not None and now["elapsed"] > before["elapsed"]:
            self._add_changes(before, now)

    def last(self, name: str) -> float | None:
        """The latest value of a line; `None` if there is none yet."""
        return self.lines[name][-1] if name in self.lines else None

    def _add(self, name: str, value: float) -> None:
        self.lines.setdefault(name, deque(maxlen=KEPT)).append(value)

    def _add_changes(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        passed = now["elapsed"] - before["elapsed"]
        for name, counters in _RATES.items():
            change = sum(now[counter] - before[counter] for counter in counters)
            self._add(name, change / passed)
        late = difference(before["lateness"]["buckets"], now["lateness"]["buckets"])
        largest = bound(now["lateness"]["largest"])
        for name, percent in (("median", 50), ("p99", 99), ("largest", 100)):
            self._add(name, min(percentile(late, percent), largest))
