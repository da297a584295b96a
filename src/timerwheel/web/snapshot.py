"""The page's data, ready for JSON."""

from __future__ import annotations

import math
from typing import Any

from timerwheel.observe import Histogram, PendingGroup, SlowCall, Stats, Watch, stats, status
from timerwheel.observe._survey import Survey
from timerwheel.web.surveyor import MOST

FORMAT = 1
"""The version of this data: a new number means that names or meanings have changed."""


def snapshot(reactor: Any, survey: Survey | None, age: float) -> dict[str, Any]:
    """The status and figures of a reactor now, and the latest survey.

    Times are in seconds. An unknown or infinite value is None. Takes constant time.

    @param age: seconds since the survey ended.

    @return: `stats` is `None` without a wheel, `watch` without a watch, `survey` before the first.
    """
    current = status(reactor)
    return {
        "format": FORMAT,
        "status": {
            "accelerated": current.accelerated,
            "reactor": current.reactor,
            "clock": current.clock,
            "waker": current.waker,
            "precision": current.precision,
            "versions": current.versions,
            "overridden": {method.name: str(method.function) for method in current.overridden},
        },
        "stats": _figures(stats(reactor), reactor.seconds()) if current.accelerated else None,
        "watch": None if current.watch is None else _watch(current.watch),
        "survey": None if survey is None else _survey(survey, age),
    }


def _figures(figures: Stats, now: float) -> dict[str, Any]:
    values = {name: getattr(figures, name) for name in Stats.__dataclass_fields__}
    for name in ("lateness", "calls_per_pass"):
        values[name] = _histogram(values[name])
    deadline = values.pop("next_deadline")
    values["until_deadline"] = None if deadline is None else _finite(deadline - now)
    return values


def _histogram(histogram: Histogram) -> dict[str, Any]:
    buckets = [(_finite(bucket.upper), bucket.count) for bucket in histogram.buckets()]
    return {
        "total": _finite(histogram.total),
        "largest": _finite(histogram.largest),
        "buckets": buckets,
    }


def _watch(watch: Watch) -> dict[str, Any]:
    return {
        "slow_calls": watch.slow_calls,
        "stalls": watch.stalls,
        "latest_slow": [_slow(call) for call in reversed(watch.latest_slow)],
    }


def _slow(call: SlowCall) -> dict[str, Any]:
    """(Without the arguments, which may have secrets.)"""
    return {
        "function": str(call.function),
        "seconds": call.seconds,
        "late": _finite(call.late),
        "origin": call.origin,
    }


def _survey(survey: Survey, age: float) -> dict[str, Any]:
    return {
        "age": age,
        "seconds": survey.seconds,
        "pending": survey.pending,
        "every": survey.every,
        "by": {
            by: [_group(group) for group in (_by_time(groups) if by == "time" else groups[:MOST])]
            for by, groups in survey.by.items()
        },
        "groups": {by: len(groups) for by, groups in survey.by.items()},
        "times": [
            {
                "function": str(one.function),
                "count": one.count,
                "total": one.total,
                "longest": one.longest,
                "p99": one.p99,
            }
            for one in survey.times
        ],
    }


def _by_time(spans: list[PendingGroup]) -> list[PendingGroup]:
    """The next deadline first."""
    return sorted(spans, key=lambda span: span.soonest)


def _group(group: PendingGroup) -> dict[str, Any]:
    return {
        "name": group.name,
        "count": group.count,
        "soonest": _finite(group.soonest),
        "latest": _finite(group.latest),
    }


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
