"""Forks of the running process: the copy looks whether its timers are whole, and ends."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable

# Seconds after which a copy that hangs is ended.
LIMIT = 60


class Forks:
    """Makes copies, each of which calls `examine`, and takes note of those that found a fault."""

    def __init__(self, examine: Callable[[], bool]) -> None:
        self._examine = examine
        self._copies: set[int] = set()
        self.ended = self.faulty = 0

    def fork(self) -> None:
        """Make a copy. It has the same numbers of descriptors, epoll's and timerfd's too."""
        copy = os.fork()
        if copy:
            self._copies.add(copy)
            return
        status = 2
        try:
            self._copies.clear()
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LIMIT)
            status = 0 if self._examine() else 1
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)

    def reap(self) -> bool:
        """Take note of copies that have ended. Returns whether all have."""
        for copy in list(self._copies):
            ended, status = os.waitpid(copy, os.WNOHANG)
            if ended:
                self._copies.remove(copy)
                self.ended += 1
                self.faulty += status != 0
        return not self._copies
