"""Very many tasks that end, are released or come due at once: in slices, between turns."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from helpers import FakeClock, make_reactor, run_on
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from timerwheel.tasks import DependencyError, Scheduler, Task, TaskState

MANY = 2000
BUDGET = 10  # looks at the clock


class TickingClock(FakeClock):
    """A clock that moves on by a second each time that somebody looks at it."""

    def __call__(self) -> float:
        self.now += 1
        return self.now


class Bench:
    """A scheduler whose budget is so many looks at the clock."""

    def __init__(self, **options: Any) -> None:
        self.clock = TickingClock(1e6)
        self.reactor = make_reactor(self.clock)
        self.scheduler = Scheduler(self.reactor, budget=BUDGET, **options)
        self.log: list[Any] = []

    def turn(self) -> None:
        self.reactor.runUntilCurrent()

    def turns(self, is_over: Callable[[], bool]) -> int:
        """Turn until something is so. Returns how many turns that took."""
        for number in range(10 * MANY):
            if is_over():
                return number
            self.turn()
        raise AssertionError("it takes too long")

    def count(self, tasks: list[Task], *states: TaskState) -> int:
        return sum(task.state in states for task in tasks)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def ignore_failure(task: Task) -> None:
    task.deferred.addErrback(lambda _: None)


# Dependents.


def test_very_many_dependents_are_released_in_slices_and_then_start_in_order(bench: Bench) -> None:
    held: Deferred[None] = Deferred()
    first = bench.scheduler.call(lambda: held)
    tasks = [
        bench.scheduler.call(bench.log.append, number, after=[first], priority=-(number % 2))
        for number in range(MANY)
    ]
    bench.turns(lambda: first.state is TaskState.RUNNING)
    held.callback(None)
    waiting = [MANY, bench.count(tasks, TaskState.WAITING)]
    while not bench.log:  # the last one released may be the first to start
        bench.turn()
        waiting.append(bench.count(tasks, TaskState.WAITING))
    assert waiting[-1] == 0
    assert len(set(waiting)) > 5
    assert max(a - b for a, b in itertools.pairwise(waiting)) <= 16 * (BUDGET + 1)
    bench.turns(lambda: not bench.scheduler.tasks)
    assert bench.log == [*range(1, MANY, 2), *range(0, MANY, 2)]
    assert bench.reactor.getDelayedCalls() == []


def test_the_failure_of_one_ends_very_many_in_slices_and_in_order(bench: Bench) -> None:
    held: Deferred[None] = Deferred()
    first = bench.scheduler.call(lambda: held)
    tasks = [bench.scheduler.call(print, after=[first]) for _ in range(MANY)]
    for number, task in enumerate(tasks):
        task.deferred.addErrback(lambda failure, number=number: bench.log.append(number))
    bench.turns(lambda: first.state is TaskState.RUNNING)
    held.errback(KeyError("cause"))
    told = [len(bench.log)]
    while bench.scheduler.tasks or len(bench.log) < MANY:
        bench.turn()
        told.append(len(bench.log))
    assert max(b - a for a, b in itertools.pairwise(told)) <= BUDGET + 1
    assert bench.log == list(range(MANY))
    assert bench.reactor.getDelayedCalls() == []
    ignore_failure(first)


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
def test_one_that_waits_for_very_many_gives_up_in_slices(bench: Bench, how: str) -> None:
    """It lets go of them in parts."""
    tasks = [bench.scheduler.call_later(1e9, print) for _ in range(MANY)]
    gathered = bench.scheduler.gather(tasks)
    after = bench.scheduler.call(print, after=[gathered])
    gathered.deferred.addErrback(lambda failure: bench.log.append(failure.type))
    assert gathered.after == tuple(tasks)
    (tasks[0] if how == "fails" else gathered).cancel()
    assert (gathered.done, gathered.after, bench.log) == (True, (), [])
    turns = bench.turns(lambda: bool(bench.log))
    assert turns > 5
    assert after.state is TaskState.FAILED
    left = weakref.ref(gathered)
    del gathered, after
    gc.collect()
    assert left() is None
    assert len(bench.scheduler.tasks) == MANY - (how == "fails")


def test_a_long_chain_fails_in_slices(bench: Bench) -> None:
    tasks = [bench.scheduler.call_later(1e9, print)]
    for _ in range(MANY):
        tasks.append(bench.scheduler.call(print, after=tasks[-1:]))
    tasks[0].cancel()
    assert 0 < bench.count(tasks, TaskState.FAILED) < MANY
    assert bench.turns(lambda: not bench.scheduler.tasks) > 5
    with pytest.raises(DependencyError) as caught:
        _ = tasks[-1].result
    assert caught.value.task is tasks[0]
    assert bench.reactor.getDelayedCalls() == []


def test_what_is_made_cancelled_and_awaited_between_the_slices(bench: Bench) -> None:
    held: Deferred[None] = Deferred()
    first = bench.scheduler.call(lambda: held)
    tasks = [bench.scheduler.call(bench.log.append, "old", after=[first]) for _ in range(MANY)]
    bench.turns(lambda: first.state is TaskState.RUNNING)
    held.callback(None)
    assert bench.count(tasks, TaskState.READY) < MANY
    new = bench.scheduler.call(bench.log.append, "new", after=[first], priority=-1)
    at_once = bench.scheduler.call(bench.log.append, "at once", priority=-2)
    given_up = [tasks[0], tasks[MANY // 2], tasks[-1]]
    for task in given_up:
        task.deferred.cancel()
        assert task.state is TaskState.CANCELLED
        task.deferred.addErrback(lambda failure: bench.log.append(failure.type))
    assert bench.log == [CancelledError] * 3
    bench.turns(lambda: not bench.scheduler.tasks)
    assert bench.log[3:5] == ["at once", "new"]
    assert bench.log[5:] == ["old"] * (MANY - 3)
    assert new.state is at_once.state is TaskState.SUCCEEDED


def test_a_listener_may_turn_the_loop_between_the_slices(bench: Bench) -> None:
    held: Deferred[None] = Deferred()
    first = bench.scheduler.call(lambda: held)
    tasks = [bench.scheduler.call(bench.log.append, number, after=[first]) for number in range(99)]
    tasks[50].deferred.addCallback(lambda _: bench.turns(lambda: len(bench.log) == 99))
    other = bench.scheduler.call_later(1e9, print)
    after_other = bench.scheduler.call(print, after=[other])
    after_other.deferred.addErrback(lambda _: held.callback(None))
    bench.turns(lambda: first.state is TaskState.RUNNING)
    other.cancel()
    bench.turns(lambda: not bench.scheduler.tasks)
    assert bench.log == list(range(99))
    assert tasks[50].result is None


def test_very_many_who_await_one_task_are_told_in_slices_and_in_order(bench: Bench) -> None:
    held: Deferred[str] = Deferred()
    task = bench.scheduler.call(lambda: held)
    listeners = [task._listen() for _ in range(MANY)]
    for number, listener in enumerate(listeners):
        listener.addBoth(lambda _, number=number: bench.log.append(number))
    bench.turns(lambda: task.state is TaskState.RUNNING)
    held.callback("result")
    assert (task.result, len(bench.log) < MANY) == ("result", True)
    listeners[MANY // 2].cancel()
    assert bench.log[-1] == MANY // 2
    told = [len(bench.log)]
    while len(bench.log) < MANY:
        bench.turn()
        told.append(len(bench.log))
    assert max(b - a for a, b in itertools.pairwise(told)) <= BUDGET + 1
    in_order = [number for number in bench.log if number != MANY // 2]
    assert in_order == [number for number in range(MANY) if number != MANY // 2]
    assert bench.reactor.getDelayedCalls() == []


def test_an_interrupt_between_the_slices_loses_none() -> None:
    missed: list[Task] = []

    def told(task: Task) -> None:
        missed.append(task)
        if len(missed) in (2, 30):
            raise KeyboardInterrupt

    bench = Bench(on_missed_deadline=told)
    deadline = bench.clock.now + 1e6
    first = bench.scheduler.call_later(1e9, print)
    tasks = [bench.scheduler.call(print, after=[first], deadline=deadline) for _ in range(MANY)]
    bench.clock.advance(2e6)
    with suppress(KeyboardInterrupt):
        first.cancel()
    while bench.reactor.getDelayedCalls():
        with suppress(KeyboardInterrupt):
            bench.turn()
    assert missed == tasks
    assert bench.scheduler.tasks == []


# What is due.


def test_very_many_that_are_due_at_once_become_ready_in_slices_and_then_start_in_order(
    bench: Bench,
) -> None:
    when = bench.clock.now + 1e6
    tasks = [
        bench.scheduler.call_at(when, bench.log.append, number, priority=-(number % 2))
        for number in range(MANY)
    ]
    bench.clock.advance(1e6)
    early = [MANY]
    while not bench.log:
        bench.turn()
        early.append(bench.count(tasks, TaskState.SCHEDULED))
    assert early[-1] == 0
    assert max(a - b for a, b in itertools.pairwise(early)) <= 16 * (BUDGET + 1)
    bench.turns(lambda: not bench.scheduler.tasks)
    assert bench.log == [*range(1, MANY, 2), *range(0, MANY, 2)]
    assert bench.reactor.getDelayedCalls() == []


def test_very_many_deadlines_that_are_missed_at_once_are_told_in_slices() -> None:
    missed: list[Task] = []

    def told(task: Task) -> None:
        missed.append(task)
        task.cancel()

    bench = Bench(on_missed_deadline=told)
    deadline = bench.clock.now + 1e6
    tasks = [bench.scheduler.call_at(1e9, print, deadline=deadline) for _ in range(MANY)]
    bench.clock.advance(1e6)
    assert bench.turns(lambda: len(missed) == MANY) > 5
    assert missed == tasks
    assert bench.scheduler.tasks == []


# The end.


@pytest.mark.parametrize("timeout", [0, None])
def test_closing_cancels_very_many_that_wait_for_one_in_slices(
    bench: Bench, timeout: float | None
) -> None:
    first = bench.scheduler.call_later(1e9, print)
    tasks = [first, *(bench.scheduler.call(print, after=[first]) for _ in range(MANY))]
    tasks.append(bench.scheduler.call(print, after=tasks[1:2], require_success=False))
    closed = bench.scheduler.close(timeout)
    counts = [bench.count(tasks, TaskState.CANCELLED)]
    while not closed.called:
        bench.turn()
        counts.append(bench.count(tasks, TaskState.CANCELLED))
    steps = [b - a for a, b in itertools.pairwise(counts)]
    assert max(steps) <= 17 * (BUDGET + 1)
    assert len(steps) > 5
    assert bench.count(tasks[:-1], TaskState.CANCELLED) == MANY + 1
    assert tasks[-1].state is (TaskState.CANCELLED if timeout == 0 else TaskState.SUCCEEDED)
    assert bench.reactor.getDelayedCalls() == []


def test_closing_reads_the_clock_once_for_each_and_lists_none() -> None:
    """The list of a million takes longer than the budget."""
    bench = Bench()
    tasks = [bench.scheduler.call_later(1e9, print) for _ in range(MANY)]
    closed = bench.scheduler.close(0)
    assert bench.count(tasks, TaskState.CANCELLED) <= BUDGET + 2
    bench.turns(lambda: closed.called)
    assert bench.count(tasks, TaskState.CANCELLED) == MANY


def test_the_tasks_are_listed_in_order_whichever_leave(bench: Bench) -> None:
    tasks = [bench.scheduler.call_later(1e9, print) for _ in range(6)]
    for gone in (0, 5, 2, 3):
        tasks[gone].cancel()
        left = [task for task in tasks if not task.done]
        assert bench.scheduler.tasks == left
    tasks.append(bench.scheduler.call_later(1e9, print))
    assert bench.scheduler.tasks == [tasks[1], tasks[4], tasks[6]]
    for task in bench.scheduler.tasks:
        task.cancel()
    assert bench.scheduler.tasks == []


# Whatever the budget, the same comes of it.


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_small_budget_changes_no_order_and_no_outcome(data: st.DataObject) -> None:
    """Of two schedulers that do the same one is interrupted after each step or two."""
    benches = [Bench(), Bench()]
    benches[0].scheduler = Scheduler(benches[0].reactor, budget=float("inf"))
    benches[1].scheduler = Scheduler(benches[1].reactor, budget=data.draw(st.integers(1, 3)))
    pairs: list[list[Task]] = []
    held: list[tuple[Deferred[Any], ...]] = []
    for _ in range(data.draw(st.integers(1, 25), "steps")):
        action = data.draw(st.sampled_from(["add", "add", "add", "turn", "fire", "cancel"]))
        if action == "add":
            numbers = st.integers(0, max(0, len(pairs) - 1))
            after = data.draw(st.lists(numbers, max_size=40)) if pairs else []
            success, waits = data.draw(st.booleans()), data.draw(st.booleans())
            priority = data.draw(st.integers(-1, 1))
            fired: tuple[Deferred[Any], ...] = (Deferred(), Deferred())
            held.append(fired)
            pair = []
            for bench, deferred in zip(benches, fired, strict=True):

                def run(
                    bench: Bench = bench,
                    number: int = len(pairs),
                    result: Any = deferred if waits else None,
                ) -> Any:
                    bench.log.append(number)
                    return result

                task = bench.scheduler.call(
                    run,
                    after=[pairs[number][benches.index(bench)] for number in after],
                    require_success=success,
                    priority=priority,
                )
                task.deferred.addErrback(lambda _: None)
                pair.append(task)
            pairs.append(pair)
        elif action == "fire" and held:
            failure = Failure(KeyError("cause"))  # type: ignore[no-untyped-call]
            outcome = data.draw(st.sampled_from(["result", failure]))
            for deferred in data.draw(st.sampled_from(held)):
                if not deferred.called:
                    deferred.callback(outcome)
                    deferred.addErrback(lambda _: None)
        elif action == "cancel" and pairs:
            for task in data.draw(st.sampled_from(pairs)):
                task.cancel()
        for bench in benches:
            bench.turns(lambda bench=bench: not bench.reactor.getDelayedCalls())
        assert benches[0].log == benches[1].log
        assert [[task.state for task in pair] for pair in pairs] == [
            [pair[0].state] * 2 for pair in pairs
        ]
    for bench in benches:
        closed = bench.scheduler.close(0)
        bench.turns(lambda closed=closed: closed.called)
        assert bench.scheduler.tasks == []


BESIDE_IO = """
    from timerwheel.tasks import Scheduler

    scheduler = Scheduler(reactor, budget=0.00001)
    group = scheduler.group()
    ready, ran = [], []

    def tick():
        if not ran:
            ready.append(group.ready)
        if len(ran) == 20_000:
            reactor.stop()
        else:
            reactor.callLater(0, tick)

    def start():
        first = scheduler.call_later(60, print)
        for _ in range(20_000):
            scheduler.call(ran.append, 1, after=[first], group=group, require_success=False)
        first.cancel()
        tick()

    reactor.callWhenRunning(start)
    reactor.run()
    print(json.dumps([ready == sorted(ready), len(set(ready)) > 2]))
"""


def test_a_real_reactor_goes_on_while_dependents_are_released() -> None:
    assert run_on("epoll", BESIDE_IO) == [True, True]
