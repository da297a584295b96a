"""Time each timed call, and tell of slow and stuck ones: `timerwheel.watch()`."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import index
from typing import Any

from twisted.logger import Logger

from timerwheel._core import CallQueue, CallWatch
from timerwheel._stoppable import Stoppable
from timerwheel.observe._functions import FunctionName, describe, describe_call
from timerwheel.observe._histogram import Histogram
from timerwheel.observe._slow_call import SlowCall, slow_call_of
from timerwheel.observe._stalls import StallThread
from timerwheel.observe._wheel import require_reactors_queue

_log = Logger(namespace="timerwheel")

_LATEST = 10  # slow calls that are kept


# How often the thread looks in the time after which a call is stuck.
_LOOKS = 4
_LONGEST_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class FunctionTimes:
    """How long the timed calls of one function took while the watch was on."""

    function: FunctionName
    """What was called."""
    count: int
    """How many calls there were."""
    total: float
    """Seconds of all of them."""
    longest: float
    """Seconds of the longest."""
    p99: float
    """Seconds that 99 % of them did not exceed; from 1 us to 4,096 s at most 1/16 too high."""


class Watch(Stoppable):
    """Times each timed call of a reactor until stop(). `timerwheel.watch()` makes it.

    It is a context manager, too: the end of the block stops it.
    """

    slow_calls: int
    """How many calls were slow."""
    stalls: int
    """How many calls were stuck: took longer than the watch's stall."""
    latest_slow: deque[SlowCall]
    """The last ten of the slow calls, the latest last."""

    def __init__(
        self,
        queue: CallQueue,
        slow: float,
        on_slow: Callable[[SlowCall], object],
        origins: int,
        stall: float | None,
    ) -> None:
        self.slow_calls = 0
        self.latest_slow = deque(maxlen=_LATEST)
        self.stalls = 0
        self._queue = queue
        self._on_slow = on_slow
        self._has_told_of_hook = False
        self._calls = CallWatch(self, describe, slow, origins, math.inf if stall is None else stall)
        queue.watch = self._calls
        if stall is not None:
            StallThread(self, self._calls, min(stall / _LOOKS, _LONGEST_PAUSE)).start()

    @property
    def active(self) -> bool:
        """Whether it is on: stop() and timerwheel.restore() end it."""
        return self._queue.watch is self._calls

    def stop(self) -> None:
        """End it. The times stay. Calling it again is harmless."""
        if self.active:
            self._queue.watch = None

    def times(self) -> list[FunctionTimes]:
        """How long the calls of each function took, the largest total first.

        A LoopingCall, a partial and a bound method count as the function that they call. Beyond
        1,024 functions all others are one.
        """
        return list(self.largest_times())

    def largest_times(self) -> Iterator[FunctionTimes]:
        """times() one by one. To look at few of them costs little."""
        for state in sorted(self._calls.all_times(), key=_total, reverse=True):
            yield _times_of(*state)

    def slow_call(self, call: Any, seconds: float, late: float) -> None:
        """A call took longer than is slow. The extension calls this. It raises nothing."""
        self.slow_calls += 1
        try:
            slow = slow_call_of(call, seconds, late)
            self.latest_slow.append(slow)
            self._on_slow(slow)
        except BaseException:
            if not self._has_told_of_hook:
                self._has_told_of_hook = True
                _log.failure("on_slow of timerwheel.watch() failed; further failures are not told")

    def call_stuck(self, call: Any, seconds: float, stack: str) -> None:
        """A call is stuck. The stall thread calls this."""
        self.stalls += 1
        _log.warn(
            "{function} has not returned for {seconds:.3f} s. It is at:\n{stack}",
            function=describe_call(call),
            seconds=seconds,
            stack=stack,
        )

    def stall_ended(self, call: Any, seconds: float, told: bool) -> None:
        """A call that was stuck has returned. The extension calls this.

        told: whether call_stuck() was called: not if the call ended just then, or kept the GIL.
        """
        self.stalls += not told
        _log.warn(
            "{function} has returned after {seconds:.3f} s{remark}",
            function=describe_call(call),
            seconds=seconds,
            remark="" if told else ", before its stack could be looked at",
        )

    def __repr__(self) -> str:
        return f"<Watch {'on' if self.active else 'off'} slow_calls={self.slow_calls}>"


def watch(
    reactor: Any,
    *,
    slow: float = 0.1,
    on_slow: Callable[[SlowCall], object] | None = None,
    origins: bool | int = False,
    stall: float | None = None,
) -> Watch:
    """Time each timed call of a reactor, which may be running, until stop() of what this returns.

    on_slow is called in the reactor's thread with a SlowCall, after each timed call that took
    longer than slow seconds; by default it is logged as a warning. If on_slow fails, the first
    failure is logged, and the call is unharmed.

    origins=True remembers of each call that is scheduled from now on who scheduled it: the nearest
    two frames outside Twisted, asyncio and timerwheel. origins=100 does so for one call in a
    hundred. SlowCall and `pending(reactor, by="origin")` show it.

    stall=0.5 logs the reactor's stack when a call has not returned after half a second, while it is
    stuck, and how long it took when it returns. A thread does that. Python code and calls that wait
    do not hold it up. Code in C that keeps the GIL does: of that the log gets the end alone. A
    child that is forked has no such thread.

    Raises ValueError if the reactor has no wheel, or for a number out of range; TypeError for an
    on_slow that cannot be called, or an event loop; RuntimeError if a watch is on already.
    """
    queue = require_reactors_queue(reactor)
    if on_slow is not None and not callable(on_slow):
        raise TypeError(f"on_slow must be callable, not {on_slow!r}")
    if not 0 <= slow < math.inf:
        raise ValueError(f"slow must be a number of seconds from 0 on, not {slow!r}")
    if stall is not None and not 0 < stall < math.inf:
        raise ValueError(f"stall must be a number of seconds above 0, or None, not {stall!r}")
    if not 0 <= index(origins) < 2**31:
        raise ValueError(f"origins must be True, False, or one call in how many, not {origins!r}")
    if queue.watch is not None:
        raise RuntimeError("a watch is on. End it first: timerwheel.status(reactor).watch.stop()")
    return Watch(queue, slow, on_slow or _log_slow, index(origins), stall)


def _log_slow(slow: SlowCall) -> None:
    _log.warn("Slow timed call: {slow}", slow=slow)


def _total(state: tuple[FunctionName, tuple[int, float, float, bytes]]) -> float:
    return state[1][1]


def _times_of(function: FunctionName, state: tuple[int, float, float, bytes]) -> FunctionTimes:
    histogram = Histogram.from_state(state)
    return FunctionTimes(
        function, histogram.count, histogram.total, histogram.largest, histogram.percentile(99)
    )
