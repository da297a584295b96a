"""The workloads that time one operation on timers: schedule, cancel, reset, fire, an idle pass."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import Any

from operations.parties import START
from operations.runs import (
    OPERATIONS_A_PASS,
    SPREAD_PASSES,
    SPREAD_SECONDS,
    Run,
    far_delays,
    fresh,
    nothing,
    still,
)

# schedule + cancel


def schedule_cancel(party: Any, size: int) -> Run:
    party.start()
    party.keep = party.arm(far_delays(size), nothing)
    loop = _twisted_schedule_cancel if hasattr(party, "reactor") else _asyncio_schedule_cancel
    owner = party.reactor if hasattr(party, "reactor") else party.loop
    timed = fresh(loop)

    def run() -> None:
        for _ in range(20):
            timed(owner, OPERATIONS_A_PASS)
            party.turn()

    return Run(run, 20 * OPERATIONS_A_PASS, still(party, size))


def _twisted_schedule_cancel(reactor: Any, count: int) -> None:
    for _ in repeat(None, count):
        reactor.callLater(30, nothing).cancel()


def _asyncio_schedule_cancel(loop: Any, count: int) -> None:
    for _ in repeat(None, count):
        loop.call_later(30, nothing).cancel()


def schedule_cancel_bound(party: Any, size: int) -> Run:
    """Without looking callLater up on the reactor each time."""
    return _schedule_cancel_variant(party, size, _with_bound)


def _with_bound(reactor: Any, count: int) -> None:
    call_later = reactor.callLater
    for _ in repeat(None, count):
        call_later(30, nothing).cancel()


# The same with arguments, and with a bound method


class Connection:
    """What a bound method belongs to."""

    def timed_out(self) -> None:
        """The callback."""


def schedule_cancel_arguments(party: Any, size: int) -> Run:
    return _schedule_cancel_variant(party, size, _with_arguments)


def schedule_cancel_keywords(party: Any, size: int) -> Run:
    return _schedule_cancel_variant(party, size, _with_keywords)


def schedule_cancel_method(party: Any, size: int) -> Run:
    return _schedule_cancel_variant(party, size, _with_method)


def _schedule_cancel_variant(party: Any, size: int, loop: Callable[[Any, int], None]) -> Run:
    party.start()
    party.keep = party.arm(far_delays(size), nothing)
    timed = fresh(loop)

    def run() -> None:
        for _ in range(20):
            timed(party.reactor, OPERATIONS_A_PASS)
            party.turn()

    return Run(run, 20 * OPERATIONS_A_PASS, still(party, size))


def _with_arguments(reactor: Any, count: int) -> None:
    for _ in repeat(None, count):
        reactor.callLater(30, nothing, 1, 2).cancel()


def _with_keywords(reactor: Any, count: int) -> None:
    for _ in repeat(None, count):
        reactor.callLater(30, nothing, 1, key=2).cancel()


def _with_method(reactor: Any, count: int) -> None:
    connection = Connection()
    for _ in repeat(None, count):
        reactor.callLater(30, connection.timed_out).cancel()


# reset


def reset_later(party: Any, size: int) -> Run:
    """Push random timers back, as a message on a connection does its timeout."""
    return _reset(party, size, 3000.0, 20 * OPERATIONS_A_PASS)


def reset_sooner(party: Any, size: int) -> Run:
    """Pull random timers nearer. Stock searches its heap for each, so it does few."""
    few = party.name == "stock" and size > 1000
    return _reset(party, size, 500.0, 20 if few else min(size, 20_000))


def _reset(party: Any, size: int, delay: float, operations: int) -> Run:
    party.start()
    calls = party.keep = party.arm(far_delays(size), nothing)
    rng = random.Random(2)
    # Each once where there are enough: a timer that is where it is going is not moved.
    chosen = (
        rng.sample(calls, operations) if operations <= size else rng.choices(calls, k=operations)
    )
    timed = fresh(_reset_each)

    def check() -> None:
        assert all(call.active() for call in chosen[:100] if hasattr(call, "active"))
        still(party, size)()

    return Run(lambda: (timed(chosen, delay), party.turn()), operations, check)


def _reset_each(calls: Sequence[Any], delay: float) -> None:
    for call in calls:
        call.reset(delay)


# schedule and keep


def schedule_keep(party: Any, size: int) -> Run:
    """Schedule timers from none up to the size, including the collector's work on them."""
    party.start()
    delays = far_delays(size)
    owner = party.reactor if hasattr(party, "reactor") else party.loop
    schedule = _twisted_keep if hasattr(party, "reactor") else _asyncio_keep
    timed = fresh(schedule)
    party.keep = []

    def run() -> None:
        for start in range(0, size, OPERATIONS_A_PASS):
            timed(owner, delays[start : start + OPERATIONS_A_PASS], party.keep)
            party.turn()

    return Run(run, size, still(party, size))


def _twisted_keep(reactor: Any, delays: Sequence[float], keep: list[Any]) -> None:
    for delay in delays:
        keep.append(reactor.callLater(delay, nothing))


def _asyncio_keep(loop: Any, delays: Sequence[float], keep: list[Any]) -> None:
    for delay in delays:
        keep.append(loop.call_later(delay, nothing))


# fire


class Firing:
    """Timers with random deadlines, and what says that all were fired, and in order."""

    def __init__(self, party: Any, size: int, passes: int) -> None:
        rng = random.Random(3)
        step = SPREAD_SECONDS / passes
        self.party = party
        self.size = size
        self.delays = [rng.random() * SPREAD_SECONDS for _ in range(size)]
        self.times = [START + number * step for number in range(1, passes + 1)]
        self.fired = 0
        self.noted: list[float] = []

    def count(self) -> None:
        """The callback."""
        self.fired += 1

    def note(self, delay: float) -> None:
        """The callback of every hundredth, by which the order is known."""
        self.fired += 1
        self.noted.append(delay)

    def arm(self) -> None:
        self.party.start(virtual=True)
        schedule = self.party.schedule
        for number, delay in enumerate(self.delays):
            schedule(delay, self.count if number % 100 else partial(self.note, delay))
        if self.party.name == "stock":
            self.party.reactor.timeout()  # here it puts new calls into its heap

    def run(self) -> None:
        self.party.pass_at(self.times, -(-self.size // len(self.times)))

    def check(self) -> None:
        name = self.party.name
        assert self.fired == self.size, f"{name}: {self.fired} of {self.size} fired"
        assert self.party.pending() == 0
        assert name == "floor" or self.noted == sorted(self.noted), f"{name}: not in order"


def fire_spread(party: Any, size: int) -> Run:
    return _fire(party, size, SPREAD_PASSES)


def fire_burst(party: Any, size: int) -> Run:
    return _fire(party, size, 1)


def _fire(party: Any, size: int, passes: int) -> Run:
    firing = Firing(party, size, passes)
    firing.arm()
    return Run(firing.run, size, firing.check)


# A pass in which nothing is due


def idle_pass(party: Any, size: int) -> Run:
    party.start()
    party.keep = party.arm(far_delays(size), nothing)
    timed = fresh(_idle_passes)
    return Run(lambda: timed(party.reactor, 10_000), 10_000, still(party, size))


def _idle_passes(reactor: Any, count: int) -> None:
    for _ in repeat(None, count):
        reactor.runUntilCurrent()
        reactor.timeout()
