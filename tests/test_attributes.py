"""An attribute means what it means on a stock reactor, in whatever form, whenever it changes."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from helpers import FakeClock, StockReactor, make_reactor, run_python
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.base import DelayedCall, ReactorBase
from twisted.logger import LogLevel, globalLogPublisher

import timerwheel
from timerwheel._accelerate import KEY

NAMES = ["callLater", "timeout", "runUntilCurrent", "getDelayedCalls"]


@pytest.fixture(params=["stock", "ours"])
def either(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[Any]:
    """A stock reactor, and one with the wheel, in a class of its own that may be changed."""
    reactor: Any = type("Reactor", (StockReactor,), {})()
    reactor.seconds = clock
    if request.param == "ours":
        timerwheel.accelerate(reactor)
    yield reactor
    timerwheel.restore(reactor)


# What a pass reads of the reactor.


def as_property(name: str) -> Any:
    return property(
        lambda self: vars(self)["hidden " + name],
        lambda self, value: vars(self).update({"hidden " + name: value}),
    )


def with_attribute(name: str, form: str) -> Any:
    """A reactor with the wheel that keeps an attribute in a property or a slot."""
    if form == "slot":
        return type("Reactor", (StockReactor,), {"__slots__": (name,)})()
    return type("Reactor", (StockReactor,), {name: as_property(name)})()


@pytest.mark.parametrize("form", ["property", "slot"])
def test_calls_from_threads_in_whatever_form_they_are_kept(form: str) -> None:
    reactor = with_attribute("threadCallQueue", form)
    timerwheel.accelerate(reactor)
    made: list[int] = []
    for number in range(3):
        reactor.callFromThread(made.append, number)
        reactor.runUntilCurrent()
    assert made == [0, 1, 2]


@pytest.mark.parametrize("form", ["property", "slot"])
def test_a_stop_in_whatever_form_it_is_noted(form: str) -> None:
    reactor = with_attribute("_justStopped", form)
    timerwheel.accelerate(reactor)
    reactor.callLater(0, reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert not reactor._justStopped


def test_attributes_that_become_properties_and_plain_again(either: Any) -> None:
    kind, made = type(either), []
    thread_calls: list[Any] = []
    computed = property(lambda self: thread_calls)
    for _ in range(3):
        thread_calls.append((made.append, ("property",), {}))
        with mock.patch.object(kind, "threadCallQueue", computed, create=True):
            either.runUntilCurrent()
        either.runUntilCurrent()
        either.threadCallQueue.append((made.append, ("plain",), {}))
        either.runUntilCurrent()
    assert made == ["property", "plain"] * 3


def test_a_clock_in_any_form_at_any_time(either: Any, clock: FakeClock) -> None:
    def due() -> float:
        call = either.callLater(5, int)
        time: float = call.getTime()
        call.cancel()
        return time

    kind = type(either)
    assert due() == clock.now + 5
    del either.seconds

    def method(self: Any) -> float:
        return 7.0

    computed, static = property(lambda self: lambda: 8.0), staticmethod(lambda: 9.0)
    for clocks in (kind, StockReactor, ReactorBase):
        with mock.patch.object(clocks, "seconds", method):
            assert due() == 12
            with mock.patch.object(clocks, "seconds", computed):
                assert due() == 13
            with mock.patch.object(clocks, "seconds", static):
                assert due() == 14
            assert due() == 12
        assert due() > 1e9
    with mock.patch.dict(vars(either), seconds=lambda: 10.0):
        assert due() == 15
    kind.__getattribute__ = lambda self, name: (
        (lambda: 11.0) if name == "seconds" else object.__getattribute__(self, name)
    )
    assert due() == 16
    del kind.__getattribute__
    assert due() > 1e9


class Other(StockReactor):
    """A class that a reactor may be given, with a clock of its own."""

    def seconds(self) -> float:  # type: ignore[override]
        return 20.0


def test_a_reactor_of_another_class_and_with_another_dict(either: Any) -> None:
    del either.seconds
    kind = either.__class__
    either.__class__ = Other
    assert either.callLater(5, int).getTime() == 25.0
    either.__class__ = kind
    assert either.callLater(5, int).getTime() > 1e9
    kind.__bases__ = (Other,)
    assert either.callLater(5, int).getTime() == 25.0
    kind.__bases__ = (StockReactor,)
    assert either.callLater(5, int).getTime() > 1e9
    either.__dict__ = dict(vars(either), seconds=lambda: 30.0)
    assert either.callLater(5, int).getTime() == 35.0


def test_a_clock_that_is_no_longer_a_reactors_is_garbage(reactor: Any) -> None:
    class Clock:
        def __call__(self) -> float:
            return 5.0

    reactor.seconds = clock = Clock()
    reactor.runUntilCurrent()
    reactor.callLater(1, int).cancel()
    gone = weakref.ref(clock)
    del reactor.seconds, clock
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("value", [True, False])
def test_debug_is_read_when_a_call_is_made_and_cancelled(either: Any, value: bool) -> None:
    for _ in range(2):
        call = either.callLater(1, print)
        with mock.patch.object(DelayedCall, "debug", value):
            assert (either.callLater(1, int).creator is not None) is value
            call.cancel()
        assert ("print" in repr(call)) is value
        assert either.callLater(1, int).creator is None


# Hooks.


@pytest.mark.parametrize("owner", [ReactorBase, AsyncioSelectorReactor])
def test_a_hook_from_before_the_wheel_calls_on_to_it(
    owner: Any, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tracers put theirs on Twisted's class when they are imported."""
    seen: list[str] = []

    def around(name: str, inner: Any) -> Any:
        def hook(self: Any, *args: Any, **kw: Any) -> Any:
            seen.append(name)
            return inner(self, *args, **kw)

        return hook

    for name in NAMES:
        if name in vars(owner):
            monkeypatch.setattr(owner, name, around(name, vars(owner)[name]))
    reactor = make_reactor(clock, type("Reactor", (StockReactor,), {}))
    made: list[int] = []
    for _ in range(3):
        reactor.callLater(1, made.append, 1)
        reactor.callLater(1, int).cancel()
        call = reactor.callLater(5, made.append, 2)
        call.reset(1)
        assert reactor.timeout() == 1
        assert len(reactor.getDelayedCalls()) == 2
        clock.advance(1)
        reactor.runUntilCurrent()
    assert made == [1, 2] * 3
    assert set(seen) == ({*NAMES} if owner is ReactorBase else set())


