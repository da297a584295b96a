"""For the select reactor: on Linux a timerfd among what select() watches.

The timerfd wakes earlier than the end of the wait, which the thread's timer slack puts off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timerwheel._methods import twisteds
from timerwheel._wakers import reader
from timerwheel._wakers._loop_alarm import LoopAlarm, has_alarms, nothing, require_selectable
from timerwheel._wakers._waker import Waker

# Private attributes of the reactor that are used here.
NEEDS = ("_reads",)

# How much longer than until the alarm a wait lasts, seconds, in case that is not heard.
SPARE = 0.002


class SelectWaker(Waker):
    """Has the reactor wait for I/O, the alarm included."""

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._alarm = LoopAlarm(self._watch, nothing, nothing)
        self._twisteds_wait = twisteds(type(reactor), "doIteration")

    @property
    def precision(self) -> str:  # type: ignore[override]
        """How finely the end of a wait can be set, in words."""
        return Waker.precision if self._alarm.is_refused else "microseconds, by a timerfd"

    def methods(self) -> dict[str, Callable[..., Any]]:
        return {"doIteration": self.wait}

    def detach(self) -> None:
        self._alarm.drop()

    def wait(self, timeout: float | None) -> None:
        """In place of doIteration: wait timeout seconds for I/O, or for ever if None."""
        reactor = self.reactor
        if not timeout or not self._alarm.set(timeout):
            self._twisteds_wait(reactor, timeout)
            return
        alarm = self._alarm.watching
        reactor._reads.add(alarm)
        try:
            self._twisteds_wait(reactor, timeout + SPARE)
        finally:
            alarm.leave()

    def _watch(self, number: int, callback: Callable[[], bool]) -> Any:
        require_selectable(number)
        return _Reader(number, self.reactor)


class _Reader:
    """What select() is given of an alarm. It leaves the reactor's readers before the wait begins.

    Twisted passes over what is not among them when select() has returned: to read from the alarm
    would make each timer half as late again. And no program finds it there.
    """

    def __init__(self, number: int, reactor: Any) -> None:
        self._number, self._reactor = number, reactor

    def fileno(self) -> int:
        """Called by select(), which has a list of all that it is to ask by then."""
        self.leave()
        return self._number

    def leave(self) -> None:
        self._reactor._reads.discard(self)


def make(reactor: Any) -> Waker:
    """The waker for reactor. Without timerfds its own wait is precise enough."""
    if reader.suits(reactor):  # a subclass, with a wait of its own
        return reader.make(reactor)
    return SelectWaker(reactor) if has_alarms() else Waker(reactor)
