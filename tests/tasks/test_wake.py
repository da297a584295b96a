"""When the reactor is asked to call: not too late, not too often, without a search."""

from __future__ import annotations

import random
from typing import Any

import pytest
from helpers import FakeClock, StockReactor, make_reactor, run_for

from timerwheel.tasks import Scheduler

MANY = 5000


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1.7e9)


@pytest.mark.parametrize("stock", [False, True], ids=["ours", "stock"])
@pytest.mark.parametrize("seed", range(5))
def test_tasks_run_on_time_though_the_reactor_is_asked_for_a_time_before_it(
    clock: FakeClock, stock: bool, seed: int
) -> None:
    """And it is called no more than some times in vain: once a level of the wheel."""
    reactor: Any = StockReactor() if stock else make_reactor(clock)
    reactor.seconds = clock
    scheduler = Scheduler(reactor)
    chance = random.Random(seed)
    late: list[float] = []
    start = clock.now + chance.uniform(0, 100_000)
    times = [start + chance.choice([0, 0.0002, 0.0004]) for _ in range(MANY)]
    for when in times:
        scheduler.call_at(when, lambda when=when: late.append(clock.now - when))
    (call,) = reactor.getDelayedCalls()
    assert call.getTime() <= min(times)
    passes = run_for(110_000, reactor, clock)
    assert len(late) == MANY
    assert min(late) > -1e-6
    assert max(late) < 1e-6
    assert passes <= 1 + 3 + 7


def test_to_start_a_task_takes_no_search_of_those_that_wait(clock: FakeClock) -> None:
    """What a search would find is their earliest time; what is asked for is a time before it."""
    reactor = make_reactor(clock)
    scheduler = Scheduler(reactor)
    log: list[Any] = []
    earliest = clock.now + 59.9
    for number in range(MANY):
        scheduler.call_at(earliest + number * 1e-4, log.append, number)
    for _ in range(3):
        near = scheduler.call_later(0.01, log.append, "near")
        clock.advance(0.01)
        reactor.runUntilCurrent()
        reactor.runUntilCurrent()
        assert near.done
        (call,) = reactor.getDelayedCalls()
        assert clock.now < call.getTime() < earliest
    run_for(70, reactor, clock)
    assert log == ["near"] * 3 + list(range(MANY))


def test_a_call_that_comes_in_vain_does_not_spin(clock: FakeClock) -> None:
    """Each is nearer to the time than the one before."""
    reactor = make_reactor(clock)
    scheduler = Scheduler(reactor)
    log: list[float] = []
    for number in range(MANY):
        scheduler.call_at(clock.now + 1e6 + number * 1e-7, log.append, number)
    delays = []
    while not log:
        (call,) = reactor.getDelayedCalls()
        delays.append(call.getTime() - clock.now)
        clock.now = call.getTime()
        reactor.runUntilCurrent()
    assert all(delay > 0 for delay in delays)
    assert len(delays) <= 8
