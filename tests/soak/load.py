"""The load: each call that is made arms another, and cancels or moves one somewhere else."""

from __future__ import annotations

from random import Random
from typing import Any

from failures import PlannedError
from ledger import Ledger
from plan import SEED, Plan

DAY = 24 * 3600.0

# Which of the calls that are made raise an exception.
FAILING = 0.001


class Load:
    """Keeps a call pending in each place of the ledger, until it is told to drain."""

    def __init__(self, reactor: Any, plan: Plan, ledger: Ledger) -> None:
        self.raised = 0
        self.draining = False
        self._call_later = reactor.callLater
        self._ledger = ledger
        self._size = plan.calls
        self._mean = plan.mean_delay
        self._random = Random(SEED).random
        self.func = self._fire

    def start(self) -> None:
        """Arm all."""
        for place in range(self._size):
            self._arm(place)

    def stir(self, share: float) -> None:
        """Give a share of the calls, spread over all, a new delay from now."""
        for place in range(0, self._size, round(1 / share)):
            self._ledger.reset(place, self._delay())

    def cancel_all(self) -> None:
        """Cancel what is left."""
        for place, call in enumerate(self._ledger.calls):
            if call is not None:
                self._ledger.cancel(place)

    def _fire(self, place: int, serial: int) -> None:
        if not self._ledger.fired(place, serial) or self.draining:
            return
        self._arm(place)
        self._disturb(int(self._random() * self._size))
        if self._random() < FAILING:
            self.raised += 1
            raise PlannedError

    def _arm(self, place: int) -> None:
        self._ledger.arm(place, self._call_later, self._delay(), self.func)

    def _delay(self) -> float:
        """Most are spread evenly, some are at once or nearly, a few beyond the end of the run."""
        which, how_much = self._random(), self._random()
        if which < 0.02:
            return 0.0
        if which < 0.1:
            return 0.002 * how_much
        if which < 0.99:
            return 2 * self._mean * how_much
        return DAY * how_much

    def _disturb(self, place: int) -> None:
        """Cancel the call in a place and arm another, or move it, or leave it alone."""
        which = self._random()
        if which < 0.2:
            self._ledger.cancel(place)
            self._arm(place)
        elif which < 0.4:
            self._ledger.reset(place, self._delay())
        elif which < 0.5:
            self._ledger.delay(place, self._mean * self._random())
        elif which < 0.6:
            self._ledger.delay(place, -self._mean * self._random())
        elif which < 0.7:
            self._ledger.delay_to(place, int(self._random() * self._size))
