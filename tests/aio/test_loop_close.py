"""Closing a loop: it refuses calls then, and releases what is pending."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest


def test_a_closed_loop_refuses(loop: Any) -> None:
    loop.close()
    for schedule in (loop.call_later, loop.call_at):
        with pytest.raises(RuntimeError, match="Event loop is closed"):
            schedule(1, print)


def test_closing_releases_what_is_pending(loop: Any) -> None:
    class Callback:
        def __call__(self) -> None: ...

    callback = Callback()
    dead = weakref.ref(callback)
    loop.call_later(1000, callback)
    del callback
    loop.close()
    gc.collect()
    assert dead() is None


def test_a_running_loop_cannot_be_closed(loop: Any) -> None:
    made: list[int] = []

    def close() -> None:
        with pytest.raises(RuntimeError):
            loop.close()
        loop.call_later(0.001, lambda: (made.append(1), loop.stop()))

    loop.call_later(0.001, close)
    loop.run_forever()
    assert made == [1]
