"""DelayedCall does what Twisted's does; each test runs on both where it can."""

from __future__ import annotations

import copy
import gc
import random
import re
import weakref
from decimal import Decimal
from fractions import Fraction
from typing import Any
from unittest.mock import Mock, create_autospec

import pytest
from helpers import CallQueue, FakeClock, StockReactor, make_reactor, queue_of, run_python
from twisted.internet import error
from twisted.internet.base import DelayedCall as StockDelayedCall
from twisted.internet.interfaces import IDelayedCall
from zope.interface.verify import verifyObject

import timerwheel


@pytest.fixture(params=["stock", "ours"])
def either(request: pytest.FixtureRequest, clock: FakeClock) -> Any:
    """A stock reactor, and one of ours, on the fake clock."""
    if request.param == "ours":
        return make_reactor(clock)
    reactor: Any = StockReactor()
    reactor.seconds = clock
    return reactor


def function(*args: Any, **kw: Any) -> None:
    """What is called."""


def test_is_taken_for_the_stock_class(reactor: Any) -> None:
    call = reactor.callLater(1, function)
    assert isinstance(call, StockDelayedCall)
    assert isinstance(call, timerwheel.DelayedCall)
    assert type(call).__name__ == "DelayedCall"
    assert verifyObject(IDelayedCall, call)


def test_attributes(either: Any, clock: FakeClock) -> None:
    call = either.callLater(5, function, 1, 2, key=3)
    assert (call.time, call.delayed_time, call.getTime()) == (105.0, 0.0, 105.0)
    assert (call.func, call.args, call.kw) == (function, (1, 2), {"key": 3})
    assert (call.called, call.cancelled) == (0, 0)
    assert isinstance(call.called, int)
    assert isinstance(call.cancelled, int)
    assert call.active()
    assert call.seconds() == 100.0
    assert call.creator is None
    call.own = "attribute"
    assert call.own == "attribute"
    assert weakref.ref(call)() is call


def test_attributes_are_listed(either: Any) -> None:
    """dir() is what Mock(spec=call) goes by."""
    call = either.callLater(5, function)
    call.own = "attribute"
    names = dir(call)
    for name in (
        *("time", "delayed_time", "func", "args", "kw", "called", "cancelled", "seconds", "own"),
        *("active", "cancel", "reset", "delay", "getTime", "creator", "debug"),
    ):
        assert name in names
        assert hasattr(Mock(spec=call), name)
    assert create_autospec(call, instance=True).cancel() is not None


def test_a_call_tells_its_module(reactor: Any) -> None:
    call = reactor.callLater(5, function)
    assert call.__module__ == timerwheel.DelayedCall.__module__ == "timerwheel._core"


def test_what_its_methods_change_cannot_be_set(reactor: Any) -> None:
    call = reactor.callLater(5, function)
    for name in ("time", "delayed_time", "cancelled"):
        with pytest.raises(AttributeError):
            setattr(call, name, 1)
    with pytest.raises(TypeError):
        copy.copy(call)
    assert (call.getTime(), call.active()) == (105.0, True)


def test_after_firing_the_function_and_arguments_stay(either: Any, clock: FakeClock) -> None:
    call = either.callLater(0, function, 1, key=2)
    either.runUntilCurrent()
    assert (call.func, call.args, call.kw) == (function, (1,), {"key": 2})
    assert (call.called, call.cancelled, call.active()) == (1, 0, False)


def test_cancel_drops_the_function_and_arguments(either: Any) -> None:
    """tokio#8252, cpython asyncio#186, uvloop#240: what is cancelled must not linger."""

    class Argument:
        """To be let go of."""

    argument = Argument()
    gone = weakref.ref(argument)
    call = either.callLater(1, function, argument)
    del argument
    call.cancel()
    gc.collect()
    assert gone() is None
    assert (call.called, call.cancelled, call.active()) == (0, 1, False)
    for name in ("func", "args", "kw"):
        assert not hasattr(call, name)


def test_a_call_that_is_over_refuses(either: Any) -> None:
    cancelled, called = either.callLater(1, function), either.callLater(0, function)
    cancelled.cancel()
    either.runUntilCurrent()
    for call, expected in [(cancelled, error.AlreadyCancelled), (called, error.AlreadyCalled)]:
        for method in (
            call.cancel,
            lambda call=call: call.reset(1),
            lambda call=call: call.delay(1),
        ):
            with pytest.raises(expected):
                method()


def test_the_call_that_is_running_is_called(either: Any) -> None:
    calls: list[Any] = []
    seen: list[Any] = []

    def look() -> None:
        seen.append((calls[0].called, calls[0].active(), either.getDelayedCalls()))
        with pytest.raises(error.AlreadyCalled):
            calls[0].cancel()

    calls.append(either.callLater(0, look))
    either.runUntilCurrent()
    assert seen == [(1, False, [])]


