"""An event loop with the wheel inside, and run()."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from selectors import BaseSelector
from typing import Any, TypeVar

from timerwheel._core import LoopClock
from timerwheel.aio._accelerate import accelerate

_Result = TypeVar("_Result")


class EventLoop(asyncio.SelectorEventLoop):
    """asyncio's SelectorEventLoop, with its timers on the wheel."""

    # A clock in C. A subclass or an instance may override it.
    time = LoopClock()

    def __init__(self, selector: BaseSelector | None = None) -> None:
        super().__init__(selector)
        accelerate(self)


def new_event_loop() -> EventLoop:
    """A new event loop with the wheel inside: a loop_factory for asyncio.run() and Runner."""
    return EventLoop()


def run(main: Coroutine[Any, Any, _Result], *, debug: bool | None = None) -> _Result:
    """asyncio.run() on a new event loop with the wheel inside."""
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("aio.run() cannot be called from a running event loop")
    if sys.version_info >= (3, 11):
        with asyncio.Runner(debug=debug, loop_factory=new_event_loop) as runner:
            return runner.run(main)
    return _run(main, debug)


def _run(main: Coroutine[Any, Any, _Result], debug: bool | None) -> _Result:
    """asyncio.run() for Python 3.10, which has no loop_factory."""
    if not asyncio.iscoroutine(main):
        raise ValueError(f"a coroutine was expected, got {main!r}")
    loop = new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        if debug is not None:
            loop.set_debug(debug)
        return loop.run_until_complete(main)
    finally:
        try:
            _cancel_all(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _cancel_all(loop: EventLoop) -> None:
    """Cancel the remaining tasks, let them end, and report their exceptions."""
    tasks = asyncio.all_tasks(loop)
    if not tasks:
        return  # gather() of nothing would ask for the current loop
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            loop.call_exception_handler(
                {
                    "message": "unhandled exception during asyncio.run() shutdown",
                    "exception": task.exception(),
                    "task": task,
                }
            )
