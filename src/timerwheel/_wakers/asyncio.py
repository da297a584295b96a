"""For the asyncio reactor, on any event loop: a reader for the alarm, a handle for the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timerwheel._wakers._event_loop import EventLoopWaker
from timerwheel._wakers._waker import Waker

# The private attributes of the reactor that this uses.
NEEDS = ("_asyncioEventloop", "_onTimer", "_reschedule", "_scheduledAt", "_timerHandle")


class AsyncioWaker(EventLoopWaker):
    """Makes the event loop watch an alarm, and maintains the reactor's `_timerHandle`."""

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._loop = reactor._asyncioEventloop

    @property
    def precision(self) -> str:  # type: ignore[override]
        """How precisely the reactor wakes, in words."""
        return "microseconds, by the event loop's wheel" if self._has_wheel() else super().precision

    def reschedule(self) -> None:
        """In place of `_reschedule`: make the loop call when timeout() says."""
        loop = self.reactor._asyncioEventloop
        if loop is not self._loop:  # programs and tests replace the reactor's loop
            self._alarm.drop()
            self._loop = loop
            self._rounds_up = False
        super().reschedule()

    def detach(self) -> None:
        self._alarm.drop()
        # If the loop is closed, another may replace it. Then the next callLater() must set the
        # alarm, whatever its time.
        self._cancel_timer()
        if not self.reactor._asyncioEventloop.is_closed():
            self.reactor._reschedule()

    def _wants_alarm(self) -> bool:
        # A loop with a wheel has an alarm of its own, and wakes for its own timers as precisely.
        return not self._has_wheel() and super()._wants_alarm()

    def _has_wheel(self) -> bool:
        return getattr(self._loop, "__dict__", {}).get("_timerwheel") is not None

    def _set_timer(self, timeout: float, callback: Callable[[], None]) -> None:
        reactor, loop = self.reactor, self._loop
        self._cancel_timer()
        if timeout:
            reactor._scheduledAt = self._time_after(timeout)
            reactor._timerHandle = loop.call_at(reactor._scheduledAt, callback)
        else:
            reactor._timerHandle = loop.call_soon(callback)

    def _cancel_timer(self) -> None:
        reactor = self.reactor
        if reactor._timerHandle is not None:
            reactor._timerHandle.cancel()
        reactor._scheduledAt = reactor._timerHandle = None

    def _fire(self) -> None:
        self._queue.disarmed()
        self.reactor._onTimer()


def make(reactor: Any) -> Waker:
    """The waker for reactor."""
    return AsyncioWaker(reactor)
