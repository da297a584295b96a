"""A clock for tests: it moves only when the test moves it."""

from __future__ import annotations

import copyreg
from collections.abc import Sequence
from typing import Any

from twisted.internet import task

from timerwheel._core import CallClock, CallsInOrder

Sequence.register(CallsInOrder)


# (Twisted's has a list of its own DelayedCalls; ours has a sequence, of ours.)
class Clock(CallClock, task.Clock):  # type: ignore[misc]
    """A drop-in for `twisted.internet.task.Clock`, with its calls on a timer wheel.

    `advance()` makes calls for the same time in the order in which you scheduled
    them. You can read `calls`, but not change it: cancel a call to remove it.
    Setting it to an empty list releases all of them.

    With max_calls_at_once, `advance()` raises RuntimeError when it has made that many calls for one
    time and another is pending for the same time. Without it, if a call schedules itself with no
    delay, `advance()` never ends.

    Raises ValueError if max_calls_at_once is below 1.
    """

    max_calls_at_once: int | None = None

    def __init__(self, *, max_calls_at_once: int | None = None) -> None:
        if max_calls_at_once is None:
            return  # a subclass may have one
        if max_calls_at_once < 1:
            raise ValueError(f"max_calls_at_once must be at least 1, not {max_calls_at_once!r}")
        self.max_calls_at_once = max_calls_at_once

    def __reduce__(self) -> tuple[Any, ...]:
        if self.calls:
            raise TypeError("a Clock that has pending calls cannot be pickled or copied")
        return copyreg.__newobj__, (type(self),), vars(self)  # type: ignore[attr-defined]
