"""What the program puts on a subclass, a class or an instance wins over the wheel's methods."""

from __future__ import annotations

import inspect
from copy import copy
from typing import Any
from unittest.mock import Mock

import pytest
from helpers import FakeClock, StockReactor, make_reactor, queue_of, run_python
from twisted.internet.base import ReactorBase
from twisted.internet.epollreactor import EPollReactor as StockEPollReactor

import timerwheel
from timerwheel.reactors.epollreactor import EPollReactor

NAMES = ["callLater", "timeout", "runUntilCurrent", "getDelayedCalls"]
ARGUMENTS: dict[str, tuple[Any, ...]] = {"callLater": (0, int)}


class Spy:
    """Wraps methods, and notes the calls of its wrappers."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def around(self, name: str, inner: Any) -> Any:
        def wrapper(*args: Any, **kw: Any) -> Any:
            self.seen.append(name)
            return inner(*args, **kw)

        return wrapper


@pytest.fixture
def spy() -> Spy:
    return Spy()


@pytest.fixture(params=["stock", "ours"])
def either(request: pytest.FixtureRequest, clock: FakeClock) -> Any:
    """A stock reactor, and one with the wheel."""
    reactor: Any = StockReactor()
    reactor.seconds = clock
    if request.param == "ours":
        timerwheel.accelerate(reactor)
    return reactor


def stock_call_later(self: Any, delay: float, function: Any, *args: Any, **kw: Any) -> Any:
    """A hook that was put on ReactorBase before the wheel: it calls Twisted's own function."""
    return twisteds_call_later(self, delay, function, *args, **kw)


twisteds_call_later: Any = inspect.unwrap(ReactorBase.callLater)


def call(reactor: Any, name: str) -> Any:
    return getattr(reactor, name)(*ARGUMENTS.get(name, ()))


def runs(reactor: Any, clock: FakeClock) -> None:
    """All that a reactor does with time still works."""
    fired: list[str] = []
    first = reactor.callLater(1, fired.append, "first")
    second = reactor.callLater(2, fired.append, "second")
    gone = reactor.callLater(1.5, fired.append, "gone")
    second.reset(0.5)
    first.delay(1)
    gone.cancel()
    assert set(reactor.getDelayedCalls()) == {first, second}
    assert reactor.timeout() in (0.5, 1)
    clock.advance(0.5)
    reactor.runUntilCurrent()
    assert fired == ["second"]
    clock.advance(1.5)
    reactor.runUntilCurrent()
    reactor.runUntilCurrent()
    assert fired == ["second", "first"]
    assert reactor.timeout() is None
    queue_of(reactor).check_invariants()


@pytest.mark.parametrize("base", [StockReactor, EPollReactor, StockEPollReactor])
@pytest.mark.parametrize("name", NAMES)
def test_a_subclass_that_calls_super_wins(
    name: str, base: type[ReactorBase], clock: FakeClock, spy: Spy
) -> None:
    def method(self: Any, *args: Any, **kw: Any) -> Any:
        spy.seen.append(name)
        return getattr(super(subclass, self), name)(*args, **kw)

    subclass = type("Subclass", (base,), {name: method})
    reactor = make_reactor(clock, subclass)
    call(reactor, name)
    assert spy.seen == [name]
    reactor.runUntilCurrent()
    runs(reactor, clock)


@pytest.mark.parametrize("base", [StockReactor, EPollReactor])
@pytest.mark.parametrize("name", NAMES)
def test_a_subclass_that_calls_the_base_by_name_wins(
    name: str, base: type[ReactorBase], clock: FakeClock, spy: Spy
) -> None:
    method = spy.around(name, getattr(ReactorBase, name))
    reactor = make_reactor(clock, type("Subclass", (base,), {name: method}))
    call(reactor, name)
    assert spy.seen == [name]
    reactor.runUntilCurrent()
    runs(reactor, clock)


