"""Periodic tasks: their grid, missed turns, their end."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import FakeClock, make_reactor
from task_helpers import Jobs, fail_with, outcome

from timerwheel.tasks import Scheduler, TaskState


def test_a_periodic_task_keeps_to_its_grid(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    task = scheduler.call_every(0.1, lambda: log.append(clock.seconds()))
    clock.advance(0)
    for _ in range(1000):
        clock.advance(0.1)
    assert len(log) == 1001
    assert task.missed == 0
    assert task.attempts == 1001
    task.cancel()
    assert clock.getDelayedCalls() == []


def test_a_periodic_task_can_begin_after_an_interval(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    scheduler.call_every(1, log.append, "turn", now=False)
    clock.advance(0.5)
    assert log == []
    clock.advance(0.5)
    assert log == ["turn"]
    clock.advance(1)
    assert log == ["turn"] * 2


def test_missed_turns_are_counted_and_not_bunched(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    task = scheduler.call_every(1, lambda: log.append(clock.seconds()))
    clock.advance(0)
    clock.advance(3.5)
    assert (log, task.missed) == ([0, 3.5], 2)
    clock.advance(0.25)
    assert log == [0, 3.5]
    clock.advance(0.25)
    assert (log, task.missed) == ([0, 3.5, 4], 2)


def test_a_turn_that_takes_long_leaves_out_those_that_it_overlaps(clock: Any) -> None:
    scheduler, jobs = Scheduler(clock), Jobs()
    task = scheduler.call_every(1, jobs.start, "turn")
    clock.advance(0)
    clock.advance(2.5)
    assert task.state is TaskState.RUNNING
    jobs.end("turn")
    assert (task.state, task.when) == (TaskState.SCHEDULED, pytest.approx(3))
    clock.advance(0.5)
    assert (list(jobs.begun), task.missed) == (["turn"], 2)


def test_a_periodic_task_goes_on_after_the_clock_went_back(log: list[Any]) -> None:
    clock = FakeClock(1.7e9)
    reactor = make_reactor(clock)
    scheduler = Scheduler(reactor)
    task = scheduler.call_every(1, log.append, "turn")
    reactor.runUntilCurrent()
    clock.advance(-3600)
    reactor.runUntilCurrent()
    clock.advance(3601)
    reactor.runUntilCurrent()
    assert (log, task.missed) == (["turn"] * 2, 0)


def test_a_periodic_task_ends_with_the_failure_of_a_turn(clock: Any, scheduler: Scheduler) -> None:
    task = scheduler.call_every(1, fail_with, KeyError("turn"))
    clock.advance(0)
    assert isinstance(outcome(task), KeyError)
    assert (task.state, clock.getDelayedCalls()) == (TaskState.FAILED, [])


def test_a_fallback_has_a_periodic_task_go_on(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    task = scheduler.call_every(1, fail_with, KeyError("turn"), fallback=log.append)
    clock.advance(0)
    clock.advance(1)
    assert (len(log), task.state) == (2, TaskState.SCHEDULED)


def test_cancelling_a_periodic_task_from_its_own_turn_ends_it(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    def turn() -> None:
        log.append("turn")
        task.cancel()

    task = scheduler.call_every(1, turn)
    clock.advance(0)
    assert task.state is TaskState.CANCELLED
    clock.advance(5)
    assert (log, clock.getDelayedCalls()) == (["turn"], [])


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), 5e-324])
def test_an_interval_is_positive(scheduler: Scheduler, wrong: float) -> None:
    with pytest.raises(ValueError, match="interval"):
        scheduler.call_every(wrong, print)
    assert scheduler.tasks == []
