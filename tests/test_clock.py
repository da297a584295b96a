"""timerwheel.Clock does what Twisted's Clock does; each test runs on both where it can."""

from __future__ import annotations

import pickle
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from helpers import check_clock, run_python
from twisted.internet import error, task
from twisted.internet.interfaces import IReactorTime
from twisted.internet.testing import MemoryReactor, MemoryReactorClock
from zope.interface.verify import verifyObject

import timerwheel

INFINITY = float("inf")


@pytest.fixture
def clock() -> Iterator[timerwheel.Clock]:
    """Ours."""
    made = timerwheel.Clock()
    yield made
    check_clock(made)


@pytest.fixture(params=[task.Clock, timerwheel.Clock], ids=["stock", "ours"])
def clock_class(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def either(clock_class: Any) -> Iterator[Any]:
    """A stock clock, and one of ours."""
    made = clock_class()
    yield made
    check_clock(made)


@pytest.fixture
def fired() -> list[str]:
    """What was called."""
    return []


def test_is_taken_for_the_stock_class(clock: timerwheel.Clock) -> None:
    assert isinstance(clock, task.Clock)
    assert verifyObject(IReactorTime, clock)
    assert type(clock.callLater(1, int)) is timerwheel.DelayedCall


def test_only_who_asks_for_it_imports_twisted() -> None:
    imported = run_python(
        """
        import json, sys
        import timerwheel
        timerwheel.TimerWheel(0), timerwheel.PriorityQueue()
        before = "twisted" in sys.modules
        timerwheel.Clock()
        print(json.dumps([before, "twisted" in sys.modules]))
        """
    )
    assert imported == [False, True]
    assert "Clock" in timerwheel.__all__
    with pytest.raises(AttributeError, match="Clocks"):
        timerwheel.Clocks  # type: ignore[attr-defined]  # noqa: B018


def test_calls_with_the_arguments_at_the_time(either: Any) -> None:
    seen: list[Any] = []

    def note(*args: Any, **kw: Any) -> None:
        seen.append((either.seconds(), args, kw))

    either.callLater(2, note, 1, two=3)
    either.callLater(callable=note, delay=1)
    either.callLater(1.5, note, "two")
    either.pump([0.5, 0.5, 0.75, 7])
    assert seen == [(1.0, (), {}), (1.75, ("two",), {}), (8.75, (1,), {"two": 3})]


def test_calls_for_the_same_time_are_made_in_the_order_of_scheduling(
    either: Any, fired: list[str]
) -> None:
    for name in "abc":
        either.callLater(1, fired.append, name)
    either.advance(0.25)
    either.callLater(0.75, fired.append, "d")
    either.advance(0.75)
    assert fired == ["a", "b", "c", "d"]


@pytest.mark.parametrize("delay", [-1, -1e-9, -100, -INFINITY])
def test_a_negative_delay_is_due_at_once(either: Any, fired: list[str], delay: float) -> None:
    """Programs count on it that the clock, unlike the reactor, takes one."""
    either.advance(50)
    either.callLater(0, fired.append, "now")
    call = either.callLater(delay, fired.append, "before")
    assert (call.getTime(), fired) == (50 + delay, [])
    assert either.calls[0] is call
    either.advance(0)
    assert fired == ["before", "now"]


def test_a_callback_can_schedule_for_the_past(either: Any, fired: list[str]) -> None:
    either.callLater(2, either.callLater, -1, fired.append, "past")
    either.callLater(3, fired.append, "later")
    either.advance(3)
    assert fired == ["past", "later"]


def test_a_delay_that_cannot_be(clock: timerwheel.Clock) -> None:
    with pytest.raises(ValueError, match="NaN"):
        clock.callLater(float("nan"), int)
    assert not clock.calls


@pytest.mark.parametrize("arguments", [(), (1,), ("1", int), (None, int), (1, None)])
def test_arguments_that_cannot_be(clock: timerwheel.Clock, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        clock.callLater(*arguments)
    assert not clock.calls


def test_an_amount_that_cannot_be_changes_nothing(
    clock: timerwheel.Clock, fired: list[str]
) -> None:
    clock.callLater(0, fired.append, "a")
    with pytest.raises(TypeError):
        clock.advance("1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="NaN"):
        clock.advance(float("nan"))
    assert clock.seconds() == 0
    assert fired == []


def test_a_clock_that_says_nan(clock: timerwheel.Clock, fired: list[str]) -> None:
    clock.callLater(0, fired.append, "a")
    clock.seconds = lambda: float("nan")  # type: ignore[method-assign]
    clock.advance(1)
    assert fired == []
    with pytest.raises(ValueError, match="NaN"):
        clock.callLater(0, int)


def test_right_now_can_be_set_at_any_time(either: Any, fired: list[str]) -> None:
    assert either.rightNow == 0
    either.rightNow = 1e9
    assert either.seconds() == 1e9
    either.callLater(1, fired.append, "late")
    either.rightNow = -5
    either.callLater(1, fired.append, "early")
    assert [call.getTime() for call in either.calls] == [-4, 1e9 + 1]
    either.advance(1)
    assert fired == ["early"]
    either.rightNow = 2e9
    either.advance(0)
    assert fired == ["early", "late"]
    either.advance(-2e9)
    assert either.seconds() == 0


def test_a_callback_can_set_the_time(either: Any, fired: list[str]) -> None:
    either.callLater(1, setattr, either, "rightNow", 7)
    either.callLater(5, fired.append, "due by the new time")
    either.callLater(9, fired.append, "not due")
    either.advance(2)
    assert fired == ["due by the new time"]
    assert either.seconds() == 7


def test_a_subclass_can_have_its_own_time(clock_class: Any) -> None:
    clock = type("Later", (clock_class,), {"rightNow": 100})()
    assert clock.callLater(1, int).getTime() == 101
    clock.advance(1)
    assert (clock.seconds(), len(clock.calls)) == (101, 0)


def test_infinity_is_a_time(either: Any, fired: list[str]) -> None:
    either.callLater(INFINITY, fired.append, "never")
    either.advance(1e300)
    assert fired == []
    either.advance(INFINITY)
    assert fired == ["never"]


def test_handles_cancel_reset_and_delay(either: Any, fired: list[str]) -> None:
    cancelled, sooner, later, delayed = (either.callLater(5, fired.append, name) for name in "abcd")
    cancelled.cancel()
    sooner.reset(1)
    later.reset(8)
    delayed.delay(1)
    assert (later.time, later.delayed_time, later.getTime()) == (5, 3, 8)
    either.advance(1)
    assert fired == ["b"]
    delayed.delay(-4)
    either.advance(1)
    assert fired == ["b", "d"]
    either.advance(6)
    assert fired == ["b", "d", "c"]
    with pytest.raises(error.AlreadyCalled):
        later.reset(1)
    with pytest.raises(error.AlreadyCancelled):
        cancelled.cancel()


def test_a_delay_stays_apart_from_the_time(either: Any) -> None:
    call = either.callLater(1, int)
    call.delay(4)
    either.advance(3)
    assert (call.time, call.delayed_time) == (1, 4)
    either.advance(2)
    assert (call.time, call.delayed_time, call.called) == (1, 4, 1)


def test_what_callbacks_schedule_for_now_is_called_in_the_same_advance(
    either: Any, fired: list[str]
) -> None:
    def first() -> None:
        fired.append("first")
        either.callLater(0, fired.append, "of first")
        either.callLater(1, fired.append, "next time")

    either.callLater(1, first)
    either.callLater(2, fired.append, "second")
    either.advance(2)
    assert fired == ["first", "second", "of first"]
    either.advance(1)
    assert fired[3:] == ["next time"]


def test_callbacks_cancel_and_move_what_is_due(either: Any, fired: list[str]) -> None:
    def first() -> None:
        gone.cancel()
        later.reset(1)

    either.callLater(1, first)
    gone = either.callLater(2, fired.append, "gone")
    later = either.callLater(2, fired.append, "later")
    sooner = either.callLater(9, fired.append, "sooner")
    either.callLater(2, sooner.reset, 0)
    either.advance(3)
    assert fired == ["sooner"]
    either.advance(1)
    assert fired == ["sooner", "later"]


def test_an_exception_ends_the_advance_and_the_rest_stays(either: Any, fired: list[str]) -> None:
    call = either.callLater(1, lambda: 1 // 0)
    either.callLater(1, fired.append, "rest")
    with pytest.raises(ZeroDivisionError):
        either.advance(2)
    assert (call.called, call.active(), either.seconds(), len(either.calls)) == (1, False, 2, 1)
    either.advance(0)
    assert fired == ["rest"]


def test_an_advance_within_an_advance(either: Any, fired: list[str]) -> None:
    def inner() -> None:
        fired.append("inner")
        either.advance(1)
        fired.append("inner ends")

    for delay in (2, 3, 4):
        either.callLater(delay, fired.append, str(delay))
    either.callLater(1, inner)
    either.advance(2)
    assert fired == ["inner", "2", "3", "inner ends"]
    assert either.seconds() == 3


def test_the_running_call_is_not_pending(either: Any) -> None:
    seen: list[Any] = []
    call = either.callLater(1, lambda: seen.append((call.called, len(either.calls))))
    either.advance(1)
    assert seen == [(1, 0)]


def test_calls_are_a_live_sorted_sequence(either: Any) -> None:
    calls = either.calls
    assert not calls
    assert calls == []
    late, early, middle = (either.callLater(delay, int) for delay in (3, 1, 2))
    assert isinstance(calls, Sequence)
    assert len(calls) == 3
    assert list(calls) == [early, middle, late] == calls
    assert (calls[0], calls[-1], calls[1:]) == (early, late, [middle, late])
    assert list(reversed(calls)) == [late, middle, early]
    assert (calls.index(middle), calls.count(late), calls.count(None)) == (1, 1, 0)
    assert early in calls
    assert either.calls == calls != [early]
    assert repr(calls) == repr([early, middle, late])
    early.cancel()
    assert early not in calls
    assert calls[0] is middle
    either.advance(9)
    assert len(calls) == 0
    with pytest.raises(IndexError):
        calls[0]


def test_calls_are_in_order_after_they_have_moved(clock: timerwheel.Clock) -> None:
    delays = [5, 0, 1e6, 1e-9, 3, 5, 1e12, INFINITY, 0.1, 3]
    handles = [clock.callLater(delay, int) for delay in delays]
    handles[0].reset(2)
    handles[1].delay(4)
    assert clock.calls[0] is handles[3]
    clock.callLater(0, int)
    in_order = sorted(handles[2:] + handles[:2] + clock.calls[:1], key=lambda call: call.getTime())
    assert [call.getTime() for call in clock.calls] == [call.getTime() for call in in_order]
    same_time = [call for call in clock.calls if call.getTime() == 3]
    assert same_time == [handles[4], handles[9]]


def test_going_from_call_to_call(either: Any, fired: list[str]) -> None:
    def again(name: str, period: float) -> None:
        fired.append(name)
        either.callLater(period, again, name, period)

    either.callLater(2, again, "two", 2)
    either.callLater(3, again, "three", 3)
    while either.seconds() < 8:
        either.advance(either.calls[0].getTime() - either.seconds())
    assert fired == ["two", "three", "two", "three", "two", "two"]


def test_delayed_calls_are_a_list_that_can_be_cancelled_through(clock: timerwheel.Clock) -> None:
    handles = [clock.callLater(delay, int) for delay in (3, 1, 2)]
    assert clock.getDelayedCalls() == [handles[1], handles[2], handles[0]]
    for call in clock.getDelayedCalls():
        call.cancel()
    assert clock.getDelayedCalls() == []


def test_calls_can_be_cancelled_while_they_are_iterated(clock: timerwheel.Clock) -> None:
    for delay in (3, 1, 2):
        clock.callLater(delay, int)
    for call in clock.calls:
        call.cancel()
    assert not clock.calls


def test_calls_can_be_joined_and_copied(either: Any) -> None:
    late, early = either.callLater(3, int), either.callLater(1, int)
    others = [None]
    assert either.calls + others == [early, late, None]
    assert others + either.calls == [None, early, late]
    assert either.calls + either.calls == [early, late, early, late]
    copy = either.calls.copy()
    early.cancel()
    assert copy == [early, late]
    assert type(copy) is list
    with pytest.raises(TypeError):
        either.calls + 1
    with pytest.raises(TypeError):
        1 + either.calls


def test_calls_can_be_emptied(either: Any, fired: list[str]) -> None:
    either.callLater(1, fired.append, "gone")
    either.callLater(1, setattr, either, "calls", [])
    either.callLater(2, fired.append, "gone while it was due")
    either.calls = either.calls[1:1]
    either.callLater(2, fired.append, "new")
    either.callLater(1, setattr, either, "calls", [])
    either.advance(3)
    assert (fired, list(either.calls)) == ([], [])
    either.callLater(2, fired.append, "new")
    either.advance(2)
    assert fired == ["new"]


def test_a_call_that_was_let_go_of_can_be_cancelled(clock: timerwheel.Clock) -> None:
    call = clock.callLater(1, int)
    clock.calls = []
    call.cancel()
    assert call.cancelled


def test_calls_cannot_be_replaced(clock: timerwheel.Clock) -> None:
    call = clock.callLater(1, int)
    for other in ([call], clock.calls, [None]):
        with pytest.raises(AttributeError, match="callLater"):
            clock.calls = other  # type: ignore[assignment]
    with pytest.raises(TypeError):
        clock.calls = None  # type: ignore[assignment]
    assert clock.calls == [call]
    with pytest.raises(TypeError):
        type(clock.calls)()


def test_twisteds_initializer_may_be_called(clock_class: Any, fired: list[str]) -> None:
    """As its own MemoryReactorClock does, and classes of programs that have another base, too."""

    class FakeReactor(MemoryReactor, clock_class):  # type: ignore[misc]
        def __init__(self) -> None:
            MemoryReactor.__init__(self)
            task.Clock.__init__(self)

    class OfBoth(MemoryReactorClock, clock_class):  # type: ignore[misc]
        pass

    for fake_reactor in (FakeReactor(), OfBoth()):
        fake_reactor.callLater(1, fired.append, "called")
        fake_reactor.advance(1)
        assert type(fake_reactor).callLater is clock_class.callLater
        assert fake_reactor.tcpServers == []
    assert fired == ["called"] * 2


def test_methods_of_a_subclass_win(clock_class: Any, fired: list[str]) -> None:
    class Subclass(clock_class):  # type: ignore[misc]
        def __init__(self, epoch: float) -> None:
            super().__init__()
            self.epoch = epoch

        def seconds(self) -> float:
            return float(self.epoch + super().seconds())

        def callLater(self, delay: float, callable: Callable[..., object], *args: Any) -> Any:
            fired.append("callLater")
            return super().callLater(delay, callable, *args)

        def advance(self, amount: float) -> None:
            fired.append("advance")
            super().advance(amount)

    clock = Subclass(1000)
    call = clock.callLater(1, fired.append, "called")
    assert call.getTime() == 1001
    call.reset(2)
    assert call.getTime() == 1002
    clock.pump([1, 1])
    assert fired == ["callLater", "advance", "advance", "called"]


def test_a_subclass_need_not_call_init(clock: timerwheel.Clock) -> None:
    class Subclass(timerwheel.Clock):
        def __init__(self) -> None:
            pass

    subclass = Subclass()
    subclass.callLater(1, int)
    subclass.advance(1)
    assert not subclass.calls


def test_seconds_can_be_replaced_on_the_instance(either: Any, fired: list[str]) -> None:
    now = [50.0]
    either.seconds = lambda: now[0]
    call = either.callLater(1, fired.append, "a")
    assert call.getTime() == 51
    assert call.seconds is either.seconds
    either.advance(10)
    assert fired == []
    now[0] = 51
    either.advance(0)
    assert fired == ["a"]


def test_a_looping_call_runs_on_it(either: Any, fired: list[str]) -> None:
    loop = task.LoopingCall(fired.append, "a")
    loop.clock = either
    loop.start(1, now=False)
    either.pump([0.5] * 6)
    loop.stop()
    assert fired == ["a"] * 3
    assert not either.calls


def test_a_clock_without_calls_is_gone_at_once(clock_class: Any) -> None:
    clock = clock_class()
    clock.callLater(1, int)
    clock.advance(1)
    gone = weakref.ref(clock)
    del clock
    assert gone() is None


def test_a_clock_without_calls_can_be_pickled(either: Any) -> None:
    either.rightNow = 5
    copy = pickle.loads(pickle.dumps(either))
    assert (type(copy), copy.seconds(), len(copy.calls)) == (type(either), 5, 0)
    either.callLater(1, int)
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(either)


@pytest.mark.parametrize("limit", [1, 5])
def test_a_call_that_schedules_itself_without_end_is_named(limit: int) -> None:
    """twisted#5962: stock's advance() never ends."""
    clock = timerwheel.Clock(max_calls_at_once=limit)
    made: list[float] = []

    def again_and_again() -> None:
        made.append(clock.seconds())
        clock.callLater(0, again_and_again)

    clock.callLater(1, again_and_again)
    with pytest.raises(RuntimeError, match=rf"made {limit} calls .* from 2.0.*again_and_again"):
        clock.advance(2)
    assert len(made) == limit + 1  # the first was due at another time
    assert len(clock.calls) == 1
    check_clock(clock)


def test_the_time_may_move_on_as_often_as_it_likes() -> None:
    clock = timerwheel.Clock(max_calls_at_once=2)
    for delay in range(100):
        clock.callLater(delay, int)
        clock.callLater(delay, int)
    clock.advance(1000)
    assert not clock.calls


def test_the_limit_can_be_an_attribute_of_a_subclass() -> None:
    class Limited(timerwheel.Clock):
        max_calls_at_once = 1

    clock = Limited()
    clock.callLater(1, int)
    clock.callLater(1, int)
    with pytest.raises(RuntimeError):
        clock.advance(1)


def test_a_limit_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="max_calls_at_once must be at least 1, not 0"):
        timerwheel.Clock(max_calls_at_once=0)