@pytest.mark.parametrize("owner", [ReactorBase, EPollReactor])
@pytest.mark.parametrize("name", NAMES)
def test_a_method_put_on_the_class_later_wins_and_can_be_taken_off(
    name: str, owner: Any, clock: FakeClock, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = EPollReactor if owner is EPollReactor else StockReactor
    reactor = make_reactor(clock, base)
    runs(reactor, clock)
    monkeypatch.setattr(owner, name, spy.around(name, getattr(owner, name)))
    call(reactor, name)
    assert spy.seen == [name]
    reactor.runUntilCurrent()
    runs(reactor, clock)
    monkeypatch.undo()
    seen = len(spy.seen)
    call(reactor, name)
    reactor.runUntilCurrent()
    runs(reactor, clock)
    assert len(spy.seen) == seen


@pytest.mark.parametrize("name", NAMES)
def test_a_method_put_on_the_class_that_calls_what_stood_on_the_instance(
    name: str, reactor: Any, clock: FakeClock, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = spy.around(name, getattr(reactor, name))
    monkeypatch.setattr(StockReactor, name, lambda self, *args: wrapper(*args), raising=False)
    call(reactor, name)
    assert spy.seen == [name]
    reactor.runUntilCurrent()
    runs(reactor, clock)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_put_on_the_instance_wins_and_can_be_taken_off(
    name: str, reactor: Any, clock: FakeClock, spy: Spy
) -> None:
    before = getattr(reactor, name)
    setattr(reactor, name, spy.around(name, before))
    call(reactor, name)
    assert spy.seen == [name]
    reactor.runUntilCurrent()
    runs(reactor, clock)
    delattr(reactor, name)
    reactor.runUntilCurrent()
    runs(reactor, clock)
    setattr(reactor, name, before)
    runs(reactor, clock)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_that_is_on_the_instance_before_wins(
    name: str, clock: FakeClock, spy: Spy
) -> None:
    reactor: Any = StockReactor()
    reactor.seconds = clock
    setattr(reactor, name, spy.around(name, getattr(reactor, name)))
    timerwheel.accelerate(reactor)
    call(reactor, name)
    assert spy.seen == [name]
    reactor.runUntilCurrent()
    runs(reactor, clock)


def test_seconds_of_a_subclass_of_a_class_and_of_an_instance(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Subclass(EPollReactor):
        def seconds(self) -> float:
            return 500.0

    reactor: Any = Subclass()
    call = reactor.callLater(5, int)
    assert call.getTime() == 505.0
    assert call.seconds() == 500.0
    assert reactor.timeout() == 5
    monkeypatch.setattr(Subclass, "seconds", lambda self: 503.0)
    assert reactor.timeout() == 2
    reactor.seconds = lambda: 504.0
    assert reactor.timeout() == 1
    reactor.seconds = lambda: 505.0
    reactor.runUntilCurrent()
    assert call.called
    del reactor.seconds
    assert reactor.callLater(1, int).getTime() == 504.0


def test_seconds_put_on_twisteds_base_class(monkeypatch: pytest.MonkeyPatch) -> None:
    reactor: Any = EPollReactor()
    monkeypatch.setattr(ReactorBase, "seconds", lambda self: 7.0)
    assert reactor.callLater(1, int).getTime() == 8.0
    monkeypatch.undo()
    assert reactor.callLater(1, int).getTime() > 1e9


def test_do_iteration_of_a_subclass_wins() -> None:
    waits: list[float | None] = []

    class Subclass(EPollReactor):
        def doIteration(self, delay: float | None) -> None:
            waits.append(delay)
            super().doIteration(0)

    reactor: Any = Subclass()
    reactor.callLater(0.001, reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert waits
    assert all(0 <= wait <= 0.001 for wait in waits if wait)


def test_what_appends_to_the_new_calls_schedules(reactor: Any, clock: FakeClock) -> None:
    """An old hub of eventlet did."""
    from twisted.internet.base import DelayedCall

    fired: list[int] = []
    stock = DelayedCall(
        103.0,
        fired.append,
        (1,),
        {},
        reactor._cancelCallLater,
        reactor._moveCallLaterSooner,
        seconds=reactor.seconds,
    )
    reactor._newTimedCalls.append(stock)
    assert reactor.getDelayedCalls() == [stock]
    assert reactor.timeout() == 3
    stock.reset(1)
    assert reactor.timeout() == 1
    clock.advance(1)
    reactor.runUntilCurrent()
    assert fired == [1]


def test_calls_of_a_hook_from_before_the_wheel_move_as_any_other(
    reactor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReactorBase, "callLater", stock_call_later)
    sooner, delayed, cancelled = (reactor.callLater(5, int) for _ in range(3))
    sooner.reset(1)
    delayed.delay(-3)
    cancelled.cancel()
    assert reactor.timeout() == 1
    sooner.cancel()
    assert reactor.timeout() == 2
    assert reactor.getDelayedCalls() == [delayed]


def test_a_stock_call_with_another_canceller_is_moved_sooner(
    reactor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReactorBase, "callLater", stock_call_later)
    call = reactor.callLater(5, int)
    call.canceller = cancelled = Mock()
    call.reset(1)
    assert reactor.timeout() == 1
    call.cancel()
    cancelled.assert_called_once_with(call)


def test_a_resetter_of_the_reactors_own_stays_through_the_wheel() -> None:
    reactor: Any = StockReactor()
    reactor._moveCallLaterSooner = mover = Mock()
    timerwheel.accelerate(reactor)
    timerwheel.restore(reactor)
    assert reactor._moveCallLaterSooner is mover


@pytest.mark.parametrize("before", [True, False], ids=["before the wheel", "after"])
def test_a_resetter_put_around_twisteds_moves_calls(
    before: bool, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the wheel is in, and when it has gone."""
    reactor: Any = StockReactor()
    reactor.seconds = clock
    monkeypatch.setattr(ReactorBase, "callLater", stock_call_later)
    if not before:
        timerwheel.accelerate(reactor)
    reactor._moveCallLaterSooner = mover = Mock(side_effect=reactor._moveCallLaterSooner)
    timerwheel.accelerate(reactor)
    calls = [reactor.callLater(delay, int) for delay in (5, 6, 7)]
    for number, call in enumerate(calls):
        if number == 2:
            timerwheel.restore(reactor)
        assert reactor.timeout() == 5 - number
        call.reset(4 - number)
        mover.assert_called_with(call)
        assert reactor.timeout() == 4 - number


def test_a_resetter_of_a_subclass_is_called(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Subclass(StockReactor):
        def _moveCallLaterSooner(self, call: Any) -> None:
            moved.append(call)
            super()._moveCallLaterSooner(call)  # type: ignore[misc]

    moved: list[Any] = []
    reactor: Any = Subclass()
    reactor.seconds = clock
    timerwheel.accelerate(reactor)
    monkeypatch.setattr(ReactorBase, "callLater", stock_call_later)
    call = reactor.callLater(5, int)
    call.reset(1)
    assert moved == [call]
    assert reactor.timeout() == 1


def test_what_twisteds_resetter_does_not_find_it_leaves(either: Any) -> None:
    call = either.callLater(5, int)
    either._moveCallLaterSooner(call)
    call.cancel()
    either._moveCallLaterSooner(call)
    assert either.timeout() is None


def test_a_cancelled_copy_of_a_stock_call_leaves_the_call(
    either: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReactorBase, "callLater", stock_call_later)
    call = either.callLater(5, int)
    copy(call).cancel()
    assert either.getDelayedCalls() == [call]
    assert either.timeout() == 5


def test_a_cancelled_call_with_another_canceller_is_not_pending(
    either: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReactorBase, "callLater", stock_call_later)
    cancelled, pending = either.callLater(5, int), either.callLater(6, int)
    cancelled.canceller = Mock()
    cancelled.cancel()
    assert either.getDelayedCalls() == [pending]


def test_restore_gives_the_reactor_twisteds_resetter() -> None:
    reactor: Any = StockReactor()
    timerwheel.accelerate(reactor)
    timerwheel.restore(reactor)
    call = reactor.callLater(5, int)
    assert call.resetter == reactor._moveCallLaterSooner
    assert call.resetter.__func__ is StockReactor._moveCallLaterSooner


def test_seconds_put_on_the_instance_and_taken_off_again_and_again() -> None:
    reactor: Any = EPollReactor()
    for time in (7.0, 8.0, 9.0):
        reactor.seconds = lambda time=time: time
        assert reactor.callLater(1, int).getTime() == time + 1
        reactor.seconds = FakeClock(time + 1)
        assert reactor.callLater(1, int).getTime() == time + 2
        del reactor.seconds
        assert reactor.callLater(1, int).getTime() > 1e9


PATCHED_BELOW = """
    import importlib, json, sys
    from unittest import mock
    import timerwheel
    how, name = sys.argv[1:]
    module = importlib.import_module(f"twisted.internet.{name}reactor")
    if how == "install":
        timerwheel.install(name)
        from twisted.internet import reactor
    else:
        module.install()
        from twisted.internet import reactor
        timerwheel.accelerate(reactor)
    classes = [base for base in type(reactor).__mro__ if base.__module__.startswith("twisted.")]
    calls = {"callLater": (1, int), "timeout": (), "runUntilCurrent": (), "getDelayedCalls": ()}
    missed = []
    from twisted.internet.base import ReactorBase
    for owner in {ReactorBase, classes[0], *ReactorBase.__subclasses__()} & set(classes):
        for method, arguments in calls.items():
            original, seen = getattr(owner, method), []
            def patched(self, *args):
                seen.append(method)
                return original(self, *args)
            with mock.patch.object(owner, method, patched):
                getattr(reactor, method)(*arguments)
            if seen != [method]:
                missed.append((owner.__name__, method))
            getattr(reactor, method)(*arguments)
            if len(seen) != 1:
                missed.append((owner.__name__, method, "stays"))
    on_the_wheel = type(reactor.callLater(1, int)) is timerwheel.DelayedCall
    print(json.dumps([missed, on_the_wheel, len(reactor.getDelayedCalls())]))
"""


@pytest.mark.parametrize("how", ["install", "accelerate"])
@pytest.mark.parametrize("name", ["epoll", "select", "asyncio"])
def test_what_is_patched_on_any_of_twisteds_classes_is_called(how: str, name: str) -> None:
    """As tracers do, and tests: of the reactor's own class, and of those below it."""
    missed, on_the_wheel, pending = run_python(PATCHED_BELOW, how, name)
    assert missed == []
    assert on_the_wheel
    assert pending % 2 == 1