def test_reset_later_keeps_time_and_delays(either: Any, clock: FakeClock) -> None:
    call = either.callLater(5, function)
    either.runUntilCurrent()
    call.reset(20)
    assert (call.time, call.delayed_time, call.getTime()) == (105.0, 15.0, 120.0)
    call.reset(10)
    assert (call.time, call.delayed_time, call.getTime()) == (105.0, 5.0, 110.0)
    call.reset(1)
    assert (call.time, call.delayed_time, call.getTime()) == (101.0, 0.0, 101.0)


def test_delay_adds_up_and_below_zero_activates(either: Any, clock: FakeClock) -> None:
    call = either.callLater(5, function)
    either.runUntilCurrent()
    call.delay(3)
    call.delay(4)
    assert (call.time, call.delayed_time, call.getTime()) == (105.0, 7.0, 112.0)
    call.delay(-10)
    assert (call.time, call.delayed_time, call.getTime()) == (102.0, 0.0, 102.0)


def test_a_new_call_is_activated_when_it_is_looked_at(either: Any) -> None:
    """Twisted makes the delay part of `time` when it first takes a new call into its heap."""
    call = either.callLater(5, function)
    call.delay(3)
    assert (call.time, call.delayed_time) == (105.0, 3.0)
    assert either.timeout() == 8.0
    assert (call.time, call.delayed_time) == (108.0, 0.0)
    call.delay(1)
    assert (call.time, call.delayed_time) == (108.0, 1.0)


def test_a_new_call_is_not_activated_by_the_pass_that_was_before_it(either: Any) -> None:
    either.runUntilCurrent()
    call = either.callLater(0, function)
    call.delay(5)
    assert (call.time, call.delayed_time) == (100.0, 5.0)


def test_a_delayed_call_is_activated_when_its_time_comes(either: Any, clock: FakeClock) -> None:
    call = either.callLater(5, function)
    either.runUntilCurrent()
    call.delay(3)
    clock.advance(6)
    either.runUntilCurrent()
    assert (call.time, call.delayed_time, call.called) == (108.0, 0.0, 0)
    clock.advance(2)
    either.runUntilCurrent()
    assert call.called == 1


def test_calls_are_ordered_by_time(either: Any) -> None:
    first, second = either.callLater(1, function), either.callLater(2, function)
    assert first < second
    assert first <= second
    assert second > first
    assert second >= first
    assert first == first
    assert first != second
    assert len({first, second}) == 2


def test_repr_is_twisteds(either: Any) -> None:
    call = either.callLater(1.5, function, 1, "two", key=None)
    assert re.fullmatch(
        rf"<DelayedCall 0x{id(call):x} \[1\.5s\] called=0 cancelled=0 "
        r"function\(1, 'two', key=None\)>",
        repr(call),
    )
    assert str(call) == repr(call)
    call.cancel()
    assert repr(call) == f"<DelayedCall 0x{id(call):x} [1.5s] called=0 cancelled=1>"


