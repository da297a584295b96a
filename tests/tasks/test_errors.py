"""Whatever raises in what is done for a task: no task stays RUNNING, no place is lost."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable
from typing import Any

import pytest
import tenacity
from test_out_of_memory import starve
from twisted.internet.defer import Deferred

import timerwheel
from timerwheel.tasks import Scheduler, Task, TaskState


class Faulty(timerwheel.Clock):
    """A clock that raises: seconds() or callLater() the next time, once it is told so."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: BaseException | None = None
        self.countdown = 0
        self.of_calls = False

    def raise_after(self, count: int, fault: BaseException, *, of_calls: bool = False) -> None:
        self.countdown, self.fault, self.of_calls = count, fault, of_calls

    def _count(self) -> None:
        if self.fault is not None:
            if self.countdown == 0:
                fault, self.fault = self.fault, None
                raise fault
            self.countdown -= 1

    def seconds(self) -> float:
        if not self.of_calls:
            self._count()
        return super().seconds()

    def callLater(self, *args: Any, **kw: Any) -> Any:
        if self.of_calls:
            self._count()
        return super().callLater(*args, **kw)


def turn(clock: Faulty, seconds: float = 0) -> None:
    """What a reactor does: it logs what a call raises, and goes on."""
    with contextlib.suppress(KeyboardInterrupt, MemoryError, OSError, RecursionError):
        clock.advance(seconds)


def assert_goes_on(clock: Faulty, scheduler: Scheduler, tasks: list[Task]) -> None:
    """All tasks end, and others have their places."""
    clock.fault = None
    for task in tasks:
        if task.state is TaskState.RUNNING and task._attempt is not None:
            task._attempt.callback(None)
    later = scheduler.call(lambda: "ran")
    for _ in range(9):
        turn(clock, 1)
    for task in [task for task in tasks if task.interval is not None]:
        task.cancel()
    assert {task.done for task in tasks} == {True}
    for task in tasks:
        task.deferred.addErrback(lambda failure: None)
    assert (later.result, scheduler.running, scheduler.tasks) == ("ran", 0, [])
    assert scheduler._group.running == 0
    closed = scheduler.close(0)
    turn(clock)
    assert closed.called
    assert clock.getDelayedCalls() == []


def start_plain(scheduler: Scheduler) -> list[Task]:
    return [scheduler.call(lambda: "result"), scheduler.call(lambda: "other")]


def start_periodic(scheduler: Scheduler) -> list[Task]:
    return [scheduler.call_every(1, lambda: None), scheduler.call(lambda: "other")]


def start_with_deferred(scheduler: Scheduler) -> list[Task]:
    return [scheduler.call(Deferred, timeout=100), scheduler.call(lambda: Deferred())]


def start_with_coroutine(scheduler: Scheduler) -> list[Task]:
    async def wait() -> str:
        return await inner

    inner = scheduler.call(lambda: "inner")
    return [scheduler.call(wait), inner]


def start_with_retry(scheduler: Scheduler) -> list[Task]:
    policy = tenacity.Retrying(wait=tenacity.wait_fixed(1), stop=tenacity.stop_after_attempt(3))
    return [
        scheduler.call(lambda: 1 / 0, retry=policy),
        scheduler.call(lambda: 1 / 0, retry=policy, fallback=lambda failure: None),
    ]


def start_graph(scheduler: Scheduler) -> list[Task]:
    first = scheduler.call(lambda: "first", deadline=0.5)
    second = scheduler.call_later(1, lambda: "second", after=[first])
    anyway = scheduler.call(lambda: "anyway", after=[first, second], require_success=False)
    return [first, second, anyway]


STARTS = [
    start_plain,
    start_periodic,
    start_with_deferred,
    start_with_coroutine,
    start_with_retry,
    start_graph,
]


@pytest.mark.parametrize("of_calls", [False, True], ids=["seconds", "callLater"])
@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError, MemoryError, RecursionError])
@pytest.mark.parametrize("start", STARTS)
def test_an_error_of_the_reactor_loses_no_task_and_no_place(
    start: Callable[[Scheduler], list[Task]], fault: type[BaseException], of_calls: bool
) -> None:
    """Wherever it comes from, of the first times that the reactor is asked."""
    for count in range(12):
        clock = Faulty()
        scheduler = Scheduler(clock, max_running=2)
        tasks = start(scheduler)
        clock.raise_after(count, fault(), of_calls=of_calls)
        for _ in range(3):
            turn(clock, 1)
        assert_goes_on(clock, scheduler, tasks)


@pytest.mark.parametrize("delay", [0, 5])
def test_a_task_for_which_the_reactor_cannot_be_asked_is_not_taken(delay: float) -> None:
    clock = Faulty()
    scheduler = Scheduler(clock)
    clock.raise_after(0, OSError("reactor"), of_calls=True)
    with pytest.raises(OSError, match="reactor"):
        scheduler.call_later(delay, print) if delay else scheduler.call(print)
    assert (scheduler.tasks, clock.getDelayedCalls()) == ([], [])
    task = scheduler.call(lambda: "ran")
    turn(clock)
    assert task.result == "ran"


