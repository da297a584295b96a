"""The workloads: each prepares a reactor and returns the function to time.

bench/ of the source distribution has the thorough ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, repeat
from random import Random
from time import perf_counter
from typing import Any

OPERATIONS = 20_000
"""The number of operations, unless the workload sets it."""

OPERATIONS_A_PASS = 1000
"""After so many operations comes a pass, as in a server; the time includes it."""

FAR = 1000.0, 2000.0
"""The delays, from and to in seconds, of the timers that only stay pending."""

BUDGET = 0.1
"""Seconds after which no more timers are moved sooner."""

BATCH = 20
"""How many timers to move sooner between two looks at the budget."""

SPREAD = 60.0
"""Seconds over which the deadlines of firing timers are spread."""

PASSES = 600
"""Passes in which they fire."""


@dataclass
class Run:
    """@ivar timed: does what is to be timed, and returns how many operations that was.
    @ivar check: says after it what went wrong; `None` if all is well.
    """

    timed: Callable[[], int]
    check: Callable[[], str | None]


def nothing() -> None:
    """A callback that does nothing."""


def schedule_cancel(reactor: Any, pending: int) -> Run:
    """A timeout that the program cancels."""
    calls = _arm_far(reactor, pending)

    def timed() -> int:
        for _ in repeat(None, OPERATIONS // OPERATIONS_A_PASS):
            for _ in repeat(None, OPERATIONS_A_PASS):
                reactor.callLater(30, nothing).cancel()
            _turn(reactor)
        return OPERATIONS

    return Run(timed, lambda: _all_pending(reactor, calls))


def reset_later(reactor: Any, pending: int) -> Run:
    """A timeout that is pushed back."""
    calls = _arm_far(reactor, pending)
    chosen = Random(2).choices(calls, k=OPERATIONS)

    def timed() -> int:
        for call in chosen:
            call.reset(3000)
        _turn(reactor)
        return OPERATIONS

    return Run(timed, lambda: _all_pending(reactor, calls))


def reset_sooner(reactor: Any, pending: int) -> Run:
    """As many as fit into the budget, because Twisted searches its heap for each."""
    calls = _arm_far(reactor, pending)
    chosen = Random(3).sample(calls, min(pending, OPERATIONS))

    def timed() -> int:
        end = perf_counter() + BUDGET
        done = 0
        while done < len(chosen) and perf_counter() < end:
            for call in chosen[done : done + BATCH]:
                call.reset(500)
            done += BATCH
        _turn(reactor)
        return min(done, len(chosen))

    return Run(timed, lambda: _all_pending(reactor, calls))


def keep(reactor: Any, pending: int) -> Run:
    """Timers that stay, from none to all, including the garbage collector's work on them."""
    delays = _far_delays(pending)
    calls: list[Any] = []

    def timed() -> int:
        for start in range(0, pending, OPERATIONS_A_PASS):
            for delay in delays[start : start + OPERATIONS_A_PASS]:
                calls.append(reactor.callLater(delay, nothing))
            _turn(reactor)
        return pending

    return Run(timed, lambda: _all_pending(reactor, calls))


def fire(reactor: Any, pending: int) -> Run:
    """Timers that fire, at random times of a clock that is moved by hand from 0.

    (From there on their times are as different as their delays; at 1.7e9 some would be the same.)
    """
    random = Random(4)
    delays = [random.random() * SPREAD for _ in range(pending)]
    noted: list[float] = []
    tick = count().__next__
    now = 0.0
    reactor.seconds = lambda: now
    for number, delay in enumerate(delays):
        # One in a hundred checks the order; more would add the cost of their arguments.
        if number % 100:
            reactor.callLater(delay, tick)
        else:
            reactor.callLater(delay, noted.append, delay)
    reactor.timeout()  # Twisted puts new calls into its heap here.

    def timed() -> int:
        nonlocal now
        for number in range(1, PASSES + 1):
            now = number * SPREAD / PASSES
            _turn(reactor)
        return pending

    def check() -> str | None:
        del reactor.seconds
        if noted != sorted(delays[::100]) or tick() + len(noted) != pending:
            return "not all timers fired, or not in order"
        return None

    return Run(timed, check)


def idle_pass(reactor: Any, pending: int) -> Run:
    """A pass of the reactor in which no timer expires."""
    calls = _arm_far(reactor, pending)

    def timed() -> int:
        for _ in repeat(None, OPERATIONS):
            reactor.runUntilCurrent()
            reactor.timeout()
        return OPERATIONS

    return Run(timed, lambda: _all_pending(reactor, calls))


WORKLOADS: dict[str, Callable[[Any, int], Run]] = {
    "schedule + cancel": schedule_cancel,
    "reset later": reset_later,
    "reset sooner": reset_sooner,
    "schedule, timers kept": keep,
    "fire": fire,
    "one idle pass": idle_pass,
}
"""All workloads, by name."""


def _far_delays(pending: int) -> list[float]:
    random = Random(1)
    return [random.uniform(*FAR) for _ in range(pending)]


def _arm_far(reactor: Any, pending: int) -> list[Any]:
    calls = [reactor.callLater(delay, nothing) for delay in _far_delays(pending)]
    reactor.timeout()  # Twisted puts new calls into its heap here.
    return calls


def _turn(reactor: Any) -> None:
    reactor.runUntilCurrent()
    reactor.timeout()


def _all_pending(reactor: Any, calls: list[Any]) -> str | None:
    pending = reactor.getDelayedCalls()
    if len(pending) == len(calls) and all(call.active() for call in calls):
        return None
    return f"{len(pending):,} timers are pending, not {len(calls):,}"
