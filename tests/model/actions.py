"""What a program does, and a callback's script.

An action knows no side: it names a call by a number, which every side resolves in
the same way among the calls that it has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.sides import Side

# Beyond, the clock stands still, however it moves.
FARTHEST = 2.0**40


class CallbackError(Exception):
    """What callbacks raise."""


@dataclass(frozen=True)
class CallLater:
    """Schedule a call that carries out a script."""

    delay: Any
    script: tuple[Action, ...] = ()

    def perform(self, side: Side) -> None:
        side.schedule(self.delay, self.script)


@dataclass(frozen=True)
class Burst:
    """Schedule many calls for about the same time, not in the order of their times."""

    count: int
    delay: float
    apart: float

    def perform(self, side: Side) -> None:
        for number in range(self.count):
            side.schedule(self.delay + number * 7919 % self.count * self.apart, ())


@dataclass(frozen=True)
class Cancel:
    """Cancel a call."""

    which: int

    def perform(self, side: Side) -> Any:
        return side.on_call(self.which, side.subject.cancel)


@dataclass(frozen=True)
class Reset:
    """Move a call to so many seconds from now."""

    which: int
    seconds: Any

    def perform(self, side: Side) -> Any:
        return side.on_call(self.which, side.subject.reset, self.seconds)


@dataclass(frozen=True)
class Delay:
    """Move a call by so many seconds."""

    which: int
    seconds: Any

    def perform(self, side: Side) -> Any:
        return side.on_call(self.which, side.subject.delay, self.seconds)


@dataclass(frozen=True)
class ResetAll:
    """Move all calls, as a server does whose clients are all alive."""

    seconds: float

    def perform(self, side: Side) -> None:
        for call in side.live_calls():
            side.subject.reset(call, self.seconds)


@dataclass(frozen=True)
class Drop:
    """Let go of a handle: only the subject has it from then on."""

    which: int

    def perform(self, side: Side) -> None:
        side.drop(self.which)


@dataclass(frozen=True)
class Move:
    """The clock moves."""

    seconds: float

    def perform(self, side: Side) -> None:
        side.subject.now += self.seconds


@dataclass(frozen=True)
class Advance:
    """The clock moves, and what is due is made."""

    seconds: float

    def perform(self, side: Side) -> Any:
        return side.advance(self.seconds)


@dataclass(frozen=True)
class AdvanceTo:
    """The clock moves to when the call is due that comes first, or after so many others, or
    (nudge) to the float before or after that; what is due is made."""

    others: int
    nudge: int = 0

    def perform(self, side: Side) -> Any:
        times = sorted(side.subject.due(call) for call in side.live_calls())
        due = times[self.others % len(times)] if times else math.inf
        if abs(due) > FARTHEST:
            return None
        side.subject.now = math.nextafter(due, self.nudge * math.inf) if self.nudge else due
        return side.advance(0.0)


@dataclass(frozen=True)
class FromThread:
    """Have a script carried out by a call from a thread, with which the next pass begins."""

    script: tuple[Action, ...]

    def perform(self, side: Side) -> None:
        side.subject.from_thread(side.carry_out, self.script)


@dataclass(frozen=True)
class Earliest:
    """Ask when the earliest call is due."""

    def perform(self, side: Side) -> Any:
        return side.subject.earliest()


@dataclass(frozen=True)
class Look:
    """Look at all that a call tells, which may be more than when it is due."""

    which: int

    def perform(self, side: Side) -> Any:
        return side.on_call(self.which, side.subject.look)


@dataclass(frozen=True)
class Turn:
    """Put the wheel into the reactor, or take it out."""

    def perform(self, side: Side) -> None:
        side.subject.turn()


@dataclass(frozen=True)
class Raise:
    """Raise an exception, which ends the callback."""

    def perform(self, side: Side) -> None:
        raise CallbackError


Action = (
    CallLater
    | Burst
    | Cancel
    | Reset
    | Delay
    | ResetAll
    | Drop
    | Move
    | Advance
    | AdvanceTo
    | FromThread
    | Earliest
    | Look
    | Turn
    | Raise
)