def test_hooks_that_are_undone_out_of_turn(clock: FakeClock) -> None:
    before = mock.patch.object(ReactorBase, "callLater", side_effect=AssertionError)
    before.start()
    reactor = make_reactor(clock)
    after = mock.patch.object(StockReactor, "callLater", return_value="after")
    after.start()
    assert reactor.callLater(1, int) == "after"
    before.stop()
    assert reactor.callLater(1, int) == "after"
    after.stop()
    call = reactor.callLater(1, int)
    assert reactor.getDelayedCalls() == [call]
    timerwheel.accelerate(reactor)  # has the methods put where Twisted's stand again
    assert type(reactor.callLater(1, int)) is timerwheel.DelayedCall
    timerwheel.restore(reactor)
    assert len(reactor.getDelayedCalls()) == 2


# Code that runs in the middle of an operation.


@pytest.mark.parametrize("name", NAMES)
def test_a_clock_that_takes_the_wheel_out(name: str) -> None:
    """While the wheel waits for what the clock says, its queue is garbage."""
    reactor: Any = StockReactor()
    timerwheel.accelerate(reactor)
    made: list[int] = []
    for number in range(100):
        reactor.callLater(5, made.append, number)

    def seconds() -> float:
        del reactor.seconds
        timerwheel.restore(reactor)
        gc.collect()
        reactor.seconds = lambda: 50.0
        return 50.0

    reactor.seconds = seconds
    call = {"callLater": lambda: reactor.callLater(5, made.append, 100)}
    call.get(name, getattr(reactor, name))()
    if name == "getDelayedCalls":
        reactor.timeout()
    reactor.seconds = lambda: 1e10
    reactor.runUntilCurrent()
    reactor.runUntilCurrent()
    assert sorted(made) == list(range(100 + (name == "callLater")))


@pytest.mark.parametrize("change", [timerwheel.accelerate, timerwheel.restore])
def test_calls_that_destructors_make_while_the_wheel_changes_are_made(
    change: Callable[[Any], None], clock: FakeClock
) -> None:
    reactor: Any = StockReactor()
    reactor.seconds = clock
    if change is timerwheel.restore:
        timerwheel.accelerate(reactor)
    due, made = 300, []

    class Garbage:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            nonlocal due
            due += 1
            reactor.callLater(0, made.append, 1)

    for _ in range(300):
        reactor.callLater(0, made.append, 1)
    thresholds = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(20):
            Garbage()
        change(reactor)
    finally:
        gc.set_threshold(*thresholds)
        gc.collect()
    for _ in range(2):
        reactor.runUntilCurrent()
    assert len(made) == due
    timerwheel.restore(reactor)


