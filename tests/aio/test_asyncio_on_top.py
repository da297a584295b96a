"""What asyncio builds on a loop's timers: sleep(), timeouts, run()."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from timerwheel import aio


def test_sleep_timeouts_and_wait_for(loop: Any) -> None:
    async def main() -> list[str]:
        done = []
        await asyncio.sleep(0.001)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.sleep(10), 0.001)
        done.append("wait_for")
        assert await asyncio.wait_for(asyncio.sleep(0.001, 5), 10) == 5
        if sys.version_info >= (3, 11):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await asyncio.sleep(10)
            async with asyncio.timeout(10) as cm:
                cm.reschedule(loop.time() + 20)
        done.append("timeout")
        return done

    assert loop.run_until_complete(main()) == ["wait_for", "timeout"]


def test_run_is_asyncios() -> None:
    async def main() -> Any:
        left.append(asyncio.ensure_future(asyncio.sleep(1000)))
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    left: list[Any] = []
    loop = aio.run(main(), debug=True)
    assert isinstance(loop, aio.EventLoop)
    assert loop.get_debug()
    assert loop.is_closed()
    assert left[0].cancelled()
    with pytest.raises((TypeError, ValueError)) as refused:  # since 3.14 TypeError
        asyncio.run(3)  # type: ignore[arg-type]
    with pytest.raises(refused.type, match="coroutine"):
        aio.run(3)  # type: ignore[arg-type]


def test_run_needs_no_current_loop_in_the_end() -> None:
    async def main() -> int:
        asyncio.set_event_loop(None)
        return 5

    assert aio.run(main()) == 5


def test_run_refuses_to_run_inside_a_loop() -> None:
    async def main() -> None:
        coroutine = asyncio.sleep(0)
        try:
            with pytest.raises(RuntimeError, match="running event loop"):
                aio.run(coroutine)
        finally:
            coroutine.close()

    aio.run(main())
