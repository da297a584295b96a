"""Cancelling a task, and those that wait for it."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from task_helpers import Jobs, closed, outcome, until_cancelled_and
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.python.failure import Failure

from timerwheel.tasks import Scheduler, Task, TaskState


@pytest.mark.parametrize("delay", [0, 5])
def test_a_task_that_waits_is_cancelled_at_once(
    clock: Any, scheduler: Scheduler, log: list[Any], delay: float
) -> None:
    task = scheduler.call_later(delay, log.append, 1) if delay else scheduler.call(log.append, 1)
    failed = task.deferred
    assert task.cancel() is True
    assert task.cancel() is False
    assert task.state is TaskState.CANCELLED
    failed.addErrback(lambda failure: log.append(failure.type))
    clock.advance(10)
    assert log == [CancelledError]
    with pytest.raises(CancelledError):
        _ = task.result


def test_cancelling_a_running_task_cancels_what_it_waits_for(clock: Any) -> None:
    scheduler, jobs = Scheduler(clock, max_running=1), Jobs()
    first, second = (scheduler.call(jobs.start, name) for name in "ab")
    clock.advance(0)
    assert first.cancel() is True
    assert first.state is TaskState.CANCELLED
    clock.advance(0)
    assert second.state is TaskState.RUNNING


def test_a_task_that_makes_something_else_of_being_cancelled_ends_with_that(
    clock: Any, scheduler: Scheduler
) -> None:
    async def stubborn() -> str:
        try:
            await Deferred()
        except CancelledError:
            return "cleaned up"
        return "unreachable"

    task = scheduler.call(stubborn)
    clock.advance(0)
    task.cancel()
    assert (task.state, task.result) == (TaskState.SUCCEEDED, "cleaned up")


def test_cancelling_the_deferred_cancels_the_task(clock: Any, scheduler: Scheduler) -> None:
    task = scheduler.call_later(1, print)
    deferred = task.deferred
    assert task.deferred is deferred
    deferred.addErrback(lambda _: None)
    deferred.cancel()
    assert task.state is TaskState.CANCELLED
    assert clock.getDelayedCalls() == []


def test_who_waits_no_longer_is_told_so_and_the_others_when_the_task_ends(
    clock: Any, log: list[Any]
) -> None:
    scheduler, cleaned_up = Scheduler(clock, max_running=1), Deferred[Any]()
    task = scheduler.call(until_cancelled_and, cleaned_up)
    after = scheduler.call(lambda: "ran")
    clock.advance(0)
    task.deferred.addTimeout(5, clock).addErrback(lambda failure: log.append(failure.type))
    clock.advance(5)
    assert (log, task.state) == ([DeferredTimeout], TaskState.RUNNING)
    task.deferred.addErrback(lambda failure: log.append(failure.type))
    cleaned_up.callback(None)
    assert (log[1:], task.state) == ([CancelledError], TaskState.CANCELLED)
    clock.advance(0)
    assert after.result == "ran"


def test_a_coroutine_that_waits_for_a_task_can_be_cancelled(
    clock: Any, scheduler: Scheduler, logged: list[Failure]
) -> None:
    cleaned_up: Deferred[Any] = Deferred()
    task = scheduler.call(until_cancelled_and, cleaned_up)
    clock.advance(0)

    waiting = ensureDeferred(wait_for(task))
    waiting.addErrback(lambda failure: failure.trap(CancelledError))
    waiting.cancel()
    told = closed(scheduler, None)
    cleaned_up.errback(KeyError("clean-up"))
    assert (task.state, told) == (TaskState.FAILED, ["closed"])
    del task
    gc.collect()
    assert [failure.type for failure in logged] == [KeyError]


def test_one_who_is_told_can_cancel_the_next(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    task = scheduler.call(lambda: "result")
    listeners = [ensureDeferred(wait_for(task)) for _ in range(3)]
    for number, listener in enumerate(listeners):
        listener.addBoth(lambda result, number: log.append((number, result)), number)
    listeners[0].addCallback(lambda _: listeners[1].cancel())
    clock.advance(0)
    assert log[0] == (0, "result")
    assert (log[1][0], log[1][1].type) == (1, CancelledError)
    assert log[2] == (2, "result")


async def wait_for(task: Task) -> Any:
    return await task


@pytest.mark.parametrize("before", ["at once", "later"])
def test_a_coroutine_can_cancel_its_own_task(clock: Any, scheduler: Scheduler, before: str) -> None:
    went_on: Deferred[Any] = Deferred()
    cancelled: list[bool] = []

    async def cancel_itself() -> None:
        if before == "later":
            await went_on
        cancelled.append(task.cancel())
        await Deferred()

    task = scheduler.call(cancel_itself)
    clock.advance(0)
    went_on.callback(None)
    clock.advance(0)
    assert (cancelled, task.state, scheduler.running) == ([True], TaskState.CANCELLED, 0)
    assert clock.getDelayedCalls() == []


def test_a_coroutine_can_wait_for_the_end_of_its_own_scheduler(
    clock: Any, scheduler: Scheduler
) -> None:
    went_on: Deferred[Any] = Deferred()

    async def close() -> None:
        await went_on
        await scheduler.close(0)

    task = scheduler.call(close)
    clock.advance(0)
    went_on.callback(None)
    clock.advance(0)
    assert (task.state, closed(scheduler, None)) == (TaskState.CANCELLED, ["closed"])


def test_a_cancelled_tasks_clean_up_has_no_time_limit(clock: Any, scheduler: Scheduler) -> None:
    cleaned_up: Deferred[Any] = Deferred()
    task = scheduler.call(until_cancelled_and, cleaned_up, timeout=5)
    clock.advance(0)
    task.cancel()
    clock.advance(10)
    assert task.state is TaskState.RUNNING
    cleaned_up.callback(None)
    assert task.state is TaskState.CANCELLED


def test_a_future_of_asyncios_that_is_cancelled_is_a_cancelled_task(
    clock: Any, scheduler: Scheduler, logged: list[Failure]
) -> None:
    def start() -> Deferred[Any]:
        return Deferred(lambda deferred: deferred.errback(asyncio.CancelledError()))

    task, late = scheduler.call(start), scheduler.call(start, timeout=1)
    clock.advance(0)
    task.cancel()
    clock.advance(1)
    assert task.state is TaskState.CANCELLED
    assert isinstance(outcome(late), DeferredTimeout)
    del task
    gc.collect()
    assert logged == []


def test_a_cancelled_task_that_nobody_listens_to_is_not_logged(
    clock: Any, scheduler: Scheduler, logged: list[Failure]
) -> None:
    scheduler.call_later(1, print).cancel()
    running = scheduler.call(Deferred)
    clock.advance(0)
    running.cancel()
    del running
    gc.collect()
    assert logged == []
