"""Survey the pending calls while somebody looks, a little at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic, perf_counter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Cooperator
from twisted.logger import Logger

from timerwheel._core import find_queue
from timerwheel.observe._survey import Survey, survey

SLICE = 0.0004
"""Seconds of work before the reactor gets its turn. The current step is finished first."""

PAUSE = 0.01
"""Seconds between two slices."""

REST = 2.0
"""The least seconds from the end of a survey to the beginning of the next."""

MOST = 20
"""The most functions to find the times of."""

_log = Logger(namespace="timerwheel")


class _Slice:
    """Tells whether a slice is over."""

    def __init__(self) -> None:
        self._end = perf_counter() + SLICE

    def __call__(self) -> bool:
        return perf_counter() >= self._end


class Surveyor:
    """Makes surveys of a reactor's pending calls on request.

    @ivar latest: the latest survey, or `None`. @ivar running: whether a survey is under way.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._ended = 0.0
        self._cooperator = Cooperator(
            terminationPredicateFactory=_Slice,
            scheduler=lambda work: reactor.callLater(PAUSE, self._do_slice, work),
        )
        self.latest: Survey | None = None
        self.running = False

    @property
    def age(self) -> float:
        """Seconds since the latest survey ended."""
        return monotonic() - self._ended

    def want(self) -> None:
        """Start a survey if the latest is too old and none is running."""
        if not self.running and (self.latest is None or self.age >= REST):
            self.running = True
            made: Deferred[Any] = self._cooperator.coiterate(self._make())
            made.addErrback(lambda failure: _log.failure("no survey of timers", failure))
            made.addBoth(self._end)

    def _do_slice(self, work: Callable[[], None]) -> None:
        """(The name shows in figures of the reactor's calls.)"""
        work()

    def _make(self) -> Iterator[None]:
        if find_queue(self._reactor) is not None:  # else the wheel was taken out meanwhile
            self.latest = yield from survey(self._reactor, MOST)

    def _end(self, result: object) -> None:
        self.running = False
        self._ended = monotonic()
