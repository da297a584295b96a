"""Keep the garbage collector from walking the timers of running loops: they are not garbage."""

from __future__ import annotations

import atexit
import gc
import sys
from weakref import WeakKeyDictionary

from timerwheel._core import CallQueue

# The first generation whose collection walks long-pending timers: before Python 3.14 the last one.
_OLD = 2 if sys.version_info < (3, 14) else 1

# The queues of all loops. (Not a WeakSet: other threads may make loops while review() walks this,
# and only keyrefs() gives a list at once.)
_queues: WeakKeyDictionary[CallQueue, None] = WeakKeyDictionary()


def spare(queue: CallQueue) -> None:
    """Keep the collector from walking the timers of a loop while the loop runs."""
    _queues[queue] = None
    if review not in gc.callbacks:
        gc.callbacks.append(review)


def review(phase: str, info: dict[str, int]) -> None:
    """For gc.callbacks. Takes O(n) steps after a loop of n timers has started or stopped."""
    if phase == "start" and info["generation"] >= _OLD:
        for queue in _all_queues():
            if queue.is_needed():
                queue.make_immortal()
            else:
                queue.make_mortal()


@atexit.register
def _end() -> None:
    """Let the collector walk all timers when Python ends, and destroy what only they hold."""
    if review in gc.callbacks:
        gc.callbacks.remove(review)
    for queue in _all_queues():
        queue.make_mortal()


def _all_queues() -> list[CallQueue]:
    return [queue for reference in _queues.keyrefs() if (queue := reference()) is not None]
