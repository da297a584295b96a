"""What all wakers have. By itself: for kqueue, and select without timerfds: they wait as told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timerwheel._core import CallQueue


class Waker:
    """Wakes one reactor.

    reactor: a ReactorBase, whose private attributes the wakers of its kind know.
    """

    # How finely the end of a wait can be set, in words.
    precision = "microseconds, by the reactor's own wait"
    # Called when the earliest deadline moves before the one that timeout() told last.
    hook: Callable[[], None] | None = None
    # Whether a timed call may run the event loop, as a dialog does, and expect the calls that are
    # made in there: then the hook hears of these, too, while the pass goes on.
    nested_loops = False

    # What is done in C of the methods of whom it wakes.
    standing: tuple[str, ...] = ("callLater", "getDelayedCalls", "runUntilCurrent", "timeout")

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor

    def methods(self) -> dict[str, Callable[..., Any]]:
        """What is called, without the reactor, in place of its methods of these names."""
        return {}

    def attach(self, queue: CallQueue) -> None:
        """Begin, on a reactor that may be running, whose calls are in queue."""

    def detach(self) -> None:
        """Leave the reactor to Twisted's own ways. Its methods stand again."""
