"""Which clock rules a loop, if a program moves one by hand or freezes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from aio_helpers import MAKERS, run_for

from timerwheel import aio


class NoWait:
    """In place of a loop's selector: it moves a clock on in place of waiting."""

    def __init__(self, selector: Any, move: Callable[[float], object]) -> None:
        self._selector, self._move = selector, move

    def select(self, timeout: float | None) -> Any:
        assert timeout is not None
        self._move(timeout)
        return self._selector.select(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._selector, name)


def times_without_waiting(
    loop: Any, delays: tuple[float, ...], move: Callable[[float], object]
) -> list[float]:
    """How long after its scheduling a loop makes each of some calls, by its own clock."""
    loop._selector = NoWait(loop._selector, move)
    times: list[float] = []
    began = loop.time()
    for delay in delays:
        loop.call_later(delay, lambda: times.append(loop.time() - began))
    loop.call_later(max(delays) + 1, loop.stop)
    loop.run_forever()
    return times


@pytest.mark.parametrize("makes", [lambda: 5.0, time.monotonic], ids=["from 5", "from now"])
@pytest.mark.parametrize("on", ["class", "instance"])
def test_a_clock_that_is_moved_by_hand_rules(makes: Callable[[], float], on: str) -> None:
    now = makes()

    def move(seconds: float) -> None:
        nonlocal now
        now += seconds

    class Loop(aio.EventLoop):
        def time(self) -> float:  # type: ignore[override]
            return now

    loop: Any = Loop() if on == "class" else aio.EventLoop()
    if on == "instance":
        loop.time = lambda: now
    try:
        times = times_without_waiting(loop, (3600.0, 60.0, 86400.0), move)
        assert times == pytest.approx([60, 3600, 86400], abs=1e-6)
    finally:
        loop.close()


def test_a_machines_clock_that_is_frozen_rules(asyncios: Any) -> None:
    """Its time is the loop's, but the timerfd's goes on."""
    freezegun = pytest.importorskip("freezegun")
    with freezegun.freeze_time() as frozen:

        def move(seconds: float) -> None:
            frozen.tick(seconds + 1e-6)  # it counts whole microseconds, rounded down

        times = times_without_waiting(asyncios, (3600.0, 60.0), move)
    assert times == pytest.approx([60, 3600], abs=1e-4)


def test_the_clock_is_what_time_monotonic_is(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = aio.new_event_loop()
    try:
        monkeypatch.setattr(time, "monotonic", lambda: 1234.5)
        assert loop.time() == 1234.5
        assert loop.call_later(1, print).when() == 1235.5
    finally:
        loop.close()


def test_the_clock_of_the_class_may_be_called_with_a_loop(asyncios: Any) -> None:
    base = type(asyncios)

    class Loop(base):  # type: ignore[misc, valid-type]
        def time(self) -> float:
            now: float = base.time(self)
            return now + 1e6

    loop = Loop()
    try:
        assert loop.time() - asyncios.time() == pytest.approx(1e6, abs=60)
    finally:
        loop.close()
    for arguments in ((3,), (asyncios, 3)):
        with pytest.raises(TypeError):
            asyncios.time(*arguments)


@pytest.mark.parametrize("name", ["uvloop", "uvloop with ours"])
def test_a_frozen_clock_does_not_freeze_uvloop(name: str) -> None:
    """It does not ask time.monotonic()."""
    freezegun = pytest.importorskip("freezegun")
    loop = MAKERS[name]()
    made: list[int] = []
    rescue = threading.Timer(10, loop.call_soon_threadsafe, [loop.stop])
    rescue.start()
    try:
        with freezegun.freeze_time():
            loop.call_later(0.001, made.append, 1)
            loop.call_at(loop.time() + 0.002, made.append, 2)
            run_for(loop, 0.01)
    finally:
        rescue.cancel()
        rescue.join()
        loop.close()
    assert made == [1, 2]
