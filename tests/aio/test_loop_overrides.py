"""What a program overrides in a loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aio_helpers import is_on_wheel, run_for

from timerwheel import aio


def test_a_loop_whose_program_looks_for_events_makes_timers_in_its_first_turn() -> None:
    loop = aio.new_event_loop()
    made: list[str] = []
    loop._process_events = lambda event_list: None  # type: ignore[method-assign]
    loop.call_later(-1, made.append, "first")
    loop.call_later(-2, made.append, "before")
    loop.call_soon(loop.call_soon, loop.stop)
    try:
        loop.run_forever()
    finally:
        loop.close()
    assert made == ["before", "first"]


def test_a_program_may_replace_what_looks_for_timers(asyncios: Any) -> None:
    """Without calling asyncio's _process_events()."""

    class Loop(type(asyncios)):  # type: ignore[misc]
        def _process_events(self, event_list: Any) -> None:
            for key, _ in event_list:
                self._add_callback(key.data[0])

    loop = Loop()
    aio.accelerate(loop)
    made: list[int] = []
    try:
        for number in (2, 0, 1):
            loop.call_later(number / 100, made.append, number)
        run_for(loop, 0.05)
    finally:
        loop.close()
    assert made == [0, 1, 2]


@pytest.mark.parametrize("accelerate", [True, False])
def test_an_overridden_call_at_is_what_call_later_calls(accelerate: bool) -> None:
    class Loop(asyncio.SelectorEventLoop):
        def call_at(self, when: float, callback: Any, *args: Any, **kw: Any) -> Any:
            seen.append(callback)
            return super().call_at(when, callback, *args, **kw)

    seen: list[Any] = []
    loop = Loop()
    try:
        if accelerate:
            aio.accelerate(loop)
        handle = loop.call_later(1, print)
        assert seen == [print]
        assert is_on_wheel(handle) == accelerate
    finally:
        loop.close()


def test_an_override_on_the_instance_wins(ours: Any) -> None:
    ours.call_later = lambda *args: args
    assert ours.call_later(1, 2) == (1, 2)
    del ours.call_later
    assert is_on_wheel(ours.call_later(1, print))


def test_a_loop_without_the_wheel_is_as_before(ours: Any) -> None:
    base = asyncio.SelectorEventLoop()
    try:
        assert type(base.call_later(1, print)) is asyncio.TimerHandle
    finally:
        base.close()
