"""Wake an asyncio event loop, for a reactor on it or for itself, with a reader for the alarm."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from contextvars import Context
from math import ceil
from time import monotonic
from typing import Any

from timerwheel._wakers._driven import GRACE, DrivenWaker


class EventLoopWaker(DrivenWaker, ABC):
    """Makes an asyncio event loop watch an alarm."""

    _loop: Any

    def _wants_alarm(self) -> bool:
        return self._keeps_time()

    def _keeps_time(self) -> bool:
        """Whether the loop's clock is the machine's, not a test's."""
        time: float = self._loop.time()
        return abs(time - monotonic()) < GRACE

    def _watch(self, number: int, callback: Callable[[], bool]) -> Any:
        loop = self._loop

        def readable() -> None:
            if not callback():
                loop.remove_reader(number)

        # (A loop keeps the context of add_reader(). That must not be the context of a timer's
        # caller.)
        Context().run(loop.add_reader, number, readable)
        return loop, number

    def _unwatch(self, watching: Any) -> None:
        loop, number = watching
        if not loop.is_closed():
            loop.remove_reader(number)

    def _time_after(self, timeout: float) -> float:
        """The loop's time in timeout seconds.

        If a loop's timers count whole milliseconds, it may count them from the rounded-down time of
        its last turn. Such a timer is early, and the earlier the longer ago that turn was.
        """
        now: float = self._loop.time()
        if not self._rounds_up:
            return now + timeout
        if self._keeps_time():
            now = max(now, monotonic())
        return ceil((now + timeout) * 1000) / 1000
