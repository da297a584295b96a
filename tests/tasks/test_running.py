"""When tasks run: at their time, by priority, in one call of the reactor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from helpers import FakeClock, StockReactor, make_reactor
from twisted.internet import task as twisted_task
from twisted.internet.defer import Deferred

import timerwheel
from timerwheel.tasks import Scheduler, Task, TaskState

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


# The reactor's call.


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
