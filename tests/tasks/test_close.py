"""The end of a scheduler: what is left to end, and what is cancelled."""

from __future__ import annotations

from typing import Any

import pytest
import tenacity
from task_helpers import Jobs, closed, fail_with, failing, until_cancelled_and
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.python.failure import Failure

from timerwheel.tasks import Scheduler, SchedulerClosedError, TaskState


def test_closing_lets_what_has_begun_end_and_cancels_the_rest(clock: Any) -> None:
    scheduler, jobs = Scheduler(clock, max_running=1), Jobs()
    running = scheduler.call(jobs.start, "running")
    clock.advance(0)
    ready = scheduler.call(jobs.start, "ready")
    scheduled = scheduler.call_later(5, jobs.start, "scheduled")
    periodic = scheduler.call_every(5, jobs.start, "periodic", now=False)
    told = closed(scheduler, None)
    assert [task.state for task in (scheduled, periodic)] == [TaskState.CANCELLED] * 2
    with pytest.raises(SchedulerClosedError):
        scheduler.call(print)
    jobs.end("running")
    clock.advance(0)
    assert (ready.state, told) == (TaskState.RUNNING, [])
    jobs.end("ready")
    assert told == ["closed"]
    assert running.state is ready.state is TaskState.SUCCEEDED
    assert clock.getDelayedCalls() == []


def test_closing_waits_for_a_periodic_tasks_turn(clock: Any) -> None:
    scheduler, jobs = Scheduler(clock), Jobs()
    task = scheduler.call_every(1, jobs.start, "turn")
    clock.advance(0)
    told = closed(scheduler, None)
    assert (told, task.state) == ([], TaskState.RUNNING)
    jobs.end("turn")
    assert (told, task.state) == (["closed"], TaskState.CANCELLED)


def test_closing_lets_what_backs_off_try_again(clock: Any, scheduler: Scheduler) -> None:
    policy = tenacity.Retrying(wait=tenacity.wait_fixed(3))
    task = scheduler.call(failing(1), retry=policy)
    clock.advance(0)
    told = closed(scheduler, None)
    clock.advance(3)
    assert (task.result, told) == ("done", ["closed"])


def test_closing_has_a_deadline(clock: Any, scheduler: Scheduler) -> None:
    task = scheduler.call(Deferred)
    clock.advance(0)
    told = closed(scheduler, 5)
    clock.advance(4.5)
    assert told == []
    clock.advance(0.5)
    assert (told, task.state) == (["closed"], TaskState.CANCELLED)


def test_closing_again_can_hurry_it(clock: Any, scheduler: Scheduler) -> None:
    scheduler.call(Deferred)
    clock.advance(0)
    told = closed(scheduler, 60)
    assert closed(scheduler, 0) == ["closed"]
    assert told == ["closed"]
    assert clock.getDelayedCalls() == []


def test_closing_again_without_a_deadline_keeps_the_first(clock: Any, scheduler: Scheduler) -> None:
    scheduler.call(Deferred)
    clock.advance(0)
    told = closed(scheduler, 5)
    scheduler.close()
    clock.advance(5)
    assert told == ["closed"]


def test_who_waits_for_the_end_can_give_up(clock: Any, scheduler: Scheduler) -> None:
    """On a task that will not be cancelled."""
    cleaned_up: Deferred[Any] = Deferred()
    scheduler.call(until_cancelled_and, cleaned_up)
    clock.advance(0)
    given_up: list[Failure] = []
    scheduler.close(5).addTimeout(10, clock).addErrback(given_up.append)
    clock.pump([1] * 10)
    assert [failure.type for failure in given_up] == [DeferredTimeout]
    cleaned_up.callback(None)
    assert closed(scheduler, None) == ["closed"]


@pytest.mark.parametrize("timeout", [0, 5])
def test_closing_goes_on_where_one_cannot_be_cancelled(
    clock: Any, scheduler: Scheduler, logged: list[Failure], timeout: float
) -> None:
    obstinate: Deferred[Any] = Deferred(lambda _: fail_with(KeyError("canceller")))
    tasks = [scheduler.call(lambda: obstinate), scheduler.call(Deferred)]
    clock.advance(0)
    told = closed(scheduler, timeout)
    clock.advance(timeout)
    assert [failure.type for failure in logged] == [KeyError]
    assert (tasks[1].state, told) == (TaskState.CANCELLED, [])
    obstinate.callback(None)
    assert told == ["closed"]


@pytest.mark.parametrize("wrong", [-1, float("nan")])
def test_a_wrong_deadline_closes_nothing(clock: Any, scheduler: Scheduler, wrong: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        scheduler.close(wrong)
    task = scheduler.call(lambda: "ran")
    clock.advance(0)
    assert task.result == "ran"


def test_closing_what_has_no_tasks_is_done_at_once(clock: Any, scheduler: Scheduler) -> None:
    assert closed(scheduler, None) == ["closed"]
    assert closed(scheduler, 5) == ["closed"]
    assert clock.getDelayedCalls() == []
