"""Spare the garbage collector the timers of loops that run: these are no garbage."""

from __future__ import annotations

import atexit
import gc
import sys
from weakref import WeakSet

from timerwheel._core import CallQueue

# The first generation in which a collection finds what has been pending for long: before Python
# 3.14 the last.
_OLD = 2 if sys.version_info < (3, 14) else 1

_queues: WeakSet[CallQueue] = WeakSet()


def spare(queue: CallQueue) -> None:
    """Have the collector not walk the timers of a loop while that runs."""
    _queues.add(queue)
    if review not in gc.callbacks:
        gc.callbacks.append(review)


def review(phase: str, info: dict[str, int]) -> None:
    """For gc.callbacks. Takes O(n) steps when a loop of n timers has begun to run, or stopped."""
    if phase == "start" and info["generation"] >= _OLD:
        for queue in list(_queues):
            if queue.is_needed():
                queue.make_immortal()
            else:
                queue.make_mortal()


@atexit.register
def _end() -> None:
    """Have the collector walk all timers when Python ends: it destroys what only they hold."""
    if review in gc.callbacks:
        gc.callbacks.remove(review)
    for queue in list(_queues):
        queue.make_mortal()
