"""For the GLib reactors (gi, gtk3, glib2): one timeout source, for the earliest deadline."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

from timerwheel._core import CallQueue
from timerwheel._wakers._waker import Waker

# Private attributes of the reactors that are used here.
NEEDS = ("_glib", "_reschedule", "_simtag", "_simulate", "_source_remove", "_timeout_add")


class GLibWaker(Waker):
    """Keeps `_simtag`, the id of the reactor's timeout source, set for the earliest deadline."""

    precision = "whole milliseconds"
    nested_loops = True

    def methods(self) -> dict[str, Callable[..., Any]]:
        return {"_reschedule": self.reschedule}

    def hook(self) -> None:
        self.reactor._reschedule()

    def reschedule(self) -> None:
        """In place of `_reschedule`, which rounds the wait down to whole ms and then spins."""
        reactor = self.reactor
        if reactor._simtag is not None:
            reactor._source_remove(reactor._simtag)
            reactor._simtag = None
        timeout = reactor.timeout()
        if timeout is not None:
            reactor._simtag = reactor._timeout_add(
                ceil(timeout * 1000),
                self._fire,
                priority=reactor._glib.PRIORITY_DEFAULT_IDLE,
            )

    def _fire(self) -> None:
        """What GLib calls, and then removes: `_simulate`, which may fail before it arms it anew."""
        self._queue.disarmed()
        self.reactor._simtag = None
        self.reactor._simulate()

    def attach(self, queue: CallQueue) -> None:
        self._queue = queue
        if len(queue):  # else the reactor may be half made, and a subclass's timeout() not ready
            self.reactor._reschedule()

    def detach(self) -> None:
        self.reactor._reschedule()


def make(reactor: Any) -> Waker:
    """The waker for reactor."""
    return GLibWaker(reactor)
