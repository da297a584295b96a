"""timerwheel.watch(): times of calls, and slow calls."""

from __future__ import annotations

import functools
import gc
import threading
import time
import traceback
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from helpers import FakeClock, StockReactor, fire, formatted, make_reactor
from twisted.internet.task import LoopingCall

import timerwheel
from timerwheel.observe import SlowCall, Watch


def be_slow(*args: Any, **kw: Any) -> None:
    """Take longer than zero seconds: with slow=0 that is slow."""
    time.perf_counter()


def other() -> None:
    """Another function."""


# Times


def test_the_table_has_each_function_and_its_times(reactor: Any, watch: Any) -> None:
    watching = watch()
    fire(reactor, (threading.Event().wait, 0.01), (other,), (other,))
    fire(reactor, (other,))
    waited, others = watching.times()
    assert waited.function.name == "threading.Event.wait"
    assert (waited.function.file, waited.count) == (threading.__file__, 1)
    assert 0.01 <= waited.longest == waited.total == waited.p99
    assert others.function == (f"{__name__}.other", __file__, other.__code__.co_firstlineno)
    assert others.count == 3
    assert 0 < others.longest <= others.total


class Connection:
    def timed_out(self) -> None:
        """A method."""

    def __call__(self) -> None:
        """An instance that can be called."""


def closure() -> Callable[[], None]:
    def inner() -> None:
        """Made anew each time."""

    return inner


def test_a_function_counts_as_one_however_it_is_made_or_wrapped(reactor: Any, watch: Any) -> None:
    watching = watch()
    looping = LoopingCall(other)
    looping.clock = reactor
    looping.start(0, now=False)
    fire(
        reactor,
        (Connection().timed_out,),
        (Connection().timed_out,),
        (functools.partial(functools.partial(other)),),
        (closure(),),
        (closure(),),
        (Connection(),),
        (Connection(),),
        ([].append, 1),
        ([].append, 1),
        (Connection,),
    )
    looping.stop()
    counts = {function.function.name: function.count for function in watching.times()}
    assert counts == {
        f"{__name__}.Connection.timed_out": 2,
        f"{__name__}.other": 2,
        f"{__name__}.closure.<locals>.inner": 2,
        f"{__name__}.Connection.__call__": 2,
        "list.append": 2,
        f"{__name__}.Connection": 1,
    }


def test_a_program_that_makes_functions_without_end_takes_bounded_memory(
    reactor: Any, watch: Any
) -> None:
    watching = watch()
    for number in range(1100):
        namespace: dict[str, Any] = {}
        exec(f"def made_{number}(): pass", namespace)
        fire(reactor, (namespace[f"made_{number}"],))
    counts = {function.function.name: function.count for function in watching.times()}
    assert len(counts) == 1025
    assert counts.pop("(others)") == 76
    assert set(counts.values()) == {1}


def test_a_stock_call_is_timed(clock: FakeClock) -> None:
    reactor: Any = StockReactor()
    reactor.seconds = clock
    reactor.callLater(0, other)
    timerwheel.accelerate(reactor)
    with timerwheel.watch(reactor, slow=0, on_slow=slow_calls().append) as watching:
        reactor.runUntilCurrent()
    assert [function.function.name for function in watching.times()] == [f"{__name__}.other"]


def slow_calls() -> list[SlowCall]:
    return []


def test_a_call_that_runs_a_pass_is_timed_and_so_are_those_in_it(reactor: Any, watch: Any) -> None:
    watching = watch()
    fire(reactor, (reactor.runUntilCurrent,), (other,))
    names = [function.function.name for function in watching.times()]
    assert names[1] == f"{__name__}.other"  # the one around it took longer
    assert len(names) == 2


def test_a_call_that_fails_is_timed_and_reported(
    reactor: Any, watch: Any, logged: list[Any]
) -> None:
    def fail() -> None:
        raise ValueError("as it should")

    watching = watch(slow=0, on_slow=print)
    fire(reactor, (fail,), (other,))
    assert sum(function.count for function in watching.times()) == 2
    assert [event["log_failure"].type for event in logged] == [ValueError]
    frames = traceback.extract_tb(logged[0]["log_failure"].getTracebackObject())
    assert frames[-1].name == "fail"
    assert timerwheel.stats(reactor).failed == 1


# Slow calls


