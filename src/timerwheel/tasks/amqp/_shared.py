"""One outcome for any number of waiters."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred


class Shared:
    """Waits for a Deferred. Each waiter has a Deferred of its own, and may cancel that."""

    def __init__(self, source: Deferred[Any]) -> None:
        self._waiting: list[Deferred[Any]] = []
        self._outcome: Any = None
        self.is_done = False
        source.addBoth(self._fire)

    def wait(self) -> Deferred[Any]:
        """A Deferred of the outcome."""
        waiting: Deferred[Any] = Deferred()
        if self.is_done:
            waiting.callback(self._outcome)  # or errback, if it is a Failure
        else:
            self._waiting.append(waiting)
        return waiting

    def _fire(self, outcome: Any) -> None:
        self.is_done = True
        self._outcome = outcome
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(outcome)
