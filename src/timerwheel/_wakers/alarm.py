"""For epoll and poll, which wait in whole milliseconds: a timerfd among the descriptors they watch.

Measured against `epoll_pwait2`, which takes nanoseconds: the timerfd wakes
earlier, because the thread's timer slack does not apply to it
(`bench/lateness.py` prints both). It costs a system call when the earliest
deadline has changed, and none when it has not.

The alarm only shortens a wait that would end a little later by itself. So no
timer is lost with an alarm that does not come: its descriptor may be closed by a
program that does not know it; and of processes that share an epoll since a
fork() any one may be told, by the edge, of an alarm that another has set.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from timerwheel._wakers._waker import Waker
from timerwheel._wakers.milliseconds import MillisecondWaker, up_to_whole_milliseconds

# How much longer than until the alarm a wait lasts, seconds: more than poll and epoll round off.
SPARE = 0.002

# All there are: a child that is forked would share them with its parent, and each set the other's.
_alarms: WeakSet[Any] = WeakSet()


def _close_alarms() -> None:
    """In a child, whose waits then find the alarm closed, and make another."""
    for alarm in list(_alarms):
        alarm.close()


try:
    from timerwheel._alarm import Alarm
except ImportError:  # not Linux
    Alarm = None  # type: ignore[assignment, misc]
else:
    os.register_at_fork(after_in_child=_close_alarms)


class AlarmWaker(MillisecondWaker):
    """Waits for I/O, the alarm included."""

    precision = "microseconds, by a timerfd"

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._alarm: Alarm | None = None
        self._descriptor = -1  # under which the alarm is watched
        self._poller: Any = None

    def wait(self, timeout: float | None) -> None:
        """In place of doIteration: wait timeout seconds for I/O, or for ever if None."""
        if timeout:
            self._wait_for_alarm(timeout)
        else:
            if timeout is None and self._alarm is not None:
                self._clear(self._alarm)
            self.stock_wait(timeout)

    def _wait_for_alarm(self, timeout: float) -> None:
        if self._poller is not self.reactor._poller:
            self._watch_alarm()
        if self._alarm is not None:
            try:
                self._alarm.set(timeout)
            except OSError:
                self._lose(self._alarm)
            else:
                self.stock_wait(timeout + SPARE)
                return
        self.stock_wait(up_to_whole_milliseconds(timeout))

    def _watch_alarm(self) -> None:
        """Have the reactor's poller watch an alarm. (Twisted passes over events of descriptors it
        does not know.) Without one, for want of descriptors, the next wait tries again."""
        self._alarm = self._poller = None
        poller = self.reactor._poller
        # An edge is enough for epoll, which then need not be told that it was seen. poll knows no
        # edges: the alarm is set anew, or cleared, before the next wait that it could cut short.
        edge = getattr(select, "EPOLLET", 0) if hasattr(poller, "fromfd") else 0
        try:
            alarm = Alarm()
            poller.register(alarm.fileno(), select.POLLIN | edge)
        except OSError:
            return
        _alarms.add(alarm)
        self._alarm, self._descriptor, self._poller = alarm, alarm.fileno(), poller

    def _clear(self, alarm: Alarm) -> None:
        try:
            alarm.clear()
        except OSError:
            self._lose(alarm)

    def _lose(self, alarm: Alarm) -> None:
        """Do without an alarm whose descriptor is closed. The next wait makes another."""
        alarm.forget()
        self._unwatch()

    def _unwatch(self) -> None:
        # If the number is that of a file that Twisted watches now, this has its place.
        if self._descriptor not in self.reactor._selectables:
            with suppress(KeyError, OSError, ValueError):  # not watched; closed; closed epoll
                self._poller.unregister(self._descriptor)
        self._alarm = self._poller = None

    def detach(self) -> None:
        if self._alarm is not None:
            self._clear(self._alarm)
        if self._alarm is not None:
            self._unwatch()


def make(reactor: Any) -> Waker:
    """The waker for reactor."""
    return MillisecondWaker(reactor) if Alarm is None else AlarmWaker(reactor)
