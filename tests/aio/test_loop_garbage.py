"""Loops and their timers under the garbage collector."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from typing import Any

import pytest
from aio_helpers import MAKERS, run_for

from timerwheel import aio


# (uvloop's own loops are never collected unless they are closed.)
@pytest.mark.parametrize("name", ["asyncio", "ours", "accelerated"])
def test_a_dropped_loop_is_collected_with_its_timers(name: str) -> None:
    class Callback:
        def __call__(self) -> None: ...

    loop = MAKERS[name]()
    callback = Callback()
    callback.loop = loop  # type: ignore[attr-defined]
    callback.handle = loop.call_later(1000, callback)  # type: ignore[attr-defined]
    run_for(loop, 0.001)
    gc.collect()
    dead = weakref.ref(callback)
    del loop, callback
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        gc.collect()
    assert dead() is None


def test_the_collector_does_not_walk_the_timers_of_a_running_loop(ours: Any) -> None:
    if not hasattr(sys, "_is_gil_enabled") or sys._is_gil_enabled():
        seen: list[bool] = []
        handle = ours.call_later(1000, print)

        def look() -> None:
            gc.collect()
            seen.append(gc.is_tracked(handle))
            fresh = ours.call_later(1000, print)
            seen.append(gc.is_tracked(fresh))
            fresh.cancel()
            seen.append(gc.is_tracked(fresh))
            # (The context is not ours: CPython frees only one that its collector knows.)
            seen.append(gc.is_tracked(handle._context))

        ours.call_soon(look)
        run_for(ours, 0.001)
        assert seen == [False, False, True, True]
        gc.collect()
        assert gc.is_tracked(handle)


def test_the_collector_may_run_while_another_thread_makes_loops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", failures.append)
    before = sys.getswitchinterval()
    kept = [aio.new_event_loop() for _ in range(50)]
    done = threading.Event()

    def make() -> None:
        for _ in range(500):
            aio.new_event_loop().close()
        done.set()

    thread = threading.Thread(target=make)
    sys.setswitchinterval(1e-6)
    gc.freeze()  # so that each collection is quick
    try:
        thread.start()
        while not done.is_set():
            gc.collect()
    finally:
        thread.join()
        gc.unfreeze()
        sys.setswitchinterval(before)
        for loop in kept:
            loop.close()
    assert [failure.exc_value for failure in failures] == []
