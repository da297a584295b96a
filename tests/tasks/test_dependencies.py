"""Tasks that start after others: order, failures, cancels."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import tenacity
from helpers import FakeClock, make_reactor
from task_helpers import error_of, fail_with, states
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

import timerwheel
from timerwheel.tasks import Scheduler, Task, TaskState

LARGE = 100_000


@pytest.fixture
def clock() -> timerwheel.Clock:
    return timerwheel.Clock()


@pytest.fixture
def scheduler(clock: timerwheel.Clock) -> Scheduler:
    return Scheduler(clock, budget=float("inf"))


# Order.


def test_a_task_starts_when_all_that_it_is_after_have_succeeded(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    parts: list[Deferred[str]] = [Deferred(), Deferred()]
    first, second = (scheduler.call(lambda part=part: part) for part in parts)
    both = scheduler.call(lambda: first.result + second.result, after=[first, second])
    assert (both.state, both.after, both in scheduler.tasks) == (
        TaskState.WAITING,
        (first, second),
        True,
    )
    clock.advance(0)
    parts[1].callback("b")
    clock.advance(0)
    assert both.state is TaskState.WAITING
    parts[0].callback("a")
    assert (both.state, both.after) == (TaskState.READY, ())
    clock.advance(0)
    assert both.result == "ab"
    assert (scheduler.tasks, clock.getDelayedCalls()) == ([], [])


def test_a_diamond_runs_each_once_and_in_one_pass(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    top = scheduler.call(log.append, "top")
    sides = [scheduler.call(log.append, side, after=[top]) for side in ("left", "right")]
    scheduler.call(log.append, "bottom", after=sides)
    clock.advance(0)
    assert log == ["top", "left", "right", "bottom"]
    assert clock.getDelayedCalls() == []


def test_a_task_that_is_named_twice_is_waited_for_once(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    first = scheduler.call(log.append, "first")
    scheduler.call(log.append, "second", after=[first, first])
    clock.advance(0)
    assert log == ["first", "second"]


def test_after_may_be_any_iterable_and_empty(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    first = scheduler.call(log.append, "first")
    scheduler.call(log.append, "second", after=iter([first]))
    assert scheduler.call(log.append, "third", after=[]).state is TaskState.READY
    clock.advance(0)
    assert log == ["first", "third", "second"]


def test_what_has_succeeded_need_not_be_waited_for(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    first = scheduler.call(log.append, "first")
    clock.advance(0)
    second = scheduler.call(log.append, "second", after=[first])
    assert second.state is TaskState.READY
    clock.advance(0)
    assert log == ["first", "second"]


def test_priority_group_and_limit_count_once_it_waits_no_more(
    clock: timerwheel.Clock, log: list[Any]
) -> None:
    scheduler = Scheduler(clock, max_running=1)
    held: Deferred[None] = Deferred()
    first = scheduler.call(lambda: held)
    group = scheduler.group("group")
    tasks = [scheduler.call(log.append, name, after=[first], group=group) for name in "abc"]
    tasks[2].priority = -1
    assert (group.ready, group.running) == (0, 0)
    clock.advance(0)
    held.callback(None)
    assert group.ready == 3
    clock.advance(0)
    assert log == ["c", "a", "b"]


@pytest.mark.parametrize("time_first", [True, False])
def test_a_time_and_others_are_waited_for_both(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any], time_first: bool
) -> None:
    held: Deferred[None] = Deferred()
    first = scheduler.call(lambda: held)
    later = scheduler.call_later(5, log.append, "later", after=[first])
    at = scheduler.call_at(5, log.append, "at", after=[first])
    assert (later.state, later.when, at.when) == (TaskState.WAITING, 5, 5)
    if time_first:
        clock.advance(5)
        assert (log, later.state, later.when) == ([], TaskState.WAITING, None)
        held.callback(None)
    else:
        clock.advance(4)
        held.callback(None)
        assert (later.state, later.when) == (TaskState.SCHEDULED, 5)
        clock.advance(0)
        assert log == []
        clock.advance(1)
    clock.advance(0)
    assert log == ["later", "at"]
    assert clock.getDelayedCalls() == []


def test_a_task_may_be_retried_and_have_dependents(clock: timerwheel.Clock, log: list[Any]) -> None:
    scheduler = Scheduler(clock)
    outcomes = iter([KeyError("once"), None])

    def flaky() -> None:
        if error := next(outcomes):
            raise error

    policy = tenacity.Retrying(wait=tenacity.wait_fixed(1), stop=tenacity.stop_after_attempt(3))
    first = scheduler.call(flaky, retry=policy)
    second = scheduler.call(log.append, "second", after=[first])
    clock.advance(0)
    assert (first.state, second.state) == (TaskState.SCHEDULED, TaskState.WAITING)
    clock.advance(1)
    assert log == ["second"]


def test_a_task_after_itself_made_again_and_again_does_not_hold_up_the_reactor() -> None:
    clock = FakeClock(100.0)
    reactor = make_reactor(clock)
    scheduler = Scheduler(reactor)
    runs: list[Task] = []

    def again() -> None:
        runs.append(scheduler.call(again, after=runs[-1:]))

    runs.append(scheduler.call(again))
    for turns in range(2, 5):
        reactor.runUntilCurrent()
        assert len(runs) == turns
    scheduler.close(0)


# What is refused.


def test_what_is_no_task_of_this_scheduler_is_refused(
    clock: timerwheel.Clock, scheduler: Scheduler
) -> None:
    task, foreign = scheduler.call(print), Scheduler(clock).call(print)
    wrong: Any
    for wrong, error, said in [
        (task, TypeError, r"a list of tasks, \[task\], not <Task .*> alone"),
        (3, TypeError, "iterable"),
        ([task, print], TypeError, "is not a task"),
        ([Deferred()], TypeError, "is not a task"),
        ([task, foreign], ValueError, "of this scheduler"),
    ]:
        with pytest.raises(error, match=said):
            scheduler.call(print, after=wrong)
        with pytest.raises(error, match=said):
            scheduler.gather(wrong)
    options: Any
    for options in ({"after": [task]}, {"after": []}, {"require_success": False}, {"deadline": 5}):
        with pytest.raises(TypeError, match=r"call_every\(\) has no option"):
            scheduler.call_every(1, print, **options)
    assert scheduler.tasks == [task]
    task.cancel()
    foreign.cancel()
    assert clock.getDelayedCalls() == []


def test_an_error_of_the_reactor_leaves_no_edge(clock: timerwheel.Clock) -> None:
    scheduler = Scheduler(clock)
    first = scheduler.call_later(5, print)

    def refuse(*args: Any) -> None:
        raise OSError("no more calls")

    for call in clock.getDelayedCalls():
        call.cancel()
    clock.callLater = refuse  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no more calls"):
        scheduler.call_later(1, print, after=[first])
    del clock.callLater
    assert scheduler.tasks == [first]
    first.cancel()
    assert clock.getDelayedCalls() == []


# Failures.


def test_a_failure_ends_those_that_wait_and_names_the_task(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    root = scheduler.call(fail_with, KeyError("cause"))
    held = scheduler.call(Deferred)
    second = scheduler.call(log.append, "second", after=[held, root])
    third = scheduler.call(log.append, "third", after=[second], fallback=log.append)
    clock.advance(0)
    assert states([root, second, third]) == ["failed"] * 3
    for task in (second, third):
        error = error_of(task)
        assert error.task is root
        assert isinstance(error.__cause__, KeyError)
        assert repr(root) in str(error)
    assert (log, scheduler.tasks) == ([], [held])


def test_a_gathering_may_have_a_deadline(clock: timerwheel.Clock) -> None:
    late: list[Any] = []
    scheduler = Scheduler(clock, on_missed_deadline=late.append)
    gathering = scheduler.gather([scheduler.call_later(5, print)], deadline=3)
    clock.advance(4)
    assert late == [gathering]
    clock.advance(1)


def test_what_is_cancelled_while_the_scheduler_closes_cancels_what_waits_for_it(
    clock: timerwheel.Clock, scheduler: Scheduler
) -> None:
    first = scheduler.call(Deferred)
    second = scheduler.call(print, after=[first])
    clock.advance(0)
    scheduler.close()
    first.cancel()
    assert states([first, second]) == ["cancelled", "cancelled"]


def test_a_cancel_ends_those_that_wait_and_names_the_task(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    root = scheduler.call_later(5, print)
    second = scheduler.call(log.append, "second", after=[root])
    told: list[Failure] = []
    second.deferred.addErrback(told.append)
    root.cancel()
    assert (second.state, told[0].value.task) == (TaskState.FAILED, root)  # type: ignore[attr-defined]
    assert isinstance(error_of(second).__cause__, CancelledError)
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize("ended", ["failed", "cancelled"])
def test_what_has_ended_already_counts_as_what_ends_later(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any], ended: str
) -> None:
    root = scheduler.call(fail_with, KeyError("cause"))
    if ended == "cancelled":
        root.cancel()
    clock.advance(0)
    held = scheduler.call(Deferred)
    second = scheduler.call_later(1, log.append, "second", after=[held, root])
    assert (second.state, error_of(second).task, held._scheduler) == (
        TaskState.FAILED,
        root,
        scheduler,
    )
    anyway = scheduler.call(log.append, "anyway", after=[root], require_success=False)
    clock.advance(5)
    assert (log, anyway.state) == (["anyway"], TaskState.SUCCEEDED)
    assert scheduler.tasks == [held]


def test_a_task_can_start_after_others_however_they_ended(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    held: Deferred[None] = Deferred()
    tasks = [
        scheduler.call(fail_with, KeyError("cause")),
        scheduler.call_later(9, print),
        scheduler.call(lambda: held),
    ]
    last = scheduler.call(lambda: states(tasks), after=tasks, require_success=False)
    clock.advance(0)
    tasks[1].cancel()
    assert last.state is TaskState.WAITING
    held.callback(None)
    clock.advance(0)
    assert last.result == ["failed", "cancelled", "succeeded"]
    tasks[0].deferred.addErrback(lambda _: None)


def test_a_failure_is_logged_once_and_not_if_one_that_waited_for_it_is_asked(
    clock: timerwheel.Clock, scheduler: Scheduler, logged: list[Failure]
) -> None:
    def make() -> list[Task]:
        root = scheduler.call(fail_with, KeyError("cause"))
        tasks = [root, *(scheduler.call(print, after=[root]) for _ in range(3))]
        clock.advance(0)
        return tasks

    make()
    gc.collect()
    assert [type(failure.value) for failure in logged] == [KeyError]
    error_of(make()[-1])
    gc.collect()
    assert len(logged) == 1


# Cancelling.


def test_a_waiting_task_can_be_cancelled_and_leaves_no_trace(
    clock: timerwheel.Clock, scheduler: Scheduler, log: list[Any]
) -> None:
    first = scheduler.call_later(5, log.append, "first")
    waiting = scheduler.call_later(5, log.append, "waiting", after=[first])
    kept = weakref.ref(waiting)
    assert waiting.cancel()
    assert waiting.state is TaskState.CANCELLED
    assert not waiting.cancel()
    del waiting
    gc.collect()
    assert kept() is None
    clock.advance(5)
    assert log == ["first"]


def test_cancelling_a_gathering_leaves_what_it_gathers(
    clock: timerwheel.Clock, scheduler: Scheduler
) -> None:
    tasks = [scheduler.call(lambda: "ran")]
    scheduler.gather(tasks).cancel()
    clock.advance(0)
    assert tasks[0].result == "ran"
