"""What all wakers have. By itself: for kqueue, and select without timerfds: they wait as told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timerwheel._core import CallQueue


class Waker:
    """Wakes one reactor.

    reactor: a ReactorBase. The wakers of its kind know its private attributes.
    """

    # How precisely the reactor wakes, in words.
    precision = "microseconds, by the reactor's own wait"
    # Called when the earliest deadline moves before the last answer of timeout().
    hook: Callable[[], None] | None = None
    # Whether a timed call may run the event loop, as a dialog does, and schedule calls in there.
    # Then the queue calls the hook for these too, while the pass goes on.
    nested_loops = False

    # What is done in C of the methods of whom it wakes.
    standing: tuple[str, ...] = ("callLater", "getDelayedCalls", "runUntilCurrent", "timeout")

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor

    def methods(self) -> dict[str, Callable[..., Any]]:
        """Replacements for the reactor's methods, by name. They get no reactor as argument."""
        return {}

    def attach(self, queue: CallQueue) -> None:
        """Begin. queue has the reactor's calls; the reactor may be running."""

    def detach(self) -> None:
        """End. The reactor has Twisted's own methods again."""
