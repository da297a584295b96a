"""The result of a task, for all who ask, and failures that nobody asks for."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from task_helpers import fail_with, outcome
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

from timerwheel.tasks import Scheduler, Task, TaskState


def test_many_can_wait_for_one_task(clock: Any, scheduler: Scheduler, log: list[Any]) -> None:
    task = scheduler.call(lambda: "result")

    async def wait(name: str) -> None:
        log.append((name, await task))

    waiting = [ensureDeferred(wait("a")), ensureDeferred(wait("b"))]
    task.deferred.addCallback(lambda result: log.append(("deferred", result)))
    clock.advance(0)
    waiting.append(ensureDeferred(wait("late")))
    assert log == [(name, "result") for name in ("a", "b", "deferred", "late")]
    assert outcome(task) == "result"


def test_a_failure_reaches_all_who_wait(
    clock: Any, scheduler: Scheduler, log: list[Any], logged: list[Failure]
) -> None:
    task = scheduler.call(fail_with, KeyError("key"))

    async def wait(task: Task) -> None:
        with pytest.raises(KeyError):
            await task
        log.append("awaited")

    waiting = ensureDeferred(wait(task))
    clock.advance(0)
    assert waiting.called
    assert log == ["awaited"]
    assert isinstance(outcome(task), KeyError)
    with pytest.raises(KeyError):
        _ = task.result
    del task
    gc.collect()
    assert logged == []


def test_a_failure_that_nobody_asks_for_is_logged(
    clock: Any, scheduler: Scheduler, logged: list[Failure]
) -> None:
    task = scheduler.call(fail_with, KeyError("unheard"))
    clock.advance(0)
    assert task.state is TaskState.FAILED
    del task
    gc.collect()
    (failure,) = logged
    assert failure.check(KeyError)


def test_a_failure_that_is_asked_for_late_is_not_logged(
    clock: Any, scheduler: Scheduler, logged: list[Failure]
) -> None:
    task = scheduler.call(fail_with, KeyError("late"))
    clock.advance(0)
    assert isinstance(outcome(task), KeyError)
    assert isinstance(outcome(task), KeyError)
    del task
    gc.collect()
    assert logged == []


def test_a_failure_that_result_has_raised_is_not_logged(
    clock: Any, scheduler: Scheduler, logged: list[Failure]
) -> None:
    task = scheduler.call(fail_with, KeyError("key"))
    clock.advance(0)
    with pytest.raises(KeyError):
        _ = task.result
    del task
    gc.collect()
    assert logged == []


def test_a_failure_that_is_returned_is_the_tasks(clock: Any, scheduler: Scheduler) -> None:
    task = scheduler.call(lambda: Failure(KeyError("key")))
    periodic = scheduler.call_every(1, lambda: Failure(KeyError("key")))
    other = scheduler.call(lambda: Failure(KeyError("key")), fallback=lambda failure: "fallback")
    clock.advance(0)
    assert [type(outcome(failed)) for failed in (task, periodic)] == [KeyError] * 2
    assert task.state is periodic.state is TaskState.FAILED
    assert other.result == "fallback"


def test_a_task_that_is_returned_is_waited_for(clock: Any, scheduler: Scheduler) -> None:
    inner: list[Task] = []

    def start() -> Task:
        inner.append(scheduler.call(Deferred))
        return inner[0]

    task = scheduler.call(start)
    clock.advance(0)
    clock.advance(0)
    assert task.state is inner[0].state is TaskState.RUNNING
    task.cancel()
    assert task.state is inner[0].state is TaskState.CANCELLED


def test_there_is_no_result_before_the_end(clock: Any, scheduler: Scheduler) -> None:
    task = scheduler.call_later(1, print)
    with pytest.raises(RuntimeError, match="not done"):
        _ = task.result
    assert not task.done
    task.cancel()
    assert task.done


def test_the_repr_tells_the_function_and_the_state(scheduler: Scheduler) -> None:
    task = scheduler.call(fail_with, KeyError(), priority=3)
    assert repr(task) == "<Task fail_with ready priority=3>"
    assert repr(scheduler.group("web")) == "<Group 'web' ready=0 running=0>"
    task.cancel()