def test_what_a_function_has_returned_is_its_result_though_the_clock_fails_after_it() -> None:
    clock = Faulty()
    scheduler = Scheduler(clock, max_running=1)

    def function() -> str:
        clock.raise_after(0, KeyboardInterrupt())
        return "result"

    task, other = scheduler.call(function), scheduler.call(lambda: "other")
    with pytest.raises(KeyboardInterrupt):
        clock.advance(0)
    assert task.result == "result"
    clock.advance(0)
    assert other.result == "other"


def test_an_error_in_what_is_done_for_a_task_is_its_failure() -> None:
    clock = Faulty()
    scheduler = Scheduler(clock)
    attempt: Deferred[Any] = Deferred()

    def function() -> Deferred[Any]:
        clock.raise_after(0, OSError("no call"), of_calls=True)
        return attempt

    task = scheduler.call(function, timeout=5)
    clock.advance(0)
    assert task.state is TaskState.FAILED
    with pytest.raises(OSError, match="no call"):
        _ = task.result
    assert attempt.called  # it was cancelled
    assert (scheduler.running, clock.getDelayedCalls()) == (0, [])


def test_an_interrupt_in_what_is_done_for_a_task_ends_it_and_goes_on() -> None:
    clock = Faulty()
    scheduler = Scheduler(clock)

    def turn() -> None:
        clock.raise_after(0, KeyboardInterrupt())

    task = scheduler.call_every(1, turn)
    with pytest.raises(KeyboardInterrupt):
        clock.advance(0)
    with pytest.raises(KeyboardInterrupt):
        _ = task.result
    assert (task.state, scheduler.running) == (TaskState.FAILED, 0)


def at_depth(depth: int, function: Callable[[], object]) -> None:
    """Call a function with so many frames left."""
    if depth:
        at_depth(depth - 1, function)
    else:
        function()


@pytest.mark.parametrize("retry", [None, tenacity.Retrying()])
def test_a_task_whose_deferred_is_fired_without_stack_left_can_be_ended(retry: Any) -> None:
    """At each depth: that has ended the task, or cancelling it does."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(300)
    try:
        for depth in range(150, 300):
            clock = timerwheel.Clock()
            scheduler = Scheduler(clock, max_running=1)
            end: Deferred[Any] = Deferred()
            task = scheduler.call(lambda end=end: end, retry=retry)
            clock.advance(0)
            with contextlib.suppress(RecursionError):
                at_depth(depth, lambda end=end: end.callback("result"))
            clock.pump([0, 0, 0])
            task.deferred.addErrback(lambda failure: None)
            if not task.done:
                assert task.cancel()
                clock.advance(0)
            assert (task.done, scheduler.running) == (True, 0)
            end.addErrback(lambda failure: None)
    finally:
        sys.setrecursionlimit(limit)


def test_a_task_can_be_cancelled_by_a_callback_of_what_it_returns() -> None:
    """Which runs before the scheduler's own."""
    clock = timerwheel.Clock()
    scheduler = Scheduler(clock)
    end: Deferred[Any] = Deferred()
    task = scheduler.call(lambda: end.addCallback(lambda result: (task.cancel(), result)))
    clock.advance(0)
    end.callback("result")
    assert (task.state, task.result) == (TaskState.SUCCEEDED, (True, "result"))
    assert end.result is None


@pytest.mark.usefixtures("quick_collections")
@pytest.mark.parametrize("failing", [1, 10])
def test_without_memory_at_any_allocation_no_task_and_no_place_is_lost(failing: int) -> None:
    """So many allocations fail, of passes, of what ends a task and of what cancels one.

    Not all from there on: Python's own loop does not come out of a `finally` then.
    """
    testcapi = pytest.importorskip("_testcapi", reason="this Python has no _testcapi")
    fed = 0
    for start in itertools.count():
        clock = Faulty()
        scheduler = Scheduler(clock, max_running=3)
        group = scheduler.group(max_running=1)
        ends: list[Deferred[Any]] = [Deferred(), Deferred()]
        tasks = [
            scheduler.call(lambda: "plain"),
            scheduler.call(ends.__getitem__, 0, group=group, timeout=100),
            scheduler.call(lambda: "after it", group=group),
            scheduler.call(ends.__getitem__, 1),
            scheduler.call_later(1, lambda: "later"),
            scheduler.call_every(1, lambda: None, now=False),
        ]
        tasks[0].deferred.addBoth(lambda result: None)

        def operation(
            clock: Faulty = clock, ends: list[Deferred[Any]] = ends, tasks: list[Task] = tasks
        ) -> None:
            clock.advance(0)
            ends[0].callback("end")
            tasks[3].cancel()
            clock.advance(1)

        fed = 0 if starve(testcapi, operation, start, start + failing) else fed + 1
        for end in ends:
            if not end.called:
                end.callback(None)
            end.addErrback(lambda failure: None)
        for _ in range(5):
            turn(clock, 1)
        for task in tasks:
            if not task.done:
                task.cancel()
        assert [task for task in tasks if not task.done] == []
        assert (scheduler.running, group.running, scheduler.tasks) == (0, 0, [])
        later = scheduler.call(lambda: "ran", group=group)
        turn(clock, 1)
        assert later.result == "ran"
        for task in tasks:
            task.deferred.addErrback(lambda failure: None)
        if fed == 30:
            break
