"""For the threaded select reactor, and wx on top of it: select waits in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty
from typing import Any

from timerwheel._wakers._waker import Waker

# Needed of the reactor's private attributes: none. Where one is missing, `methods()` does without.
NEEDS = ()

# How much longer than select() its answer is waited for, seconds. It always answers, unless the
# thread has failed.
GRACE = 1.0


class ThreadedWaker(Waker):
    """Wakes the thread only when it would sleep too long; Twisted does so at each callLater."""

    precision = "microseconds, by a select() in a thread"

    def methods(self) -> dict[str, Callable[..., Any]]:
        # That of Twisted 23.10 is another, which cannot run by itself.
        known = hasattr(self.reactor, "_selectOnce") and hasattr(self.reactor, "_iterationQueue")
        return {"doIteration": self.wait} if known else {}

    def wait(self, timeout: float | None) -> None:
        """In place of doIteration, for a reactor that is run without another event loop.

        Twisted's stops waiting just when select() does: whichever is first, the other's answer is
        left over, and the loop goes round and round and may leave a thread behind at its end.
        """
        reactor = self.reactor
        reactor._selectOnce(timeout, False)
        try:
            work = reactor._iterationQueue.get(timeout=None if timeout is None else timeout + GRACE)
        except Empty:
            return
        work()

    def hook(self) -> None:
        self.reactor.wakeUp()


def make(reactor: Any) -> Waker:
    """The waker for reactor."""
    return ThreadedWaker(reactor)
