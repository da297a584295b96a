"""An alarm among the descriptors that an event loop watches, for a reactor which it drives."""

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

# After how many deadlines at most an alarm that the system or the loop refused is tried again.
PATIENCE = 1024

# What a loop raises that watches no descriptors, not this one, or is closed.
# (NotImplementedError is a RuntimeError.)
REFUSALS = (AttributeError, OSError, RuntimeError)

# All there are, for a child that is forked.
_alarms: WeakSet[LoopAlarm] = WeakSet()

# Alarms of a parent, in a child. They stay open: the child's loop may watch their numbers still.
_left: list[Alarm] = []


def _tell_alarms() -> None:
    """In a child: nothing is closed or made."""
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
    """Makes an alarm when one is needed, and another when that is lost.

    watch(number, callback) has the loop call callback() when a descriptor is readable, until that
    returns False. unwatch() is given what watch() returned. fire() is called when the alarm has
    gone off, which it has done for good by then: a loop that fire() runs does not hear it again.
    """

    def __init__(
        self,
        watch: Callable[[int, Callable[[], bool]], Any],
        unwatch: Callable[[Any], None],
        fire: Callable[[], None],
    ) -> None:
        self._watch, self._unwatch, self._fire = watch, unwatch, fire
        self._alarm: Alarm | None = None
        self._watching: Any = None  # what watch() returned
        self._pause = self._left_of_pause = 1  # deadlines before an alarm is tried again
        _alarms.add(self)

    @property
    def watching(self) -> Any:
        """What watch() returned, or None: there is no alarm."""
        return self._watching

    @property
    def is_refused(self) -> bool:
        """Whether there are no alarms here, or the system or the loop refused the last."""
        return Alarm is None or self._pause > 1

    def set(self, timeout: float) -> bool:
        """Have the alarm go off in timeout seconds. False if there is none to be had now."""
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
        """Have the alarm not go off; but once, perhaps, for nothing."""
        if self._alarm is not None:
            try:
                self._alarm.clear()
            except OSError:
                self.drop()

    def drop(self) -> None:
        """Do without the alarm, if there is one; the next deadline makes another.

        Where its number is not ours any more, the loop may watch another file under it by now, and
        is left as it is. If it calls back for the alarm all the same, it is told then.
        """
        alarm, watching = self._alarm, self._watching
        self._alarm = self._watching = None
        if alarm is not None:
            if alarm.is_ours():
                self._unwatch(watching)
            alarm.close()

    def forked(self) -> None:
        """In a child: the alarm is the parent's."""
        if self._alarm is not None:
            _left.append(self._alarm)
            self._alarm = self._watching = None

    def _make(self) -> Alarm | None:
        """An alarm that the loop watches. Tried less and less often while it is refused."""
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
        """What the loop calls. Returns whether it is to go on watching."""
        if alarm is not self._alarm:
            return False  # a parent's, or one that was lost
        if not alarm.is_over() and alarm.is_ours():
            return True  # it was set anew, or cleared, since it woke the loop
        self.clear()
        kept = alarm is self._alarm
        self._fire()
        return kept