def test_a_slow_call_is_told_with_all_that_is_known(
    reactor: Any, clock: FakeClock, watch: Any
) -> None:
    slow: list[SlowCall] = []
    watching = watch(slow=0, on_slow=slow.append)
    reactor.callLater(1, be_slow, "x" * 500, [1, 2], key={"a": 1})
    clock.advance(1.25)
    reactor.runUntilCurrent()
    (call,) = slow
    assert call.function == (f"{__name__}.be_slow", __file__, be_slow.__code__.co_firstlineno)
    assert call.arguments.startswith("('xxx")
    assert call.arguments.endswith(", [1, 2], key={'a': 1})")
    assert len(call.arguments) < 120
    assert 0 < call.seconds < 60
    assert call.late == 0.25
    assert call.origin is None
    assert watching.slow_calls == 1
    assert "took" in str(call)


def test_the_latest_slow_calls_are_kept(reactor: Any, watch: Any) -> None:
    watching = watch(slow=0, on_slow=lambda slow: None)
    for number in range(30):
        fire(reactor, (be_slow, number))
    assert [slow.arguments for slow in watching.latest_slow] == [f"({n})" for n in range(20, 30)]


def test_a_call_that_is_not_slow_is_not_told(reactor: Any, watch: Any) -> None:
    slow: list[SlowCall] = []
    watching = watch(slow=3600, on_slow=slow.append)
    fire(reactor, (be_slow,))
    assert (slow, watching.slow_calls) == ([], 0)


def test_without_a_hook_it_is_logged(reactor: Any, watch: Any, logged: list[Any]) -> None:
    watch(slow=0)
    fire(reactor, (be_slow, 5))
    (event,) = logged
    assert event["log_level"].name == "warn"
    assert event["slow"].function.name == f"{__name__}.be_slow"
    (text,) = formatted(logged)
    assert text.startswith(f"Slow timed call: {__name__}.be_slow (")


class HostileError(BaseException):
    """Not even an Exception."""


@pytest.mark.parametrize("error", [ValueError, HostileError])
def test_a_hook_that_fails_is_told_once_and_the_calls_are_unharmed(
    reactor: Any, watch: Any, logged: list[Any], error: type[BaseException]
) -> None:
    def hook(slow: SlowCall) -> None:
        raise error("the hook")

    made: list[int] = []
    watching = watch(slow=0, on_slow=hook)
    fire(reactor, (made.append, 1), (made.append, 2))
    assert made == [1, 2]
    assert [event["log_failure"].type for event in logged] == [error]
    assert (watching.slow_calls, timerwheel.stats(reactor).failed) == (2, 0)


def test_arguments_whose_repr_fails_do_no_harm(reactor: Any, watch: Any) -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError("no repr")

    slow: list[SlowCall] = []
    watch(slow=0, on_slow=slow.append)
    fire(reactor, (be_slow, Hostile()))
    assert "Hostile" in slow[0].arguments


@pytest.mark.parametrize("name", ["int", "list", "str", "bytes"])
def test_an_argument_whose_class_is_named_as_a_builtin_does_no_harm(
    reactor: Any, watch: Any, name: str
) -> None:
    slow: list[SlowCall] = []
    watch(slow=0, on_slow=slow.append)
    hostile = type(name, (), {"__repr__": None, "__len__": None})
    fire(reactor, (be_slow, hostile()), (be_slow, [hostile()]))
    assert [name in call.arguments for call in slow] == [True, True]


def test_a_number_of_more_digits_than_python_writes_does_no_harm(reactor: Any, watch: Any) -> None:
    slow: list[SlowCall] = []
    watch(slow=0, on_slow=slow.append)
    fire(reactor, (be_slow, 10**5000), (be_slow, [10**5000]))
    assert len(slow) == 2
    assert "int" in slow[0].arguments


