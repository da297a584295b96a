"""Garbage: cycles through calls are collected, and what is over is gone without the collector."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from helpers import FREE_THREADED, CallQueue, FakeClock, make_reactor
from twisted.internet import task

import timerwheel
from timerwheel._core import CallQueue as Queue

pytestmark = pytest.mark.usefixtures("quick_collections")

# Due, ahead in several levels, beyond them.
DELAYS = [0.0, 0.0001, 5.0, 1e4, 1e7, 1e30]


class Owner:
    """What a call refers to, and what holds the call."""

    handle: Any
    holder: Any

    def method(self, *args: object, **kw: object) -> float:
        return 100.0


def by_function(holder: Any, delay: float, owner: Owner) -> Any:
    return holder.callLater(delay, owner.method)


def by_argument(holder: Any, delay: float, owner: Owner) -> Any:
    return holder.callLater(delay, id, owner)


def by_keyword(holder: Any, delay: float, owner: Owner) -> Any:
    return holder.callLater(delay, dict, owner=owner)


def by_attribute(holder: Any, delay: float, owner: Owner) -> Any:
    call = holder.callLater(delay, int)
    call.owner = owner
    return call


def by_clock(holder: Any, delay: float, owner: Owner) -> Any:
    seconds, holder.seconds = holder.seconds, owner.method
    call = holder.callLater(delay, int)
    holder.seconds = seconds
    return call


WAYS = [by_function, by_argument, by_keyword, by_attribute, by_clock]
Way = Callable[[Any, float, Owner], Any]


def reactor_on_a_fake_clock() -> Any:
    return make_reactor(FakeClock(100.0))


def clock_at_a_hundred() -> Any:
    clock = timerwheel.Clock()
    clock.advance(100.0)
    return clock


def stock_clock_at_a_hundred() -> Any:
    """To know that the tests ask no more than can be had."""
    clock = task.Clock()
    clock.advance(100.0)
    return clock


HOLDERS = [reactor_on_a_fake_clock, clock_at_a_hundred, stock_clock_at_a_hundred]


def make_calls(holder: Any) -> None:
    """Those that are due."""
    if hasattr(holder, "runUntilCurrent"):
        holder.runUntilCurrent()
    else:
        holder.advance(0.0)


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make_holder", HOLDERS)
def test_what_is_discarded_with_a_pending_call(
    make_holder: Callable[[], Any], way: Way, delay: float
) -> None:
    owner = Owner()
    owner.holder = make_holder()
    owner.handle = way(owner.holder, delay, owner)
    owner.holder.callLater(1.0, int)
    things = [owner, owner.holder, owner.handle]
    things += [thing for thing in gc.get_referents(owner.holder) if type(thing) is Queue]
    gone = [weakref.ref(thing) for thing in things]
    del owner, things
    gc.collect()
    assert [reference() for reference in gone] == [None] * len(gone)


@pytest.mark.parametrize("end", ["fired", "cancelled"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make_holder", HOLDERS)
def test_a_call_that_is_over_in_a_cycle(make_holder: Callable[[], Any], way: Way, end: str) -> None:
    """What made it lives on."""
    holder = make_holder()
    owner = Owner()
    owner.handle = way(holder, 0.0, owner)
    make_calls(holder) if end == "fired" else owner.handle.cancel()
    gone = weakref.ref(owner), weakref.ref(owner.handle)
    del owner
    gc.collect()
    assert [reference() for reference in gone] == [None, None]
    assert holder.getDelayedCalls() == []


def test_what_is_discarded_in_a_pass(clock: FakeClock) -> None:
    """With calls that were made in it, and with some that it had still to make."""

    class Holder:
        def __init__(self) -> None:
            self.reactor = make_reactor(clock)
            self.calls = [self.reactor.callLater(0, self.discard) for _ in range(3)]

        def discard(self) -> None:
            self.calls.append(self.reactor.callLater(0, self.discard))
            holders.clear()
            gc.collect()

    holders = [Holder()]
    gone = [weakref.ref(thing) for thing in (holders[0], holders[0].reactor, *holders[0].calls)]
    holders[0].reactor.runUntilCurrent()
    gc.collect()
    assert [reference() for reference in gone] == [None] * len(gone)


@pytest.mark.parametrize("when", [-1.0, 0.5, 5.0, 5000.0, 1e9, float("inf")])
def test_a_wheel_in_a_cycle(when: float) -> None:
    owner = Owner()
    owner.holder = timerwheel.TimerWheel(0.0)
    owner.handle = owner.holder.schedule(when, owner.method, owner, owner=owner)
    gone = [weakref.ref(thing) for thing in (owner, owner.holder, owner.handle)]
    del owner
    gc.collect()
    assert [reference() for reference in gone] == [None] * 3


def test_a_timer_that_is_over_in_a_cycle() -> None:
    wheel = timerwheel.TimerWheel(0.0)
    owners = [Owner(), Owner()]
    for owner in owners:
        owner.handle = wheel.schedule(1.0, owner.method, owner)
    gone = [weakref.ref(thing) for owner in owners for thing in (owner, owner.handle)]
    owners[0].handle.cancel()
    wheel.advance(1.0)
    del owner, owners
    gc.collect()
    assert [reference() for reference in gone] == [None] * 4


def test_a_priority_queue_in_a_cycle() -> None:
    owner = Owner()
    owner.holder = timerwheel.PriorityQueue()
    owner.handle = owner.holder.push(1.0, owner)
    gone = [weakref.ref(thing) for thing in (owner, owner.holder, owner.handle)]
    del owner
    gc.collect()
    assert [reference() for reference in gone] == [None] * 3


def test_an_entry_that_has_been_taken_out_in_a_cycle() -> None:
    queue: timerwheel.PriorityQueue[Owner] = timerwheel.PriorityQueue()
    owner = Owner()
    owner.handle = queue.push(1.0, owner)
    queue.pop()
    gone = weakref.ref(owner), weakref.ref(owner.handle)
    del owner
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def test_a_call_of_twisteds_own_that_is_over_is_gone_at_once(clock: FakeClock) -> None:
    """What made it one of the wheel's leaves no cycle behind."""
    reactor: Any = stock_reactor(clock)
    owners = [Owner(), Owner()]
    calls = [reactor.callLater(0, owner.method, owner) for owner in owners]
    timerwheel.accelerate(reactor)
    calls[0].cancel()
    reactor.runUntilCurrent()
    gone = [weakref.ref(call) for call in calls]
    calls.clear()
    assert [reference() for reference in gone] == [None, None]