def test_a_stock_call_that_cancels_itself_when_it_is_due(reactor: Any, clock: FakeClock) -> None:
    class Odd(DelayedCall):
        @property
        def delayed_time(self) -> float:
            if armed and not self.cancelled:
                self.cancel()
            return 0.0

        @delayed_time.setter
        def delayed_time(self, value: float) -> None:
            """As Twisted's constructor has it."""

    armed: list[int] = []
    made: list[int] = []
    functions = reactor._cancelCallLater, reactor._moveCallLaterSooner
    reactor._newTimedCalls.append(Odd(101.0, made.append, (1,), {}, *functions))
    armed.append(1)
    clock.advance(1)
    reactor.runUntilCurrent()
    assert reactor.getDelayedCalls() == []
    assert made == []


def test_a_stock_call_that_is_marked_cancelled_is_not_made(reactor: Any, clock: FakeClock) -> None:
    made: list[int] = []
    functions = reactor._cancelCallLater, reactor._moveCallLaterSooner
    call = DelayedCall(101.0, made.append, (1,), {}, *functions)
    reactor._newTimedCalls.append(call)
    call.cancelled = 1
    clock.advance(1)
    reactor.runUntilCurrent()
    assert made == []


def test_a_static_method_that_becomes_another(clock: FakeClock) -> None:
    """Its class does not tell. What was found before may be what is called, but it is there."""
    static = staticmethod(lambda: 5.0)
    reactor: Any = type("Reactor", (StockReactor,), {"seconds": static})()
    timerwheel.accelerate(reactor)
    assert reactor.callLater(5, int).getTime() == 10.0
    static.__init__(lambda: 6.0)  # type: ignore[misc]
    gc.collect()
    assert reactor.callLater(5, int).getTime() in (10.0, 11.0)


def test_a_value_whose_type_becomes_one_of_descriptors(either: Any) -> None:
    class Seconds:
        def __call__(self) -> float:
            return 5.0

    del either.seconds
    kind: Any = type(either)
    kind.seconds = Seconds()
    assert either.callLater(5, int).getTime() == 10.0
    Seconds.__get__ = lambda self, reactor, kind: lambda: 6.0  # type: ignore[attr-defined]
    assert either.callLater(5, int).getTime() == 11.0
    del kind.seconds


# What is left behind.


def test_a_failure_part_way_leaves_twisteds_functions() -> None:
    program = """
        import json
        from twisted.internet.base import ReactorBase
        from twisted.internet.selectreactor import SelectReactor
        import timerwheel
        from timerwheel._wakers import Waker
        before = dict(vars(ReactorBase))
        reactor = SelectReactor()
        attributes = dict(vars(reactor))
        call = reactor.callLater(5, int)
        attach, Waker.attach = Waker.attach, lambda self, queue: 1 / 0
        try:
            timerwheel.accelerate(reactor)
        except ZeroDivisionError:
            failed = True
        Waker.attach = attach
        left = vars(reactor) == attributes and dict(vars(ReactorBase)) == before
        print(json.dumps([failed, left, reactor.getDelayedCalls() == [call]]))
    """
    assert run_python(program) == [True, True, True]


def test_a_dict_that_is_put_back_takes_the_wheel_out(clock: FakeClock) -> None:
    reactor: Any = StockReactor()
    reactor.seconds = clock
    attributes = dict(vars(reactor))
    with mock.patch.dict(vars(reactor)):
        timerwheel.accelerate(reactor)
        reactor.callLater(1, int)
    assert vars(reactor) == attributes
    made: list[int] = []
    call = reactor.callLater(1, made.append, 1)
    assert type(call) is DelayedCall
    clock.advance(1)
    reactor.runUntilCurrent()
    assert made == [1]


# On 3.10 CPython makes the dict of each instance; from 3.13 on it costs nothing.
if (3, 11) <= sys.version_info < (3, 13):

    def test_the_reactor_keeps_its_attributes_without_a_dict(clock: FakeClock) -> None:
        """On a Python where each attribute costs more once its dict has been asked for."""

        class Reactor(StockReactor):  # a class for which no other test has made many attributes
            pass

        reactor = make_reactor(clock, Reactor)
        reactor.callLater(1, int)
        reactor.fireSystemEvent("startup")  # which tells the log
        for _ in range(2):
            assert reactor.timeout() is not None
            clock.advance(1)
            reactor.runUntilCurrent()
            reactor.callLater(1, int)
        timerwheel.accelerate(reactor)
        assert not has_dict(reactor)
        timerwheel.restore(reactor)
        assert not has_dict(reactor)
        assert vars(reactor)
        assert has_dict(reactor)


