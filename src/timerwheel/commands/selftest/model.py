"""Twisted's own reactor as the model: at each step of a random program, ours must do the same.

Both run the same program on a clock moved by hand. Each has its own stream of random numbers, from
the same seed. While both do the same, they get the same numbers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from itertools import zip_longest
from random import Random
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.logger import LogLevel, capturedLogs

import timerwheel
from timerwheel.commands.selftest.failures import CheckFailedError, require
from timerwheel.observe._wheel import require_queue

GRAIN = 2.0**-16
"""
All times and delays are multiples of this, in seconds, so that no sum of them is rounded. Otherwise
the last digit would show when Twisted adds delay() to the time of a call.
"""

TICK = 2.0**-10
"""The width of the wheel's slots. Mistakes are likely at their edges."""

EPOCHS = (0.0, 1e3, 1.7e9, 2.0**33)
"""The start of the clock."""

MOST = 150
"""The most pending calls: with more than 256 in a slot, timeout() may be early."""

REMEMBERED = 150
"""How many handles the program remembers, so that it also does things to calls that are over."""

LONGEST_TIMEOUT = 2147483
"""The ceiling of timeout(), in seconds."""


class PlannedError(Exception):
    """Some calls raise this, to check that the reactor still makes the others."""


class IdleReactor(ReactorBase):
    """A reactor of Twisted's that does no I/O."""

    def installWaker(self) -> None:
        """Do nothing: there is nothing to wake."""

    def removeAll(self) -> list[Any]:
        return []


class Side(ABC):
    """A reactor on a clock moved by hand, and a random program that uses it.

    @ivar made: how many calls the program has scheduled.
    @ivar fired: how many of them were made.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = self.random.choice(EPOCHS)
        self.reactor: Any = IdleReactor()
        self.reactor.seconds = lambda: self.now
        self.made = self.fired = 0
        self._handles: list[Any] = []
        self._events: list[object] = []

    def step(self) -> list[object]:
        """Run one step of the program.

        @return: all that could be seen of it.
        """
        self._events = []
        if self.random.random() < 0.15 or len(self.reactor.getDelayedCalls()) >= MOST:
            self._run_pass()
        else:
            self._act()
        calls = sorted(
            (call.getTime(), call.kw["number"]) for call in self.reactor.getDelayedCalls()
        )
        return [*self._events, ("timeout", self.timeout()), *(("pending", *call) for call in calls)]

    @abstractmethod
    def timeout(self) -> float | None:
        """How long the reactor says that it may sleep."""

    def _act(self) -> None:
        """Do one thing to one call."""
        action = self.random.choice(
            (self._schedule, self._schedule, self._cancel, self._reset, self._delay)
        )
        try:
            action()
        except (AlreadyCalled, AlreadyCancelled) as error:
            self._events.append(type(error).__name__)

    def _schedule(self) -> None:
        # Never, now and then. (Not in reset(): Twisted would make NaN of it.)
        delay = math.inf if self.random.random() < 0.02 else self._any_delay()
        call = self.reactor.callLater(delay, self._fire, number=self.made)
        self.made += 1
        self._handles = [*self._handles[1 - REMEMBERED :], call]
        self._keep_apart(call)

    def _cancel(self) -> None:
        self._any_call().cancel()

    def _reset(self) -> None:
        call = self._any_call()
        call.reset(self._any_delay())
        self._keep_apart(call)

    def _delay(self) -> None:
        call = self._any_call()
        call.delay(self._any_delay() * self.random.choice((1, 1, -1)))
        self._keep_apart(call)

    def _any_call(self) -> Any:
        if not self._handles:
            self._schedule()
        return self.random.choice(self._handles)

    def _keep_apart(self, call: Any) -> None:
        """Cancel a call that another is due with: Twisted makes such calls in another order."""
        calls = self.reactor.getDelayedCalls()
        if any(other is not call and other.getTime() == call.getTime() for other in calls):
            call.cancel()

    def _any_delay(self) -> float:
        """Any delay, but more often a short one or one at the edge of a slot."""
        chance = self.random
        ticks = chance.choice((1, 63, 64, 65, 4095, 4096, 4097, 64**3, 64**4, 64**5))
        return chance.choice(
            (
                0.0,
                30.0,
                chance.randrange(1000) * GRAIN,
                chance.randrange(2 ** chance.randrange(46)) * GRAIN,
                ticks * TICK,
                ticks * TICK + GRAIN,
                ticks * TICK - GRAIN,
            )
        )

    def _run_pass(self) -> None:
        """Move the clock, and let the reactor make the expired calls."""
        self.now = self._any_time()
        with capturedLogs() as logged:
            self.reactor.runUntilCurrent()
        failures = sum(event["log_level"] is LogLevel.critical for event in logged)
        self._events.append(("failures logged", failures))

    def _any_time(self) -> float:
        """The next time of the clock: on, at a deadline or just before one, and sometimes back."""
        chance = self.random
        times = sorted(call.getTime() for call in self.reactor.getDelayedCalls())
        deadline = min(chance.choices(times, k=5)) if times else self.now
        if math.isinf(deadline):
            deadline = self.now
        back = chance.randrange(2**26) if chance.random() < 0.1 else 0
        return chance.choice(
            (
                self.now,
                self.now + chance.randrange(1000) * GRAIN,
                self.now + chance.randrange(100_000) * GRAIN,
                self.now - back * GRAIN,
                deadline,
                deadline - GRAIN,
            )
        )

    def _fire(self, number: int) -> None:
        """The function of each call."""
        self.fired += 1
        self._events.append(("called", number))
        for _ in range(self.random.choice((0, 0, 0, 1, 2))):
            self._act()
        if self.random.random() < 0.05:
            raise PlannedError(f"call {number} fails, as it should")


class StockSide(Side):
    """The program on Twisted's own reactor."""

    def timeout(self) -> float | None:
        """@return: the time until the earliest call. What Twisted says itself may be less: it wakes
        for calls that were cancelled or moved later, too.
        """
        said = self.reactor.timeout()
        times = [call.getTime() for call in self.reactor.getDelayedCalls()]
        if not times:
            return None
        exact: float = max(0, min(LONGEST_TIMEOUT, min(times) - self.now))
        require(said is not None and said <= exact, "Twisted's reactor itself sleeps too long")
        return exact