def stock_reactor(clock: FakeClock) -> Any:
    reactor = make_reactor(clock)
    timerwheel.restore(reactor)
    return reactor


class TestInstalled:
    """Calls of the reactor that is installed: the collector does not walk the pending ones."""

    @pytest.fixture(autouse=True)
    def install(self, queue: CallQueue) -> None:
        queue.make_immortal()

    @pytest.mark.parametrize("way", WAYS)
    def test_what_is_pending_is_not_walked_and_stays(self, reactor: Any, way: Way) -> None:
        owner = Owner()
        owner.handle = way(reactor, 5.0, owner)
        assert gc.is_tracked(owner.handle) == FREE_THREADED
        gone = weakref.ref(owner)
        del owner
        gc.collect()
        assert gone() is not None
        reactor.getDelayedCalls()[0].cancel()
        gc.collect()
        assert gone() is None

    @pytest.mark.parametrize("end", ["fired", "cancelled"])
    @pytest.mark.parametrize("way", WAYS)
    def test_what_is_over_is_walked(self, reactor: Any, way: Way, end: str) -> None:
        owner = Owner()
        owner.handle = way(reactor, 0.0, owner)
        reactor.runUntilCurrent() if end == "fired" else owner.handle.cancel()
        gone = weakref.ref(owner)
        del owner
        gc.collect()
        assert gone() is None

    def test_what_a_weak_reference_reaches_while_it_is_made(self, reactor: Any) -> None:
        class Reaching:
            def __init__(self) -> None:
                self.reach = weakref.ref(reactor.callLater(0, self.method))
                self.handle: Any = None

            def method(self) -> None:
                self.handle = self.reach()

        owner = Reaching()
        reactor.runUntilCurrent()
        assert owner.handle is not None
        gone = weakref.ref(owner)
        del owner
        gc.collect()
        assert gone() is None

    def test_what_a_bound_method_alone_held(self, reactor: Any) -> None:
        owner = Owner()
        call = reactor.callLater(5.0, int)
        call.owner = owner
        owner.handle = call.cancel
        del call
        owner.handle()
        gone = weakref.ref(owner)
        del owner
        gc.collect()
        assert gone() is None

    def test_what_is_taken_out_of_the_reactor(self, reactor: Any) -> None:
        owner = Owner()
        owner.handle = reactor.callLater(5.0, owner.method)
        timerwheel.restore(reactor)
        owner.handle.cancel()
        owner.handle.owner = owner
        gone = weakref.ref(owner)
        timerwheel.accelerate(reactor)
        del owner
        gc.collect()
        assert gone() is None


