"""Tasks that start after others, while listeners, the collector and the end interfere."""

from __future__ import annotations

import gc
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from helpers import FakeClock, make_reactor
from task_helpers import fail_with, states
from twisted.internet.defer import CancelledError, Deferred

import timerwheel
from timerwheel.tasks import Scheduler, SchedulerClosedError, Task

LARGE = 100_000


@pytest.fixture
def clock() -> timerwheel.Clock:
    return timerwheel.Clock()


@pytest.fixture
def scheduler(clock: timerwheel.Clock) -> Scheduler:
    return Scheduler(clock, budget=float("inf"))


# Reentrancy.


def test_a_listener_may_cancel_those_that_wait_and_make_others(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    first = scheduler.call(log.append, "first")
    others: list[Task] = []

    def told(_: Any) -> None:
        others[1].cancel()
        scheduler.call(log.append, "made", after=[first, others[0]])

    first.deferred.addCallback(told)
    others += [scheduler.call(log.append, number, after=[first]) for number in range(3)]
    clock.pump([0, 0])
    assert log == ["first", 0, 2, "made"]
    assert states(others) == ["succeeded", "cancelled", "succeeded"]


def test_a_task_may_add_dependents_of_itself_and_cancel_itself(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    tasks: list[Task] = []

    def first() -> Deferred[None]:
        tasks.append(scheduler.call(log.append, "second", after=tasks[:1]))
        tasks.append(scheduler.call(log.append, "anyway", after=tasks[:1], require_success=False))
        tasks[0].cancel()
        return Deferred()

    tasks.append(scheduler.call(first))
    clock.pump([0, 0])
    assert (log, states(tasks)) == (["anyway"], ["cancelled", "failed", "succeeded"])


def test_a_listener_may_turn_the_loop_in_which_dependents_run(log: list[Any]) -> None:
    clock = FakeClock(100.0)
    reactor = make_reactor(clock)
    scheduler = Scheduler(reactor)
    first = scheduler.call(log.append, "first")
    scheduler.call(log.append, "second", after=[first])

    def told(_: Any) -> None:
        reactor.runUntilCurrent()
        log.append("told")

    first.deferred.addCallback(told)
    reactor.runUntilCurrent()
    assert log == ["first", "second", "told"]
    reactor.runUntilCurrent()
    assert (scheduler.tasks, reactor.getDelayedCalls()) == ([], [])


def test_a_result_that_cancels_others_when_it_is_released(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    others: list[Task] = []

    class Last:
        def __del__(self) -> None:
            for task in others:
                task.cancel()

    root = scheduler.call_later(1, fail_with, KeyError("cause"))
    held = scheduler.call(lambda last: last, Last())
    clock.advance(0)
    scheduler.call(print, after=[held, root])
    others += [scheduler.call(log.append, "ran", after=[root]) for _ in range(2)]
    others += [scheduler.call(log.append, "ran", after=[root], require_success=False)]
    del held
    clock.advance(1)
    clock.advance(0)
    assert {task.done for task in others} == {True}
    assert scheduler.tasks == []
    root.deferred.addErrback(lambda _: None)


@pytest.mark.parametrize("what", ["first", "second", "waiting", "all"])
def test_the_collector_may_end_tasks_while_one_is_made(what: str) -> None:
    """Whatever takes memory may run it, and with it what cancels tasks."""
    thresholds = gc.get_threshold()
    for countdown in range(1, 40):
        scheduler = Scheduler(timerwheel.Clock())
        first, second = scheduler.call(Deferred), scheduler.call(Deferred)
        waiting = scheduler.call(print, after=[first])
        tasks = {"first": first, "second": second, "waiting": waiting}

        end = partial(scheduler.close, 0) if what == "all" else tasks[what].cancel

        def collected(phase: str, info: Any, end: Any = end) -> None:
            gc.set_threshold(100_000)
            end()

        gc.callbacks.append(collected)
        gc.set_threshold(gc.get_count()[0] + countdown)
        try:
            with suppress(SchedulerClosedError):
                tasks["new"] = scheduler.call_later(0, int, after=[first, second], deadline=5)
        finally:
            gc.set_threshold(*thresholds)
            gc.callbacks.remove(collected)
        first.cancel()
        assert "new" not in tasks or tasks["new"].done
        scheduler.close(0)
        scheduler._reactor.advance(0)
        assert (scheduler.tasks, scheduler._reactor.getDelayedCalls()) == ([], [])


# The end.


def test_closing_leaves_what_waits_for_what_is_left_to_end(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    first = scheduler.call(log.append, "first")
    second = scheduler.call(log.append, "second", after=[first])
    third = scheduler.call(log.append, "third", after=[second])
    late = scheduler.call_later(5, log.append, "late")
    for options in ({}, {"after": [late]}):
        scheduler.call_later(9, log.append, "later still", **options)
    after_late = scheduler.call(log.append, "after late", after=[late, third])
    anyway = scheduler.call(log.append, "anyway", after=[late], require_success=False)
    closed = scheduler.close()
    assert not closed.called
    clock.pump([0, 0])
    assert closed.called
    assert log == ["first", "anyway", "second", "third"]
    assert states([late, after_late, anyway]) == ["cancelled", "cancelled", "succeeded"]
    with pytest.raises(CancelledError):
        _ = after_late.result
    assert clock.getDelayedCalls() == []


def test_closing_at_once_cancels_all_each_before_those_that_wait_for_it(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    tasks = [scheduler.call(Deferred)]
    for _ in range(5):
        tasks.append(scheduler.call(log.append, "ran", after=tasks[-1:]))
    tasks.append(scheduler.call(log.append, "ran", after=tasks[-1:], require_success=False))
    clock.advance(0)
    ended: list[int] = []
    for number, task in enumerate(tasks):
        task.deferred.addErrback(lambda _, number=number: ended.append(number))
    closed = scheduler.close(0)
    clock.advance(0)
    assert closed.called
    assert (ended, log) == (list(range(7)), [])
    assert states(tasks) == ["cancelled"] * 7
    assert clock.getDelayedCalls() == []


def test_a_task_that_closes_the_scheduler_before_its_dependents_run(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    first = scheduler.call(lambda: log.append(scheduler.close()))
    scheduler.call(log.append, "second", after=[first])
    clock.pump([0, 0])
    assert (log[0].called, log[1:]) == (True, ["second"])
