"""For epoll and poll, which wait in whole milliseconds: a timerfd among the descriptors they watch.

Measured against `epoll_pwait2`, which takes nanoseconds: the timerfd wakes
earlier, because the thread's timer slack does not apply to it
(`bench/lateness` prints both). It costs a system call when the earliest
deadline has changed, and none when it has not.

The alarm only shortens a wait that would end a little later without it. So no timer is lost if the
alarm does not come: a program may close its descriptor at any time. If the system refuses an alarm,
the reactor waits as Twisted's own does, and tries again now and then.

After a fork() both processes share the epoll. If one has seen an event, the other does not. So if a
child goes on with the reactor, and does not only run another program, its first wait makes an epoll
of its own.
"""

from __future__ import annotations

import errno
import os
import select
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from timerwheel._wakers._waker import Waker
from timerwheel._wakers.milliseconds import MillisecondWaker, up_to_whole_milliseconds

# The private attributes of the reactors that this uses.
NEEDS = ("_POLL_IN", "_POLL_OUT", "_poller", "_reads", "_selectables", "_writes")

# Seconds by which a wait lasts longer than until the alarm: more than poll and epoll round off.
SPARE = 0.002

# The most waits before it tries again to make an alarm that the system refused.
PATIENCE = 1024

# All wakers of this kind, for a forked child.
_wakers: WeakSet[AlarmWaker] = WeakSet()

# A parent's epolls, in a child that has left them. They stay open, because they are not ours, and
# their numbers may be other files' by now.
_left: list[Any] = []


def _tell_wakers() -> None:
    """In a forked child. Closes and makes nothing: most children run another program at once."""
    for waker in list(_wakers):
        waker.forked()


try:
    from timerwheel._alarm import Alarm
except ImportError:  # not Linux
    Alarm = None  # type: ignore[assignment, misc]
else:
    os.register_at_fork(after_in_child=_tell_wakers)


class AlarmWaker(MillisecondWaker):
    """Waits for I/O, including the alarm."""

    precision = "microseconds, by a timerfd"

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._alarm: Alarm | None = None
        self._watching: Any = None  # the poller that watches the alarm
        self._poller: Any = None  # the reactor's, unless there is something to do before a wait
        self._inherited: Any = None  # the reactor's in a child, if it is the parent's too
        self._rounds_up = False  # the poller by itself, to whole ms
        self._pause = self._left_of_pause = 1  # waits before the next attempt to make an alarm
        _wakers.add(self)

    def wait(self, timeout: float | None) -> None:
        """In place of doIteration: wait timeout seconds for I/O, or forever if None."""
        reactor = self.reactor
        if self._poller is not reactor._poller:
            self._prepare()
        if self._alarm is not None:
            try:
                if timeout:
                    self._alarm.set(timeout)
                    timeout += SPARE
                elif timeout is None:
                    self._alarm.clear()
            except OSError:
                self._drop_alarm()
        if self._alarm is None:
            timeout = self._without_alarm(timeout)
        self._twisteds_wait(reactor, timeout)

    def _without_alarm(self, timeout: float | None) -> float | None:
        """The seconds that the reactor should wait. Counts the waits until the next attempt."""
        self._left_of_pause -= 1
        if self._left_of_pause <= 0:
            self._poller = None
        return up_to_whole_milliseconds(timeout) if timeout and not self._rounds_up else timeout

    def _prepare(self) -> None:
        """Make the reactor's poller, which may be a new one, watch an alarm."""
        self._drop_alarm()
        try:
            self._leave_parents_epoll()
            self._watch_alarm()
        except OSError:
            self._pause = min(2 * self._pause, PATIENCE)
        else:
            self._pause = 1
        self._left_of_pause = self._pause
        self._poller = self.reactor._poller
        self._rounds_up = _is_epoll(self._poller)

    def _watch_alarm(self) -> None:
        """Make an alarm. (Twisted ignores events of descriptors that it does not know.)"""
        poller = self.reactor._poller
        # An edge is enough for epoll, so nobody has to read the timerfd. poll has no edges: this
        # sets the alarm again, or clears it, before the next wait that it could cut short.
        edge = getattr(select, "EPOLLET", 0) if _is_epoll(poller) else 0
        alarm = Alarm()
        try:
            if alarm.fileno() in self.reactor._selectables:
                raise OSError(errno.EBUSY, "Twisted watches this number, which somebody has closed")
            poller.register(alarm.fileno(), select.POLLIN | edge)
        except BaseException:
            alarm.close()
            raise
        self._alarm, self._watching = alarm, poller

    def _drop_alarm(self) -> None:
        """Drop the alarm, if there is one; the next wait makes another."""
        alarm, poller = self._alarm, self._watching
        self._alarm = self._watching = self._poller = None
        if alarm is None:
            return
        if poller is not None:
            self._unwatch(alarm, poller)
        # Not before: a child may have the file too, and an epoll would then go on watching it.
        alarm.close()

    def _unwatch(self, alarm: Alarm, poller: Any) -> None:
        number = alarm.fileno()
        # What an epoll watches is a file; what a poll watches, a number, whosever it is.
        if alarm.is_ours() if _is_epoll(poller) else number not in self.reactor._selectables:
            with suppress(KeyError, OSError, ValueError):  # not watched; closed; closed epoll
                poller.unregister(number)

    def forked(self) -> None:
        """In a forked child: make the next wait separate the child from the parent."""
        self._poller = None
        self._inherited = getattr(self.reactor, "_poller", None)
        if _is_epoll(self._watching):
            self._watching = None  # the alarm is the parent's there

    def _leave_parents_epoll(self) -> None:
        """In a forked child: give the reactor an epoll of its own, which watches the same
        descriptors.

        As Twisted does for kqueue. Raises OSError if there can be none.
        """
        reactor, inherited = self.reactor, self._inherited
        if inherited is reactor._poller and _is_epoll(inherited):
            reactor._poller = _copy_of_epoll(reactor)
            _left.append(inherited)
        self._inherited = None

    def detach(self) -> None:
        self._drop_alarm()
        with suppress(OSError):
            self._leave_parents_epoll()


def _is_epoll(poller: Any) -> bool:
    return hasattr(poller, "fromfd")


def _copy_of_epoll(reactor: Any) -> Any:
    """An epoll that watches what a reactor watches. Raises OSError if there can be none."""
    copy = select.epoll()
    try:
        for number in reactor._selectables:
            events = reactor._POLL_IN if number in reactor._reads else 0
            events |= reactor._POLL_OUT if number in reactor._writes else 0
            try:
                copy.register(number, events)
            except OSError as error:
                # Closed by the program; another file's by now; the copy's own.
                if error.errno not in (errno.EBADF, errno.EPERM, errno.EINVAL):
                    raise
    except BaseException:
        copy.close()
        raise
    return copy


def make(reactor: Any) -> Waker:
    """The waker for reactor."""
    return MillisecondWaker(reactor) if Alarm is None else AlarmWaker(reactor)
