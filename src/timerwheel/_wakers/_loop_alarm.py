"""An alarm among the descriptors that an event loop watches, for a reactor that the loop drives."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

try:
    from timerwheel._alarm import Alarm
except ImportError:  # not Linux
    Alarm = None  # type: ignore[assignment, misc]

# The most deadlines before it tries again to make an alarm that the system or the loop refused.
PATIENCE = 1024

# The errors of a loop that watches no descriptors, or not this one, or is closed.
# (NotImplementedError is a RuntimeError.)
REFUSALS = (AttributeError, OSError, RuntimeError)

# All alarms, for a forked child.
_alarms: WeakSet[LoopAlarm] = WeakSet()

# A parent's alarms, in a child. They stay open, because the child's loop may still watch their
# numbers.
_left: list[Alarm] = []


def _tell_alarms() -> None:
    """In a forked child. This closes nothing and makes nothing."""
    for alarm in list(_alarms):
        alarm.forked()


if Alarm is not None:
    os.register_at_fork(after_in_child=_tell_alarms)


def nothing(*_: object) -> None:
    """For those who need not be told."""


def has_alarms() -> bool:
    """Whether there are alarms on this system."""
    return Alarm is not None


def require_selectable(number: int) -> None:
    """Raise OSError if a descriptor is too large for select(), which takes those below 1,024."""
    try:
        select.select([number], [], [], 0)
    except ValueError as error:
        raise OSError(errno.EMFILE, str(error)) from None


class LoopAlarm:
    """Makes an alarm when it is needed, and another when that one is lost.

    watch(number, callback) makes the loop call callback() when a descriptor is readable, until that
    returns False. unwatch() gets the result of watch(). When the alarm has gone off, this clears it
    and then calls fire(). So if fire() runs the loop, the loop does not see the alarm again.
    """

    def __init__(
        self,
        watch: Callable[[int, Callable[[], bool]], Any],
        unwatch: Callable[[Any], None],
        fire: Callable[[], None],
    ) -> None:
        self._watch, self._unwatch, self._fire = watch, unwatch, fire
        self._alarm: Alarm | None = None
        self._watching: Any = None  # the result of watch()
        self._pause = self._left_of_pause = 1  # deadlines before the next attempt to make an alarm
        _alarms.add(self)

    @property
    def watching(self) -> Any:
        """The result of watch(), or None without an alarm."""
        return self._watching

    @property
    def is_refused(self) -> bool:
        """Whether there are no alarms here, or the system or the loop refused the last."""
        return Alarm is None or self._pause > 1

    def set(self, timeout: float) -> bool:
        """Set the alarm to go off in timeout seconds. Returns False if there can be none now."""
        alarm = self._alarm or self._make()
        if alarm is None:
            return False
        try:
            alarm.set(timeout)
        except OSError:
            self.drop()
            return False
        return True

    def clear(self) -> None:
        """Clear the alarm. It may still go off once."""
        if self._alarm is not None:
            try:
                self._alarm.clear()
            except OSError:
                self.drop()

    def drop(self) -> None:
        """Drop the alarm, if there is one; the next deadline makes another.

        If its number is not ours any more, the loop may watch another file under it by now, so this
        does not change the loop. If the loop still calls back for the alarm, the callback tells it
        to stop.
        """
        alarm, watching = self._alarm, self._watching
        self._alarm = self._watching = None
        if alarm is not None:
            if alarm.is_ours():
                self._unwatch(watching)
            alarm.close()

    def forked(self) -> None:
        """In a forked child: the alarm is the parent's."""
        if self._alarm is not None:
            _left.append(self._alarm)
            self._alarm = self._watching = None

    def _make(self) -> Alarm | None:
        """An alarm that the loop watches. Tries less and less often while the system refuses."""
        self._left_of_pause -= 1
        if Alarm is None or self._left_of_pause > 0:
            return None
        try:
            self._alarm = self._watched(Alarm())
            self._pause = 1
        except REFUSALS:
            self._pause = min(2 * self._pause, PATIENCE)
        self._left_of_pause = self._pause
        return self._alarm

    def _watched(self, alarm: Alarm) -> Alarm:
        try:
            self._watching = self._watch(alarm.fileno(), lambda: self._gone_off(alarm))
        except BaseException:
            alarm.close()
            raise
        return alarm

    def _gone_off(self, alarm: Alarm) -> bool:
        """The loop calls this. Returns whether the loop should go on watching."""
        if alarm is not self._alarm:
            return False  # a parent's alarm, or a lost one
        if not alarm.is_over() and alarm.is_ours():
            return True  # the alarm was set again or cleared since it woke the loop
        self.clear()
        kept = alarm is self._alarm
        self._fire()
        return kept
