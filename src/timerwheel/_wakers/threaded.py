"""For the threaded select reactor, and wx on top of it: select waits in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty
from typing import Any

from timerwheel._reactor_modules import twisteds
from timerwheel._wakers._loop_alarm import LoopAlarm, nothing, require_selectable
from timerwheel._wakers._waker import Waker

# Needed of the reactor's private attributes: none. Where one is missing, `methods()` does without.
NEEDS = ()

# How much longer than until the alarm a select lasts, seconds, in case that is not heard.
SPARE = 0.002


class ThreadedWaker(Waker):
    """Has select() watch an alarm, which the thread's timer slack does not put off.

    Wakes the thread only when it would sleep too long; Twisted does so at each callLater.
    """

    precision = "microseconds, by a select() in a thread"

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._alarm = LoopAlarm(_watch, nothing, nothing)

    def methods(self) -> dict[str, Callable[..., Any]]:
        # That of Twisted 23.10 is another, which cannot run by itself.
        if not (hasattr(self.reactor, "_selectOnce") and hasattr(self.reactor, "_iterationQueue")):
            return {}
        self._select = twisteds(type(self.reactor), "_selectOnce")
        return {"doIteration": self.wait, "_selectOnce": self.select}

    def select(self, timeout: float | None, keepGoing: bool) -> None:
        """In place of _selectOnce: have the thread wait for I/O, the alarm included."""
        reactor, alarm = self.reactor, self._alarm
        if timeout and alarm.set(timeout):
            timeout += SPARE
        elif timeout is None:
            alarm.clear()
        reader = alarm.watching
        if reader is None:
            self._select(reactor, timeout, keepGoing)
            return
        # Twisted passes over what is not among its readers once select() has returned.
        reactor.reads.add(reader)
        try:
            self._select(reactor, timeout, keepGoing)
        finally:
            reactor.reads.discard(reader)

    def wait(self, timeout: float | None) -> None:
        """In place of doIteration, for a reactor that is run without another event loop.

        It needs no thread. Twisted's stops waiting just when the thread's select() does: whichever
        is first, the other's answer is left over, and the loop goes round and round and may leave a
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
    """What select() is given of an alarm."""

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
