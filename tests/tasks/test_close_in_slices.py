"""The end of a scheduler with many tasks: in slices, with errors on the way."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import FakeClock, make_reactor, run_on
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

import timerwheel
from timerwheel.tasks import Scheduler, SchedulerClosedError, Task, TaskState

BUDGET = 0.25


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1.7e9)


@pytest.fixture
def reactor(clock: FakeClock) -> Any:
    return make_reactor(clock)


@pytest.fixture
def scheduler(reactor: Any) -> Scheduler:
    return Scheduler(reactor, budget=BUDGET)


def slow_to_cancel(clock: FakeClock, scheduler: Scheduler, log: list[Any], name: Any) -> Task:
    """A task that waits, and takes 0.1 seconds to be cancelled."""

    def told(failure: Failure) -> None:
        clock.advance(0.1)
        log.append(name)

    task = scheduler.call_later(60, log.append, "ran")
    task.deferred.addErrback(told)
    return task


def test_closing_is_done_in_slices_between_which_the_reactor_has_its_turns(
    clock: FakeClock, reactor: Any, scheduler: Scheduler
) -> None:
    log: list[Any] = []
    reactor.callLater(0, log.append, "the reactor's")
    for number in range(8):
        slow_to_cancel(clock, scheduler, log, number)
    closed = scheduler.close(0)
    assert (log, closed.called) == ([0, 1, 2], False)
    with pytest.raises(SchedulerClosedError):
        scheduler.call(print)
    while not closed.called:
        reactor.runUntilCurrent()
    assert log == [0, 1, 2, "the reactor's", 3, 4, 5, 6, 7]
    assert (scheduler.tasks, reactor.getDelayedCalls()) == ([], [])


def test_what_waits_for_its_time_is_not_started_while_the_rest_is_cancelled(
    clock: FakeClock, reactor: Any, scheduler: Scheduler
) -> None:
    log: list[Any] = []
    for number in range(4):
        slow_to_cancel(clock, scheduler, log, number)
    soon = scheduler.call_later(0.01, log.append, "soon")
    periodic = scheduler.call_every(1, log.append, "periodic")
    ready = scheduler.call(log.append, "ready")
    closed = scheduler.close()
    while not closed.called:
        clock.advance(0.02)
        reactor.runUntilCurrent()
    assert log == [0, 1, 2, 3, "ready"]
    assert ready.state is TaskState.SUCCEEDED
    assert soon.state is periodic.state is TaskState.CANCELLED


def test_others_cancel_end_and_close_between_the_slices(
    clock: FakeClock, reactor: Any, scheduler: Scheduler
) -> None:
    log: list[Any] = []
    fired: Deferred[Any] = Deferred()
    running = scheduler.call(lambda: fired)
    reactor.runUntilCurrent()
    tasks = [slow_to_cancel(clock, scheduler, log, number) for number in range(8)]
    first = scheduler.close()
    assert log == [0, 1, 2]
    assert tasks[7].cancel()
    fired.callback("result")
    second = scheduler.close(5)
    assert (running.result, log) == ("result", [0, 1, 2, 7, 3, 4, 5])
    third = scheduler.close(0)
    assert log == [0, 1, 2, 7, 3, 4, 5, 6]
    assert first.called
    assert second.called
    assert third.called
    assert reactor.getDelayedCalls() == []


def test_a_deadline_that_comes_between_the_slices_cancels_all(
    clock: FakeClock, reactor: Any, scheduler: Scheduler
) -> None:
    log: list[Any] = []
    running = scheduler.call(Deferred)
    reactor.runUntilCurrent()
    for number in range(6):
        slow_to_cancel(clock, scheduler, log, number)
    closed = scheduler.close(0.3)
    assert (log, running.state) == ([0, 1, 2], TaskState.RUNNING)
    for _ in range(6):
        reactor.runUntilCurrent()
    assert sorted(log) == [0, 1, 2, 3, 4, 5]
    assert (running.state, closed.called) == (TaskState.CANCELLED, True)
    assert reactor.getDelayedCalls() == []


def test_on_a_clock_it_goes_on_with_the_clock() -> None:
    clock = timerwheel.Clock()
    scheduler = Scheduler(clock, budget=BUDGET)
    tasks = [scheduler.call_later(60, print) for _ in range(4)]
    tasks[1].deferred.addErrback(lambda failure: clock.advance(1))
    closed = scheduler.close(0)
    assert [task.done for task in tasks] == [True, True, True, True]
    assert closed.called  # the nested advance() went on with it
    assert clock.getDelayedCalls() == []


def test_listeners_and_cancellers_that_raise_do_not_stop_it(
    clock: FakeClock, reactor: Any, scheduler: Scheduler
) -> None:
    logged: list[Failure] = []

    def observe(event: dict[str, Any]) -> None:
        if "log_failure" in event:
            logged.append(event["log_failure"])

    def cannot(deferred: Deferred[Any]) -> None:
        raise KeyError("canceller")

    def raising(failure: Failure) -> None:
        raise KeyError("listener")

    obstinate: Deferred[Any] = Deferred(cannot)
    running = scheduler.call(lambda: obstinate)
    reactor.runUntilCurrent()
    waiting = scheduler.call_later(5, print)
    heard = waiting.deferred.addErrback(raising)
    last = scheduler.call_later(5, print)
    globalLogPublisher.addObserver(observe)
    closed = scheduler.close(0)
    globalLogPublisher.removeObserver(observe)
    assert [failure.type for failure in logged] == [KeyError]
    assert waiting.state is last.state is TaskState.CANCELLED
    assert (running.state, closed.called) == (TaskState.RUNNING, False)
    obstinate.callback(None)
    assert closed.called
    heard.addErrback(lambda failure: failure.trap(KeyError))


def test_an_interrupt_stops_it_and_it_goes_on(
    clock: FakeClock, reactor: Any, scheduler: Scheduler
) -> None:
    def interrupt(deferred: Deferred[Any]) -> None:
        raise KeyboardInterrupt

    obstinate: Deferred[Any] = Deferred(interrupt)
    scheduler.call(lambda: obstinate)
    reactor.runUntilCurrent()
    last = scheduler.call_later(5, print)
    with pytest.raises(KeyboardInterrupt):
        scheduler.close(0)
    assert last.state is TaskState.SCHEDULED
    reactor.runUntilCurrent()
    assert last.state is TaskState.CANCELLED
    obstinate.callback(None)
    assert scheduler.close().called


def test_a_nested_loop_goes_on_with_it(
    clock: FakeClock, reactor: Any, scheduler: Scheduler
) -> None:
    log: list[Any] = []

    def turn(failure: Failure) -> None:
        clock.advance(1)
        for _ in range(4):
            reactor.runUntilCurrent()
        log.append(len(scheduler.tasks))

    scheduler.call_later(60, print).deferred.addErrback(turn)
    for number in range(3):
        slow_to_cancel(clock, scheduler, [], number)
    closed = scheduler.close(0)
    assert log == [0]
    assert closed.called


def test_closing_takes_time_in_proportion_to_the_tasks() -> None:
    """No more looks at the clock, nor calls of the reactor's, for each of many."""

    class Counted(timerwheel.Clock):
        looks = calls = 0

        def seconds(self) -> float:
            self.looks += 1
            return super().seconds()

        def callLater(self, *args: Any, **kw: Any) -> Any:
            self.calls += 1
            return super().callLater(*args, **kw)

    counts = []
    for count in (1000, 4000):
        clock = Counted()
        scheduler = Scheduler(clock)
        for number in range(count):
            scheduler.call_at(60 + number, print)
        clock.looks = clock.calls = 0
        assert scheduler.close(0).called
        counts.append((clock.looks / count, clock.calls))
    assert counts[0][0] == pytest.approx(1, abs=0.01) == counts[1][0]
    assert max(calls for _, calls in counts) <= 2


BESIDE_IO = """
    from timerwheel.tasks import Scheduler

    scheduler = Scheduler(reactor, budget=0.0005)
    left = []

    def tick():
        left.append(len(scheduler.tasks))
        reactor.callLater(0, tick)

    def start():
        for _ in range(20_000):
            scheduler.call_later(60, print)
        reactor.callLater(0, tick)
        scheduler.close(0).addCallback(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run()
    print(json.dumps([left == sorted(left, reverse=True), len(set(left)) > 3]))
"""


def test_a_real_reactor_goes_on_while_many_tasks_are_cancelled() -> None:
    assert run_on("epoll", BESIDE_IO) == [True, True]
