"""timerwheel.tasks under a clock: times, priorities, limits, fair turns, retries, the end."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tenacity
from helpers import FakeClock, StockReactor, make_reactor
from twisted.internet import task as twisted_task
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, succeed
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

import timerwheel
from timerwheel.tasks import Scheduler, SchedulerClosedError, Task, TaskState


@pytest.fixture(params=[twisted_task.Clock, timerwheel.Clock], ids=["stock", "ours"])
def clock(request: pytest.FixtureRequest) -> Any:
    """A clock of Twisted's, and one of ours."""
    return request.param()


@pytest.fixture
def scheduler(clock: Any) -> Scheduler:
    return Scheduler(clock)


@pytest.fixture
def log() -> list[Any]:
    """What the tasks of a test write down."""
    return []


@pytest.fixture
def logged() -> Iterator[list[Failure]]:
    """The failures that are logged."""
    failures: list[Failure] = []

    def observe(event: dict[str, Any]) -> None:
        if "log_failure" in event:
            failures.append(event["log_failure"])

    globalLogPublisher.addObserver(observe)
    yield failures
    globalLogPublisher.removeObserver(observe)


class Jobs:
    """Functions that return a Deferred each, which the test fires."""

    def __init__(self) -> None:
        self.begun: dict[Any, Deferred[Any]] = {}

    def start(self, name: Any) -> Deferred[Any]:
        self.begun[name] = Deferred()
        return self.begun[name]

    def end(self, name: Any, result: Any = None) -> None:
        self.begun.pop(name).callback(result)


def outcome(task: Task) -> Any:
    """What the task's Deferred has fired with: a result, or the exception."""
    results: list[Any] = []
    task.deferred.addBoth(results.append)
    (result,) = results
    return result.value if isinstance(result, Failure) else result


def fail_with(error: BaseException) -> None:
    raise error


# When.


def test_a_task_runs_in_a_pass_of_the_reactor_and_not_in_the_call(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    task = scheduler.call(log.append, "ran")
    assert (log, task.state) == ([], TaskState.READY)
    clock.advance(0)
    assert (log, task.state) == (["ran"], TaskState.SUCCEEDED)
    assert clock.getDelayedCalls() == []


def test_a_delayed_task_runs_at_its_time(clock: Any, scheduler: Scheduler, log: list[Any]) -> None:
    later = scheduler.call_later(2, log.append, "later")
    at = scheduler.call_at(clock.seconds() + 1, log.append, "at")
    assert (later.when, at.when) == (2, 1)
    clock.advance(0.999)
    assert (log, at.state) == ([], TaskState.SCHEDULED)
    clock.advance(0.001)
    assert log == ["at"]
    clock.advance(1)
    assert log == ["at", "later"]
    assert later.when is None


def test_a_time_that_has_passed_is_now(clock: Any, scheduler: Scheduler, log: list[Any]) -> None:
    clock.advance(100)
    scheduler.call_at(5, log.append, "ran")
    clock.advance(0)
    assert log == ["ran"]


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("-inf")])
def test_a_delay_is_not_negative(scheduler: Scheduler, wrong: float) -> None:
    with pytest.raises(ValueError, match="delay"):
        scheduler.call_later(wrong, print)
    assert scheduler.tasks == []


def test_a_wrong_time_leaves_no_task(clock: Any, scheduler: Scheduler) -> None:
    with pytest.raises(ValueError, match="NaN"):
        scheduler.call_at(float("nan"), print)
    with pytest.raises(TypeError):
        scheduler.call_at("soon", print)  # type: ignore[arg-type]
    assert (scheduler.tasks, clock.getDelayedCalls()) == ([], [])


def test_what_cannot_be_called_is_an_error_at_once(scheduler: Scheduler) -> None:
    with pytest.raises(TypeError, match="not callable"):
        scheduler.call(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="urgency"):
        scheduler.call(print, urgency=1)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="NaN"):
        scheduler.call(print, priority=float("nan"))
    with pytest.raises(ValueError, match="timeout"):
        scheduler.call(print, timeout=-1)
    with pytest.raises(ValueError, match="group"):
        scheduler.call(print, group=Scheduler(timerwheel.Clock()).group())
    assert scheduler.tasks == []


