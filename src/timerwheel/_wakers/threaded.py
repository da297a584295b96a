"""For the threaded select reactor, and wx on top of it: select waits in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty
from typing import Any

from timerwheel._methods import twisteds
from timerwheel._wakers._loop_alarm import LoopAlarm, nothing, require_selectable
from timerwheel._wakers._waker import Waker

# This needs none of the reactor's private attributes. If one is missing, `methods()` leaves it out.
NEEDS = ()

# Seconds by which a select lasts longer than until the alarm, in case the alarm does not come.
SPARE = 0.002


class ThreadedWaker(Waker):
    """Makes select() watch an alarm, which the thread's timer slack does not delay.

    Wakes the thread only if it would sleep too long. Twisted does so at each callLater.
    """

    precision = "microseconds, by a select() in a thread"

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._alarm = LoopAlarm(_watch, nothing, nothing)

    def methods(self) -> dict[str, Callable[..., Any]]:
        # Twisted 23.10 has another one, which cannot run without an event loop.
        if not (hasattr(self.reactor, "_selectOnce") and hasattr(self.reactor, "_iterationQueue")):
            return {}
        self._select = twisteds(type(self.reactor), "_selectOnce")
        return {"doIteration": self.wait, "_selectOnce": self.select}

    def select(self, timeout: float | None, keepGoing: bool) -> None:
        """In place of _selectOnce: make the thread wait for I/O, including the alarm."""
        reactor, alarm = self.reactor, self._alarm
        if timeout and alarm.set(timeout):
            timeout += SPARE
        elif timeout is None:
            alarm.clear()
        reader = alarm.watching
        if reader is None:
            self._select(reactor, timeout, keepGoing)
            return
        # Twisted ignores descriptors that are not among its readers when select() returns.
        reactor.reads.add(reader)
        try:
            self._select(reactor, timeout, keepGoing)
        finally:
            reactor.reads.discard(reader)

    def wait(self, timeout: float | None) -> None:
        """In place of doIteration, for a reactor that runs without another event loop.

        It needs no thread. Twisted's own stops waiting at the same moment as the thread's select().
        Whichever is first, the other's answer is left over. Then the loop spins, and may leave a
        thread behind at its end.
        """
        reactor = self.reactor
        if reactor._selectorThread is None:
            reactor._selectorThread = _SameThread()
        reactor._selectOnce(timeout, False)
        try:
            work = reactor._iterationQueue.get_nowait()
        except Empty:  # a signal
            return
        work()

    def hook(self) -> None:
        self.reactor.wakeUp()

    def detach(self) -> None:
        self._alarm.drop()


class _Reader:
    """The alarm's descriptors for select()."""

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number


def _watch(number: int, callback: Callable[[], bool]) -> _Reader:
    require_selectable(number)
    return _Reader(number)


class _SameThread:
    """In place of Twisted's worker in a thread."""

    def do(self, work: Callable[[], None]) -> None:
        work()

    def quit(self) -> None:
        """There is no thread to end."""


def make(reactor: Any) -> Waker:
    """The waker for reactor."""
    return ThreadedWaker(reactor)
