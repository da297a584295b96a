"""Handles of calls: what they tell, how they compare, and cancelling them."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import time
import weakref
from typing import Any

import pytest
from aio_helpers import is_on_wheel, run_for

from timerwheel._core import TimerHandle


def test_a_handle_passes_for_asyncios(ours: Any) -> None:
    handle = ours.call_later(10, max, 1, 2)
    assert is_on_wheel(handle)
    assert isinstance(handle, asyncio.TimerHandle)
    assert isinstance(handle, asyncio.Handle)
    assert "TimerHandle when=" in repr(handle)
    assert "max(" in repr(handle)
    assert handle._callback is max
    assert handle._args == (1, 2)
    assert handle._loop is ours
    assert handle._scheduled
    assert handle._source_traceback is None
    assert isinstance(handle._context, contextvars.Context)
    assert handle.when() == handle._when
    assert weakref.ref(handle)() is handle
    with pytest.raises(TypeError):
        TimerHandle()


def test_handles_are_ordered_and_equal_as_asyncios(ours: Any) -> None:
    stock = asyncio.SelectorEventLoop()
    try:
        made = [loop.call_at(when, print, 1) for loop in (ours, stock) for when in (5, 4)]
        assert [handle.when() for handle in sorted(made)] == [4, 4, 5, 5]
        assert made[0] == made[2]
        assert made[0] != made[1]
        assert made[1] < made[0] <= made[2] > made[3]
        assert made[0] >= made[2]
        assert hash(made[0]) == hash(made[2])
        assert made[0] != 5
        heapq.heapify(made)
        with pytest.raises(TypeError):
            assert made[0] < 3
    finally:
        stock.close()


def test_a_cancelled_call_is_not_made(loop: Any) -> None:
    made: list[int] = []
    handle = loop.call_later(0.001, made.append, 1)
    assert not handle.cancelled()
    handle.cancel()
    handle.cancel()
    assert handle.cancelled()
    run_for(loop, 0.01)
    assert made == []


def test_cancelling_releases_the_callback_at_once(ours: Any) -> None:
    class Callback:
        def __call__(self) -> None: ...

    callback = Callback()
    dead = weakref.ref(callback)
    handle = ours.call_later(10, callback, callback)
    del callback
    handle.cancel()
    assert dead() is None
    assert handle._callback is None
    assert handle._args is None
    assert not handle._scheduled
    assert "cancelled" in repr(handle)


def test_a_call_that_is_ready_can_be_cancelled(loop: Any) -> None:
    made: list[int] = []
    when = loop.time() + 0.005
    loop.call_at(when, lambda: second.cancel())
    second = loop.call_at(when + 0.003, made.append, 2)  # (uvloop's own are milliseconds apart)
    loop.call_later(0.002, time.sleep, 0.02)  # so that both are due in one turn
    run_for(loop, 0.03)
    assert made == []


def test_a_handle_that_was_called_keeps_what_it_called(asyncios: Any) -> None:
    handle = asyncios.call_later(0, int, "1")
    run_for(asyncios, 0.001)
    assert handle._callback is int
    assert not handle._scheduled
    assert not handle.cancelled()
    handle.cancel()
    assert handle.cancelled()
