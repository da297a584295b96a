"""Calls of which only this much is known: each is to be made once, and not before a time."""

from __future__ import annotations

from itertools import count
from math import inf
from typing import Any

from passes import Passes
from wall_clock import Steps


class Tickets:
    """Issued when a call is asked for, by any thread or signal handler; redeemed by the call.

    So each change is one operation that nothing can come in between.
    """

    def __init__(self, passes: Passes, steps: Steps) -> None:
        self.redeemed = self.doubled = self.early = 0
        self._passes = passes
        self._steps = steps
        self._numbers = count()
        self._open: dict[int, tuple[float, int]] = {}

    def issue(self, delay: float | None = None) -> int:
        """A number for a call that comes after a delay from now; None: at any time."""
        mark = self._steps.mark()
        soonest = -inf if delay is None else self._passes.seconds() + delay
        number = next(self._numbers)
        self._open[number] = (soonest, mark)
        return number

    def redeem(self, number: int) -> None:
        """The call with this number is being made."""
        soonest, mark = self._open.pop(number, (None, 0))
        self.redeemed += 1
        if soonest is None:
            self.doubled += 1
        elif soonest > -inf and soonest > self._passes.bound() and self._steps.none_since(mark):
            self.early += 1

    def overdue(self, time: float) -> int:
        """How many calls were to be made by this time and have not been."""
        return sum(soonest <= time for soonest, _ in list(self._open.values()))

    def figures(self) -> dict[str, Any]:
        """What was counted."""
        return {"made": self.redeemed, "doubled": self.doubled, "early": self.early}
