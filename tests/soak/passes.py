"""The passes of the reactor as the judge sees them: when each began, and what may be due in it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any

from wall_clock import Steps

# What sums of these times may be off by: between floats of their size there are 2.4e-7.
ROUNDING = 2e-6


class Passes:
    """Looks on from around runUntilCurrent().

    count is of all passes, number of those in which a timed call was made: it
    changes with the first of them. began is what the reactor's clock said just
    before the pass, mark the moment of that in the clock's steps.
    """

    def __init__(self, reactor: Any, steps: Steps, is_steady: bool) -> None:
        self.seconds: Callable[[], float] = reactor.seconds
        self._steps = steps
        self._run = reactor.runUntilCurrent
        # A clock that never steps stays so many seconds apart from the monotonic one.
        self._apart = self._seconds_apart() if is_steady else None
        self.count = self.number = 0
        self.began = -inf
        self.mark = steps.mark()
        self._bound: float | None = None
        reactor.runUntilCurrent = self._observe

    def _observe(self) -> None:
        self.count += 1
        self.mark = self._steps.mark()
        self.began = self.seconds()
        self._bound = None
        self._run()

    def bound(self) -> float:
        """No call that the reactor makes in this pass may be due later. For timed calls to ask.

        It is what the clock said when the first of them was made: the pass itself
        looked at it before. Infinite if the clock was stepped in between.
        """
        if self._bound is None:
            self.number += 1
            self._bound = self._first_reading()
        return self._bound

    def _seconds_apart(self) -> float:
        """What comes out is too little if the process is interrupted, which it is not each time."""
        return max(self.seconds() - monotonic() for _ in range(100))

    def _first_reading(self) -> float:
        reading = self.seconds()
        if self._apart is not None:
            return min(reading, self._apart + monotonic() + ROUNDING)
        return reading if self._steps.none_since(self.mark) else inf