def test_the_reactor_is_asked_for_one_call_only_and_none_when_there_is_nothing_to_do(
    clock: Any, scheduler: Scheduler
) -> None:
    tasks = [scheduler.call_later(delay, print) for delay in (5, 3, 4)]
    (call,) = clock.getDelayedCalls()
    assert call.getTime() == 3
    tasks[1].cancel()
    assert call.getTime() == 4
    for task in tasks:
        task.cancel()
    assert clock.getDelayedCalls() == []


def test_a_coroutine_function_is_a_task(clock: Any, scheduler: Scheduler) -> None:
    step: Deferred[int] = Deferred()

    async def add(number: int) -> int:
        return number + await step

    task = scheduler.call(add, 40)
    clock.advance(0)
    assert task.state is TaskState.RUNNING
    step.callback(2)
    assert (task.state, task.result) == (TaskState.SUCCEEDED, 42)


# Priority.


def test_the_lowest_priority_runs_first_and_equal_ones_in_order(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    for name, priority in [("a", 1), ("b", 0), ("c", 1), ("d", -2.5), ("e", 0)]:
        scheduler.call(log.append, name, priority=priority)
    clock.advance(0)
    assert log == ["d", "b", "e", "a", "c"]


def test_priority_decides_among_what_falls_due_in_one_pass(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    scheduler.call_later(1, log.append, "first")
    scheduler.call_later(2, log.append, "urgent", priority=-1)
    clock.advance(2)
    assert log == ["urgent", "first"]


def test_priority_can_be_changed_while_a_task_waits(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    ready = [scheduler.call(log.append, name) for name in "ab"]
    scheduled = scheduler.call_later(0, log.append, "c", priority=5)
    ready[1].priority = -1
    scheduled.priority = -2
    clock.advance(0)
    assert log == ["c", "b", "a"]
    assert scheduled.priority == -2


def test_a_wrong_priority_leaves_the_old(clock: Any, scheduler: Scheduler) -> None:
    task = scheduler.call(print, priority=3)
    with pytest.raises(ValueError, match="NaN"):
        task.priority = float("nan")
    assert task.priority == 3
    task.cancel()


def test_what_a_task_makes_ready_waits_for_the_reactor_unless_it_has_priority(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    def first() -> None:
        log.append("first")
        scheduler.call(log.append, "urgent", priority=-1)

    scheduler.call(first)
    scheduler.call(log.append, "second")
    scheduler._pass()
    assert log == ["first", "urgent"]
    clock.advance(0)
    assert log == ["first", "urgent", "second"]


def test_a_task_that_starts_itself_again_does_not_hold_up_the_reactor(log: list[Any]) -> None:
    clock = FakeClock(100.0)
    reactor = make_reactor(clock)
    scheduler = Scheduler(reactor)

    def again() -> None:
        log.append("again")
        scheduler.call(again)

    scheduler.call(again)
    for passes in range(1, 4):
        reactor.runUntilCurrent()
        assert log == ["again"] * passes


# Limits.


def test_no_more_than_so_many_run_at_once(clock: Any) -> None:
    scheduler, jobs = Scheduler(clock, max_running=2), Jobs()
    tasks = [scheduler.call(jobs.start, number) for number in range(5)]
    clock.advance(0)
    assert (list(jobs.begun), scheduler.running) == ([0, 1], 2)
    assert clock.getDelayedCalls() == []
    jobs.end(1, "one")
    clock.advance(0)
    assert list(jobs.begun) == [0, 2]
    assert (tasks[1].result, scheduler.running) == ("one", 2)
    scheduler.max_running = 4
    clock.advance(0)
    assert list(jobs.begun) == [0, 2, 3, 4]
    for number in list(jobs.begun):
        jobs.end(number)
    assert (scheduler.running, scheduler.tasks) == (0, [])


def test_a_group_has_a_limit_of_its_own_and_others_pass_it(clock: Any) -> None:
    scheduler, jobs = Scheduler(clock), Jobs()
    slow = scheduler.group("slow", max_running=1)
    for number in range(3):
        scheduler.call(jobs.start, f"slow{number}", group=slow, priority=-1)
    scheduler.call(jobs.start, "other")
    clock.advance(0)
    assert list(jobs.begun) == ["slow0", "other"]
    assert (slow.ready, slow.running) == (2, 1)
    jobs.end("slow0")
    clock.advance(0)
    assert list(jobs.begun) == ["other", "slow1"]
    slow.max_running = None
    clock.advance(0)
    assert list(jobs.begun) == ["other", "slow1", "slow2"]


def test_a_group_and_its_tasks_can_be_asked_what_they_are(scheduler: Scheduler) -> None:
    group = scheduler.group("web", weight=4, max_running=2)
    task = scheduler.call(print, group=group)
    assert task.group is group
    assert (group.name, group.weight, group.max_running) == ("web", 4, 2)
    group.weight, group.max_running = 0.5, None
    assert (group.weight, group.max_running, group.ready) == (0.5, None, 1)
    scheduler.close(0)


@pytest.mark.parametrize("wrong", [0, -1])
def test_a_limit_lets_one_run_at_least(clock: Any, wrong: int) -> None:
    with pytest.raises(ValueError, match="max_running"):
        Scheduler(clock, max_running=wrong)
    scheduler = Scheduler(clock)
    with pytest.raises(ValueError, match="max_running"):
        scheduler.group(max_running=wrong)
    with pytest.raises(ValueError, match="max_running"):
        scheduler.max_running = wrong
    assert scheduler.max_running is None


def test_a_pass_ends_when_its_budget_is_used_up(log: list[Any]) -> None:
    clock = FakeClock(1.7e9)
    reactor = make_reactor(clock)
    scheduler = Scheduler(reactor, budget=0.25)
    for number in range(10):
        scheduler.call(lambda number=number: (log.append(number), clock.advance(0.1)))
    reactor.runUntilCurrent()
    assert log == [0, 1, 2]
    assert reactor.timeout() == 0
    reactor.runUntilCurrent()  # what the tasks wrote is sent after this turn of the loop
    assert log == [0, 1, 2]
    assert reactor.timeout() == 0
    reactor.runUntilCurrent()
    assert log == [0, 1, 2, 3, 4, 5]
    clock.advance(-3600)  # a step back of the clock ends a pass, not its budget
    reactor.runUntilCurrent()
    assert len(log) >= 6
    for _ in range(10):
        clock.advance(3600)
        reactor.runUntilCurrent()
    assert log == list(range(10))


def test_the_call_after_a_budget_is_used_up_is_cancelled_with_its_tasks() -> None:
    clock = FakeClock(1.7e9)
    reactor = make_reactor(clock)
    scheduler = Scheduler(reactor, budget=0.25)
    for _ in range(10):
        scheduler.call(clock.advance, 0.3)
    for turns in range(4):
        reactor.runUntilCurrent()
        assert len(scheduler.tasks) == 9 - turns // 2
    scheduler.close(0)
    assert reactor.getDelayedCalls() == []


@pytest.mark.parametrize("wrong", [0, -1, float("nan")])
def test_a_budget_is_positive(clock: Any, wrong: float) -> None:
    with pytest.raises(ValueError, match="budget"):
        Scheduler(clock, budget=wrong)


# Fair turns.


def test_groups_take_turns_whatever_their_tasks_priorities(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    groups = {name: scheduler.group(name) for name in "ab"}
    for name, count, priority in [("a", 4, -100), ("b", 2, 100)]:
        for _ in range(count):
            scheduler.call(log.append, name, group=groups[name], priority=priority)
    clock.advance(0)
    assert log == ["a", "b", "a", "b", "a", "a"]


def test_turns_are_in_proportion_to_weights(clock: Any, log: list[Any]) -> None:
    scheduler = Scheduler(clock)
    for name, weight in [("light", 1), ("heavy", 3), ("half", 0.5)]:
        group = scheduler.group(name, weight=weight)
        for _ in range(100):
            scheduler.call(log.append, name, group=group)
    clock.advance(0)
    share = Counter(log[:90])
    assert share["heavy"] == pytest.approx(60, abs=1)
    assert share["light"] == pytest.approx(20, abs=1)
    assert share["half"] == pytest.approx(10, abs=1)


def test_a_group_does_not_save_up_turns(clock: Any, scheduler: Scheduler, log: list[Any]) -> None:
    busy, idle = scheduler.group("busy"), scheduler.group("idle")
    for _ in range(50):
        scheduler.call(log.append, "busy", group=busy)
    clock.advance(0)
    log.clear()
    for _ in range(4):
        scheduler.call(log.append, "busy", group=busy)
        scheduler.call(log.append, "idle", group=idle)
    clock.advance(0)
    assert Counter(log[:4]) == {"busy": 2, "idle": 2}


def test_a_group_that_comes_and_goes_gets_no_more_than_its_share(
    clock: Any, log: list[Any]
) -> None:
    scheduler = Scheduler(clock, max_running=1)
    busy, other = scheduler.group("busy"), scheduler.group("other")
    for _ in range(20):
        scheduler.call(log.append, "busy", group=busy)

    def again() -> None:
        log.append("other")
        scheduler.call(again, group=other)

    scheduler.call(again, group=other)
    for _ in range(10):
        scheduler._pass()
    share = Counter(log[:20])
    assert abs(share["busy"] - share["other"]) <= 1
    scheduler.close(0)


def test_a_weight_that_is_raised_forgives_the_turns_that_it_has_had(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    light, other = scheduler.group("light", weight=0.001), scheduler.group("other")
    scheduler.call(log.append, "light", group=light)
    clock.advance(0)
    light.weight = 1
    for group in (light, other) * 10:
        scheduler.call(lambda group: log.append(group.name), group, group=group)
    clock.advance(0)
    assert Counter(log[1:9])["light"] >= 3


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), 1e-5, 1e5])
def test_a_weight_is_a_positive_number_neither_tiny_nor_huge(
    scheduler: Scheduler, wrong: float
) -> None:
    group = scheduler.group(weight=3)
    with pytest.raises(ValueError, match="weight"):
        scheduler.group(weight=wrong)
    with pytest.raises(ValueError, match="weight"):
        group.weight = wrong
    assert group.weight == 3


# Periodic tasks.


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


# Cancelling.


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


async def until_cancelled_and(cleaned_up: Deferred[Any]) -> None:
    try:
        await Deferred()
    finally:
        await cleaned_up


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


# Results.


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


# Timeouts, retries, fallbacks.


def test_an_attempt_that_takes_too_long_is_cancelled(clock: Any, scheduler: Scheduler) -> None:
    task = scheduler.call(Deferred, timeout=2)
    clock.advance(0)
    clock.advance(2)
    assert isinstance(outcome(task), DeferredTimeout)
    assert task.state is TaskState.FAILED


def failing(times: int, error: type[Exception] = OSError) -> Callable[[], str]:
    """A function that fails so often, and then returns."""
    left = [times]

    def function() -> str:
        if left[0]:
            left[0] -= 1
            raise error(left[0])
        return "done"

    return function


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
    with pytest.raises(ImportError, match="tenacity"):
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


# The end.


def closed(scheduler: Scheduler, timeout: float | None) -> list[str]:
    """Close a scheduler; a list that is not empty once it is closed."""
    told: list[str] = []
    scheduler.close(timeout).addCallback(lambda _: told.append("closed"))
    return told


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


# Under other circumstances.


def test_it_runs_alike_on_a_stock_reactor_and_on_ours() -> None:
    logs = []
    for make in (lambda clock: StockReactor(), make_reactor):
        clock = FakeClock(1.7e9)
        reactor: Any = make(clock)
        reactor.seconds = clock
        scheduler = Scheduler(reactor)
        log: list[Any] = []
        scheduler.call_every(0.25, log.append, "tick")
        scheduler.call_later(0.6, log.append, "later")
        for _ in range(9):
            reactor.runUntilCurrent()
            clock.advance(0.125)
        scheduler.close(0)
        logs.append(log)
    assert logs == [["tick", "tick", "tick", "later", "tick", "tick"]] * 2


def test_a_scheduler_that_is_dropped_is_garbage(clock: Any) -> None:
    scheduler = Scheduler(clock)
    scheduler.call(Deferred)
    clock.advance(0)
    scheduler.call_every(1, print, now=False)
    scheduler.call(print)
    reference = weakref.ref(scheduler)
    del scheduler
    for call in clock.getDelayedCalls():
        call.cancel()
    del call
    gc.collect()
    assert reference() is None


class OnCollection:
    """Calls a function when the collector finds it, which is some way into what is done then."""

    def __init__(self, function: Callable[[], object]) -> None:
        self.function = function
        self.cycle = self

    def __del__(self) -> None:
        self.function()


@pytest.fixture
def collections() -> Iterator[Callable[[int], None]]:
    """Sets after how many more objects the collector runs; it does not before."""
    threshold = gc.get_threshold()
    gc.collect()
    gc.disable()

    def collect_after(objects: int) -> None:
        gc.set_threshold(gc.get_count()[0] + objects, 1, 1)
        gc.enable()

    yield collect_after
    gc.set_threshold(*threshold)
    gc.enable()


@pytest.mark.parametrize("now", [True, False])
@pytest.mark.parametrize("objects", range(1, 40))
def test_a_destructor_can_cancel_a_task_at_any_point(
    collections: Callable[[int], None], objects: int, now: bool
) -> None:
    """(On Twisted's Clock not while that has taken its call out and not yet begun to make it.)"""
    clock = timerwheel.Clock()
    scheduler = Scheduler(clock)
    task = scheduler.call_every(1, lambda: None, now=now)
    OnCollection(task.cancel)
    collections(objects)
    clock.advance(0 if now else 1)
    gc.collect()
    clock.advance(1)
    assert (task.state, scheduler.tasks, scheduler.running) == (TaskState.CANCELLED, [], 0)
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize("objects", range(1, 40))
def test_a_destructor_can_start_a_task_at_any_point(
    clock: Any,
    scheduler: Scheduler,
    log: list[Any],
    collections: Callable[[int], None],
    objects: int,
) -> None:
    OnCollection(lambda: scheduler.call(log.append, "urgent"))
    collections(objects)
    scheduler.call_later(100, log.append, "far")
    gc.collect()
    clock.pump([0, 0, 1])
    assert log == ["urgent"]
    clock.advance(99)
    assert log == ["urgent", "far"]
    assert clock.getDelayedCalls() == []


def test_what_is_started_while_the_reactor_is_asked_is_asked_for_too(log: list[Any]) -> None:
    """By a destructor, say, that the collector comes to."""

    class Interrupted(twisted_task.Clock):
        def callLater(self, *args: Any, **kw: Any) -> Any:
            while interruptions:
                interruptions.pop()()
            return super().callLater(*args, **kw)  # type: ignore[no-untyped-call]

    interruptions: list[Callable[[], object]] = []
    clock = Interrupted()
    scheduler = Scheduler(clock)
    interruptions.append(lambda: scheduler.call(log.append, "urgent"))
    scheduler.call_later(100, log.append, "far")
    clock.pump([0, 0])
    assert log == ["urgent"]
    assert [call.getTime() for call in clock.getDelayedCalls()] == [100]


def test_a_call_that_comes_early_by_a_rounding_is_on_time(log: list[Any]) -> None:
    """The reactor's, that was moved later: its time is then a sum of floats."""
    when = 432.1915141803824
    clock = FakeClock(-0.0817821981683177)
    reactor: Any = StockReactor()
    reactor.seconds = clock
    scheduler = Scheduler(reactor)
    before = scheduler.call_at(142.30499791898833, log.append, "before")
    scheduler.call_at(when, log.append, "ran")
    before.cancel()
    (call,) = reactor.getDelayedCalls()
    clock.now = call.getTime()
    assert clock.now < when
    reactor.runUntilCurrent()
    assert log == ["ran"]
    assert reactor.getDelayedCalls() == []


def test_it_goes_on_though_somebody_has_cancelled_its_call(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    """As tests do that leave no call on a reactor behind."""
    scheduler.call_later(5, log.append, "later")
    for call in clock.getDelayedCalls():
        call.cancel()
    scheduler.call_later(6, log.append, "last")
    clock.pump([5, 1])
    assert log == ["later", "last"]


def test_what_is_not_made_as_it_should_be_is_an_error_and_no_crash(clock: Any) -> None:
    class Forgetful(Scheduler):
        def __init__(self) -> None:
            """It does not call that of the class above."""

    scheduler = Scheduler(clock)
    task = scheduler.call(print)
    for wrong in (
        lambda: Forgetful().call(print),
        lambda: Task.__new__(Task).cancel(),
        lambda: scheduler._make_ready(Task.__new__(Task)),
    ):
        with pytest.raises((AttributeError, TypeError)):
            wrong()
    with pytest.raises(RuntimeError, match="made once"):
        task.__init__(scheduler, print, ())  # type: ignore[misc]
    assert task.cancel()


def test_a_group_that_is_dropped_is_freed_at_once(clock: Any, scheduler: Scheduler) -> None:
    gc.disable()
    try:
        group = scheduler.group()
        scheduler.call(lambda: None, group=group)
        clock.advance(0)
        reference = weakref.ref(group)
        del group
        assert reference() is None
    finally:
        gc.enable()


def test_a_done_task_is_freed_at_once(clock: Any, scheduler: Scheduler) -> None:
    gc.disable()
    try:
        task = scheduler.call(lambda: None)
        later = scheduler.call_later(1, lambda: None)
        _ = later.deferred
        references = [weakref.ref(task), weakref.ref(later)]
        clock.advance(1)
        clock.advance(1)
        del task, later
        assert [reference() for reference in references] == [None, None]
    finally:
        gc.enable()
