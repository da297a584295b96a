"""Tasks that start after others: gathered, and graphs of 100,000."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from task_helpers import error_of, fail_with
from twisted.internet.defer import Deferred

import timerwheel
from timerwheel.tasks import Scheduler, Task, TaskState

LARGE = 100_000


@pytest.fixture
def clock() -> timerwheel.Clock:
    return timerwheel.Clock()


@pytest.fixture
def scheduler(clock: timerwheel.Clock) -> Scheduler:
    return Scheduler(clock, budget=float("inf"))


# Gather.


def test_gather_has_the_results_in_order(clock: timerwheel.Clock, scheduler: Scheduler) -> None:
    tasks = [scheduler.call(lambda number=number: number, priority=-number) for number in range(5)]
    gathered = scheduler.gather(tasks)
    empty = scheduler.gather(iter([]))
    clock.advance(0)
    assert (gathered.result, empty.result) == ([0, 1, 2, 3, 4], [])


def test_gather_fails_at_once_or_when_all_are_done(
    clock: timerwheel.Clock, scheduler: Scheduler
) -> None:
    held: Deferred[None] = Deferred()
    tasks = [scheduler.call(lambda: held), scheduler.call(fail_with, KeyError("cause"))]
    at_once = scheduler.gather(tasks)
    patient = scheduler.gather(tasks, require_success=False)
    clock.advance(0)
    assert (error_of(at_once).task, patient.state) == (tasks[1], TaskState.WAITING)
    held.callback(None)
    clock.advance(0)
    with pytest.raises(KeyError, match="cause"):
        _ = patient.result


# Large graphs.


def test_a_chain_runs_in_one_pass_and_is_freed(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    tasks = [scheduler.call(log.append, 0)]
    for number in range(1, LARGE):
        tasks.append(scheduler.call(log.append, number, after=tasks[-1:]))
    clock.advance(0)
    assert log == list(range(LARGE))
    assert_freed(tasks)


def test_one_waits_for_very_many_and_very_many_for_one(
    clock: timerwheel.Clock, scheduler: Scheduler
) -> None:
    first = scheduler.call(int)
    tasks = [scheduler.call(int, after=[first]) for _ in range(LARGE)]
    last = scheduler.gather(tasks)
    clock.advance(0)
    assert (sum(last.result), last.state) == (0, TaskState.SUCCEEDED)


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
def test_the_end_of_the_first_ends_a_chain(
    clock: timerwheel.Clock, scheduler: Scheduler, how: str
) -> None:
    first = scheduler.call(fail_with, KeyError("cause"))
    tasks = [first]
    for _ in range(LARGE):
        tasks.append(scheduler.call(print, after=tasks[-1:]))
    if how == "is cancelled":
        first.cancel()
    clock.advance(0)
    assert error_of(tasks[-1]).task is first
    assert {task.state for task in tasks[1:]} == {TaskState.FAILED}
    del first
    assert_freed(tasks)


def test_closing_ends_a_chain(clock: timerwheel.Clock, scheduler: Scheduler) -> None:
    tasks = [scheduler.call_later(5, print)]
    for _ in range(LARGE):
        tasks.append(scheduler.call(print, after=tasks[-1:]))
    scheduler.close(0)
    clock.advance(0)
    assert {task.state for task in tasks} == {TaskState.CANCELLED}
    assert_freed(tasks)


def assert_freed(tasks: list[Task]) -> None:
    """What is done is freed by reference counting alone.

    (But the last one, where its failure was raised: the traceback has a frame that refers to it.)
    """
    last, middle = weakref.ref(tasks[-2]), weakref.ref(tasks[len(tasks) // 2])
    gc.disable()
    try:
        tasks.clear()
        assert (last(), middle()) == (None, None)
    finally:
        gc.enable()


def test_a_chain_that_still_waits_is_collected_with_its_scheduler() -> None:
    scheduler = Scheduler(timerwheel.Clock())
    tasks = [scheduler.call_later(5, print)]
    for _ in range(LARGE):
        tasks.append(scheduler.call(print, after=tasks[-1:]))
    gone = weakref.ref(tasks[LARGE // 2])
    del scheduler, tasks
    gc.collect()
    assert gone() is None


def test_a_chain_whose_functions_hold_the_task_before_is_freed(
    clock: timerwheel.Clock, scheduler: Scheduler
) -> None:
    task = scheduler.call(int)
    first = weakref.ref(task)
    for _ in range(LARGE):
        task = scheduler.call(lambda before=task: before.result + 1, after=[task])
    clock.advance(0)
    assert task.result == LARGE
    del task
    gc.collect()
    assert first() is None
