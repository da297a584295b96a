"""accelerate() and restore(), on reactors that stand still and that run."""

from __future__ import annotations

import random
from typing import Any
from unittest import mock

import pytest
from helpers import FakeClock, StockReactor, make_reactor, queue_of, require, run_python
from twisted.internet.base import DelayedCall as StockDelayedCall
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher

from timerwheel import TimerWheel, accelerate, restore


@pytest.fixture
def stock(clock: FakeClock) -> Any:
    reactor: Any = StockReactor()
    reactor.seconds = clock
    return reactor


def test_both_are_idempotent_and_leave_nothing(stock: Any) -> None:
    stock.runUntilCurrent()
    before = dict(vars(stock))
    accelerate(stock)
    within = dict(vars(stock))
    accelerate(stock)
    assert vars(stock) == within
    assert type(stock) is StockReactor
    restore(stock)
    assert vars(stock) == before
    restore(stock)
    assert vars(stock) == before


def test_the_queue_of_a_reactor_is_no_wheel_for_timers(clock: FakeClock) -> None:
    reactor: Any = make_reactor(clock)
    queue, wheel = queue_of(reactor), TimerWheel(0.0)
    timer = wheel.schedule(1.0, int)
    wheel.advance(1.0)
    call = reactor.callLater(0, int)
    for operation, *arguments in (
        ("schedule", 1.0, int),
        ("rearm", timer, 1.0),
        ("advance", 200.0),
    ):
        with pytest.raises(TypeError, match="calls, not timers"):
            getattr(queue, operation)(*arguments)
    assert reactor.getDelayedCalls() == [call]
    reactor.runUntilCurrent()
    assert call.called


def test_what_is_no_reactor_is_refused() -> None:
    with pytest.raises(TypeError, match="ReactorBase"):
        accelerate(Clock())


def test_thousands_move_over_in_their_order(stock: Any, clock: FakeClock) -> None:
    fired: list[int] = []
    chance = random.Random(3)
    delays = [chance.random() * 1000 for _ in range(5000)]
    calls = [stock.callLater(delay, fired.append, number) for number, delay in enumerate(delays)]
    stock.timeout()
    delays += [chance.random() * 1000 for _ in range(100)]
    calls += [
        stock.callLater(delay, fired.append, number)
        for number, delay in enumerate(delays[5000:], 5000)
    ]
    accelerate(stock)
    assert set(stock.getDelayedCalls()) == set(calls)
    assert stock.timeout() == min(call.getTime() for call in calls) - 100
    clock.advance(500)
    stock.runUntilCurrent()
    restore(stock)
    assert set(stock.getDelayedCalls()) == {call for call in calls if not call.called}
    clock.advance(500)
    stock.runUntilCurrent()
    assert fired == sorted(range(5100), key=delays.__getitem__)


@pytest.mark.parametrize("times", range(4))
def test_handles_stay_valid_however_often_the_wheel_goes_in_and_out(
    times: int, stock: Any, clock: FakeClock
) -> None:
    """Each kind of handle, made before, within and after, does all that it can do."""

    def turn(reactor: Any) -> None:
        if "_timerwheel" in vars(reactor):
            restore(reactor)
        else:
            accelerate(reactor)

    fired: list[str] = []
    for _ in range(times):
        turn(stock)
    calls = {
        name: stock.callLater(10 + number, fired.append, name)
        for number, name in enumerate(
            ["cancelled", "later", "sooner", "delayed", "hastened", "kept"]
        )
    }
    calls["later"].delay(0.5)
    turn(stock)
    assert set(stock.getDelayedCalls()) == set(calls.values())
    assert all(call.active() for call in calls.values())
    calls["cancelled"].cancel()
    calls["later"].reset(100)
    calls["sooner"].reset(1)
    calls["delayed"].delay(50)
    calls["hastened"].delay(-12)
    assert [calls[name].getTime() for name in calls if name != "cancelled"] == [
        200.0,
        101.0,
        163.0,
        102.0,
        115.0,
    ]
    turn(stock)
    assert stock.timeout() == 1
    turn(stock)
    for _ in range(120):
        stock.runUntilCurrent()
        clock.advance(1)
    assert fired == ["sooner", "hastened", "kept", "delayed", "later"]
    assert calls["cancelled"].cancelled
    assert calls["kept"].called


def test_stock_handles_stay_stock_objects(stock: Any) -> None:
    call = stock.callLater(5, int)
    accelerate(stock)
    assert type(call) is StockDelayedCall
    assert stock.getDelayedCalls() == [call]
    assert type(stock.callLater(1, int)) is not StockDelayedCall


def test_a_stock_call_that_was_moved_later_is_neither_early_nor_lost(
    stock: Any, clock: FakeClock
) -> None:
    fired: list[str] = []
    call = stock.callLater(5, fired.append, "moved")
    accelerate(stock)
    call.reset(8)
    clock.advance(5)
    stock.runUntilCurrent()
    assert fired == []
    assert stock.timeout() == 3
    clock.advance(3)
    stock.runUntilCurrent()
    assert fired == ["moved"]


def test_a_stock_call_that_fails_is_logged_and_the_pass_goes_on(stock: Any) -> None:
    events: list[LogEvent] = []
    fired: list[str] = []
    stock.callLater(0, lambda: 1 / 0)
    stock.callLater(0, fired.append, "went on")
    accelerate(stock)
    globalLogPublisher.addObserver(events.append)
    try:
        stock.runUntilCurrent()
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert len([event for event in events if "log_failure" in event or event["isError"]]) == 1
    assert fired == ["went on"]


