"""What a task's function may return to be awaited, on the asyncio reactor and on others."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from types import coroutine
from typing import Any

import pytest
from helpers import run_on
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

import timerwheel
from timerwheel.tasks import Scheduler, Task, TaskState

ON_ASYNCIO = """
    import asyncio, collections.abc
    from twisted.internet.defer import Deferred, CancelledError, ensureDeferred
    from twisted.internet.task import deferLater
    from timerwheel.tasks import Scheduler

    loop = reactor._asyncioEventloop
    scheduler = Scheduler(reactor, max_running=20)
    log = []

    class Request(collections.abc.Coroutine):
        "As aiohttp's: it wraps a coroutine, and needs a task of asyncio's."
        def __init__(self, work):
            self.coroutine = work
        def send(self, value):
            return self.coroutine.send(value)
        def throw(self, *error):
            return self.coroutine.throw(*error)
        def close(self):
            return self.coroutine.close()
        def __await__(self):
            return self.coroutine.__await__()

    class Merely:
        def __init__(self, awaited):
            self.awaited = awaited
        def __await__(self):
            return (yield from self.awaited.__await__())

    async def work():
        assert asyncio.current_task() is not None
        await asyncio.sleep(0.001)
        await deferLater(reactor, 0.001)
        await asyncio.wait_for(asyncio.sleep(0), 1)
        return "worked"

    async def wait(awaited):
        return await awaited

    async def steps():
        await asyncio.sleep(0)
        yield "step"

    async def until_cancelled():
        try:
            await asyncio.sleep(60)
        finally:
            log.append("cleaned up")

    def failed():
        future = loop.create_future()
        future.set_exception(KeyError("future"))
        return future

    def fired(result):
        waiting = Deferred()
        reactor.callLater(0.001, waiting.callback, result)
        return waiting

    def cancelled_deferred():
        return Deferred(lambda _: log.append("cancelled"))

    def outcome(task):
        return task.deferred.addErrback(lambda failure: failure.type.__name__)

    calls = {
        "future": lambda: asyncio.ensure_future(asyncio.sleep(0.001, "future")),
        "request": lambda: Request(work()),
        "asend": lambda: steps().asend(None),
        "wrapped deferred": lambda: Merely(fired("wrapped")),
        "wrapped task": lambda: Merely(scheduler.call(lambda: "inner")),
        "wrapped request": lambda: Merely(Request(work())),
        "fails": failed,
        "fails in a request": lambda: Request(wait(failed())),
        "fails by a deferred": lambda: Merely(ensureDeferred(until_fails())),
        "other loop": lambda: asyncio.new_event_loop().create_future(),
    }

    async def until_fails():
        await fired(None)
        raise OSError

    async def main():
        results = {}
        for name, function in calls.items():
            results[name] = await outcome(scheduler.call(function))
        results["fallback"] = await scheduler.call(
            lambda: 1 / 0, fallback=lambda failure: Request(work())
        )
        for name, function in {
            "cancelled request": lambda: Request(until_cancelled()),
            "cancelled future": lambda: asyncio.ensure_future(until_cancelled()),
            "cancelled deferred": lambda: Merely(cancelled_deferred()),
        }.items():
            task = scheduler.call(function)
            await deferLater(reactor, 0.01)
            task.cancel()
            for _ in range(100):
                if task.done:
                    break
                await deferLater(reactor, 0.001)
            results[name] = task.state.value
        task = scheduler.call(lambda: Request(until_cancelled()), timeout=0.01)
        results["timeout"] = await outcome(task)
        results["running"] = scheduler.running
        results["log"] = log
        await scheduler.close(0)
        return results

    def finish(results):
        print(json.dumps(results if isinstance(results, dict) else str(results)))
        reactor.stop()

    reactor.callWhenRunning(lambda: ensureDeferred(main()).addBoth(finish))
    reactor.run()
"""


@pytest.mark.parametrize("reactor_name", ["asyncio", "uvloop"])
def test_the_asyncio_reactor_awaits_what_asyncio_does(reactor_name: str) -> None:
    assert run_on(reactor_name, ON_ASYNCIO) == {
        "future": "future",
        "request": "worked",
        "asend": "step",
        "wrapped deferred": "wrapped",
        "wrapped task": "inner",
        "wrapped request": "worked",
        "fails": "KeyError",
        "fails in a request": "KeyError",
        "fails by a deferred": "OSError",
        "other loop": "TypeError",
        "fallback": "worked",
        "cancelled request": "cancelled",
        "cancelled future": "cancelled",
        "cancelled deferred": "cancelled",
        "timeout": "TimeoutError",
        "running": 0,
        "log": ["cleaned up", "cleaned up", "cancelled", "cleaned up"],
    }


# On any other reactor.


class Merely:
    """Something that can be awaited, and is nothing else."""

    def __init__(self, awaited: Any) -> None:
        self.awaited = awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield from self.awaited.__await__())


class Yielding:
    """Something that yields a Deferred, and takes what it is sent for the result."""

    def __init__(self, awaited: Deferred[Any]) -> None:
        self.awaited = awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self.awaited)


class AsCoroutine(Coroutine[Any, Any, Any]):
    """What Cython's coroutines are, too."""

    def __init__(self, awaited: Any) -> None:
        self.steps = awaited.__await__()

    def send(self, value: Any) -> Any:
        return self.steps.send(value)

    def throw(self, *error: Any) -> Any:
        return self.steps.throw(*error)

    def close(self) -> None:
        self.steps.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self  # type: ignore[return-value]

    def __iter__(self) -> Iterator[Any]:
        return self  # type: ignore[return-value]

    def __next__(self) -> Any:
        return self.send(None)


