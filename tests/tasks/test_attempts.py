"""Timeouts, retries and fallbacks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import tenacity
from task_helpers import Jobs, fail_with, failing, outcome
from twisted.internet.defer import Deferred, succeed
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.python.failure import Failure

from timerwheel.tasks import Scheduler, TaskState


def test_an_attempt_that_takes_too_long_is_cancelled(clock: Any, scheduler: Scheduler) -> None:
    task = scheduler.call(Deferred, timeout=2)
    clock.advance(0)
    clock.advance(2)
    assert isinstance(outcome(task), DeferredTimeout)
    assert task.state is TaskState.FAILED


def test_a_failure_is_tried_again_as_the_policy_says(clock: Any, scheduler: Scheduler) -> None:
    policy = tenacity.Retrying(
        wait=tenacity.wait_exponential(multiplier=1), stop=tenacity.stop_after_attempt(5)
    )
    task = scheduler.call(failing(3), retry=policy)
    clock.advance(0)
    waits = []
    while not task.done:
        assert task.state is TaskState.SCHEDULED
        waits.append(task.when - clock.seconds())  # type: ignore[operator]
        clock.advance(waits[-1])
    assert waits == [1, 2, 4]
    assert (task.result, task.attempts) == ("done", 4)


def test_a_task_that_backs_off_leaves_its_place_to_others(clock: Any) -> None:
    scheduler, log = Scheduler(clock, max_running=1), []
    policy = tenacity.Retrying(wait=tenacity.wait_fixed(10))
    task = scheduler.call(failing(1), retry=policy)
    scheduler.call(log.append, "other")
    clock.advance(0)
    clock.advance(0)
    assert (log, task.state, scheduler.running) == (["other"], TaskState.SCHEDULED, 0)
    clock.advance(10)
    assert task.result == "done"


@pytest.mark.parametrize("reraise", [True, False])
def test_a_policy_that_gives_up_gives_the_failure(
    clock: Any, scheduler: Scheduler, reraise: bool
) -> None:
    policy = tenacity.Retrying(stop=tenacity.stop_after_attempt(2), reraise=reraise)
    task = scheduler.call(failing(5), retry=policy)
    clock.advance(0)
    clock.advance(0)
    assert isinstance(outcome(task), OSError if reraise else tenacity.RetryError)
    assert task.attempts == 2


def test_what_the_policy_does_not_name_is_not_tried_again(clock: Any, scheduler: Scheduler) -> None:
    policy = tenacity.Retrying(retry=tenacity.retry_if_exception_type(OSError))
    task = scheduler.call(failing(1, KeyError), retry=policy)
    clock.advance(0)
    assert isinstance(outcome(task), KeyError)
    assert task.attempts == 1


def test_a_policy_sees_results_too(clock: Any, scheduler: Scheduler) -> None:
    results = iter([None, None, "found"])
    policy = tenacity.Retrying(retry=tenacity.retry_if_result(lambda result: result is None))
    task = scheduler.call(lambda: succeed(next(results)), retry=policy)
    for _ in range(3):
        clock.advance(0)
    assert (task.result, task.attempts) == ("found", 3)


def test_a_policys_time_is_the_clocks(clock: Any, scheduler: Scheduler) -> None:
    policy = tenacity.Retrying(
        wait=tenacity.wait_fixed(40), stop=tenacity.stop_after_delay(60), reraise=True
    )
    task = scheduler.call(failing(9), retry=policy)
    for _ in range(5):
        clock.advance(40)
    assert isinstance(outcome(task), OSError)
    assert task.attempts == 3


def test_one_policy_serves_many_tasks(clock: Any, scheduler: Scheduler) -> None:
    policy = tenacity.Retrying(stop=tenacity.stop_after_attempt(3), reraise=True)
    tasks = [scheduler.call(failing(times), retry=policy) for times in (0, 1, 2, 3)]
    for _ in range(4):
        clock.advance(0)
    assert [task.attempts for task in tasks] == [1, 2, 3, 3]
    assert [task.state is TaskState.SUCCEEDED for task in tasks] == [True, True, True, False]
    assert isinstance(outcome(tasks[3]), OSError)


def test_timeouts_are_tried_again(clock: Any, scheduler: Scheduler) -> None:
    attempts: list[Any] = [Deferred(), "second"]
    task = scheduler.call(lambda: attempts.pop(0), timeout=1, retry=tenacity.Retrying())
    clock.advance(0)
    clock.advance(1)
    clock.advance(0)
    assert task.result == "second"


def test_a_task_is_cancelled_while_it_backs_off_and_not_tried_again(
    clock: Any, scheduler: Scheduler
) -> None:
    task = scheduler.call(failing(9), retry=tenacity.Retrying(wait=tenacity.wait_fixed(5)))
    clock.advance(0)
    assert task.cancel()
    assert (task.state, clock.getDelayedCalls()) == (TaskState.CANCELLED, [])
    running = scheduler.call(Deferred, retry=tenacity.Retrying())
    clock.advance(0)
    running.cancel()
    assert (running.state, running.attempts) == (TaskState.CANCELLED, 1)


@pytest.mark.parametrize("hook", ["before", "after", "before_sleep", "retry", "wait", "stop"])
def test_a_policys_hooks_can_cancel_the_task(
    clock: Any, scheduler: Scheduler, log: list[Any], hook: str
) -> None:
    def cancel(state: tenacity.RetryCallState) -> Any:
        assert task.cancel()
        return {"retry": True, "wait": 1.0, "stop": False}.get(hook)

    def attempt() -> None:
        log.append("attempt")
        raise OSError

    task = scheduler.call(attempt, retry=tenacity.Retrying(**{hook: cancel}))
    clock.advance(0)
    clock.advance(10)
    assert log == ["attempt"] * (hook != "before")
    assert (task.state, scheduler.running) == (TaskState.CANCELLED, 0)
    assert clock.getDelayedCalls() == []


def test_a_policy_is_told_when_each_attempt_begins(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    policy = tenacity.Retrying(
        wait=tenacity.wait_fixed(10),
        before=lambda state: log.append((state.attempt_number, clock.seconds())),
    )
    scheduler.call(failing(1), retry=policy)
    clock.advance(0)
    clock.advance(10)
    assert log == [(1, 0), (2, 10)]


@pytest.mark.parametrize(
    "wrong",
    [{"wait": lambda state: float("nan")}, {"before": lambda state: 1 / 0}],
)
def test_a_policy_that_fails_is_the_tasks_failure(
    clock: Any, wrong: dict[str, Callable[[Any], Any]]
) -> None:
    scheduler = Scheduler(clock, max_running=1)
    task = scheduler.call(failing(5), retry=tenacity.Retrying(**wrong))
    after = scheduler.call(lambda: "ran")
    clock.advance(0)
    clock.advance(0)
    assert isinstance(outcome(task), ValueError | ZeroDivisionError)
    assert (after.result, scheduler.running) == ("ran", 0)


@pytest.mark.parametrize("wrong", [3, tenacity.AsyncRetrying(), tenacity.retry])
def test_what_is_no_policy_is_an_error_at_once(scheduler: Scheduler, wrong: Any) -> None:
    with pytest.raises(TypeError, match="Retrying"):
        scheduler.call(print, retry=wrong)
    assert scheduler.tasks == []


def test_without_the_library_a_policy_is_an_error_at_once(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "timerwheel.tasks._retries", raising=False)
    monkeypatch.setitem(sys.modules, "tenacity", None)
    with pytest.raises(ImportError, match=r"needs tenacity .*pip install timerwheel\[retry\]"):
        scheduler.call(print, retry=tenacity.Retrying())
    assert scheduler.tasks == []


def test_a_policy_that_is_disabled_tries_once(clock: Any, scheduler: Scheduler) -> None:
    policy = tenacity.Retrying()
    policy.enabled = False
    task = scheduler.call(failing(1), retry=policy)
    clock.advance(0)
    assert (type(outcome(task)), task.attempts) == (OSError, 1)


def test_what_a_policy_gives_when_it_gives_up_may_be_a_deferred(
    clock: Any, scheduler: Scheduler
) -> None:
    given: Deferred[Any] = Deferred()
    policy = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(1), retry_error_callback=lambda state: given
    )
    task = scheduler.call(failing(5), retry=policy)
    clock.advance(0)
    assert task.state is TaskState.RUNNING
    given.callback("given")
    assert task.result == "given"


def test_a_policy_can_be_asked_by_one_task_while_it_tells_another(
    clock: Any, scheduler: Scheduler
) -> None:
    jobs = Jobs()

    def end_the_other(state: tenacity.RetryCallState) -> None:
        if jobs.begun:
            jobs.begun.popitem()[1].errback(OSError())

    policy = tenacity.Retrying(after=end_the_other, wait=tenacity.wait_fixed(1))
    tasks = [scheduler.call(jobs.start, name, retry=policy) for name in "ab"]
    clock.advance(0)
    jobs.begun.pop("a").errback(OSError())
    assert [task.state for task in tasks] == [TaskState.SCHEDULED] * 2


@pytest.mark.parametrize("wrap", [lambda value: value, succeed])
def test_a_fallbacks_result_is_the_tasks(
    clock: Any, scheduler: Scheduler, wrap: Callable[[Any], Any]
) -> None:
    task = scheduler.call(
        fail_with, KeyError("key"), fallback=lambda failure: wrap(("instead of", failure.type))
    )
    clock.advance(0)
    assert task.result == ("instead of", KeyError)


def test_a_fallback_that_fails_is_the_failure(clock: Any, scheduler: Scheduler) -> None:
    task = scheduler.call(
        fail_with, KeyError("key"), fallback=lambda failure: fail_with(OSError("worse"))
    )
    clock.advance(0)
    assert isinstance(outcome(task), OSError)


def test_a_task_whose_fallback_runs_counts_as_running_and_can_be_cancelled(clock: Any) -> None:
    scheduler = Scheduler(clock, max_running=1)
    task = scheduler.call(fail_with, KeyError("key"), fallback=lambda failure: Deferred())
    clock.advance(0)
    assert (task.state, scheduler.running) == (TaskState.RUNNING, 1)
    task.cancel()
    assert (task.state, scheduler.running) == (TaskState.CANCELLED, 0)


def test_a_fallback_can_cancel_the_task(clock: Any, scheduler: Scheduler) -> None:
    def fall_back(failure: Failure) -> Deferred[Any]:
        task.cancel()
        return Deferred()

    task = scheduler.call(fail_with, KeyError("key"), fallback=fall_back)
    clock.advance(0)
    assert (task.state, scheduler.running) == (TaskState.CANCELLED, 0)


def test_a_fallback_that_cannot_be_called_is_an_error_at_once(scheduler: Scheduler) -> None:
    with pytest.raises(TypeError, match="callable"):
        scheduler.call(print, fallback="nothing")  # type: ignore[arg-type]
    assert scheduler.tasks == []
