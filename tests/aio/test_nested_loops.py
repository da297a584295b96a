"""A callback that runs turns of its own loop."""

from __future__ import annotations

import time
from typing import Any

import pytest
from aio_helpers import run_for


def test_nested_loops_have_their_timers(asyncios: Any) -> None:
    """As nest_asyncio nests them: a callback runs turns of the loop."""
    made: list[str] = []

    def outer() -> None:
        asyncios.call_later(0.002, made.append, "inner")
        deadline = time.monotonic() + 10
        while "inner" not in made and time.monotonic() < deadline:
            asyncios._run_once()
        made.append("outer")

    asyncios.call_later(0.001, outer)
    run_for(asyncios, 0.05)
    assert made == ["inner", "outer"]


@pytest.mark.usefixtures("late_guard")
def test_nested_loops_have_timers_from_before(asyncios: Any) -> None:
    made: list[str] = []

    def outer() -> None:
        deadline = time.monotonic() + 10
        while "before" not in made and time.monotonic() < deadline:
            asyncios._run_once()
        made.append("outer")

    asyncios.call_later(0, outer)
    asyncios.call_later(0.5, made.append, "before")  # not in the same turn
    began = time.monotonic()
    run_for(asyncios, 0.01)
    assert made == ["before", "outer"]
    assert time.monotonic() - began < 20