def test_a_call_that_cannot_move_over_leaves_the_reactor_as_it_was(
    stock: Any, clock: FakeClock
) -> None:
    fired: list[str] = []
    good = stock.callLater(5, fired.append, "good")
    wrong = stock.callLater(9, int)
    stock.runUntilCurrent()
    wrong.time = 10**400
    before = dict(vars(stock))
    with pytest.raises(OverflowError):
        accelerate(stock)
    assert vars(stock) == before
    good.reset(1)
    clock.advance(1)
    stock.runUntilCurrent()
    assert fired == ["good"]


def test_from_within_a_callback(stock: Any, clock: FakeClock) -> None:
    fired: list[str] = []
    stock.callLater(1, lambda: (fired.append("in"), accelerate(stock)))
    stock.callLater(2, fired.append, "between")
    stock.callLater(3, lambda: (fired.append("out"), restore(stock)))
    stock.callLater(4, fired.append, "last")
    clock.advance(10)
    for _ in range(3):
        stock.runUntilCurrent()
    assert fired == ["in", "between", "out", "last"]
    assert "_timerwheel" not in vars(stock)


RUNNING = """
    import json, os, sys
    from twisted.application.reactors import installReactor
    name = sys.argv[1]
    if name == "threadedselect":
        from twisted.internet import _threadedselect
        _threadedselect.install()
    elif name == "uvloop":
        import uvloop
        from twisted.internet import asyncioreactor
        asyncioreactor.install(uvloop.new_event_loop())
    else:
        installReactor(name)
    from twisted.internet import reactor
    import timerwheel
    before = type(reactor)
    fired, late = [], []
    def fire(number, due):
        fired.append(number)
        late.append(reactor.seconds() - due)
    calls = []
    def arm(count):
        for _ in range(count):
            number = len(calls)
            delay = 0.05 + (number * 7919 % 1000) / 1000
            calls.append(reactor.callLater(delay, fire, number, reactor.seconds() + delay))
    arm(1000)
    reactor.callLater(0.2, timerwheel.accelerate, reactor)
    reactor.callLater(0.45, arm, 500)
    reactor.callLater(0.7, timerwheel.restore, reactor)
    reactor.callLater(1.7, reactor.stop)
    reactor.run()
    times = [calls[number].getTime() for number in fired]
    print(json.dumps({
        "fired": len(fired), "distinct": len(set(fired)), "ordered": times == sorted(times),
        "earliest": min(late), "class": type(reactor) is before,
        "left": [name for name in vars(reactor) if "wheel" in name],
    }), flush=True)
    if name == "threadedselect":
        os._exit(0)  # Twisted's own loop of it, which has run last, may leave a thread behind
"""


@pytest.mark.parametrize(
    "name", ["epoll", "poll", "select", "asyncio", "uvloop", "gi", "threadedselect"]
)
def test_a_running_reactor(name: str) -> None:
    require(name)
    result = run_python(RUNNING, name)
    assert result.pop("earliest") >= 0
    assert result == {"fired": 1500, "distinct": 1500, "ordered": True, "class": True, "left": []}


def test_methods_that_were_kept_work_when_the_wheel_has_gone(clock: FakeClock) -> None:
    """In a variable, and in a wrapper on the reactor; and when it has come again."""
    reactor: Any = make_reactor(clock)
    log: list[str] = []
    call_later, timeout, get_calls = reactor.callLater, reactor.timeout, reactor.getDelayedCalls
    run = reactor.runUntilCurrent
    reactor.callLater = lambda delay, *args: call_later(delay + 1, *args)
    reactor.runUntilCurrent = lambda: run()
    for change in (lambda reactor: None, restore, accelerate, restore):
        change(reactor)
        call_later(1, log.append, "kept")
        reactor.callLater(1, log.append, "wrapped")
        assert timeout() == 1
        assert len(get_calls()) == len(reactor.getDelayedCalls()) == 2
        clock.advance(2)
        reactor.runUntilCurrent()
        assert log == ["kept", "wrapped"]
        log.clear()
        assert get_calls() == []


def test_a_patch_that_ends_when_the_wheel_has_gone_leaves_a_reactor_that_works(
    clock: FakeClock,
) -> None:
    """It puts back what stood on the reactor before."""
    reactor: Any = make_reactor(clock)
    log: list[str] = []
    with mock.patch.object(reactor, "callLater"), mock.patch.object(reactor, "runUntilCurrent"):
        restore(reactor)
    reactor.callLater(1, log.append, "made")
    clock.advance(1)
    reactor.runUntilCurrent()
    assert log == ["made"]


@pytest.mark.parametrize("name", ["_insertNewDelayedCalls", "_moveCallLaterSooner"])
def test_so_does_a_patch_of_a_private_function(name: str, clock: FakeClock) -> None:
    reactor: Any = make_reactor(clock)
    log: list[str] = []
    kept = getattr(reactor, name)
    with mock.patch.object(reactor, name, wraps=kept):
        restore(reactor)
    for again in (False, True):
        if again:
            accelerate(reactor)
        call = reactor.callLater(5, log.append, "made")
        reactor.callLater(9, log.append, "later")
        assert reactor.timeout() == 5
        kept(*[call][: name == "_moveCallLaterSooner"])
        call.reset(1)
        assert reactor.timeout() == 1
        clock.advance(9)
        reactor.runUntilCurrent()
        assert log == ["made", "later"]
        log.clear()
