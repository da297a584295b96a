"""A record of all timers of the server, which finds early and lost ones."""

from __future__ import annotations

from array import array
from enum import IntEnum


class State(IntEnum):
    """The state of a timer."""

    UNUSED = 0
    PENDING = 1
    FIRED = 2
    CANCELLED = 3


class Ledger:
    """Two bounds for each timer's deadline, and its state.

    The bounds are the clock just before and just after the program scheduled or moved the timer,
    plus the delay. So they do not depend on the timer's own answers.

    @ivar fired_count: how many timers fired.
    @ivar early: how many of them before their deadline.
    @ivar unexpected: how many fired twice, or after they were cancelled.
    """

    def __init__(self, size: int) -> None:
        self._soonest = array("d", bytes(8 * size))
        self._latest = array("d", bytes(8 * size))
        self._state = bytearray(size)
        self.fired_count = 0
        self.early = 0
        self.unexpected = 0

    def due(self, number: int, soonest: float, latest: float) -> None:
        """Timer `number` was scheduled or moved: its deadline is from `soonest` to `latest`."""
        self._soonest[number] = soonest
        self._latest[number] = latest
        self._state[number] = State.PENDING

    def fired(self, number: int, now: float) -> None:
        """Timer `number` fired at `now`."""
        self.fired_count += 1
        self.early += now < self._soonest[number]
        self.unexpected += self._state[number] != State.PENDING
        self._state[number] = State.FIRED

    def cancelled(self, number: int) -> None:
        """Timer `number` was cancelled."""
        self._state[number] = State.CANCELLED

    def lost(self, now: float) -> int:
        """@return: how many timers are still pending though due before `now`."""
        return sum(
            state == State.PENDING and latest < now
            for state, latest in zip(self._state, self._latest, strict=True)
        )

    def problems(self, now: float) -> list[str]:
        """@param now: the deadline of the timer that asks: what was due before it must have fired.

        @return: one sentence for each kind of fault found; none when all is well.
        """
        counts = {
            "fired before their deadline": self.early,
            "fired twice or after they were cancelled": self.unexpected,
            "were due and never fired": self.lost(now),
        }
        return [f"{count:,} timers {what}" for what, count in counts.items() if count]
