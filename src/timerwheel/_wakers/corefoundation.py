"""For the CoreFoundation reactor: Twisted's own timer in the run loop, set only when it must be."""

from __future__ import annotations

from typing import Any

from timerwheel._core import CallQueue
from timerwheel._wakers._waker import Waker

# The private attribute of the reactor that this uses.
NEEDS = ("_scheduleSimulate",)


class CoreFoundationWaker(Waker):
    """Makes the reactor set its timer, which takes a precise date, again. Untested: macOS only."""

    precision = "as the run loop's own"
    nested_loops = True

    def hook(self) -> None:
        self.reactor._scheduleSimulate()

    def attach(self, queue: CallQueue) -> None:
        self.reactor._scheduleSimulate()

    def detach(self) -> None:
        self.reactor._scheduleSimulate()


def make(reactor: Any) -> Waker:
    """The waker for reactor."""
    return CoreFoundationWaker(reactor)
