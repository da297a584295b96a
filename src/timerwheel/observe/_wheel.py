"""Find the queue of an accelerated reactor, or event loop, and read its clock."""

from __future__ import annotations

from typing import Any

from timerwheel._core import CallQueue, find_queue


def is_event_loop(owner: Any) -> bool:
    """Whether the owner of a queue is an event loop, not a reactor."""
    return not hasattr(owner, "seconds") and hasattr(owner, "call_at")


def time_of(owner: Any) -> float:
    """The time of a reactor's or an event loop's clock."""
    time: float = owner.time() if is_event_loop(owner) else owner.seconds()
    return time


def require_reactors_queue(reactor: Any) -> CallQueue:
    """The queue of a reactor. Raises ValueError if it has no wheel, TypeError for an event loop."""
    if is_event_loop(reactor):
        raise TypeError(
            f"this needs a reactor, not the event loop {reactor!r}. stats(), status(), pending() "
            "and dump() take loops; loop.set_debug(True) tells of slow calls"
        )
    return require_queue(reactor)


def require_queue(reactor: Any) -> CallQueue:
    """The queue of a reactor, or event loop. Raises ValueError if it has no wheel."""
    queue = find_queue(reactor)
    if queue is None:
        raise ValueError(
            f"{reactor!r} has no wheel. Put one in with timerwheel.accelerate(reactor), or "
            "timerwheel.aio.accelerate(loop)"
        )
    return queue
