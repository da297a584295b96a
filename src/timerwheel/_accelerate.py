"""Put the wheel into a reactor, and take it out.

The reactor keeps a `CallQueue` as an attribute. The methods in Twisted's classes
(`timerwheel._methods`) look for it, and put the calls there. Other attributes stand in for the
heap, for Twisted's own functions (`timerwheel._stock`).
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import warnings
from collections.abc import Callable
from heapq import heapify
from operator import attrgetter
from threading import RLock
from typing import Any
from weakref import WeakSet

from timerwheel._core import (
    CallQueue,
    DelayedCall,
    find_attribute,
    find_queue,
    remove_attribute,
    review_immortality,
    set_attributes,
)
from timerwheel._methods import put_in, take_out
from timerwheel._stock import BridgedHeap, NewCalls, is_refill

# The attribute of a reactor that holds its queue. (Nothing here asks for the reactor's dict: see
# ext/timerwheel/attributes.pxi.)
KEY = "_timerwheel"

# The attributes in which a stock reactor keeps its calls.
_HEAP = ("_pendingTimedCalls", "_newTimedCalls", "_cancellations")

# Held while accelerate() or restore() runs, because two threads may call them at once. (Not by
# `with`, which needs memory to release the lock.)
_changing = RLock()


def _renew_lock() -> None:
    """In a forked child: the thread that held the lock does not exist here."""
    global _changing
    _changing = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)

# All queues in use. With the last one, restore() also takes our methods out of Twisted's classes.
_queues: WeakSet[CallQueue] = WeakSet()


def accelerate(reactor: Any) -> None:
    """Put the wheel into a reactor, which may be running.

    Pending calls move to the wheel in their order, and your handles stay valid. If the reactor has
    the wheel already, this only puts the wheel's methods back where your program has restored
    Twisted's. Takes O(n log n) steps for n calls.

    Raises TypeError if reactor is not built on Twisted's ReactorBase. If the installed Twisted
    lacks a name that the wheel needs, the reactor keeps Twisted's own timers, and a RuntimeWarning
    gives the name.
    """
    from twisted.internet.base import ReactorBase

    if not isinstance(reactor, ReactorBase):
        raise TypeError(
            f"accelerate() needs a reactor built on Twisted's ReactorBase, not {reactor!r}"
            f"{_hint(reactor, 'accelerate')}"
        )
    lock = _changing
    lock.acquire()
    # (Keep this short: without memory, Python 3.11 never leaves a `finally` that is more than 256
    # bytes into its function's code.)
    try:
        _accelerate(reactor)
    finally:
        lock.release()


def restore(reactor: Any) -> None:
    """Take the wheel out of a reactor, which may be running, and give it back Twisted's heap.

    Pending calls move back, and the handles that the program holds stay valid.
    Does nothing if there is no wheel in. Takes O(n log n) steps for n calls.

    Raises TypeError for an event loop, into which `timerwheel.aio` has put the wheel.
    """
    if hint := _hint(reactor, "restore"):
        raise TypeError(f"restore() needs a reactor, not {reactor!r}{hint}")
    lock = _changing
    lock.acquire()
    try:
        queue = find_queue(reactor)
        if queue is not None:
            _give_back(reactor, queue)
        if not _queues:
            take_out()
    finally:
        lock.release()


def _hint(owner: Any, name: str) -> str:
    """What to say of an event loop that was given for a reactor."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or not isinstance(owner, asyncio.AbstractEventLoop):
        return ""
    return f". For event loops there is timerwheel.aio.{name}()"


def _accelerate(reactor: Any) -> None:
    from timerwheel._internals import missing_in

    queue = find_queue(reactor)
    if queue is not None:
        put_in(reactor.__class__, [*queue.waker.standing, *queue.waker.methods()])
    elif missing := missing_in(reactor):
        _warn(reactor, missing)
    else:
        _take_over(reactor)


def _warn(reactor: Any, missing: list[str]) -> None:
    """Warn why the reactor keeps Twisted's timers. (The program may turn warnings into errors.)"""
    from twisted import __version__

    warnings.warn(
        f"{type(reactor).__name__} keeps Twisted's own timers: Twisted {__version__} lacks "
        f"{', '.join(missing)}, which this timerwheel uses. Look for a newer timerwheel, or go "
        "back to an older Twisted",
        RuntimeWarning,
        stacklevel=4,
    )