def test_debug_on_twisteds_class_remembers_the_creator(
    either: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = either.callLater(1, function)
    monkeypatch.setattr(StockDelayedCall, "debug", True)
    call = either.callLater(1, function, "argument")
    monkeypatch.setattr(StockDelayedCall, "debug", False)
    after = either.callLater(1, function)
    assert before.creator is None
    assert after.creator is None
    assert 'either.callLater(1, function, "argument")' in call.creator[-1]
    assert "traceback at creation" in repr(call)


@pytest.mark.parametrize("call_class", [StockDelayedCall, timerwheel.DelayedCall])
def test_a_call_of_its_own_remembers_who_asked_for_it(
    call_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StockDelayedCall, "debug", True)

    def call_later() -> Any:
        return call_class(1, function, (), {}, function, function)

    call = call_later()
    assert "call = call_later()" in call.creator[-1]


def test_debug_can_be_set_on_a_single_call(either: Any) -> None:
    call, other = either.callLater(1, function, 1), either.callLater(1, function, 1)
    call.debug = True
    call.cancel()
    other.cancel()
    assert "function(1)" in repr(call)
    assert "function" not in repr(other)
    assert (call.debug, other.debug) == (True, False)


def test_a_cancelled_call_in_debug_mode_still_tells_what_it_was(
    either: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StockDelayedCall, "debug", True)
    call = either.callLater(1, function, "argument")
    call.cancel()
    assert "function('argument')" in repr(call)


def test_the_clock_of_a_call_is_its_reactors_when_it_was_made(
    either: Any, clock: FakeClock
) -> None:
    call = either.callLater(5, function)
    either.seconds = lambda: 1000.0
    other = either.callLater(5, function)
    assert call.seconds() == 100.0
    call.reset(7)
    assert call.getTime() == 107.0
    assert other.getTime() == 1005.0
    assert other.seconds() == 1000.0


@pytest.mark.parametrize("delay", [-1, -1e-300, float("nan"), float("-inf")])
def test_a_negative_delay_is_refused(either: Any, delay: float) -> None:
    with pytest.raises(AssertionError, match="is not greater than or equal to 0 seconds"):
        either.callLater(delay, function)
    assert either.getDelayedCalls() == []


@pytest.mark.parametrize("delay", ["5", None, [], 1j, object()])
def test_a_delay_that_is_no_number_is_refused(reactor: Any, delay: Any) -> None:
    call = reactor.callLater(5, function)
    with pytest.raises(TypeError):
        reactor.callLater(delay, function)
    for method in (call.reset, call.delay):
        with pytest.raises(TypeError):
            method(delay)
    assert call.getTime() == 105.0
    assert reactor.getDelayedCalls() == [call]


@pytest.mark.parametrize(
    "delay", [0, True, 1.5, Fraction(3, 2), 2**128 + 1, float("inf"), 1e308, 5e-324]
)
def test_any_number_is_a_delay(reactor: Any, delay: Any) -> None:
    call = reactor.callLater(delay, function)
    assert call.getTime() == 100.0 + float(delay)
    call.reset(delay)
    assert call.getTime() == 100.0 + float(delay)


def test_numpys_and_decimals_are_delays(reactor: Any) -> None:
    class Number:
        """As NumPy's scalars: a number that is no int and no float."""

        def __float__(self) -> float:
            return 2.5

    assert reactor.callLater(Number(), function).getTime() == 102.5
    assert reactor.callLater(Decimal("2.5"), function).getTime() == 102.5


def test_a_huge_int_is_refused_as_twisted_does(either: Any) -> None:
    with pytest.raises(OverflowError):
        either.callLater(10**400, function)
    assert either.getDelayedCalls() == []


def test_what_cannot_be_called_is_refused_at_the_call(reactor: Any) -> None:
    with pytest.raises(TypeError, match="needs a callable"):
        reactor.callLater(1, "function")
    with pytest.raises(TypeError, match="missing required argument"):
        reactor.callLater(1)
    with pytest.raises(TypeError, match="missing required argument"):
        reactor.callLater()
    assert reactor.getDelayedCalls() == []


def test_keywords_are_bound_as_twisted_binds_them(either: Any) -> None:
    call = either.callLater(delay=1, callable=function, key=2)
    assert (call.getTime(), call.func, call.args, call.kw) == (101.0, function, (), {"key": 2})
    call = either.callLater(1, callable=function)
    assert call.func is function
    with pytest.raises(TypeError, match="multiple values"):
        either.callLater(1, function, delay=2)
    with pytest.raises(TypeError, match="multiple values"):
        either.callLater(1, function, callable=function)


def test_nan_does_not_wedge(reactor: Any, queue: CallQueue) -> None:
    """twisted#3884."""
    call = reactor.callLater(5, function)
    for method in (call.reset, call.delay):
        with pytest.raises(ValueError, match="NaN"):
            method(float("nan"))
    assert call.getTime() == 105.0
    assert reactor.timeout() == 5.0
    endless = reactor.callLater(float("inf"), function)
    with pytest.raises(ValueError, match="NaN"):
        endless.delay(float("-inf"))
    assert endless.getTime() == float("inf")
    endless.reset(float("inf"))
    assert endless.getTime() == float("inf")
    endless.reset(1)
    assert reactor.timeout() == 1.0
    queue.check_invariants()


def test_reset_of_a_call_that_was_due_for_ever(reactor: Any, queue: CallQueue) -> None:
    """Minus infinity and any delay, added up, are no time to reset to: Twisted's gets NaN."""
    call = reactor.callLater(5, function)
    call.delay(float("-inf"))
    call.reset(3)
    assert (call.getTime(), reactor.timeout()) == (103.0, 3.0)
    queue.check_invariants()


def test_a_clock_that_cancels_the_call_it_is_read_for(reactor: Any) -> None:
    calls: list[Any] = []

    def clock() -> float:
        if calls:
            calls.pop().cancel()
        return 100.0

    reactor.seconds = clock
    call = reactor.callLater(1, function)
    calls.append(call)
    with pytest.raises(error.AlreadyCancelled):
        call.reset(5)
    assert reactor.getDelayedCalls() == []


def test_a_call_of_its_own_tells_its_functions() -> None:
    """As Twisted's class is used without a reactor, by its Clock for one."""
    told: list[tuple[str, Any]] = []
    call = timerwheel.DelayedCall(
        20,
        function,
        (1,),
        {"key": 2},
        lambda call: told.append(("cancel", call)),
        lambda call: told.append(("reset", call)),
        lambda: 10,
    )
    call.reset(13)
    assert call.getTime() == 23.0
    call.reset(1)
    assert call.getTime() == 11.0
    call.delay(-2)
    assert call.getTime() == 9.0
    call.cancel()
    assert told == [("reset", call), ("reset", call), ("cancel", call)]
    with pytest.raises(error.AlreadyCancelled):
        call.cancel()


def test_the_newest_call_is_listed_last(either: Any) -> None:
    for delay in (5, 1, 300, 0.5, 1e7, float("inf"), 0, 0.5):
        call = either.callLater(delay, function)
        assert either.getDelayedCalls()[-1] is call
        either.timeout()


@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, 1000])
def test_calls_are_listed_in_the_order_in_which_they_were_scheduled(
    reactor: Any, clock: FakeClock, count: int
) -> None:
    chance = random.Random(count)
    calls: list[Any] = []
    for _ in range(count):
        calls.append(reactor.callLater(10 ** chance.uniform(-6, 12), function))
        clock.advance(chance.random() / 100)
        assert reactor.getDelayedCalls()[-1] is calls[-1]
        moved = chance.choice(calls)
        moved.reset(10 ** chance.uniform(-6, 12))
        if chance.random() < 0.3:
            moved.cancel()
        elif chance.random() < 0.1:
            reactor.runUntilCurrent()
        calls = [call for call in calls if call.active()]
        assert reactor.getDelayedCalls() == calls