def has_dict(reactor: Any) -> bool:
    return any(type(one) is dict and "_justStopped" in one for one in gc.get_referents(reactor))


def test_a_copy_of_a_reactor_has_its_calls(either: Any, clock: FakeClock) -> None:
    made: list[int] = []
    call = copy.copy(either).callLater(1, made.append, 1)
    assert either.getDelayedCalls() == [call]
    clock.advance(1)
    either.runUntilCurrent()
    assert made == [1]


def test_threads_that_put_the_wheel_in_and_out_at_once(clock: FakeClock) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(30):
            reactor: Any = StockReactor()
            reactor.seconds = clock
            made: list[int] = []
            for number in range(20):
                reactor.callLater(0, made.append, number)
            start = threading.Barrier(4)

            def change(*functions: Callable[[Any], None]) -> None:
                start.wait()  # noqa: B023
                for function in functions:
                    function(reactor)  # noqa: B023

            both = timerwheel.accelerate, timerwheel.restore
            threads = [
                threading.Thread(target=change, args=functions)
                for functions in (both, both[:1], both[::-1], both)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            reactor.callLater(0, made.append, 20)
            reactor.runUntilCurrent()
            assert sorted(made) == list(range(21))
            timerwheel.restore(reactor)
    finally:
        sys.setswitchinterval(interval)


def test_the_last_wheel_that_is_taken_out_leaves_twisteds_functions() -> None:
    program = """
        import json
        from twisted.internet.base import ReactorBase
        from twisted.internet.selectreactor import SelectReactor
        import timerwheel
        before = dict(vars(ReactorBase))
        first, second = SelectReactor(), SelectReactor()
        timerwheel.accelerate(first)
        timerwheel.accelerate(second)
        changed = sorted(name for name in before if vars(ReactorBase)[name] is not before[name])
        timerwheel.restore(first)
        kept = type(second.callLater(1, int)) is timerwheel.DelayedCall
        timerwheel.restore(second)
        print(json.dumps([changed, kept, dict(vars(ReactorBase)) == before]))
    """
    changed, kept, restored = run_python(program)
    # (And doIteration, where there is a timerfd.)
    assert {*NAMES} <= {*changed} <= {*NAMES, "doIteration"}
    assert kept
    assert restored


# Introspection.


@pytest.mark.parametrize("name", NAMES)
def test_methods_look_as_twisteds_do(name: str, reactor: Any) -> None:
    stock: Any = getattr(StockReactor(), name)
    ours = getattr(reactor, name)
    assert type(ours) is type(stock)
    assert ours.__self__ is reactor
    assert (ours.__module__, ours.__name__, ours.__doc__) == (
        stock.__module__,
        stock.__name__,
        stock.__doc__,
    )
    assert inspect.signature(ours) == inspect.signature(stock)
    assert inspect.getsource(ours) == inspect.getsource(stock)
    assert inspect.ismethod(ours)
    assert inspect.isfunction(getattr(ReactorBase, name))
    assert weakref.WeakMethod(ours)() == ours
    assert repr(ours).startswith(f"<bound method ReactorBase.{name} of ")
    function = vars(ReactorBase)[name]
    assert pickle.loads(pickle.dumps(function)) is function
    assert function.__get__(reactor) == ours


def test_a_method_passes_attributes_on_to_twisteds_function(reactor: Any) -> None:
    function = vars(ReactorBase)["callLater"]
    function.mark = 1
    assert function.mark == function.__wrapped__.mark == 1
    del function.mark
    assert not hasattr(function.__wrapped__, "mark")


@pytest.mark.parametrize("target", ["instance", "class", "base"])
def test_autospec_checks_arguments(either: Any, target: str) -> None:
    patched = {"instance": either, "class": type(either), "base": ReactorBase}[target]
    with mock.patch.object(patched, "callLater", autospec=True) as fake:
        either.callLater(1, int, 2, key=3)
        own = () if target == "instance" else (either,)
        fake.assert_called_once_with(*own, 1, int, 2, key=3)
        with pytest.raises(TypeError):
            either.callLater()
    assert either.getDelayedCalls() == []
    either.callLater(1, int)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_arguments_are_refused_as_by_twisted(name: str, either: Any) -> None:
    method = getattr(either, name)
    wrong: list[tuple[tuple[Any, ...], dict[str, Any]]] = [((), {"nonsense": 1}), ((1,), {})]
    for args, kw in wrong:
        with pytest.raises(TypeError):
            method(*args, **kw)
    with pytest.raises(TypeError):
        getattr(ReactorBase, name)()


def test_callLater_takes_its_arguments_by_name(either: Any) -> None:
    call = either.callLater(delay=1, callable=dict, key=2)
    assert (call.func, call.args, call.kw) == (dict, (), {"key": 2})
    for arguments in ({"delay": 1}, {"callable": int}):
        with pytest.raises(TypeError):
            either.callLater(**arguments)
    with pytest.raises(TypeError):
        either.callLater(1, int, callable=int)


# A handle's attributes.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("func", mock.sentinel.func), ("args", (1,)), ("kw", {"key": 1}), ("called", 1)),
        *(("seconds", int), ("debug", True), ("creator", ["stack"]), ("_repr", "text")),
    ],
)
def test_what_can_be_set_can_be_deleted_and_put_back(either: Any, name: str, value: Any) -> None:
    call = either.callLater(5, dict, 3, other=4)
    before = getattr(call, name)
    with mock.patch.object(call, name, value):
        assert getattr(call, name) == value
    assert getattr(call, name) == before
    setattr(call, name, value)
    delattr(call, name)
    if name in ("debug", "creator", "_repr"):
        assert getattr(call, name) == before  # the class has it
    else:
        assert not hasattr(call, name)
    with pytest.raises(AttributeError):
        delattr(call, name)
    setattr(call, name, before)
    assert getattr(call, name) == before


