"""What the collector does to tasks, and finds of them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

import timerwheel
from timerwheel.tasks import Scheduler, TaskState


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
