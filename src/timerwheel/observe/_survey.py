"""Survey the pending calls and their times, in steps short enough to delay no other call."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Any

from timerwheel._core import CallWalk
from timerwheel.observe._pending import Grouping, PendingGroup
from timerwheel.observe._watch import FunctionTimes
from timerwheel.observe._wheel import require_reactors_queue

# From this many pending calls on, a survey samples at least so many.
_ENOUGH = 10_000

# In a step: calls to walk past, and calls to put into groups. Some 50 us each.
_VISITS = 256
_GROUPED = 20


@dataclass(frozen=True, slots=True)
class Survey:
    """The result of a survey of a reactor's pending calls.

    Attributes:
        pending: the number of calls at the beginning.
        every: the groups have one call in so many, with counts multiplied by it; 1: all calls.
        by: the groups by "function", "origin" and "time", as in `timerwheel.pending()`.
        times: those of the slowest functions, while a watch is on.
        seconds: from the first step to the last.
    """

    pending: int
    every: int
    by: dict[str, list[PendingGroup]]
    times: list[FunctionTimes]
    seconds: float


def survey(reactor: Any, most: int) -> Generator[None, None, Survey]:
    """Survey the pending calls, in steps of less than 0.1 ms each; return a Survey.

    most is the number of functions to return the times of. Calls may come and go between two steps.
    n pending calls take n / 256 steps or less, but at least 500 if there are so many calls. Raises
    ValueError, at the first step, if the reactor has no wheel.
    """
    began = monotonic()
    queue = require_reactors_queue(reactor)
    pending = len(queue)
    every = pending // _ENOUGH or 1
    groupings = [Grouping(by, reactor.seconds()) for by in ("function", "origin", "time")]
    walk = CallWalk(queue, every)
    while not walk.over:
        for call in walk.advance(min(_VISITS, _GROUPED * every)):
            for grouping in groupings:
                grouping.add(call)
        yield
    by = {}
    for grouping in groupings:
        by[grouping.by] = [group.multiplied(every) for group in grouping.groups()]
        yield
    times = []
    watch = None if queue.watch is None else queue.watch.owner
    for function in islice(() if watch is None else watch.largest_times(), most):
        times.append(function)
        yield
    return Survey(pending, every, by, times, monotonic() - began)
