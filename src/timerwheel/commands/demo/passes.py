"""How long one pass of the reactor keeps everything else waiting."""

from __future__ import annotations

import time


class Passes:
    """How long one pass of the reactor keeps everything else waiting.

    @ivar longest: nanoseconds of CPU time, the most between two passes of the timers.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget what was seen."""
        self.longest = 0
        self._began = time.thread_time_ns()

    def begin(self) -> None:
        """A pass of the timers begins."""
        now = time.thread_time_ns()
        self.longest = max(self.longest, now - self._began)
        self._began = now
