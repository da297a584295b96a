"""Tasks that would wait for the end of their own scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, inlineCallbacks, succeed

import timerwheel
from timerwheel.tasks import Scheduler, TaskState


def test_a_task_that_waits_for_it_by_another_schedulers_task_is_told_so() -> None:
    clock = timerwheel.Clock()
    scheduler, other = Scheduler(clock), Scheduler(clock)
    task = scheduler.call(lambda: other.call(scheduler.close))
    clock.pump([0, 0])
    with pytest.raises(RuntimeError, match="cannot wait for close"):
        _ = task.result


def returns(scheduler: Scheduler, went_on: Deferred[Any]) -> Callable[[], Any]:
    return scheduler.close


def returns_later(scheduler: Scheduler, went_on: Deferred[Any]) -> Callable[[], Any]:
    return lambda: went_on.addCallback(lambda _: scheduler.close())


def awaits(scheduler: Scheduler, went_on: Deferred[Any]) -> Callable[[], Any]:
    async def close() -> None:
        await scheduler.close(60)

    return close


def awaits_later(scheduler: Scheduler, went_on: Deferred[Any]) -> Callable[[], Any]:
    async def close() -> None:
        await went_on
        await inner()

    async def inner() -> None:
        await scheduler.close()

    return close


def awaits_a_chain(scheduler: Scheduler, went_on: Deferred[Any]) -> Callable[[], Any]:
    async def close() -> None:
        await went_on
        await succeed(None).addCallback(lambda _: scheduler.close())

    return close


def awaits_another_coroutine(scheduler: Scheduler, went_on: Deferred[Any]) -> Callable[[], Any]:
    async def close() -> None:
        await ensureDeferred(inner())

    async def inner() -> None:
        await went_on
        await scheduler.close()

    return close


def yields(scheduler: Scheduler, went_on: Deferred[Any]) -> Callable[[], Any]:
    @inlineCallbacks
    def close() -> Iterator[Any]:
        yield scheduler.close()

    return close


def yields_later(scheduler: Scheduler, went_on: Deferred[Any]) -> Callable[[], Any]:
    @inlineCallbacks
    def close() -> Iterator[Any]:
        yield went_on
        yield scheduler.close()

    return close


WAYS = [
    returns,
    returns_later,
    awaits,
    awaits_later,
    awaits_a_chain,
    awaits_another_coroutine,
    yields,
    yields_later,
]


@pytest.mark.parametrize("way", WAYS)
def test_a_task_that_waits_for_the_end_of_its_scheduler_is_told_so(way: Any) -> None:
    clock = timerwheel.Clock()
    scheduler = Scheduler(clock)
    went_on: Deferred[Any] = Deferred()
    task = scheduler.call(way(scheduler, went_on))
    clock.advance(0)
    if not task.done:
        went_on.callback(None)
        clock.advance(0)
    with pytest.raises(RuntimeError, match="cannot wait for close"):
        _ = task.result
    assert scheduler.close().called
    assert clock.getDelayedCalls() == []


def test_a_fallback_cannot_wait_for_it_either() -> None:
    clock = timerwheel.Clock()
    scheduler = Scheduler(clock)
    task = scheduler.call(lambda: 1 / 0, fallback=lambda failure: scheduler.close())
    clock.advance(0)
    with pytest.raises(RuntimeError, match="cannot wait for close"):
        _ = task.result


def test_a_task_can_catch_that_error_and_end() -> None:
    clock = timerwheel.Clock()
    scheduler = Scheduler(clock)

    async def close() -> str:
        with pytest.raises(RuntimeError, match="cannot wait for close"):
            await scheduler.close()
        return "ended"

    task = scheduler.call(close)
    clock.advance(0)
    assert task.result == "ended"


def test_a_task_can_close_its_scheduler_without_waiting_for_it() -> None:
    clock = timerwheel.Clock()
    scheduler, other = Scheduler(clock), Scheduler(clock)
    log: list[Any] = []

    async def close() -> None:
        scheduler.close().addCallback(lambda _: log.append("closed"))
        await Deferred()

    async def wait_in_another_coroutine() -> None:
        await scheduler.close()
        log.append("closed")

    async def start() -> None:
        ensureDeferred(wait_in_another_coroutine())

    task = scheduler.call(close)
    scheduler.call(start)
    outside = other.call(scheduler.close)  # a task of another scheduler
    clock.advance(0)
    assert (task.state, log) == (TaskState.RUNNING, [])
    task.cancel()
    clock.advance(0)
    assert (log, outside.state) == (["closed", "closed"], TaskState.SUCCEEDED)
