"""For the GLib reactors (gi, gtk3, glib2): a source for the alarm, a timeout for the rest."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from math import ceil
from typing import Any

from timerwheel._wakers._driven import DrivenWaker
from timerwheel._wakers._waker import Waker

# The private attributes of the reactors that this uses.
NEEDS = ("_glib", "_reschedule", "_simtag", "_simulate", "_source_remove", "_timeout_add")


class GLibWaker(DrivenWaker):
    """Makes GLib watch an alarm, and maintains `_simtag`, the id of the reactor's timeout."""

    def detach(self) -> None:
        self._alarm.drop()
        self._cancel_timer()
        self.reactor._reschedule()

    def _watch(self, number: int, callback: Callable[[], bool]) -> Any:
        reactor = self.reactor
        watch = _function_to_watch_with(reactor._glib)
        priority = reactor._glib.PRIORITY_DEFAULT_IDLE
        return watch(priority, number, reactor.INFLAGS, lambda *_: callback())

    def _unwatch(self, watching: Any) -> None:
        self.reactor._source_remove(watching)

    def _set_timer(self, timeout: float, callback: Callable[[], None]) -> None:
        """(In whole ms, rounded up. Rounded down, as Twisted does, GLib would spin.)"""
        reactor = self.reactor
        self._cancel_timer()

        def once() -> bool:
            reactor._simtag = None
            callback()
            return False

        reactor._simtag = reactor._timeout_add(
            ceil(timeout * 1000), once, priority=reactor._glib.PRIORITY_DEFAULT_IDLE
        )

    def _cancel_timer(self) -> None:
        reactor = self.reactor
        if reactor._simtag is not None:
            reactor._source_remove(reactor._simtag)
            reactor._simtag = None

    def _fire(self) -> None:
        self._queue.disarmed()
        self.reactor._simulate()


def _function_to_watch_with(glib: Any) -> Any:
    """GLib's function that takes a descriptor. Twisted uses one with a channel, at 20 us a call.

    Raises AttributeError with the static bindings, which do not have it.
    """
    try:
        import_module("gi").require_version("GLibUnix", "2.0")
        return import_module("gi.repository.GLibUnix").fd_add_full
    except (ImportError, ValueError):
        return glib.unix_fd_add_full


def make(reactor: Any) -> Waker:
    """The waker for reactor."""
    return GLibWaker(reactor)
