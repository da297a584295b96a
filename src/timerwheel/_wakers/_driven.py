"""For reactors that another event loop drives: the loop watches an alarm, or uses its own timer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any

from timerwheel._core import CallQueue
from timerwheel._wakers._loop_alarm import LoopAlarm
from timerwheel._wakers._waker import Waker

# Seconds after the alarm at which the loop's own timer checks that the alarm came.
GRACE = 1.0


class DrivenWaker(Waker, ABC):
    """Keeps a loop set for the earliest deadline.

    The loop's own timer backs up the alarm, because a program may close the alarm's descriptor. If
    the timer is too early, it stays, like an alarm. So this sets it once a second, not at each
    pass.

    Without an alarm, only the loop's timer wakes the reactor. Most loops count whole milliseconds.
    If a loop's timer was early once, this asks for whole milliseconds, rounded up. Otherwise the
    loop would spin until the deadline.
    """

    nested_loops = True

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._alarm = LoopAlarm(self._watch, self._unwatch, self._fire)
        self._guard_due = -inf  # monotonic time at which the loop's timer looks; -inf: it does not
        self._timer_due = -inf  # monotonic time for which the loop's timer was set without an alarm
        self._rounds_up = False

    @property
    def precision(self) -> str:  # type: ignore[override]
        """How finely the end of a wait can be set, in words."""
        if self._wants_alarm() and not self._alarm.is_refused:
            return "microseconds, by a timerfd that the event loop watches"
        return "as the event loop's own timers, which most count in whole milliseconds"

    def methods(self) -> dict[str, Callable[..., Any]]:
        return {"_reschedule": self.reschedule}

    def hook(self) -> None:
        self._reschedule()

    def attach(self, queue: CallQueue) -> None:
        self._queue = queue
        if len(queue):  # else the reactor may be half made, and a subclass's timeout() not ready
            self._reschedule()

    def reschedule(self) -> None:
        """In place of `_reschedule`: make the loop call when timeout() says."""
        timeout = self._timeout()
        if timeout and self._wants_alarm() and self._alarm.set(timeout):
            self._guard(timeout)
            return
        self._guard_due = -inf
        if timeout:
            self._timer_due = monotonic() + timeout
            self._set_timer(timeout, self._fire_by_timer)
            return
        self._alarm.clear()
        if timeout is None:
            self._cancel_timer()
        else:
            self._set_timer(0.0, self._fire)

    def _guard(self, timeout: float) -> None:
        """Set the loop's timer to check that the alarm comes."""
        now = monotonic()
        due = now + timeout + GRACE
        if not now < self._guard_due <= due:
            self._set_timer(timeout + GRACE, self._look)
            self._guard_due = due

    def _look(self) -> None:
        """The loop's timer calls this: if the alarm has not come, it is lost."""
        self._guard_due = -inf
        self._queue.disarmed()
        if self._timeout() == 0:
            self._alarm.drop()
            self._fire()
        else:
            self._reschedule()

    def _fire_by_timer(self) -> None:
        if monotonic() < self._timer_due and self._wants_alarm():
            self._rounds_up = True
        self._fire()

    # What an asyncio loop does in its own way: it is no reactor.

    def _timeout(self) -> float | None:
        """Seconds until the earliest deadline, or None."""
        timeout: float | None = self.reactor.timeout()
        return timeout

    def _reschedule(self) -> None:
        """Make the reactor set the loop again. (The program may have replaced the reactor's
        method.)
        """
        self.reactor._reschedule()

    # What the loops do each in their own way.

    def _wants_alarm(self) -> bool:
        """Whether an alarm is better than the loop's own timer."""
        return True

    @abstractmethod
    def _watch(self, number: int, callback: Callable[[], bool]) -> Any:
        """Make the loop watch a descriptor; see LoopAlarm."""

    @abstractmethod
    def _unwatch(self, watching: Any) -> None:
        """Make the loop stop watching a descriptor."""

    @abstractmethod
    def _set_timer(self, timeout: float, callback: Callable[[], None]) -> None:
        """Make the loop call callback() in timeout seconds, and drop its previous timer."""

    @abstractmethod
    def _cancel_timer(self) -> None:
        """Cancel the loop's timer."""

    @abstractmethod
    def _fire(self) -> None:
        """Make the reactor run a pass. It may fail before it sets the loop again."""