def test_of_many_bytes_only_those_that_are_shown_are_written(reactor: Any, watch: Any) -> None:
    slow: list[SlowCall] = []
    watch(slow=0, on_slow=slow.append)
    data = bytes(1_000_000)
    tracemalloc.start()
    try:
        fire(reactor, (be_slow, data, bytearray(b"short"), b"short"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < len(data)
    assert slow[0].arguments.startswith("(b'\\x00")
    assert slow[0].arguments.endswith("bytearray(b'short'), b'short')")


def test_a_slow_call_is_one_line_that_utf_8_has(reactor: Any, watch: Any) -> None:
    def evil() -> None:
        """Has a name that is no name."""

    evil.__qualname__ = "a\nb\x1b[31m\udcff"
    slow: list[SlowCall] = []
    watch(slow=0, on_slow=slow.append)
    fire(reactor, (evil,))
    assert "a\\nb\\x1b[31m\\udcff (" in str(slow[0])
    assert str(slow[0]).isprintable()


def test_of_many_arguments_the_first_are_told(reactor: Any, watch: Any) -> None:
    slow: list[SlowCall] = []
    watch(slow=0, on_slow=slow.append)
    fire(reactor, (be_slow, *range(100)), (be_slow, *range(8)))
    assert [call.arguments for call in slow] == [
        "(0, 1, 2, 3, 4, 5, 6, 7, ...)",
        "(0, 1, 2, 3, 4, 5, 6, 7)",
    ]


class HostileMeta(type):
    """Even the name of the class is the program's code."""

    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError("it was asked")


class Hostile(metaclass=HostileMeta):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("it was asked")

    def __call__(self) -> None:
        """Does nothing."""


def test_what_is_called_is_named_without_asking_it(reactor: Any, watch: Any) -> None:
    watching = watch(slow=0, on_slow=print)
    fire(reactor, (Hostile(),), (functools.partial(Hostile()),))
    (times,) = watching.times()
    assert times.function.name == f"{__name__}.Hostile.__call__"
    assert times.count == 2
    reactor.callLater(1, Hostile)
    assert [group.name for group in timerwheel.pending(reactor)] == [f"{__name__}.Hostile"]


def test_a_hook_may_stop_the_watch_and_use_the_reactor(reactor: Any, watch: Any) -> None:
    def hook(slow: SlowCall) -> None:
        watching.stop()
        reactor.callLater(5, other)

    watching = watch(slow=0, on_slow=hook)
    fire(reactor, (be_slow,), (be_slow,))
    assert watching.slow_calls == 1
    assert timerwheel.stats(reactor).fired == 2
    assert len(reactor.getDelayedCalls()) == 1


# On and off


def test_it_is_on_until_it_is_stopped(reactor: Any, watch: Any) -> None:
    watching = watch()
    assert watching.active
    assert timerwheel.status(reactor).watch is watching
    watching.stop()
    watching.stop()
    assert not watching.active
    assert timerwheel.status(reactor).watch is None
    fire(reactor, (other,))
    assert watching.times() == []
    assert repr(watching) == "<Watch off slow_calls=0>"


def test_there_is_one_at_a_time(reactor: Any, watch: Any) -> None:
    first = watch()
    with pytest.raises(RuntimeError, match=r"status\(reactor\)\.watch\.stop\(\)"):
        watch()
    first.stop()
    second = watch()
    first.stop()
    assert second.active


def test_taking_the_wheel_out_ends_it(reactor: Any, watch: Any) -> None:
    watching = watch()
    timerwheel.restore(reactor)
    assert not watching.active
    timerwheel.accelerate(reactor)
    assert timerwheel.status(reactor).watch is None


def test_a_call_may_start_it_and_stop_it(reactor: Any, watch: Any) -> None:
    watches: list[Watch] = []
    fire(
        reactor,
        (lambda: watches.append(watch()),),
        (other,),
        (lambda: watches[0].stop(),),
        (other,),
    )
    assert sorted(function.count for function in watches[0].times()) == [1, 1]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"slow": -1}, ValueError),
        ({"slow": float("nan")}, ValueError),
        ({"slow": float("inf")}, ValueError),
        ({"slow": "1"}, TypeError),
        ({"on_slow": 5}, TypeError),
        ({"stall": 0}, ValueError),
        ({"stall": float("nan")}, ValueError),
        ({"origins": -1}, ValueError),
        ({"origins": 2**40}, ValueError),
        ({"origins": 0.5}, TypeError),
        ({"origins": "all"}, TypeError),
    ],
)
def test_bad_options_are_refused_and_nothing_is_on(
    reactor: Any, watch: Any, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        watch(**options)
    assert timerwheel.status(reactor).watch is None


def test_a_watched_reactor_is_garbage_with_its_watch(clock: FakeClock) -> None:
    reactor = make_reactor(clock)
    watching = timerwheel.watch(reactor, stall=0.01, origins=True)
    fire(reactor, (other,))
    reactor.callLater(5, other)
    gone = weakref.ref(reactor), weakref.ref(watching)
    del reactor, watching
    gc.collect()
    assert [one() for one in gone] == [None, None]
