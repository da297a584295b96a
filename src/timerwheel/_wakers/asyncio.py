"""For the asyncio reactor: one handle in the event loop, for the earliest deadline."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from time import monotonic
from typing import Any

from timerwheel._core import CallQueue
from timerwheel._wakers._waker import Waker

# Private attributes of the reactor that are used here.
NEEDS = ("_asyncioEventloop", "_onTimer", "_reschedule", "_scheduledAt", "_timerHandle")


class AsyncioWaker(Waker):
    """Keeps `_timerHandle` of the reactor armed for the earliest deadline."""

    precision = "as the event loop's own: whole milliseconds on epoll and on uvloop"
    nested_loops = True

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._use(reactor._asyncioEventloop)

    def methods(self) -> dict[str, Callable[..., Any]]:
        return {"_reschedule": self.reschedule}

    def hook(self) -> None:
        self.reactor._reschedule()

    def reschedule(self) -> None:
        """In place of `_reschedule`: arm the loop for what timeout() says."""
        reactor = self.reactor
        timeout = reactor.timeout()
        if reactor._timerHandle is not None:
            reactor._timerHandle.cancel()
        if timeout is None:
            reactor._scheduledAt = reactor._timerHandle = None
        else:
            loop = reactor._asyncioEventloop
            if loop is not self._loop:  # programs and tests put another one on the reactor
                self._use(loop)
            reactor._scheduledAt = self._time_after(timeout)
            reactor._timerHandle = loop.call_at(reactor._scheduledAt, self._fire)

    def _fire(self) -> None:
        """What the loop calls: `_onTimer`, which may fail before it arms the loop anew."""
        self._queue.disarmed()
        self.reactor._onTimer()

    def attach(self, queue: CallQueue) -> None:
        self._queue = queue
        if len(queue):  # else the reactor may be half made, and a subclass's timeout() not ready
            self.reactor._reschedule()

    def detach(self) -> None:
        if self.reactor._asyncioEventloop.is_closed():
            # Another may take its place: there the next callLater() is to arm, whatever its time.
            self.reactor._scheduledAt = self.reactor._timerHandle = None
        else:
            self.reactor._reschedule()

    def _use(self, loop: Any) -> None:
        self._loop = loop
        uvloop = type(loop).__module__.partition(".")[0] == "uvloop"
        self._time_after = _whole_milliseconds_after if uvloop else self._loop_time_after

    def _loop_time_after(self, timeout: float) -> float:
        time: float = self._loop.time()
        return time + timeout


def _whole_milliseconds_after(timeout: float) -> float:
    """The loop's time for uvloop, whose timers count whole ms of a clock that was read at the last
    turn of the loop, and rounded down: early otherwise, and more so the longer ago that was.

    What is due already is due at once: the loop takes no timer for a time that is past.
    """
    return ceil((monotonic() + timeout) * 1000) / 1000 if timeout else 0.0


def make(reactor: Any) -> Waker:
    """The waker for reactor."""
    return AsyncioWaker(reactor)
