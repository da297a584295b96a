"""The clock for tests: it moves only when it is told to."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet import task

from timerwheel._core import CallClock, CallsInOrder

Sequence.register(CallsInOrder)


class Clock(CallClock, task.Clock):
    """A drop-in for `twisted.internet.task.Clock`, with its calls on a timer wheel.

    Calls for the same time are made in the order in which they were scheduled.
    `calls` can be read, not changed: cancel a call to take it out.

    With max_calls_at_once, `advance()` raises RuntimeError once it has made so
    many calls without the time moving on, and the next is due at that time too:
    a call that schedules itself with no delay would otherwise never let it end.
    """