@pytest.mark.parametrize("name", ["func", "args", "kw"])
def test_a_patch_may_end_after_the_call_was_cancelled(either: Any, name: str) -> None:
    call = either.callLater(5, dict, (), key=1)
    before = getattr(call, name)
    with mock.patch.object(call, name):
        call.cancel()
        assert not hasattr(call, name)
    assert getattr(call, name) == before


@pytest.mark.parametrize("name", ["func", "args", "kw"])
def test_a_call_that_lacks_an_attribute_fails_when_it_is_made(
    either: Any, clock: FakeClock, name: str
) -> None:
    failures: list[str] = []

    def observe(event: Any) -> None:
        if event["log_level"] == LogLevel.critical:
            failures.append(event["log_failure"].type.__name__)

    delattr(either.callLater(1, dict, (), key=1), name)
    clock.advance(1)
    globalLogPublisher.addObserver(observe)
    try:
        either.runUntilCurrent()
    finally:
        globalLogPublisher.removeObserver(observe)
    assert failures == ["AttributeError"]


def test_a_patched_function_is_what_is_called(either: Any, clock: FakeClock) -> None:
    made: list[str] = []
    call = either.callLater(1, made.append, "original")
    with mock.patch.object(call, "func") as fake:
        clock.advance(1)
        either.runUntilCurrent()
    fake.assert_called_once_with("original")
    assert made == []


# What fails.


class StubbornError(Exception):
    """An exception with methods of its own under Python's names."""

    def with_traceback(self, traceback: Any) -> Any:
        raise RuntimeError("not to be called")


def test_an_exception_that_overrides_with_traceback_is_logged(
    either: Any, clock: FakeClock
) -> None:
    failures: list[type] = []

    def fail() -> None:
        raise StubbornError

    def observe(event: Any) -> None:
        if event["log_level"] == LogLevel.critical:
            failures.append(event["log_failure"].type)

    either.callLater(0, fail)
    globalLogPublisher.addObserver(observe)
    try:
        either.runUntilCurrent()
    finally:
        globalLogPublisher.removeObserver(observe)
    assert failures == [StubbornError]


@pytest.mark.parametrize("wrong", [((1, "a"),), {"maxsize": 1}, (1, 2)])
def test_constructors_refuse_what_they_do_not_know(wrong: Any) -> None:
    for make in (timerwheel.PriorityQueue, timerwheel.TimerWheel, timerwheel.Clock):
        with pytest.raises(TypeError):
            make(**wrong) if isinstance(wrong, dict) else make(*wrong, *wrong)


def test_the_queue_is_where_it_is_said_to_be(reactor: Any) -> None:
    assert vars(reactor)[KEY].waker.reactor is reactor
