"""What is pending, in groups."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from timerwheel._core import ORIGIN, key_of, target_of
from timerwheel.observe._functions import describe
from timerwheel.observe._wheel import require_queue

# The spans of by="time", and where each ends: seconds until a call is due.
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
    """Some of the pending calls."""

    name: str
    """Of the function, of the place where the calls were made, or of the span of time."""
    count: int
    """How many there are."""
    soonest: float
    """Seconds until the earliest is due, by the reactor's clock; negative if it is late."""
    latest: float
    """Seconds until the latest is due."""

    def joined_with(self, other: PendingGroup) -> PendingGroup:
        """One group of both, under this one's name."""
        return PendingGroup(
            self.name,
            self.count + other.count,
            min(self.soonest, other.soonest),
            max(self.latest, other.latest),
        )


class _Members:
    """The calls of a group, one of them as an example, and when the first and the last are due."""

    __slots__ = ("count", "example", "latest", "soonest")

    def __init__(self, example: Any, left: float) -> None:
        self.example = example
        self.count = 1
        self.soonest = self.latest = left

    def add(self, left: float) -> None:
        self.count += 1
        if left < self.soonest:
            self.soonest = left
        elif left > self.latest:
            self.latest = left


def pending(reactor: Any, *, by: str = "function") -> list[PendingGroup]:
    """The pending calls in groups, the largest group first.

    by is "function"; "origin", the place where they were made, which is known of calls that were
    made while `watch(reactor, origins=...)` was on; or "time", how long until they are due. A
    LoopingCall, a partial and a bound method count as the function that they call.

    Holds up the reactor for about a microsecond a call. Raises ValueError if the reactor has no
    wheel, or if by is none of these.
    """
    queue = require_queue(reactor)
    if by not in _KINDS:
        raise ValueError(f"by is one of {', '.join(map(repr, _KINDS))}, not {by!r}")
    key_of, name_of = _KINDS[by]
    now = reactor.seconds()
    found: dict[Any, _Members] = {}
    for call in queue.pending_calls():
        left = call.getTime() - now
        key = key_of(call, left)
        if key in found:
            found[key].add(left)
        else:
            found[key] = _Members(call, left)
    groups: dict[str, PendingGroup] = {}
    for key, members in found.items():
        name = name_of(key, members.example)
        group = PendingGroup(name, members.count, members.soonest, members.latest)
        groups[name] = groups[name].joined_with(group) if name in groups else group
    return sorted(groups.values(), key=_rank)


# (No lambda: where there is no memory to make one, Python 3.12 and 3.13 crash.)
def _rank(group: PendingGroup) -> tuple[int, str]:
    return -group.count, group.name


def _function_key(call: Any, left: float) -> Any:
    return key_of(target_of(getattr(call, "func", None)))


def _function_name(key: Any, call: Any) -> str:
    return str(describe(target_of(getattr(call, "func", None))))


def _origin_key(call: Any, left: float) -> Any:
    origin = getattr(call, ORIGIN, None)
    return None if origin is None else origin.key


def _origin_name(key: Any, call: Any) -> str:
    return "not known" if key is None else str(getattr(call, ORIGIN))


def _span_key(call: Any, left: float) -> int:
    return bisect_right(_ENDS, left) if left > 0 else 0


def _span_name(key: int, call: Any) -> str:
    return _SPANS[key]


_KINDS: dict[str, tuple[Callable[[Any, float], Any], Callable[[Any, Any], str]]] = {
    "function": (_function_key, _function_name),
    "origin": (_origin_key, _origin_name),
    "time": (_span_key, _span_name),
}
