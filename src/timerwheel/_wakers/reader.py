"""For reactors that are not Twisted's, such as Qt's: the alarm is a reader of the reactor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timerwheel._core import CallQueue
from timerwheel._wakers._loop_alarm import LoopAlarm, nothing
from timerwheel._wakers._waker import Waker

# The private attributes of the reactor that this uses.
NEEDS = ("_internalReaders",)

# By how much timeout() exceeds the time until the alarm, as a share and in seconds: Qt's timers
# come up to a twentieth early, and many loops round down to whole milliseconds.
SHARE, SPARE = 1 / 16, 0.002

# The longest wait, seconds, as in Twisted (ReactorBase.timeout).
LONGEST = 2147483


class ReaderWaker(Waker):
    """Makes the reactor wait until a little after the deadline, and wakes it with an alarm."""

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._alarm = LoopAlarm(self._watch, self._unwatch, nothing)

    @property
    def precision(self) -> str:  # type: ignore[override]
        """How finely the end of a wait can be set, in words."""
        if not self._alarm.is_refused:
            return "microseconds, by a timerfd that the reactor reads from"
        return "as the reactor's own wait"

    def methods(self) -> dict[str, Callable[..., Any]]:
        return {"timeout": self.timeout}

    def attach(self, queue: CallQueue) -> None:
        self._queue = queue

    def detach(self) -> None:
        self._alarm.drop()

    def timeout(self) -> float | None:
        """In place of timeout(): how long to wait if the alarm does not come."""
        timeout: float | None = self._queue.timeout()
        if timeout and self._alarm.set(timeout):
            return min(timeout * (1 + SHARE) + SPARE, LONGEST)
        if timeout is None:
            self._alarm.clear()
        return timeout

    def _watch(self, number: int, callback: Callable[[], bool]) -> Any:
        reader = AlarmReader(self.reactor, number, callback)
        self.reactor.addReader(reader)
        # It stays when a test removes all readers of the program.
        self.reactor._internalReaders.add(reader)
        return reader

    def _unwatch(self, watching: Any) -> None:
        self.reactor._internalReaders.discard(watching)
        self.reactor.removeReader(watching)


class AlarmReader:
    """An IReadDescriptor. Its reactor makes a pass once it has read."""

    def __init__(self, reactor: Any, number: int, callback: Callable[[], bool]) -> None:
        self._reactor, self._number, self._callback = reactor, number, callback

    def fileno(self) -> int:
        return self._number

    def logPrefix(self) -> str:
        return "timerwheel's alarm"

    def doRead(self) -> None:
        if not self._callback():
            self._reactor._internalReaders.discard(self)
            self._reactor.removeReader(self)

    def connectionLost(self, reason: object) -> None:
        """The reactor has found the descriptor closed. The next deadline will find that too."""


def suits(reactor: Any) -> bool:
    """Whether a reactor waits in its own way, not in Twisted's, and takes readers."""
    from twisted.internet.interfaces import IReactorFDSet

    for base in type(reactor).__mro__:
        if "doIteration" in vars(base):
            break
    return (
        not base.__module__.startswith("twisted.internet.")
        and IReactorFDSet.providedBy(reactor)
        and hasattr(reactor, "_internalReaders")
    )


def make(reactor: Any) -> Waker:
    """The waker for reactor."""
    return ReaderWaker(reactor)