class WheelSide(Side):
    """The program on a reactor with the wheel, whose inner structure is checked at each step."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        timerwheel.accelerate(self.reactor)

    def step(self) -> list[object]:
        seen = super().step()
        require_queue(self.reactor).check_invariants()
        return seen

    def timeout(self) -> float | None:
        seconds: float | None = self.reactor.timeout()
        return seconds


def check_against_twisted(seed: int, steps: int) -> str:
    """Run the program on both sides and compare them step by step.

    @return: what was done.

    @raise CheckFailedError: they differ.
    """
    stock, wheel = StockSide(seed), WheelSide(seed)
    for number in range(steps):
        for expected, seen in zip_longest(stock.step(), wheel.step()):
            if expected != seen:
                raise CheckFailedError(
                    f"at step {number} Twisted's reactor has {expected}, the wheel {seen}"
                )
    return f"{steps:,} steps, {wheel.made:,} calls scheduled, {wheel.fired:,} made"


def check_same_instant(seed: int, steps: int) -> str:
    """Schedule many calls for a few instants: the reactor must make those of one instant in order.

    @param steps: how many calls.

    @return: what was done.

    @raise CheckFailedError: they were not.
    """
    random = Random(seed)
    now = 1.7e9
    reactor: Any = IdleReactor()
    reactor.seconds = lambda: now
    timerwheel.accelerate(reactor)
    made: list[tuple[float, int]] = []
    for number in range(steps):
        delay = random.choice((0.0, 0.5, 30.0, 3600.0))
        reactor.callLater(delay, made.append, (delay, number))
    now += 3600.0
    reactor.runUntilCurrent()
    require(len(made) == steps, f"{len(made)} calls were made, not {steps}")
    require(made == sorted(made), "calls for the same instant were made out of order")
    return f"{steps:,} calls for 4 instants"
