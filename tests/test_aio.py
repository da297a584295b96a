"""timerwheel.aio: a program sees the same timers with the wheel and without."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import heapq
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import timerwheel
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


@pytest.fixture(params=MAKERS)
def loop(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each loop in turn, with the wheel and without."""
    yield from made(request.param)


@pytest.fixture(params=OURS)
def ours(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each loop with the wheel."""
    yield from made(request.param)


@pytest.fixture(params=("asyncio", "ours", "accelerated"))
def asyncios(request: pytest.FixtureRequest) -> Iterator[Any]:
    """asyncio's loop, with the wheel and without."""
    yield from made(request.param)


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


# Calls.


def test_calls_are_made_in_order_of_their_times(loop: Any) -> None:
    made: list[str] = []
    loop.call_later(0.01, made.append, "first")
    now = loop.time()  # once, because a busy machine may stop here
    loop.call_at(now + 0.03, made.append, "third")
    loop.call_at(now + 0.02, made.append, "second")
    run_for(loop, 0.06)
    assert made == ["first", "second", "third"]


def test_calls_for_one_time_are_made_in_order_of_scheduling(ours: Any) -> None:
    made: list[int] = []
    when = ours.time() + 0.01
    for number in range(20):
        ours.call_at(when, made.append, number)
    run_for(ours, 0.03)
    assert made == list(range(20))


def test_no_call_is_made_early(ours: Any) -> None:
    early: list[float] = []

    def check(when: float) -> None:
        early.append(time.monotonic() - when)

    for delay in range(60):
        when = time.monotonic() + delay / 1777
        ours.call_at(when, check, when)
    run_for(ours, 0.08)
    assert len(early) == 60
    assert min(early) > -1e-8  # asyncio's clock resolution


def test_what_is_scheduled_without_delay_waits_for_the_next_turn(asyncios: Any) -> None:
    made: list[str] = []

    def first() -> None:
        made.append("first")
        asyncios.call_later(0, made.append, "later")
        asyncios.call_soon(made.append, "soon")

    asyncios.call_soon(first)
    run_for(asyncios, 0.01)
    assert made == ["first", "soon", "later"]


def test_ready_calls_come_before_timed_ones(asyncios: Any) -> None:
    made: list[str] = []
    asyncios.call_at(asyncios.time() - 1, made.append, "timed")
    asyncios.call_soon(made.append, "ready")
    run_for(asyncios, 0)
    assert made == ["ready", "timed"]


def test_what_expires_during_a_turn_comes_after_io_and_ready_calls(asyncios: Any) -> None:
    made: list[str] = []
    ours, theirs = socket.socketpair()

    def readable() -> None:
        theirs.recv(1)
        made.append("I/O")

    def wait() -> None:
        ours.send(b"x")
        time.sleep(0.02)

    def schedule() -> None:
        asyncios.call_later(0.01, made.append, "timed")
        asyncios.call_soon(wait)
        asyncios.call_at(asyncios.time() - 1, made.append, "past")
        asyncios.call_soon(asyncios.call_soon, made.append, "ready")

    asyncios.add_reader(theirs, readable)
    asyncios.call_soon(schedule)
    run_for(asyncios, 0.05)
    asyncios.remove_reader(theirs)
    ours.close()
    theirs.close()
    assert made == ["past", "ready", "I/O", "timed"]


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


def test_keywords_and_context_are_those_of_asyncio(asyncios: Any) -> None:
    made: list[int] = []
    number = contextvars.ContextVar("number", default=0)
    context = contextvars.copy_context()
    context.run(number.set, 7)
    asyncios.call_later(delay=0, callback=lambda: made.append(number.get()), context=context)
    asyncios.call_at(when=asyncios.time(), callback=lambda: made.append(number.get()))
    run_for(asyncios, 0.01)
    assert made == [7, 0]
    with pytest.raises(TypeError):
        asyncios.call_later(0, print, wrong=1)
    with pytest.raises(TypeError):
        asyncios.call_later(0)
    with pytest.raises(TypeError):
        asyncios.call_at(0, print, when=1)


def test_a_call_is_made_in_the_context_of_its_scheduling(loop: Any) -> None:
    seen: list[int] = []
    number = contextvars.ContextVar("number", default=0)

    def call() -> None:
        seen.append(number.get())
        number.set(99)

    for value in (1, 2):
        contextvars.copy_context().run(
            lambda value=value: (number.set(value), loop.call_later(0.001, call))
        )
    loop.call_later(0.002, call)
    run_for(loop, 0.02)
    assert seen == [1, 2, 0]
    assert number.get() == 0


def test_the_same_context_can_be_given_twice(loop: Any) -> None:
    context = contextvars.copy_context()
    made: list[int] = []
    for number in range(2):
        loop.call_later(0.001, made.append, number, context=context)
    run_for(loop, 0.01)
    assert made == [0, 1]


@pytest.mark.parametrize("bad", [None, "1", [], object()])
def test_a_delay_that_is_no_number_is_a_type_error(loop: Any, bad: Any) -> None:
    with pytest.raises(TypeError):
        loop.call_later(bad, print)


def test_nan_is_refused(ours: Any) -> None:
    for schedule in (ours.call_later, ours.call_at):
        with pytest.raises(ValueError, match="NaN"):
            schedule(float("nan"), print)
    assert timerwheel.stats(ours).pending == 0


def test_what_cannot_be_called_is_refused_at_once(ours: Any) -> None:
    with pytest.raises(TypeError, match=r"expected by call_later\(\), got 3"):
        ours.call_later(1, 3)


def test_infinity_and_large_numbers_are_delays(asyncios: Any) -> None:
    asyncios.call_later(float("inf"), print)
    asyncios.call_later(10**300, print)
    run_for(asyncios, 0.001)


# Handles.


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
    second = loop.call_at(when + 1e-4, made.append, 2)
    loop.call_later(0.002, time.sleep, 0.01)  # so that both are due in one turn
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


# Failures.


def test_a_failure_goes_to_the_loops_handler(loop: Any) -> None:
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda loop, context: told.append(context))
    made: list[int] = []

    def fail() -> None:
        raise LookupError("no such thing")

    handle = loop.call_later(0.001, fail)
    loop.call_later(0.002, made.append, 1)
    run_for(loop, 0.02)
    assert made == [1]
    assert isinstance(told[0]["exception"], LookupError)
    assert told[0]["handle"] is handle
    assert told[0]["message"].startswith("Exception in callback ")
    traceback = told[0]["exception"].__traceback__
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    assert traceback.tb_frame.f_code is fail.__code__


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_exit_leaves_the_loop_and_the_rest_stays(loop: Any, error: type) -> None:
    made: list[int] = []

    def fail() -> None:
        raise error

    when = loop.time() + 0.002
    loop.call_at(when, fail)
    loop.call_at(when + 1e-3, made.append, 1)
    with pytest.raises(error):
        loop.run_forever()
    run_for(loop, 0.02)
    assert made == [1]


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


