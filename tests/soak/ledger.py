"""What is known of each call, and what is wrong with what becomes of it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

from lateness import Lateness
from passes import ROUNDING, Passes
from wall_clock import Steps


@dataclass
class Counts:
    """What was done with the calls, and what was found wrong."""

    armed: int = 0
    fired: int = 0
    cancelled: int = 0
    moved: int = 0
    doubled: int = 0
    early: int = 0
    disordered: int = 0
    misdated: int = 0


class Ledger:
    """A fixed number of places, in each of which one call may be pending.

    A call's identity is its place and its serial number, which counts calls in
    the order in which they are armed. The deadline that a call tells is held
    against what the reactor's clock said before and after it was armed or moved.
    """

    def __init__(self, size: int, passes: Passes, steps: Steps) -> None:
        self.counts = Counts()
        self.lateness = Lateness()
        self.lost: set[int] = set()
        self.calls: list[Any] = [None] * size
        self._passes = passes
        self._steps = steps
        self._serial = 0
        self._serials = array("q", bytes(8 * size))  # 0: none is pending
        self._due = array("d", [inf]) * size
        # When it was moved, if it was overdue from then on: it is late from there.
        self._late_from = array("d", [-inf]) * size
        # In the pass of which number it was armed, and last moved.
        self._armed_in = array("q", bytes(8 * size))
        self._moved_in = array("q", bytes(8 * size))
        # The pass that the next is about, and its latest call so far.
        self._number = 0
        self._latest = (-inf, 0)

    # What the load tells of.

    def arm(self, place: int, call_later: Callable[..., Any], delay: float, func: Any) -> None:
        """Arm a call of func, with place and serial number, in a place that has none."""
        self._serial = serial = self._serial + 1
        seconds = self._passes.seconds
        mark = self._steps.mark()
        before = seconds()
        call = call_later(delay, func, place, serial)
        after = seconds()
        self.counts.armed += 1
        self.calls[place] = call
        self._serials[place] = serial
        self._armed_in[place] = self._passes.number
        self._late_from[place] = -inf
        due = self._due[place] = call.getTime()
        if not before + delay <= due <= after + delay and self._steps.none_since(mark):
            self.counts.misdated += 1

    def cancel(self, place: int) -> None:
        """Cancel the call in a place."""
        self.calls[place].cancel()
        self.counts.cancelled += 1
        self._empty(place)

    def reset(self, place: int, delay: float) -> None:
        """Have the call in a place made so long from now."""
        seconds = self._passes.seconds
        mark = self._steps.mark()
        before = seconds()
        self.calls[place].reset(delay)
        after = seconds()
        due = self._move(place)
        in_time = before + delay - ROUNDING <= due <= after + delay + ROUNDING
        if not in_time and self._steps.none_since(mark):
            self.counts.misdated += 1

    def delay(self, place: int, delay: float) -> None:
        """Have the call in a place made so much later than it was to be; sooner, if negative."""
        expected = self._due[place] + delay
        self.calls[place].delay(delay)
        self._late_from[place] = self._passes.seconds()
        if abs(self._move(place) - expected) > ROUNDING:
            self.counts.misdated += 1

    def delay_to(self, place: int, other: int) -> None:
        """Have the call in a place made when that in another is, as exactly as floats can."""
        self.delay(place, self._due[other] - self._due[place])

    def fired(self, place: int, serial: int) -> bool:
        """A call is being made. Returns whether it was that in its place."""
        passes = self._passes
        bound = passes.bound()
        if self._serials[place] != serial:
            self.counts.doubled += 1
            return False
        due = self._due[place]
        now = passes.seconds()
        self.counts.fired += 1
        if due > bound:
            self.counts.early += 1
        else:
            self.lateness.add(now - max(due, self._late_from[place]))
        self._compare(place, (due, serial))
        self._empty(place)
        return True

    # What is looked at now and then.

    def check(self, pending: Iterable[Any], func: Any) -> None:
        """Hold what the reactor has pending against the ledger, whose calls all call func."""
        in_reactor = {id(call) for call in pending if call.func is func}
        for place, call in enumerate(self.calls):
            if call is None:
                continue
            if id(call) not in in_reactor:
                self.lost.add(self._serials[place])
            elif self._due[place] != call.getTime():
                self.counts.misdated += 1
        # These would be made a second time, or although they were cancelled.
        self.counts.doubled += len(in_reactor - {id(call) for call in self.calls})
        if self._steps.none_since(self._passes.mark):
            self.lost.update(self._left_over())

    def overdue(self, time: float) -> set[int]:
        """The serial numbers of the calls that are due at a time or before, and pending."""
        return {self._serials[place] for place, due in enumerate(self._due) if due <= time}

    # What this is made from.

    def _empty(self, place: int) -> None:
        self.calls[place] = None
        self._serials[place] = 0
        self._due[place] = inf

    def _move(self, place: int) -> float:
        """Note that a call was moved; return its deadline."""
        self.counts.moved += 1
        self._moved_in[place] = self._passes.number
        due: float = self.calls[place].getTime()
        self._due[place] = due
        return due

    def _compare(self, place: int, key: tuple[float, int]) -> None:
        """Hold a call's deadline and serial number against those of the one before it in its pass.

        One that was moved in this pass may come after others that are later. One
        that was armed in it should have waited for the next.
        """
        number = self._passes.number
        if number != self._number:
            self._number = number
            self._latest = key
        elif key > self._latest:
            self._latest = key
        elif self._moved_in[place] != number:
            self.counts.disordered += 1
        if self._armed_in[place] == number:
            self.counts.disordered += 1

    def _left_over(self) -> set[int]:
        """The calls that were due when the latest pass began, and that it has not made.

        Those that were armed or moved in it wait for the next.
        """
        began, number = self._passes.began, self._passes.number
        if min(self._due) >= began:
            return set()
        return {
            self._serials[place]
            for place, due in enumerate(self._due)
            if due < began and number not in (self._armed_in[place], self._moved_in[place])
        }
