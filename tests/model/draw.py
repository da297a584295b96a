"""Programs at random, from a random.Random, which may be hypothesis' own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any

from model import actions
from model.actions import Action

TICK = 2.0**-10
# In an exact vocabulary all times are multiples of this: their sums are exact up to 2**39 s.
GRAIN = 2.0**-14
INFINITY = math.inf

# Where a level of the wheel ends and the next begins, in ticks.
EDGES = [64, 4096, 2**18, 2**24, 2**30, 2**36]
# Few, so that times are equal often.
USUAL = [0, 1, 0.5, 5.0, Fraction(1, 2), True, 60]
HUGE = [2**128 + 1, 1e300, 2.0**40]
CLOCK_STEPS = [0.0, TICK / 16, TICK, 60 * TICK, 1.0, 5.0, 60.0]
CLOCK_LEAPS = [3600.0, 86400.0, 2.0**25]

NO_SECONDS = ["5", None, 10**400]
NO_DELAYS = [*NO_SECONDS, 1j, math.nan, -INFINITY, -1, -1e-300]
# What Twisted's own timers do not survive when they are moved by it.
WEDGES = [1j, math.nan, -INFINITY]

MOST_DEPTH = 3


@dataclass(frozen=True)
class Vocabulary:
    """What programs are made of: all actions but those without.

    exact: all sums of seconds are exact, so that it does not show how they were added up.
    stock: nothing that Twisted's own timers do not survive.
    refused: delays, too, that callLater() refuses.
    """

    without: tuple[type, ...] = ()
    without_in_scripts: tuple[type, ...] = ()
    exact: bool = False
    stock: bool = False
    refused: bool = True

    def kinds(self) -> dict[type, float]:
        """The actions of a program, and how often each comes."""
        return {
            kind: way.in_programs
            for kind, way in WAYS.items()
            if way.in_programs and kind not in self.without
        }

    def kinds_in_scripts(self) -> dict[type, float]:
        """The actions of a script, and how often each comes."""
        return {
            kind: way.in_scripts
            for kind, way in WAYS.items()
            if way.in_scripts and kind not in (*self.without, *self.without_in_scripts)
        }


class Draw:
    """Draws actions from a source of chance, in a vocabulary."""

    def __init__(self, chance: Random, vocabulary: Vocabulary) -> None:
        self.chance = chance
        self.vocabulary = vocabulary
        self.kinds = vocabulary.kinds()
        self.kinds_in_scripts = vocabulary.kinds_in_scripts()
        self.depth = 0  # of the script that is being drawn

    def step(self) -> Action:
        """A step of a program."""
        return self.action(self.chance.choices(list(self.kinds), list(self.kinds.values()))[0])

    def action(self, kind: type) -> Action:
        """An action of this kind."""
        action: Action = kind(*(draw(self) for draw in WAYS[kind].arguments))
        return action

    def script(self) -> tuple[Action, ...]:
        """What a callback does: nothing, mostly."""
        if self.depth == MOST_DEPTH or not self.rarely(3):
            return ()
        kinds, weights = list(self.kinds_in_scripts), list(self.kinds_in_scripts.values())
        self.depth += 1
        script = tuple(
            self.action(kind)
            for kind in self.chance.choices(kinds, weights, k=self.chance.randrange(1, 4))
        )
        self.depth -= 1
        return script

    def rarely(self, times: int) -> bool:
        """True once in so many times."""
        return self.chance.randrange(times) == times - 1

    def which(self) -> int:
        """The name of a call: of one that is pending; if negative, of any."""
        number = self.chance.randrange(100)
        return ~number if self.rarely(10) else number

    def nudge(self) -> int:
        """To which side of a time."""
        return 0 if self.vocabulary.exact else self.chance.choice([0, 0, -1, 1])

    def seconds(self) -> Any:
        """Seconds, finite and not negative; not always a float."""
        if self.rarely(20) and not self.vocabulary.exact:
            return self.chance.choice(HUGE)
        draw = self.chance.choice([self.usual, self.little, self.about_an_edge, self.any])
        return self.exactly(draw())

    def exactly(self, seconds: Any) -> Any:
        """As many seconds, or a little less, if they have to be of an exact vocabulary."""
        return math.floor(seconds / GRAIN) * GRAIN if self.vocabulary.exact else seconds

    def usual(self) -> Any:
        """One of few."""
        return self.chance.choice(USUAL)

    def little(self) -> float:
        """At most a tick."""
        return self.chance.randrange(17) * TICK / 16

    def about_an_edge(self) -> float:
        """Where a level of the wheel ends for one that stands at its first tick, or about there."""
        ticks = self.chance.choice(EDGES) * self.chance.choice([1, 1, 2, 63])
        return (ticks + self.chance.choice([-1, -1 / 16, 0, 1 / 16, 1])) * TICK

    def any(self) -> float:
        """From less than a tick to months."""
        return self.chance.random() * 10.0 ** self.chance.randrange(-3, 8)

    def delay(self) -> Any:
        """For callLater()."""
        if self.vocabulary.refused and self.rarely(40):
            return self.chance.choice(NO_DELAYS)
        return INFINITY if self.rarely(40) else self.seconds()

    def reset(self) -> Any:
        """For reset(). Twisted makes NaN of infinity, if the call was there already."""
        if self.rarely(40) and not self.vocabulary.stock:
            return self.chance.choice([INFINITY, *WEDGES])
        return self.move()

    def later(self) -> Any:
        """For delay()."""
        if self.rarely(40):
            return INFINITY if self.vocabulary.stock else self.chance.choice([INFINITY, *WEDGES])
        return self.move()

    def move(self) -> Any:
        """By how much a call is moved, there or back; or what is no number."""
        if self.rarely(40):
            return self.chance.choice(NO_SECONDS)
        return -self.seconds() if self.rarely(4) else self.seconds()

    def clock_step(self) -> float:
        """By how much the clock moves, seldom back."""
        steps = CLOCK_LEAPS if self.rarely(20) else CLOCK_STEPS
        step = self.exactly(self.chance.choice(steps) * self.chance.choice([1, 1, 1.5, 0.3]))
        return -step if self.rarely(8) else step

    def others(self) -> int:
        """How many calls the clock passes by."""
        return self.chance.choice([0, 0, 0, 0, 1, 2, 5])

    def thread_script(self) -> tuple[Action, ...]:
        """What a call from a thread does: one thing, no pass, in which it would be made again."""
        kinds = [actions.CallLater, actions.Cancel, actions.Reset, actions.Delay, actions.Move]
        return (self.action(self.chance.choice(kinds)),)

    def count(self) -> int:
        """How many calls there are in a burst."""
        return self.chance.choice([5, 20, 40, 120, 300])

    def apart(self) -> float:
        """How far the calls of a burst are from each other."""
        return self.chance.choice([0.0, GRAIN, TICK, 1.0])


@dataclass(frozen=True)
class Way:
    """How an action is drawn, and how often in a program and in a script."""

    in_programs: float
    in_scripts: float
    arguments: tuple[Callable[[Draw], Any], ...] = ()


WAYS: dict[type, Way] = {
    actions.CallLater: Way(30, 10, (Draw.delay, Draw.script)),
    actions.Burst: Way(0.4, 0, (Draw.count, Draw.seconds, Draw.apart)),
    actions.Cancel: Way(4, 5, (Draw.which,)),
    actions.Reset: Way(12, 5, (Draw.which, Draw.reset)),
    actions.Delay: Way(12, 5, (Draw.which, Draw.later)),
    actions.ResetAll: Way(0.5, 0.2, (Draw.seconds,)),
    actions.Drop: Way(2, 1, (Draw.which,)),
    actions.Move: Way(3, 1, (Draw.clock_step,)),
    actions.Advance: Way(6, 1, (Draw.clock_step,)),
    actions.AdvanceTo: Way(8, 1, (Draw.others, Draw.nudge)),
    actions.FromThread: Way(2, 0, (Draw.thread_script,)),
    actions.Earliest: Way(8, 1),
    actions.Look: Way(4, 1, (Draw.which,)),
    actions.Turn: Way(3, 0.5),
    actions.Raise: Way(0, 2),
}
