"""Event loops of each kind, with the wheel and without, and what is asked of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from timerwheel import aio
from timerwheel._core import TimerHandle


def new_uvloop() -> Any:
    """A loop of uvloop's, which has no wheel for some Pythons and processors."""
    return pytest.importorskip("uvloop").new_event_loop()


def accelerated(loop: Any) -> Any:
    """A loop after the wheel has been put in."""
    aio.accelerate(loop)
    return loop


MAKERS: dict[str, Callable[[], Any]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "ours": aio.new_event_loop,
    "accelerated": lambda: accelerated(asyncio.SelectorEventLoop()),
    "uvloop": new_uvloop,
    "uvloop with ours": lambda: accelerated(new_uvloop()),
}
OURS = ("ours", "accelerated", "uvloop with ours")


def made(name: str) -> Iterator[Any]:
    """A loop of this name, which is closed in the end."""
    loop = MAKERS[name]()
    yield loop
    if not loop.is_closed():
        loop.close()
    aio.restore(loop)


def run_for(loop: Any, seconds: float) -> None:
    """Run a loop until a timer of its own, made last, stops it."""
    loop.call_later(seconds, loop.stop)
    loop.run_forever()


def is_on_wheel(handle: Any) -> bool:
    """Whether a handle is one of ours."""
    return type(handle) is TimerHandle


def queue_of(loop: Any) -> Any:
    """A loop's queue."""
    return vars(loop)["_timerwheel"]
