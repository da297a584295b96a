"""What Twisted's own functions find in place of their heap, where a program has them called.

`runUntilCurrent` is called for the calls from threads; any of them by a program that
kept it from before the wheel was put in. They work on `_newTimedCalls` and
`_pendingTimedCalls`: a call that is appended to the first goes to the wheel, and the
second holds one call, due when the wheel's earliest is, which makes all that are due.
`_moveCallLaterSooner` asks the second where a call is, and so the wheel moves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from timerwheel._core import CallQueue


class NewCalls:
    """In place of `_newTimedCalls`: a view of all pending calls. What is appended joins them.

    warn() is called when that happens first: a program calls Twisted's own callLater().
    """

    def __init__(self, queue: CallQueue, warn: Callable[[], None]) -> None:
        self._queue = queue
        self._warn = warn
        self.append = self._append_first

    def _append_first(self, call: Any) -> None:
        self.append = self._queue.adopt_bypassed
        self.append(call)
        self._warn()

    def __len__(self) -> int:
        return len(self._queue)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._queue.pending_calls())

    def __radd__(self, pending: list[Any]) -> list[Any]:
        """`_pendingTimedCalls + _newTimedCalls`, as Twisted's getDelayedCalls() wants it."""
        return [call for call in pending if not isinstance(call, Bridge)] + list(self)


class Bridge:
    """The one call in Twisted's heap: in form a stock one, due when the wheel's earliest is."""

    cancelled = 0
    delayed_time = 0.0
    creator = None

    def __init__(self, time: float, reactor: Any, queue: CallQueue) -> None:
        self.time = time
        self.called = 0
        self.func = queue.run_timers
        self.args = (reactor,)
        self.kw: dict[str, Any] = {}


class BridgedHeap(list[Any]):
    """In place of `_pendingTimedCalls`: holds what stands for the wheel, or nothing."""

    def __init__(self, reactor: Any, queue: CallQueue) -> None:
        self._reactor = reactor
        self._queue = queue

    def refill(self) -> None:
        """In place of `_insertNewDelayedCalls`, which Twisted calls before it looks at its heap.

        A program may have kept it, or put it back, when the wheel has gone.
        """
        if not isinstance(self._reactor._newTimedCalls, NewCalls):
            type(self._reactor)._insertNewDelayedCalls(self._reactor)
            return
        time = self._queue.next_deadline()
        self[:] = [] if time is None else [Bridge(time, self._reactor, self._queue)]
        self._reactor._pendingTimedCalls = self

    def index(self, call: Any, *_: Any) -> NoReturn:
        """Raises ValueError, after the wheel has moved a call of which Twisted asks where it is."""
        self._queue.moved_sooner(call)
        # (That of list puts the repr of the call into its message: that would be most of the cost.)
        raise ValueError("the call is on the wheel")


def is_refill(function: Any) -> bool:
    """Whether a function is the method of a BridgedHeap, and not a program's own."""
    return type(getattr(function, "__self__", None)) is BridgedHeap
