"""Histograms as `timerwheel.web.snapshot` has them: (upper bound, count) of each bucket."""

from __future__ import annotations

import math
from typing import Any


def difference(before: list[Any], now: list[Any]) -> list[tuple[float, int]]:
    """The counts between two snapshots: (upper bound, count) of each bucket, the lowest first.

    @param before, now: as `timerwheel.web.snapshot` has buckets; the bound of the last may be
        `None`.
    """
    counted = dict(before)
    changes = ((upper, count - counted.get(upper, 0)) for upper, count in now)
    return [(math.inf if upper is None else upper, count) for upper, count in changes if count]


def bound(largest: float | None) -> float:
    """The largest value as `timerwheel.web.snapshot` has it, where infinity is `None`."""
    return math.inf if largest is None else largest


def percentile(buckets: list[tuple[float, int]], percent: float) -> float:
    """The bound that percent of the values do not exceed; 0.0 without values."""
    left = max(1, math.ceil(sum(count for _, count in buckets) * percent / 100))
    for upper, count in buckets:
        left -= count
        if left <= 0:
            return upper
    return 0.0