def _take_over(reactor: Any) -> None:
    """Move the calls from Twisted's heap to a queue, and attach the queue to the reactor."""
    from timerwheel._report import report

    queue = CallQueue(reactor, report)
    stock = dict(zip(_HEAP, attrgetter(*_HEAP)(reactor), strict=True))
    calls = _in_order(stock["_pendingTimedCalls"], stock["_newTimedCalls"])
    leave = Departure(reactor, queue, calls, stock)
    # (Keep this short: without memory, Python 3.11 never leaves a handler far down in its
    # function.)
    try:
        _move_in(reactor, queue, calls, stock["_newTimedCalls"])
    except BaseException:
        leave()
        _queues.discard(queue)
        if not _queues:
            take_out()
        raise


def _move_in(reactor: Any, queue: CallQueue, calls: list[Any], new: list[Any]) -> None:
    from timerwheel._wakers import waker_for
    from timerwheel.observe._announce import announce_when_running

    _enter(reactor, queue, waker_for(reactor), calls)
    _take_over_late(queue, calls, new)
    announce_when_running(reactor, queue)


def _take_over_late(queue: CallQueue, calls: list[Any], new: list[Any]) -> None:
    """Move the calls scheduled meanwhile, for example by a destructor or in another thread."""
    known = set(map(id, calls))
    for call in list(new):
        if id(call) not in known and not call.cancelled:
            _adopt(queue, call, queue.moved_sooner)


def _adopt(queue: CallQueue, call: Any, moved_sooner: Callable[[Any], None]) -> None:
    queue.adopt(call)
    if not isinstance(call, DelayedCall):  # Twisted's may have been called before its heap is ours
        call.resetter = moved_sooner


def _enter(reactor: Any, queue: CallQueue, waker: Any, calls: list[Any]) -> None:
    from timerwheel.observe._announce import warn_of_bypass

    heap = BridgedHeap(reactor, queue)
    moved_sooner = queue.moved_sooner
    for call in calls:
        _adopt(queue, call, moved_sooner)
    replacements = waker.methods()
    for name, replacement in replacements.items():
        queue.replace(name, replacement)
    put_in(reactor.__class__, [*waker.standing, *replacements])
    _queues.add(queue)
    if review_immortality not in gc.callbacks:
        gc.callbacks.append(review_immortality)
    set_attributes(
        reactor,
        {
            KEY: queue,
            "_pendingTimedCalls": heap,
            "_newTimedCalls": NewCalls(queue, warn_of_bypass),
            "_insertNewDelayedCalls": heap.refill,
            "_cancellations": 0,
        },
    )
    review_immortality()
    queue.attach(waker)


def _give_back(reactor: Any, queue: CallQueue) -> None:
    while True:
        calls = queue.calls_in_order()
        heap = list(calls)
        heapify(heap)
        leave = Departure(reactor, queue, calls, dict(zip(_HEAP, (heap, [], 0), strict=True)))
        if queue.calls_in_order() == calls:  # else a destructor or a thread has scheduled another
            break
    waker = queue.waker
    leave()
    waker.detach()
    _queues.discard(queue)


class Departure:
    """Gives a reactor and its calls back to Twisted's own functions.

    Making it allocates all memory and changes nothing visible. Calling it needs no memory, so it
    cannot fail, however many calls had moved to the queue.
    """

    def __init__(
        self, reactor: Any, queue: CallQueue, calls: list[Any], stock: dict[str, Any]
    ) -> None:
        self._reactor = reactor
        self._queue = queue
        self._stock = stock
        self._functions = reactor._cancelCallLater, reactor._moveCallLaterSooner
        for call in calls:
            if isinstance(call, DelayedCall):  # which asks them only when it is in no queue
                call.canceller, call.resetter = self._functions
        # (An iterator that is made already: to make one takes memory.)
        self._theirs = iter([call for call in calls if not isinstance(call, DelayedCall)])

    def __call__(self) -> None:
        for call in self._theirs:
            call.canceller, call.resetter = self._functions
        remove_attribute(self._reactor, KEY)
        if is_refill(find_attribute(self._reactor, "_insertNewDelayedCalls")):
            remove_attribute(self._reactor, "_insertNewDelayedCalls")
        set_attributes(self._reactor, self._stock)
        self._queue.release_all()


# (No lambda below: where there is no memory to make one, Python 3.12 and 3.13 crash.)
_time = attrgetter("time")


def _in_order(pending: list[Any], new: list[Any]) -> list[Any]:
    """The calls of a stock reactor, in the order in which it would make them."""
    calls = [call for call in [*pending, *new] if not call.cancelled]
    for call in new:
        if not call.cancelled:
            call.activate_delay()
    return sorted(calls, key=_time)


@atexit.register
def _end_immortality() -> None:
    """Let the collector walk all calls when Python ends.

    It then destroys objects that only pending calls hold, as with a stock reactor: a file may need
    a flush.
    """
    if review_immortality in gc.callbacks:
        gc.callbacks.remove(review_immortality)
    for queue in list(_queues):
        queue.make_mortal()