async def wait(awaited: Any) -> Any:
    return await awaited


@coroutine
def generator_based(awaited: Any) -> Generator[Any, Any, Any]:
    return (yield from awaited.__await__())


async def steps(awaited: Any) -> AsyncIterator[Any]:
    yield await awaited


KINDS: list[Callable[[Any], Any]] = [
    wait,
    generator_based,
    Merely,
    Yielding,
    AsCoroutine,
    lambda awaited: Merely(Merely(awaited)),
    lambda awaited: steps(awaited).asend(None),  # type: ignore[attr-defined]
]


@pytest.fixture
def clock() -> timerwheel.Clock:
    return timerwheel.Clock()


@pytest.fixture
def scheduler(clock: timerwheel.Clock) -> Scheduler:
    return Scheduler(clock, max_running=3)


@pytest.mark.parametrize("make", KINDS)
def test_what_waits_for_deferreds_is_awaited(
    clock: timerwheel.Clock, scheduler: Scheduler, make: Callable[[Any], Any]
) -> None:
    for number in range(3):
        waiting: Deferred[Any] = Deferred()
        task = scheduler.call(lambda waiting=waiting: make(waiting))
        clock.advance(0)
        assert task.state is TaskState.RUNNING
        if number == 0:
            waiting.callback("result")
            assert task.result == "result"
        elif number == 1:
            waiting.errback(KeyError("key"))
            with pytest.raises(KeyError):
                _ = task.result
        else:
            assert task.cancel()
            assert task.state is TaskState.CANCELLED
            assert waiting.called
    assert scheduler.running == 0


def test_a_task_that_is_wrapped_is_awaited(clock: timerwheel.Clock, scheduler: Scheduler) -> None:
    task = scheduler.call(lambda: Merely(scheduler.call(lambda: "inner")))
    clock.pump([0, 0])
    assert task.result == "inner"


def test_what_is_there_already_is_the_result_at_once(
    clock: timerwheel.Clock, scheduler: Scheduler
) -> None:
    class Done:
        def __await__(self) -> Iterator[Any]:
            return iter(())

    task = scheduler.call(Done)
    clock.advance(0)
    assert (task.state, task.result) == (TaskState.SUCCEEDED, None)


def test_what_a_fallback_returns_is_awaited(clock: timerwheel.Clock, scheduler: Scheduler) -> None:
    waiting: Deferred[Any] = Deferred()
    task = scheduler.call(lambda: 1 / 0, fallback=lambda failure: Merely(waiting))
    other = scheduler.call(lambda: 1 / 0, fallback=lambda failure: scheduler.call(lambda: "task"))
    clock.pump([0, 0])
    assert task.state is TaskState.RUNNING
    waiting.callback("fallback")
    assert (task.result, other.result) == ("fallback", "task")


def test_a_result_that_cannot_be_awaited_is_one(
    clock: timerwheel.Clock, scheduler: Scheduler
) -> None:
    results: list[Any] = [(number for number in range(3)), print, Deferred, 0, [], steps(None)]
    tasks = [scheduler.call(lambda result=result: result) for result in results]
    clock.advance(0)
    assert [task.result for task in tasks] == results


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that no reactor runs."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


def asyncios(loop: asyncio.AbstractEventLoop) -> list[Callable[[], Any]]:
    """Functions that return what only asyncio could await."""
    future = loop.create_future()
    return [
        lambda: future,
        lambda: Merely(future),
        lambda: AsCoroutine(asyncio.sleep(0)),
        lambda: AsCoroutine(Merely(future)),
        lambda: steps(future).asend(None),  # type: ignore[attr-defined]
    ]


@pytest.mark.parametrize("number", range(5))
def test_what_is_asyncios_is_an_error_on_another_reactor(
    clock: timerwheel.Clock,
    scheduler: Scheduler,
    loop: asyncio.AbstractEventLoop,
    number: int,
) -> None:
    task = scheduler.call(asyncios(loop)[number])
    clock.advance(0)
    with pytest.raises(TypeError, match="asyncio"):
        _ = task.result
    assert (task.state, scheduler.running) == (TaskState.FAILED, 0)
    del task
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()


def test_the_error_goes_through_retries_and_fallback(
    clock: timerwheel.Clock, scheduler: Scheduler, loop: asyncio.AbstractEventLoop
) -> None:
    task = scheduler.call(loop.create_future, fallback=lambda failure: failure.type)
    clock.advance(0)
    assert task.result is TypeError


def test_a_coroutine_that_is_wrapped_can_cancel_its_own_task(
    clock: timerwheel.Clock, scheduler: Scheduler
) -> None:
    tasks: list[Task] = []

    async def cancel_itself() -> None:
        tasks[0].cancel()
        await Deferred()

    tasks.append(scheduler.call(lambda: Merely(cancel_itself())))
    clock.pump([0, 0])
    assert (tasks[0].state, scheduler.running) == (TaskState.CANCELLED, 0)
    waiting = ensureDeferred(wait(tasks[0]))
    waiting.addErrback(lambda failure: failure.trap(CancelledError))
