"""Chains of tasks that wait for each other, and tasks that turn the loop themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from helpers import FakeClock, StockReactor, make_reactor
from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks
from twisted.python.failure import Failure

import timerwheel
from timerwheel.tasks import Scheduler, Task, TaskState

Chain = tuple[timerwheel.Clock, Scheduler, list[Task], Deferred[Any]]

LENGTH = 10_000


def returning(scheduler: Scheduler, tasks: list[Task], end: Deferred[Any]) -> Callable[..., Any]:
    def link(left: int) -> Any:
        return started(scheduler, tasks, link, left - 1) if left else end

    return link


def awaiting(scheduler: Scheduler, tasks: list[Task], end: Deferred[Any]) -> Callable[..., Any]:
    async def link(left: int) -> Any:
        return await (started(scheduler, tasks, link, left - 1) if left else end)

    return link


def yielding(scheduler: Scheduler, tasks: list[Task], end: Deferred[Any]) -> Callable[..., Any]:
    @inlineCallbacks
    def link(left: int) -> Iterator[Any]:
        return (yield (started(scheduler, tasks, link, left - 1).deferred if left else end))

    return link


def started(scheduler: Scheduler, tasks: list[Task], link: Any, left: int) -> Task:
    tasks.append(scheduler.call(link, left))
    return tasks[-1]


@pytest.fixture(params=[returning, awaiting, yielding])
def make_chain(request: pytest.FixtureRequest) -> Callable[[int], Chain]:
    """Makes so many tasks, each of which waits for the next, and the last for the Deferred."""

    def make(length: int) -> Chain:
        clock = timerwheel.Clock()
        scheduler = Scheduler(clock, max_running=length + 1)
        tasks: list[Task] = []
        end: Deferred[Any] = Deferred()
        started(scheduler, tasks, request.param(scheduler, tasks, end), length)
        while len(tasks) <= length or tasks[-1].state is TaskState.READY:
            clock.advance(0)
        return clock, scheduler, tasks, end

    return make


def test_a_chain_of_any_length_ends_with_its_result(make_chain: Callable[[int], Chain]) -> None:
    _, scheduler, tasks, end = make_chain(LENGTH)
    assert scheduler.running == LENGTH + 1
    end.callback("result")
    assert {task.state for task in tasks} == {TaskState.SUCCEEDED}
    assert (tasks[0].result, scheduler.running, scheduler.tasks) == ("result", 0, [])


def test_a_chain_ends_with_its_failure(make_chain: Callable[[int], Chain]) -> None:
    _, scheduler, tasks, end = make_chain(300)
    end.errback(KeyError("end"))
    with pytest.raises(KeyError):
        _ = tasks[0].result
    assert (scheduler.running, scheduler.tasks) == (0, [])


@pytest.mark.parametrize("which", [0, 150, -1])
def test_a_chain_is_cancelled_from_anywhere(make_chain: Callable[[int], Chain], which: int) -> None:
    clock, scheduler, tasks, _ = make_chain(2000)
    assert tasks[which].cancel()
    clock.advance(0)
    assert {task.state for task in tasks[which:]} == {TaskState.CANCELLED}
    assert (scheduler.running, scheduler.tasks) == (0, [])


def test_a_chain_is_cancelled_by_the_end_of_its_scheduler(
    make_chain: Callable[[int], Chain],
) -> None:
    _, scheduler, tasks, _ = make_chain(2000)
    closed = scheduler.close(0)
    assert closed.called
    assert {task.state for task in tasks} == {TaskState.CANCELLED}


def test_cancelling_reaches_the_innermost_first_and_its_answer_goes_outwards() -> None:
    clock = timerwheel.Clock()
    scheduler = Scheduler(clock)

    async def stubborn() -> str:
        try:
            await Deferred()
        except CancelledError:
            return "cleaned up"
        return "unreachable"

    async def outer() -> str:
        return f"outer: {await scheduler.call(stubborn)}"

    task = scheduler.call(outer)
    clock.pump([0, 0])
    task.cancel()
    assert task.result == "outer: cleaned up"


def test_who_is_told_while_others_are_told_has_the_answer_of_the_cancelled() -> None:
    """Not CancelledError, as if nobody had ended the task."""
    clock = timerwheel.Clock()
    scheduler = Scheduler(clock)
    answers = Deferred[Any](lambda deferred: deferred.callback("cleaned up"))
    second = scheduler.call(lambda: answers)
    first = scheduler.call(lambda: "first")
    told: list[Any] = []
    second.deferred.addBoth(told.append)
    first.deferred.addCallback(lambda _: second.deferred.cancel())
    clock.advance(0)
    assert told == ["cleaned up"]


# A task that turns the loop.


@pytest.mark.parametrize("stock", [False, True], ids=["ours", "stock"])
def test_a_task_that_turns_the_loop_sees_the_others_run(stock: bool) -> None:
    clock = FakeClock(1.7e9)
    reactor: Any = StockReactor() if stock else make_reactor(clock)
    reactor.seconds = clock
    scheduler = Scheduler(reactor)
    log: list[Any] = []

    def turn() -> None:
        for _ in range(3):
            clock.advance(0.5)
            reactor.runUntilCurrent()

    def dialog() -> None:
        scheduler.call(log.append, "started in there")
        turn()
        log.append("end of the dialog")

    scheduler.call_every(1, log.append, "tick", now=False)
    scheduler.call_later(0.5, log.append, "later")
    scheduler.call(dialog)
    scheduler.call(log.append, "ready")
    reactor.runUntilCurrent()
    assert sorted(log[:-1]) == ["later", "ready", "started in there", "tick"]
    assert log[-1] == "end of the dialog"
    clock.advance(0.5)
    for _ in range(2):  # the first is the reactor's own, since the dialog took long
        reactor.runUntilCurrent()
    assert log[-1] == "tick"
    scheduler.close(0)
    assert reactor.getDelayedCalls() == []


def test_one_who_is_told_can_turn_the_loop_and_wait_for_another_task() -> None:
    clock = FakeClock(1.7e9)
    reactor = make_reactor(clock)
    scheduler = Scheduler(reactor)
    log: list[Any] = []

    async def dialog() -> None:
        await scheduler.call(lambda: None)
        scheduler.call(lambda: "answer").deferred.addCallback(log.append)
        for _ in range(5):
            reactor.runUntilCurrent()
        log.append("end of the dialog")

    task = scheduler.call(dialog)
    for _ in range(3):
        reactor.runUntilCurrent()
    assert (log, task.state) == (["answer", "end of the dialog"], TaskState.SUCCEEDED)


def test_a_periodic_task_that_turns_the_loop_is_not_called_in_there() -> None:
    clock = FakeClock(1.7e9)
    reactor = make_reactor(clock)
    scheduler = Scheduler(reactor)
    depth: list[int] = [0]
    deepest: list[int] = []

    def turn() -> None:
        depth[0] += 1
        deepest.append(depth[0])
        clock.advance(2)
        reactor.runUntilCurrent()
        depth[0] -= 1

    scheduler.call_every(1, turn)
    for _ in range(4):
        reactor.runUntilCurrent()
        clock.advance(2)
    assert deepest == [1, 1]
    scheduler.close(0)


def test_a_failure_of_a_nested_pass_is_no_failure_of_the_task_around_it() -> None:
    clock = FakeClock(1.7e9)
    reactor = make_reactor(clock)
    scheduler = Scheduler(reactor)

    def dialog() -> str:
        failing = scheduler.call(lambda: 1 / 0)
        reactor.runUntilCurrent()
        assert isinstance(failing.deferred.addErrback(lambda failure: failure).result, Failure)
        failing.deferred.addErrback(lambda failure: None)
        return "went on"

    task = scheduler.call(dialog)
    reactor.runUntilCurrent()
    assert task.result == "went on"
