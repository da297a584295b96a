"""Find the queue of an accelerated reactor."""

from __future__ import annotations

from typing import Any

from timerwheel._core import CallQueue, find_queue


def require_queue(reactor: Any) -> CallQueue:
    """The queue of a reactor. Raises ValueError if it has no wheel."""
    queue = find_queue(reactor)
    if queue is None:
        raise ValueError(
            f"no wheel is in {reactor!r}. Put one in with timerwheel.accelerate(reactor)"
        )
    return queue
