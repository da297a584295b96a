"""For epoll and poll, which wait in whole milliseconds: a timerfd among the descriptors they watch.

Measured against `epoll_pwait2`, which takes nanoseconds: the timerfd wakes
earlier, because the thread's timer slack does not apply to it
(`bench/lateness.py` prints both). It costs a system call when the earliest
deadline has changed, and none when it has not.
"""

from __future__ import annotations

import select
from typing import Any

from timerwheel._wakers._waker import Waker
from timerwheel._wakers.milliseconds import MillisecondWaker, up_to_whole_milliseconds

try:
    from timerwheel._alarm import Alarm
except ImportError:  # not Linux
    Alarm = None  # type: ignore[assignment, misc]


class AlarmWaker(MillisecondWaker):
    """Waits without a limit for I/O, the alarm included."""

    precision = "microseconds, by a timerfd"

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._alarm: Alarm | None = None
        self._poller: Any = None

    def wait(self, timeout: float | None) -> None:
        """In place of doIteration: wait timeout seconds for I/O, or for ever if None."""
        if timeout:
            self._wait_for_alarm(timeout)
        else:
            if timeout is None and self._alarm is not None:
                self._alarm.clear()
            self.stock_wait(timeout)

    def _wait_for_alarm(self, timeout: float) -> None:
        if self._poller is not self.reactor._poller:
            self._watch_alarm()
        if self._alarm is None:
            self.stock_wait(up_to_whole_milliseconds(timeout))
        else:
            self._alarm.set(timeout)
            self.stock_wait(None)

    def _watch_alarm(self) -> None:
        """Have the reactor's poller watch an alarm. (Twisted passes over events of descriptors it
        does not know.) Without one, for want of descriptors, the next wait tries again."""
        try:
            self._alarm = Alarm()
        except OSError:
            self._alarm = None
            return
        self._poller = self.reactor._poller
        # An edge is enough for epoll, which then need not be told that it was seen. poll knows no
        # edges: the alarm is set anew, or cleared, before the next wait that it could cut short.
        edge = getattr(select, "EPOLLET", 0) if hasattr(self._poller, "fromfd") else 0
        self._poller.register(self._alarm.fileno(), select.POLLIN | edge)

    def detach(self) -> None:
        if self._alarm is not None:
            self._poller.unregister(self._alarm.fileno())
            self._alarm = self._poller = None


def make(reactor: Any) -> Waker:
    """The waker for reactor."""
    return MillisecondWaker(reactor) if Alarm is None else AlarmWaker(reactor)
