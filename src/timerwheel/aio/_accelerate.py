"""Put the wheel into an event loop, and take it out.

The loop keeps a `CallQueue` as an attribute. Our methods in its classes (`timerwheel._methods`)
look for it, and put the timers there. Timers that are already pending stay where they are: the loop
goes on to serve them.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from threading import RLock
from typing import Any
from weakref import WeakSet

from timerwheel._core import (
    CallQueue,
    find_queue,
    loop_queue,
    remove_attribute,
    set_attributes,
)
from timerwheel.aio._garbage import spare
from timerwheel.aio._methods import find_place, put_in, take_out
from timerwheel.aio._waker import KEY, LoopWaker

# Held while accelerate() or restore() runs, because two threads may call them at once.
_changing = RLock()

# All queues in use. With the last one, restore() also takes our methods out of the loops' classes.
_queues: WeakSet[CallQueue] = WeakSet()


def accelerate(loop: Any) -> None:
    """Put the wheel into an event loop, asyncio's or uvloop's, which may be running.

    Timers that you schedule from now on are on the wheel; pending timers stay the loop's own. If
    the loop has the wheel already, this only puts the wheel's methods back where your program has
    restored the loop's. Call it in the loop's thread.

    Raises TypeError if loop is not an event loop with call_at() and call_later(), or has no
    __dict__; RuntimeError if it is closed.
    """
    if not _is_fit(loop):
        raise TypeError(
            "accelerate() needs an event loop that has call_at(), call_later() and a __dict__, "
            f"not {loop!r}"
        )
    if loop.is_closed():
        raise RuntimeError("Event loop is closed")
    with _changing:
        queue = find_queue(loop)
        if queue is None:
            queue = loop_queue(loop)
            waker = LoopWaker(loop, leave)
            # (Base classes have a close() too and call super(), so this is not one of the waker's
            # methods.)
            replacements = {"close": waker.close, **waker.methods()}
            for name, replacement in replacements.items():
                queue.replace(name, replacement)
            put_in(type(loop), [*waker.standing, *replacements])
            queue.attach(waker)
            _queues.add(queue)
            spare(queue)
            set_attributes(loop, {KEY: queue})
        else:
            put_in(type(loop), [*queue.waker.standing, "close", *queue.waker.methods()])


def restore(loop: Any) -> None:
    """Take the wheel out of an event loop, which may be running.

    Pending timers move back, and the handles that the program holds stay valid. Does nothing if
    there is no wheel in. Takes O(n log n) steps for n timers.

    Raises TypeError for a reactor, into which `timerwheel.accelerate()` has put the wheel.
    """
    if not isinstance(loop, AbstractEventLoop) and find_queue(loop) is not None:
        raise TypeError(
            f"restore() needs an event loop, not {loop!r}. For reactors there is "
            "timerwheel.restore()"
        )
    with _changing:
        queue = find_queue(loop)
        if queue is not None:
            _give_back(loop, queue)
        if not _queues:
            take_out()


def _is_fit(loop: Any) -> bool:
    return (
        isinstance(loop, AbstractEventLoop)
        and type(loop).__dictoffset__ != 0  # (Asking for the dict itself would slow the loop down.)
        and all(find_place(type(loop), name) is not None for name in ("call_later", "call_at"))
    )


def _give_back(loop: Any, queue: CallQueue) -> None:
    made: list[Any] = []
    waker: Any = queue.waker
    try:
        for handle in queue.calls_in_order():
            # (If one is cancelled later, it does nothing when it expires.)
            made.append(waker.stock_call_at(handle.when(), handle._run))
    except BaseException:
        for timer in made:
            timer.cancel()
        raise
    leave(loop, queue)


def leave(loop: Any, queue: CallQueue) -> None:
    """Separate a loop from its queue, and release the pending timers."""
    remove_attribute(loop, KEY)
    _queues.discard(queue)
    queue.waker.detach()
    queue.release_all()
