"""Time each timed call, and report slow and stuck ones: `timerwheel.watch()`."""

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

_LATEST = 10  # the number of slow calls to keep


# How often the thread looks within `stall` seconds.
_LOOKS = 4
_LONGEST_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class FunctionTimes:
    """The times of one function's timed calls while the watch was on."""

    function: FunctionName
    """The function."""
    count: int
    """The number of calls."""
    total: float
    """The seconds of all calls together."""
    longest: float
    """The seconds of the longest call."""
    p99: float
    """The seconds that 99 % of the calls did not exceed; from 1 us to 4,096 s at most 1/16 too
    high.
    """


class Watch(Stoppable):
    """Times each timed call of a reactor until stop(). `timerwheel.watch()` makes it.

    It is also a context manager: the end of the block stops it.
    """

    slow_calls: int
    """The number of slow calls."""
    stalls: int
    """The number of stuck calls: those that took longer than the watch's stall."""
    latest_slow: deque[SlowCall]
    """The last ten slow calls, the latest last."""

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
        """Whether the watch is on: stop() and timerwheel.restore() end it."""
        return self._queue.watch is self._calls

    def stop(self) -> None:
        """End the watch. The times stay. You can call it again."""
        if self.active:
            self._queue.watch = None

    def times(self) -> list[FunctionTimes]:
        """How long the calls of each function took, the largest total first.

        A LoopingCall, a partial and a bound method count as the function that they call. Beyond
        1,024 functions, all others count as one.
        """
        return list(self.largest_times())

    def largest_times(self) -> Iterator[FunctionTimes]:
        """times() one by one: a look at a few of them costs little."""
        for state in sorted(self._calls.all_times(), key=_total, reverse=True):
            yield _times_of(*state)

    def slow_call(self, call: Any, seconds: float, late: float) -> None:
        """Report a call that took longer than `slow`. The extension calls this. Never raises."""
        self.slow_calls += 1
        try:
            slow = slow_call_of(call, seconds, late)
            self.latest_slow.append(slow)
            self._on_slow(slow)
        except BaseException:
            if not self._has_told_of_hook:
                self._has_told_of_hook = True
                _log.failure("on_slow of timerwheel.watch() failed; no later failure is logged")

    def call_stuck(self, call: Any, seconds: float, stack: str) -> None:
        """Report a stuck call. The stall thread calls this."""
        self.stalls += 1
        _log.warn(
            "{function} has not returned for {seconds:.3f} s. It is at:\n{stack}",
            function=describe_call(call),
            seconds=seconds,
            stack=stack,
        )

    def stall_ended(self, call: Any, seconds: float, told: bool) -> None:
        """Report that a stuck call has returned. The extension calls this.

        told: whether the thread called call_stuck() before. It could not if the call ended just
        then, or kept the GIL.
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
    """Time each timed call of a reactor, which may be running. Returns a Watch; stop() ends it.

    If a timed call takes longer than slow seconds, the watch calls on_slow with a SlowCall
    afterwards, in the reactor's thread. By default it logs a warning. If on_slow fails, the watch
    logs the first failure, and the timed call is not affected.

    origins=True remembers who schedules each call from now on: the nearest two frames outside
    Twisted, asyncio and timerwheel. origins=100 does so for one call in a hundred. SlowCall and
    `pending(reactor, by="origin")` show it.

    stall=0.5 logs the reactor's stack when a call has not returned after half a second, and again
    how long it took when it returns. A thread does this. Python code and calls that wait do not
    hold the thread up. C code that keeps the GIL does: then the log shows only that the call has
    returned. A forked child has no such thread.

    Raises ValueError if the reactor has no wheel, or for a number out of range; TypeError for a
    non-callable on_slow, or an event loop; RuntimeError if a watch is on already.
    """
    queue = require_reactors_queue(reactor)
    if on_slow is not None and not callable(on_slow):
        raise TypeError(f"on_slow must be callable, not {on_slow!r}")
    if not 0 <= slow < math.inf:
        raise ValueError(f"slow must be a number of seconds, 0 or more, not {slow!r}")
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
