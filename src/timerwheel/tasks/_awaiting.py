"""Turn the awaitable that a task's function returns into one that Twisted can wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from types import CoroutineType, GeneratorType, coroutine
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

Steps = Generator[Any, Any, Any]


def for_twisted(awaitable: Any, reactor: Any) -> Deferred[Any] | Coroutine[Any, Any, Any]:
    """A Deferred, or a coroutine that awaits nothing but Deferreds.

    On the asyncio reactor, an asyncio task awaits anything but a coroutine; it may also wait for
    Deferreds. Cancelling the Deferred cancels the awaitable. Raises TypeError for a future of
    another event loop than the reactor's; a coroutine raises it when it awaits such a future.
    """
    if isinstance(awaitable, Deferred | CoroutineType):
        return awaitable
    loop = getattr(reactor, "_asyncioEventloop", None)
    if asyncio.isfuture(awaitable):
        if awaitable.get_loop() is not loop:
            raise not_awaitable(awaitable, reactor)
        return Deferred.fromFuture(awaitable)
    if loop is None:
        return translated(awaitable, partial(only_deferred, reactor))
    steps = translated(awaitable, partial(deferred_or_future, loop))
    return Deferred.fromFuture(asyncio.ensure_future(steps, loop=loop))


def not_awaitable(awaited: object, reactor: object) -> TypeError:
    return TypeError(
        f"{reactor!r} cannot await {awaited!r}: only the asyncio reactor can await"
        " asyncio's futures and tasks, and only those of its own event loop"
    )


async def translated(awaitable: Awaitable[Any], translate: Callable[[Any], Steps]) -> Any:
    """Await it, and pass everything that it waits for through translate()."""
    return await steps_of(awaitable, translate)


@coroutine
def steps_of(awaitable: Awaitable[Any], translate: Callable[[Any], Steps]) -> Steps:
    # (A generator that types.coroutine() has made awaitable has no __await__().)
    steps: Any = awaitable if isinstance(awaitable, GeneratorType) else awaitable.__await__()
    resume = partial(next, steps)
    while True:
        try:
            awaited = resume()
        except StopIteration as end:
            return end.value
        try:
            value = yield from translate(awaited)
        except BaseException as error:
            resume = partial(steps.throw, error)
        else:
            resume = partial(next, steps) if value is None else partial(steps.send, value)


def only_deferred(reactor: object, awaited: Any) -> Steps:
    """For Twisted, which waits for Deferreds."""
    if not isinstance(awaited, Deferred):
        raise not_awaitable(awaited, reactor)
    return (yield awaited)


def deferred_or_future(loop: asyncio.AbstractEventLoop, awaited: Any) -> Steps:
    """For asyncio, which waits for its futures."""
    if not isinstance(awaited, Deferred):
        return (yield awaited)
    future = loop.create_future()

    def fire(result: Any) -> Any:
        if isinstance(result, Failure):
            if not future.done():
                future.set_exception(cast(BaseException, result.value))
            return None
        if not future.done():
            future.set_result(result)
        return result  # which Deferred.__await__() looks for there

    awaited.addBoth(fire)
    try:
        return (yield from future)
    except asyncio.CancelledError:
        awaited.cancel()
        raise
