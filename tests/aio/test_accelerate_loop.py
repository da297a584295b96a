"""Putting the wheel into a loop, and taking it out."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from aio_helpers import accelerated, is_on_wheel, new_uvloop, run_for

from timerwheel import aio


@pytest.mark.parametrize("make", [asyncio.SelectorEventLoop, new_uvloop])
def test_the_wheel_goes_in_and_out_of_a_running_loop(make: Callable[[], Any]) -> None:
    loop = make()
    made: list[str] = []

    def put_in() -> None:
        aio.accelerate(loop)
        aio.accelerate(loop)
        handle = loop.call_later(0.02, made.append, "ours")
        assert is_on_wheel(handle)
        cancelled.append(loop.call_later(0.02, made.append, "cancelled"))
        loop.call_later(0.002, take_out)

    def take_out() -> None:
        aio.restore(loop)
        aio.restore(loop)
        cancelled[0].cancel()
        assert not is_on_wheel(loop.call_later(0.001, made.append, "stock again"))

    cancelled: list[Any] = []
    try:
        loop.call_later(0.01, made.append, "stock")
        loop.call_soon(put_in)
        run_for(loop, 0.5)
        assert sorted(made) == ["ours", "stock", "stock again"]
    finally:
        loop.close()


def test_the_classes_get_their_functions_back() -> None:
    before = {
        name: vars(asyncio.BaseEventLoop)[name] for name in ("call_at", "call_later", "close")
    }
    loop = accelerated(asyncio.SelectorEventLoop())
    aio.restore(loop)
    loop.close()
    gc.collect()  # of other tests
    aio.restore(loop)
    assert {name: vars(asyncio.BaseEventLoop)[name] for name in before} == before


def test_the_class_of_uvloop_gets_its_functions_back() -> None:
    loop = accelerated(new_uvloop())
    uvloops_class = type(loop)
    assert "call_at" in vars(uvloops_class)
    aio.restore(loop)
    loop.close()
    gc.collect()  # of other tests
    aio.restore(loop)
    assert "call_at" not in vars(uvloops_class)


@pytest.mark.parametrize("bad", [None, 3, object(), asyncio.AbstractEventLoop()])
def test_what_is_no_event_loop_is_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match="event loop"):
        aio.accelerate(bad)


def test_a_closed_loop_gets_no_wheel() -> None:
    loop = asyncio.SelectorEventLoop()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        aio.accelerate(loop)