class TestMany:
    """A great many calls, and after them everything as it was before."""

    # The blocks of Python's allocator (none with PYTHONMALLOC=malloc) and the objects that the
    # collector knows may differ by what is kept spare.
    SPARE = 200

    @pytest.fixture(autouse=True)
    def nothing_is_left(self) -> Any:
        gc.collect()
        before = sys.getallocatedblocks(), len(gc.get_objects())
        self.references: list[Any] = []
        yield
        assert len(self.references) >= 1000
        assert not any(reference() for reference in self.references)
        self.references.clear()
        after = sys.getallocatedblocks(), len(gc.get_objects())
        assert after[0] < before[0] + self.SPARE
        assert after[1] < before[1] + self.SPARE

    def watch(self, number: int, thing: Any) -> None:
        """Remember some of them weakly."""
        if number % 100 == 0:
            self.references.append(weakref.ref(thing))

    def test_a_million_calls_that_fire(self) -> None:
        clock = FakeClock(100.0)
        reactor = make_reactor(clock)
        fired: list[int] = [0]

        def fire(owner: Owner) -> None:
            fired[0] += 1

        for number in range(1_000_000):
            owner = Owner() if number % 100 == 0 else None
            call = reactor.callLater(number % 1000 / 100, fire, owner)
            self.watch(number, call)
            if owner is not None:
                self.watch(number, owner)
        del owner, call
        while fired[0] < 1_000_000:
            clock.advance(1.0)
            reactor.runUntilCurrent()
        assert not any(reference() for reference in self.references)
        del reactor, fire
        gc.collect()

    def test_calls_that_are_cancelled(self, reactor: Any) -> None:
        calls = [reactor.callLater(number % 1000, Owner().method) for number in range(100_000)]
        for number, call in enumerate(calls):
            self.watch(number, call)
            call.cancel()
        del calls, call

    def test_timers_that_fire(self) -> None:
        wheel = timerwheel.TimerWheel(0.0)
        for number in range(100_000):
            self.watch(number, wheel.schedule(number % 1000, Owner().method))
        wheel.advance(1000.0)

    def test_items_that_are_taken_out(self) -> None:
        queue: timerwheel.PriorityQueue[Owner] = timerwheel.PriorityQueue()
        for number in range(100_000):
            self.watch(number, queue.push(number % 1000, Owner()))
        while queue:
            queue.pop()

    @pytest.mark.parametrize("make_holder", HOLDERS[:2])
    def test_calls_that_are_discarded(self, make_holder: Callable[[], Any]) -> None:
        holder = make_holder()
        for number in range(100_000):
            owner = Owner()
            owner.handle = holder.callLater(number % 1000, owner.method)
            self.watch(number, owner)
        del owner, holder
        gc.collect()
