"""Substitutes for Twisted's heap, for Twisted's own functions.

The wheel calls Twisted's `runUntilCurrent` for the calls from threads. A program may call any of
Twisted's functions that it kept from before the wheel. They work on two lists:

- `_newTimedCalls`: if a function appends a call, the call goes to the wheel.
- `_pendingTimedCalls` has one call, with the wheel's earliest deadline, which makes all expired
  calls. `_moveCallLaterSooner` asks this list for the index of a call; then the wheel moves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from timerwheel._core import CallQueue


class NewCalls:
    """In place of `_newTimedCalls`: a view of all pending calls. An appended call joins them.

    The first append() calls warn(), because a program has called Twisted's own callLater().
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
    """The one call in Twisted's heap: it looks like a stock call with the wheel's earliest
    deadline.
    """

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
    """In place of `_pendingTimedCalls`: has the call that stands for the wheel, or nothing."""

    def __init__(self, reactor: Any, queue: CallQueue) -> None:
        self._reactor = reactor
        self._queue = queue

    def refill(self) -> None:
        """In place of `_insertNewDelayedCalls`, which Twisted calls before it looks at its heap.

        A program may keep it, or restore it, after the wheel is out.
        """
        if not isinstance(self._reactor._newTimedCalls, NewCalls):
            type(self._reactor)._insertNewDelayedCalls(self._reactor)
            return
        time = self._queue.next_deadline()
        self[:] = [] if time is None else [Bridge(time, self._reactor, self._queue)]
        self._reactor._pendingTimedCalls = self

    def index(self, call: Any, *_: Any) -> NoReturn:
        """Move a call on the wheel, because Twisted asks for its index. Raises ValueError."""
        self._queue.moved_sooner(call)
        # (The error of list.index() has the call's repr, which would be most of the cost.)
        raise ValueError("the call is on the wheel")


def is_refill(function: Any) -> bool:
    """Whether a function is a BridgedHeap's method, not a program's own."""
    return type(getattr(function, "__self__", None)) is BridgedHeap
