"""The results of one run of the demonstration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path


@dataclass
class ServerResult:
    """The server's measurements. Times are in seconds, sizes in bytes.

    @ivar reactor: the full name of the reactor's class.
    @ivar seconds: how long it measured.
    @ivar messages: messages echoed in that time.
    @ivar messages_in_all: messages echoed from the first connection to the last.
    @ivar cpu: CPU time of the process.
    @ivar timers: time in timers, without the stopwatch's own.
    @ivar stopwatch: the stopwatch's own time, already taken off `timers`.
    @ivar collecting: time in the garbage collector.
    @ivar lateness_p50: median lateness of the probes.
    @ivar lateness_p99: lateness that one probe in a hundred exceeds.
    @ivar lateness_max: lateness of the latest probe.
    @ivar longest_pass: most CPU time between two passes of the timers.
    @ivar resident: resident memory at the end, 0 where the system does not tell.
    @ivar resident_extra: what of it came with the extra timers.
    @ivar churned: operations of the background churn.
    @ivar fired: timers that fired.
    @ivar probes: how many of them were probes.
    @ivar problems: what went wrong, a sentence each.
    """

    reactor: str
    seconds: float
    messages: int
    messages_in_all: int
    cpu: float
    timers: float
    stopwatch: float
    collecting: float
    lateness_p50: float
    lateness_p99: float
    lateness_max: float
    longest_pass: float
    resident: int
    resident_extra: int
    churned: int
    fired: int
    probes: int
    problems: list[str] = field(default_factory=list)


@dataclass
class LoadResult:
    """The clients' measurements.

    @ivar sent: messages sent.
    @ivar received: echoes that came back whole and right.
    @ivar cpu: CPU time of the process in seconds.
    @ivar seconds: how long the clients played.
    @ivar problems: what went wrong, a sentence each.
    """

    sent: int
    received: int
    cpu: float
    seconds: float
    problems: list[str] = field(default_factory=list)


@dataclass
class SideResult:
    """One side of the comparison."""

    server: ServerResult
    load: LoadResult

    @property
    def problems(self) -> list[str]:
        """Everything that went wrong on this side."""
        found = self.server.problems + self.load.problems
        if not self.load.received <= self.server.messages_in_all <= self.load.sent:
            found.append(
                f"the server echoed {self.server.messages_in_all:,} messages, the clients sent"
                f" {self.load.sent:,} and received {self.load.received:,}"
            )
        return found


def percentile(values: Sequence[float], percent: float) -> float:
    """@return: the smallest of `values` that at least `percent` of a hundred do not exceed; not a
    number when there are none.
    """
    if not values:
        return float("nan")
    return sorted(values)[max(0, ceil(len(values) * percent / 100) - 1)]


def resident_bytes() -> int:
    """@return: the resident memory of this process (`VmRSS`), or 0 where there is no `/proc`."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    for line in status.read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
