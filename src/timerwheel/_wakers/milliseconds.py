"""For reactors that wait in whole ms and round down: iocp, win32event, and poll without timerfd.

Rounded down, the wait ends before the deadline, and the reactor spins until then.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

from timerwheel._methods import twisteds
from timerwheel._wakers._waker import Waker

# This uses no private attribute of the reactors.
NEEDS = ()


class MillisecondWaker(Waker):
    """Rounds the wait up."""

    precision = "whole milliseconds"

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._twisteds_wait = twisteds(type(reactor), "doIteration")

    def methods(self) -> dict[str, Callable[..., Any]]:
        return {"doIteration": self.wait}

    def wait(self, timeout: float | None) -> None:
        """In place of doIteration: wait at least timeout seconds for I/O."""
        self._twisteds_wait(self.reactor, up_to_whole_milliseconds(timeout) if timeout else timeout)


def up_to_whole_milliseconds(timeout: float) -> float:
    """Seconds that, multiplied by 1000 and cut to an int, are timeout rounded up to whole ms."""
    return (ceil(timeout * 1000) + 0.5) / 1000


def make(reactor: Any) -> Waker:
    """The waker for reactor."""
    return MillisecondWaker(reactor)
