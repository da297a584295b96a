"""The metrics of a reactor, for systems that collect them: names, units, meanings."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from timerwheel.observe._histogram import Histogram
from timerwheel.observe._stats import Stats, stats
from timerwheel.observe._status import status
from timerwheel.observe._wheel import time_of


@dataclass(frozen=True, slots=True)
class Metric:
    """A number.

    Attributes:
        source: its key in what read() returns.
        prometheus: its name there, without the prefix and without `_total`.
        opentelemetry: its name there, without the prefix.
        unit: as UCUM, which OpenTelemetry uses, writes it.
        counter: whether it only grows.
        text: its description.
        attributes: labels that separate it from others of the same name.
    """

    source: str
    prometheus: str
    opentelemetry: str
    unit: str
    counter: bool
    text: str
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram.

    Attributes:
        source, prometheus, opentelemetry, unit, text: as those of a Metric.
        edges: the ends of the collected buckets: powers of two, because a Histogram knows the
            counts below these exactly.
        whole: whether the values are whole numbers, of which those below 8 are at most 7.
    """

    source: str
    prometheus: str
    opentelemetry: str
    unit: str
    text: str
    edges: Sequence[float]
    whole: bool = False

    def cumulative(self, histogram: Histogram) -> list[tuple[float, int]]:
        """(bound, how many values are at most that) of each collected bucket."""
        counts = [0] * (len(self.edges) + 1)
        for bucket in histogram.buckets():
            counts[bisect_left(self.edges, bucket.upper)] += bucket.count
        reached = accumulate(counts)
        return [(edge - self.whole, next(reached)) for edge in self.edges]


def _calls(did: str, text: str) -> Metric:
    return Metric(did, f"{did}_calls", f"calls.{did}", "{call}", True, text)


METRICS = (
    Metric("pending", "pending_calls", "calls.pending", "{call}", False, "Calls that are pending"),
    _calls("scheduled", "Calls scheduled"),
    _calls("fired", "Calls made"),
    _calls("failed", "Calls made that raised an exception"),
    _calls("cancelled", "Calls cancelled"),
    *(
        Metric(
            f"moved_{way}",
            "moved_calls",
            "calls.moved",
            "{call}",
            True,
            "Moves of calls by reset() and delay()",
            {"direction": way},
        )
        for way in ("later", "sooner")
    ),
    _calls("bypassed", "Calls scheduled by a callLater() kept from before the wheel"),
    Metric("passes", "passes", "passes", "{pass}", True, "Passes of the reactor"),
    Metric("idle_passes", "idle_passes", "passes.idle", "{pass}", True, "Passes without a call"),
    Metric(
        "seconds_in_passes", "pass_seconds", "passes.time", "s", True, "Time in passes with calls"
    ),
    Metric(
        "longest_pass",
        "longest_pass_seconds",
        "passes.longest",
        "s",
        False,
        "The longest pass since you put the wheel in",
    ),
    Metric(
        "until_deadline",
        "next_deadline_seconds",
        "next_deadline",
        "s",
        False,
        "Time until the next deadline, or a little less; negative if it is overdue",
    ),
    Metric(
        "memory", "memory_bytes", "memory", "By", False, "Memory of the wheel and pending calls"
    ),
    _calls("slow", "Slow calls that the current watch has reported"),
    Metric("stalls", "stalls", "stalls", "{stall}", True, "Stalls that the current watch has seen"),
)

DISTRIBUTIONS = (
    Distribution(
        "lateness",
        "lateness_seconds",
        "lateness",
        "s",
        "Time from the deadline of a call to the pass that made it",
        [2.0**power for power in range(-14, 7)],
    ),
    Distribution(
        "calls_per_pass",
        "calls_per_pass",
        "passes.calls",
        "{call}",
        "Calls made in each pass that made any",
        [2.0**power for power in range(1, 21)],
        whole=True,
    ),
)


def read(reactor: Any) -> dict[str, Any]:
    """The current values of METRICS and DISTRIBUTIONS, by source; empty without a wheel.

    Takes constant time.
    """
    try:
        figures = stats(reactor)
    except ValueError:  # (Not checked first: another thread may take the wheel out meanwhile.)
        return {}
    values = {name: getattr(figures, name) for name in Stats.__dataclass_fields__}
    if figures.next_deadline is not None:
        values["until_deadline"] = figures.next_deadline - time_of(reactor)
    watch = status(reactor).watch
    if watch is not None:
        values["slow"] = watch.slow_calls
        values["stalls"] = watch.stalls
    return values


def identity(reactor: Any) -> dict[str, str]:
    """The labels that identify this reactor and this program."""
    current = status(reactor)
    return {
        "version": current.versions["timerwheel"],
        "twisted": current.versions["twisted"],
        "reactor": current.reactor,
        "clock": current.clock,
        "waker": str(current.waker),
    }