def test_the_arguments_can_be_replaced_before_the_call(either: Any) -> None:
    fired: list[Any] = []
    call = either.callLater(0, function, 1)
    call.func = lambda *args, **kw: fired.append((args, kw))
    call.args = [2, 3]
    call.kw["key"] = 4
    either.runUntilCurrent()
    assert fired == [((2, 3), {"key": 4})]


def test_handles_do_not_keep_a_dropped_reactor_waiting(clock: FakeClock) -> None:
    reactor = make_reactor(clock)
    call = reactor.callLater(5, function)
    queue_gone = weakref.ref(queue_of(reactor))
    del reactor
    gc.collect()
    assert queue_gone() is None
    call.reset(3)
    assert call.getTime() == 103.0
    call.cancel()
    assert call.cancelled == 1


def test_a_new_call_has_nothing_of_the_one_whose_memory_it_takes(reactor: Any) -> None:
    for _ in range(100):
        call = reactor.callLater(1, function, 1, key=2)
        call.note = "mine"
        call.delay(1)
        call.cancel()
    del call
    for _ in range(100):
        call = reactor.callLater(1, function)
        assert vars(call) == {}
        assert (call.args, call.kw, call.called, call.cancelled) == ((), {}, 0, 0)
        assert (call.active(), call.delayed_time) == (True, 0.0)


def test_a_weak_reference_dies_with_its_call(reactor: Any) -> None:
    calls = [reactor.callLater(1, function) for _ in range(200)]
    references = [weakref.ref(call) for call in calls]
    for call in calls:
        call.cancel()
    del call
    calls.clear()
    assert not any(reference() for reference in references)


@pytest.mark.parametrize("travelling", ["in C", "before the import"])
def test_tests_that_travel_in_time_do(travelling: str) -> None:
    """They put a function of theirs into time.time as time-machine does, or in its place."""
    result = run_python(
        """
        import ctypes, json, sys, time
        if sys.argv[1] == "before the import":
            real, time.time = time.time, lambda: real() + shift
            shift = 0.0
        import timerwheel
        timerwheel.install("select")
        from twisted.internet import reactor
        call = reactor.callLater(3600, print, "made")
        before = reactor.timeout() > 3000
        if sys.argv[1] == "before the import":
            shift = 7200.0
        else:
            # What Python calls for time.time(): a pointer to its PyMethodDef, which has it second.
            def method(function):
                table = ctypes.c_void_p.from_address(id(function) + object.__basicsize__).value
                return ctypes.c_void_p.from_address(table + ctypes.sizeof(ctypes.c_void_p))
            @ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_void_p)
            def travelled(module, unused):
                return 4e9
            genuine = method(time.time).value
            method(time.time).value = ctypes.cast(travelled, ctypes.c_void_p).value
        after = reactor.timeout()
        call.reset(1800)
        left = call.getTime() - reactor.seconds()
        call.cancel()
        if sys.argv[1] == "in C":
            method(time.time).value = genuine
        print(json.dumps([before, after, round(left)]))
        """,
        travelling,
    )
    assert result == [True, 0, 1800]
