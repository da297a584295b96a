"""asyncio's debug mode: where a call was made, wrong threads, slow calls."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from aio_helpers import run_for


def test_debug_mode_keeps_where_a_call_was_made(asyncios: Any) -> None:
    asyncios.set_debug(True)
    for schedule in (asyncios.call_later, asyncios.call_at):
        handle = schedule(10, print)
        assert handle._source_traceback[-1].name == "test_debug_mode_keeps_where_a_call_was_made"
        assert "created at" in repr(handle)
        handle.cancel()
        assert "print()" in repr(handle)


def test_debug_mode_refuses_coroutine_functions(asyncios: Any) -> None:
    async def coroutine() -> None: ...

    asyncios.set_debug(True)
    with pytest.raises(TypeError, match="coroutines cannot be used"):
        asyncios.call_later(1, coroutine)


def test_debug_mode_refuses_other_threads(loop: Any) -> None:
    raised: list[BaseException] = []
    loop.set_debug(True)

    def elsewhere() -> None:
        try:
            loop.call_later(1, print)
        except RuntimeError as error:
            raised.append(error)
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=elsewhere)
    loop.call_soon(thread.start)
    loop.run_forever()
    thread.join()
    assert "Non-thread-safe operation" in str(raised[0])


def test_debug_mode_tells_of_slow_calls(loop: Any, caplog: pytest.LogCaptureFixture) -> None:
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    with caplog.at_level(logging.WARNING, "asyncio"):
        loop.call_later(0.001, int)
        run_for(loop, 0.002)
    assert any("Executing <TimerHandle" in record.getMessage() for record in caplog.records)


def test_calls_that_are_not_slow_are_not_told_of(
    loop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    loop.set_debug(True)
    loop.slow_callback_duration = 1000
    with caplog.at_level(logging.WARNING, "asyncio"):
        loop.call_later(0.001, int)
        run_for(loop, 0.002)
    assert caplog.records == []
