"""Pending calls, in groups."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from timerwheel._core import ORIGIN, key_of, target_of
from timerwheel.observe._functions import describe_call, printable
from timerwheel.observe._wheel import require_queue, time_of

# The spans of by="time", and their ends: seconds until a call's deadline.
_ENDS = (0.0, 0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 86400.0)
_SPANS = (
    "due",
    "under 1 ms",
    "1 to 10 ms",
    "10 to 100 ms",
    "0.1 to 1 s",
    "1 to 10 s",
    "10 s to 1 min",
    "1 to 10 min",
    "10 min to 1 h",
    "1 h to 1 day",
    "1 day and more",
)


@dataclass(frozen=True, slots=True)
class PendingGroup:
    """A group of pending calls."""

    name: str
    """The name of the function, of the place that scheduled the calls, or of the span of time."""
    count: int
    """The number of calls."""
    soonest: float
    """Seconds until the earliest deadline, by the reactor's clock; negative if it has passed."""
    latest: float
    """Seconds until the latest deadline."""

    def joined_with(self, other: PendingGroup) -> PendingGroup:
        """Both groups as one, under this one's name."""
        return PendingGroup(
            self.name,
            self.count + other.count,
            min(self.soonest, other.soonest),
            max(self.latest, other.latest),
        )

    def multiplied(self, factor: int) -> PendingGroup:
        """The group with its count multiplied."""
        return PendingGroup(self.name, self.count * factor, self.soonest, self.latest)


class _Members:
    """The calls of a group while it grows: their name, and the first and last deadlines."""

    __slots__ = ("count", "latest", "name", "soonest")

    def __init__(self, name: str, left: float) -> None:
        self.name = name
        self.count = 1
        self.soonest = self.latest = left

    def add(self, left: float) -> None:
        self.count += 1
        if left < self.soonest:
            self.soonest = left
        elif left > self.latest:
            self.latest = left

    def as_group(self) -> PendingGroup:
        return PendingGroup(self.name, self.count, self.soonest, self.latest)


class Grouping:
    """Puts calls into groups, one by one.

    by is as for pending(); now is the time of the reactor's clock. Raises ValueError for any other
    by.
    """

    def __init__(self, by: str, now: float) -> None:
        if by not in _KINDS:
            raise ValueError(f"by must be one of {', '.join(map(repr, _KINDS))}, not {by!r}")
        self.by = by
        self._key_of, self._name_of = _KINDS[by]
        self._now = now
        self._found: dict[Any, _Members] = {}

    def add(self, call: Any) -> None:
        """Put a call into its group."""
        left = call.getTime() - self._now
        key = self._key_of(call, left)
        if key in self._found:
            self._found[key].add(left)
        else:
            self._found[key] = _Members(self._name_of(key, call), left)

    def groups(self) -> list[PendingGroup]:
        """The groups, the largest first."""
        groups: dict[str, PendingGroup] = {}
        for members in self._found.values():
            group = members.as_group()
            name = group.name
            groups[name] = groups[name].joined_with(group) if name in groups else group
        return sorted(groups.values(), key=_rank)


def pending(reactor: Any, *, by: str = "function") -> list[PendingGroup]:
    """The pending calls in groups, the largest group first.

    by is one of:

    - "function". A LoopingCall, a partial and a bound method count as the function that they call.
    - "origin": the place that scheduled them. It is known for calls that you schedule while
      `watch(reactor, origins=...)` is on.
    - "time": the time until their deadline.

    Holds up the reactor for about a microsecond a call. Raises ValueError if the reactor has no
    wheel, or for any other by.
    """
    queue = require_queue(reactor)
    grouping = Grouping(by, time_of(reactor))
    for call in queue.pending_calls():
        grouping.add(call)
    return grouping.groups()


# (No lambda: without memory to make one, Python 3.12 and 3.13 crash.)
def _rank(group: PendingGroup) -> tuple[int, str]:
    return -group.count, group.name


def _function_key(call: Any, left: float) -> Any:
    return key_of(target_of(getattr(call, "func", None)))


def _function_name(key: Any, call: Any) -> str:
    return str(describe_call(call))


def _origin_key(call: Any, left: float) -> Any:
    origin = getattr(call, ORIGIN, None)
    return None if origin is None else origin.key


def _origin_name(key: Any, call: Any) -> str:
    return "not known" if key is None else printable(str(getattr(call, ORIGIN)))


def _span_key(call: Any, left: float) -> int:
    return bisect_right(_ENDS, left) if left > 0 else 0


def _span_name(key: int, call: Any) -> str:
    return _SPANS[key]


_KINDS: dict[str, tuple[Callable[[Any, float], Any], Callable[[Any, Any], str]]] = {
    "function": (_function_key, _function_name),
    "origin": (_origin_key, _origin_name),
    "time": (_span_key, _span_name),
}