# Debug mode.


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


# What a program overrides.


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


# Putting in and taking out.


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


# Waking.


def test_a_timer_made_while_the_loop_waits_wakes_it(ours: Any) -> None:
    made: list[str] = []

    def schedule() -> None:
        ours.call_later(0.001, made.append, "timed")
        ours.call_later(0.01, ours.stop)

    ours.call_later(3600, made.append, "late")
    thread = threading.Timer(0.02, ours.call_soon_threadsafe, [schedule])
    thread.start()
    ours.run_forever()
    thread.join()
    assert made == ["timed"]


def test_an_idle_loop_sleeps(ours: Any) -> None:
    ours.call_later(3600, print)
    before = timerwheel.stats(ours).passes
    run_for(ours, 0.3)
    assert timerwheel.stats(ours).passes - before < 10


def test_a_timer_takes_about_one_pass(ours: Any) -> None:
    async def main() -> None:
        for _ in range(50):
            await asyncio.sleep(0.001)

    before = timerwheel.stats(ours).passes
    ours.run_until_complete(main())
    # asyncio takes two turns more for a task's wake-up. Who spins takes thousands.
    assert timerwheel.stats(ours).passes - before < 400


@pytest.mark.parametrize("name", ["ours", "uvloop with ours"])
def test_a_loop_without_descriptors_has_its_own_timers(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from timerwheel._wakers import _loop_alarm

    monkeypatch.setattr(_loop_alarm, "Alarm", None)
    made: list[int] = []
    loop = MAKERS[name]()
    try:
        loop.call_later(0.01, made.append, 1)
        run_for(loop, 0.03)
    finally:
        loop.close()
    assert made == [1]


def test_the_alarm_may_be_closed_by_a_program(ours: Any) -> None:
    ours.call_later(0.2, print)
    alarm = queue_of(ours).waker._alarm
    if alarm.watching is None:
        pytest.skip("there is no timerfd here")
    made: list[int] = []
    ours.call_later(0.01, made.append, 1)
    os.close(alarm.watching[1])
    try:
        run_for(ours, 0.02)
    finally:
        ours.remove_reader(alarm.watching[1] if alarm.watching else 0)
    assert made == [1]


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


@pytest.mark.parametrize("alarm", ["alarm", "no alarm"])
def test_an_interrupt_while_the_loop_is_set_loses_no_timer(
    ours: Any, alarm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a signal may come between any two steps."""
    if alarm == "no alarm":
        monkeypatch.setattr("timerwheel._wakers._loop_alarm.Alarm", None)
    waker = queue_of(ours).waker
    timeout = waker._timeout
    made: list[int] = []

    def interrupted() -> Any:
        timeout()
        waker._timeout = timeout
        raise KeyboardInterrupt

    def interrupt() -> None:
        waker._timeout = interrupted

    ours.call_later(0.001, interrupt)
    ours.call_later(0.03, lambda: (made.append(1), ours.stop()))
    with pytest.raises(KeyboardInterrupt):
        ours.run_forever()
    rescue = threading.Timer(10, ours.call_soon_threadsafe, [ours.stop])
    rescue.start()
    ours.run_forever()
    rescue.cancel()
    rescue.join()
    assert made == [1]


# asyncio on top.


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


@pytest.fixture
def late_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer behind the alarm looks only after half a minute."""
    monkeypatch.setattr("timerwheel._wakers._driven.GRACE", 30.0)


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


@pytest.mark.usefixtures("late_guard")
def test_timers_go_on_after_those_that_were_due_have_been_cancelled(asyncios: Any) -> None:
    """By what the loop found ready in the same turn."""
    made: list[str] = []
    ours, theirs = socket.socketpair()
    handles: list[Any] = []

    def readable() -> None:
        theirs.recv(1)
        for handle in handles:
            handle.cancel()

    def wait() -> None:
        handles.append(asyncios.call_later(0.001, made.append, "cancelled"))
        asyncios.call_later(0.002, made.append, "next")
        ours.send(b"x")
        time.sleep(0.0015)  # the first timer and the socket are ready in one turn

    asyncios.add_reader(theirs, readable)
    asyncios.call_soon(wait)
    began = time.monotonic()
    run_for(asyncios, 0.02)
    asyncios.remove_reader(theirs)
    ours.close()
    theirs.close()
    assert made == ["next"]
    assert time.monotonic() - began < 20


# Garbage.


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


# Figures.


def test_figures_count_what_a_loop_does(ours: Any) -> None:
    ours.set_exception_handler(lambda loop, context: None)
    ours.call_later(10, print).cancel()
    ours.call_later(0.001, int, "no number")
    ours.call_later(20, print)
    run_for(ours, 0.01)
    stats = timerwheel.stats(ours)
    assert (stats.scheduled, stats.fired, stats.failed, stats.cancelled) == (4, 2, 1, 1)
    assert stats.pending == 1
    assert stats.lateness.count == 2
    queue_of(ours).check_invariants()


# Processes.


def test_twisted_is_not_imported() -> None:
    program = (
        "import sys; from timerwheel import aio; import asyncio; aio.run(asyncio.sleep(0.001));"
        "sys.exit(any(name.partition('.')[0] == 'twisted' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_is_forked_has_its_own_loop() -> None:
    program = """
import asyncio, os, sys
from timerwheel import aio
loop = aio.new_event_loop()
loop.call_later(1000, print)
child = os.fork()
if not child:
    async def main():
        await asyncio.sleep(0.001)
    aio.run(main())
    os._exit(7)
loop.call_later(0.01, loop.stop)
loop.run_forever()
loop.close()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 7)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
