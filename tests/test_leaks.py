"""What an operation takes it gives back: each is done again and again, and nothing may add up.

A debug build of Python counts all references. Others count the blocks of its allocator: there a
reference that is leaked shows by what it keeps, and so each operation makes its objects anew.
"""

from __future__ import annotations

import copy
import ctypes
import gc
import io
import pickle
import sys
import tracemalloc
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from helpers import FREE_THREADED, FakeClock, StockReactor, make_reactor, queue_of
from twisted.internet.base import DelayedCall as StockDelayedCall

import timerwheel
from timerwheel._core import SteadyClock
from timerwheel.tasks import Scheduler

pytestmark = pytest.mark.usefixtures("quick_collections")

count: Callable[[], int] = getattr(sys, "gettotalrefcount", sys.getallocatedblocks)
TIMES = 400


def growth(operation: Callable[[], object]) -> int:
    """By how much the count is higher after many times, when some more than before are kept."""
    for _ in range(500 if FREE_THREADED else 100):  # without a GIL it takes longer to settle
        operation()
    collect()
    before = count()
    for _ in range(TIMES):
        operation()
    collect()
    return count() - before


def adds_up(operation: Callable[[], object]) -> bool:
    """Whether the count grows each time: what the interpreter keeps now and then does not."""
    return all(growth(operation) >= TIMES / 4 for _ in range(3))


def collect() -> None:
    """Collect garbage. Without a GIL some of what is freed counts until the next collection."""
    gc.collect()
    if FREE_THREADED:
        gc.collect()


class Function:
    """Something to call, made anew."""

    def __call__(self, *args: object, **kw: object) -> None:
        pass


class Number:
    """A number, made anew."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value


class OnAReactor:
    """Calls on a reactor."""

    def __init__(self) -> None:
        self.clock = FakeClock(100.0)
        self.reactor = make_reactor(self.clock)
        self.reactor.callLater(1e9, int)

    def _call(self, delay: Any = 5, *args: object, **kw: object) -> Any:
        return self.reactor.callLater(delay, Function(), *args, **kw)

    def _make_calls(self) -> None:
        self.clock.advance(10)
        self.reactor.runUntilCurrent()

    def cancel(self) -> None:
        self._call().cancel()

    def cancel_with_arguments(self) -> None:
        self._call(5, [], Function()).cancel()

    def cancel_with_keywords(self) -> None:
        self._call(5, [], key=[]).cancel()

    def named(self) -> None:
        self.reactor.callLater(delay=5, callable=Function(), key=[]).cancel()
        self.reactor.callLater(5, callable=Function()).cancel()

    def fire(self) -> None:
        for delay in (5, 0, 7.5):
            self._call(delay)
        self._make_calls()

    def fire_with_arguments(self) -> None:
        self._call(5, [])
        self._call(5, [], key=[])
        self._make_calls()

    def fire_and_keep(self) -> None:
        call = self._call(5, [], key=[])
        self._make_calls()
        assert call.func
        assert call.args == ([],)
        assert call.kw == {"key": []}

    def fail(self) -> None:
        def fail() -> None:
            raise ValueError

        self.reactor.callLater(0, fail)
        self._make_calls()

    def reset(self) -> None:
        call = self._call()
        for delay in (20, 1, Number(3.5), 0):
            call.reset(delay)
        call.cancel()

    def delay(self) -> None:
        call = self._call()
        for delay in (20, -1, Number(3.5), -50):
            call.delay(delay)
        call.cancel()

    def refused(self) -> None:
        function = Function()
        for arguments in [
            (-1, function),
            (Number(float("nan")), function),
            ([], function),
            (10**400, function),
            (1, []),
            (1,),
            (),
        ]:
            with suppress(AssertionError, TypeError, OverflowError):
                self.reactor.callLater(*arguments)
        with suppress(TypeError):
            self.reactor.callLater(1, function, delay=[])

    def refused_by_the_call(self) -> None:
        call = self._call()
        for method in (call.reset, call.delay):
            for delay in (Number(float("nan")), []):
                with suppress(ValueError, TypeError):
                    method(delay)
        call.cancel()
        for method in (call.cancel, lambda: call.reset(1), lambda: call.delay(1)):
            with suppress(Exception):
                method()

    def attributes(self) -> None:
        call = self._call(5, [])
        call.func, call.args, call.kw = Function(), [[]], {"key": []}
        call.own = []
        call.debug, call.creator = True, [str(id(call))]
        call.called = 0
        assert (call.time, call.delayed_time, call.called) == (call.getTime(), 0.0, 0)
        assert call.active()
        assert call.seconds() == self.clock.now
        assert "[5.0s]" in repr(call)
        assert str(call) == repr(call)
        assert call <= call
        assert len({call}) == 1
        assert vars(call)
        assert isinstance(call, StockDelayedCall)
        assert weakref.ref(call)() is call
        call.cancel()
        with suppress(AttributeError):
            call.func  # noqa: B018

    def of_its_own(self) -> None:
        told: list[Any] = []
        call = timerwheel.DelayedCall(
            Number(5.0), Function(), ([],), {}, told.append, told.append, lambda: 3.0
        )
        call.reset(1)
        call.delay(-1)
        call.cancel()
        with suppress(TypeError):
            timerwheel.DelayedCall([], Function(), (), {}, told.append, told.append)

    def debugged(self) -> None:
        StockDelayedCall.debug = True
        try:
            call = self._call()
        finally:
            StockDelayedCall.debug = False
        call.cancel()

    def list_calls(self) -> None:
        call = self._call()
        assert call in self.reactor.getDelayedCalls()
        assert call in list(self.reactor._newTimedCalls)
        assert call in queue_of(self.reactor).calls_in_order()
        call.cancel()

    def timeout(self) -> None:
        call = self._call(5.5)
        assert self.reactor.timeout() == 5.5
        call.cancel()

    def clock_of_a_call(self) -> None:
        self.reactor.seconds = lambda: 3.0
        call = self._call()
        self.reactor.seconds = self.clock
        call.reset(5)
        call.cancel()

    def adopt(self) -> None:
        queue = queue_of(self.reactor)
        now = self.clock.now

        def stock(delay: float) -> Any:
            call = StockDelayedCall(now + delay, Function(), ([],), {}, print, print, self.clock)
            self.reactor._newTimedCalls.append(call)
            return call

        stock(5).cancel()
        stock(50).reset(6)
        stock(4).delay(1)
        stock(3)
        queue.adopt(timerwheel.DelayedCall(now + 1, Function(), (), {}, print, print))
        with suppress(ValueError):
            queue.adopt(self.reactor.getDelayedCalls()[0])
        self._make_calls()

    def watch(self) -> None:
        with timerwheel.watch(self.reactor, slow=0, on_slow=Function(), origins=True) as watch:
            self._call(5)
            self.reactor._newTimedCalls.append(
                StockDelayedCall(self.clock.now, Function(), ([],), {}, print, print, self.clock)
            )
            timerwheel.pending(self.reactor, by="origin")
            self._make_calls()
            watch.times()
        del watch
        gc.collect()  # the watch and what times its calls refer to each other

    def look(self) -> None:
        self._call(5)
        timerwheel.stats(self.reactor)
        timerwheel.status(self.reactor)
        timerwheel.pending(self.reactor)
        timerwheel.dump(self.reactor, io.StringIO())
        self._make_calls()

    def hook(self) -> None:
        queue = queue_of(self.reactor)
        queue.hook = lambda: self.reactor.timeout()
        self._call(3).cancel()
        queue.hook = lambda: {}["key"]
        with suppress(KeyError):
            self._call(2)
        queue.hook = None


class OnAClock:
    """Calls on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.clock = timerwheel.Clock()
        self.clock.callLater(1e9, int)

    def advance(self) -> None:
        self.clock.callLater(5, Function(), [], key=[])
        self.clock.callLater(0, Function())
        self.clock.advance(10)

    def cancel(self) -> None:
        self.clock.callLater(5, Function(), []).cancel()

    def refused(self) -> None:
        for delay in (float("nan"), [], 10**400):
            with suppress(ValueError, TypeError, OverflowError):
                self.clock.callLater(delay, Function())  # type: ignore[arg-type]
        with suppress(TypeError):
            self.clock.callLater(1, [])  # type: ignore[arg-type]
        with suppress(ValueError):
            self.clock.advance(float("nan"))

    def fail(self) -> None:
        def fail() -> None:
            raise ValueError

        self.clock.callLater(0, fail)
        with suppress(ValueError):
            self.clock.advance(0)

    def go_over_the_limit(self) -> None:
        calls = [self.clock.callLater(0, Function()) for _ in range(5)]
        self.clock.max_calls_at_once = 3
        with suppress(RuntimeError):
            self.clock.advance(0)
        self.clock.max_calls_at_once = None
        assert calls[3] in self.clock.calls
        self.clock.advance(0)

    def calls(self) -> None:
        call = self.clock.callLater(5, Function())
        calls = self.clock.calls
        assert calls[0] is call
        assert calls[-1] is not call
        assert len(calls[:2]) == len(calls) == len(list(calls)) == 2
        assert calls.index(call) == 0
        assert calls.count(call) == 1
        assert calls == self.clock.getDelayedCalls()
        assert calls == self.clock.calls
        assert repr(call) in repr(calls)
        with suppress(IndexError):
            calls[2]
        with suppress(ValueError):
            calls.index([])  # type: ignore[arg-type]
        call.cancel()

    def pickle(self) -> None:
        assert pickle.loads(pickle.dumps(timerwheel.Clock())).seconds() == 0.0
        with suppress(TypeError):
            copy.copy(self.clock)


class OnAWheel:
    """Timers on a wheel."""

    def __init__(self) -> None:
        self.now = 100.0
        self.wheel = timerwheel.TimerWheel(self.now)
        self.wheel.schedule(1e9, int)

    def _schedule(self) -> Any:
        return self.wheel.schedule(self.now + 5, Function(), [], key=[])

    def advance(self) -> None:
        self._schedule()
        self.now += 10.0
        assert self.wheel.advance(Number(self.now)) == 1

    def cancel(self) -> None:
        timer = self._schedule()
        assert timer.cancel()
        assert not timer.cancel()

    def reschedule(self) -> None:
        timer = self._schedule()
        for when in (self.now + 20, self.now, Number(1.5)):
            timer.reschedule(when)
        for when in (float("nan"), []):
            with suppress(ValueError, TypeError):
                timer.reschedule(when)
        timer.cancel()
        with suppress(ValueError):
            timer.reschedule(5.0)

    def rearm(self) -> None:
        timer = self._schedule()
        self.now += 10.0
        self.wheel.advance(self.now)
        self.wheel.rearm(timer, self.now + 5.0)
        for wrong in (timer, None, []):
            with suppress(TypeError, ValueError):
                self.wheel.rearm(wrong, 5.0)
        timer.cancel()

    def refused(self) -> None:
        for arguments in [(float("nan"), Function()), ([], Function()), (1.0, []), ()]:
            with suppress(TypeError, ValueError):
                self.wheel.schedule(*arguments)
        with suppress(TypeError):
            timerwheel.Timer()
        with suppress(ValueError):
            self.wheel.__init__(1.0)  # type: ignore[misc]

    def fail(self) -> None:
        def fail() -> None:
            raise ValueError

        self.wheel.schedule(self.now, fail)
        with suppress(ValueError):
            self.wheel.advance(self.now)

    def attributes(self) -> None:
        timer = self._schedule()
        timer.func, timer.args, timer.kw = Function(), ([],), {"key": []}
        assert timer.active
        assert timer.when == self.now + 5
        assert "active" in repr(timer)
        assert self.wheel.next_expiry() == timer.when
        assert len(self.wheel) == 2
        timer.cancel()

    def whole(self) -> None:
        wheel = timerwheel.TimerWheel(Number(5.0))
        timers = [wheel.schedule(when, Function(), []) for when in (0.0, 5.0, 6.0, 1e3, 1e30)]
        timers.append(wheel.schedule(7.0, Function(), timers))
        del wheel
        assert not any(timer.active for timer in timers)


class InAQueue:
    """Items in a priority queue."""

    def __init__(self) -> None:
        self.queue: timerwheel.PriorityQueue[Any] = timerwheel.PriorityQueue()
        self.queue.push(1e9, [])

    def pop(self) -> None:
        self.queue.push(Number(1.5), Function())
        assert self.queue.peek()
        assert self.queue.pop()

    def remove(self) -> None:
        entry = self.queue.push(2, Function())
        self.queue.update(entry, Number(1.5))
        assert entry in self.queue
        assert entry.active
        assert entry.priority == 1.5
        assert "active" in repr(entry)
        assert self.queue.remove(entry) is entry.item
        assert entry not in self.queue

    def iterate(self) -> None:
        entry = self.queue.push(2, Function())
        assert len(list(self.queue)) == len(self.queue) == 2
        self.queue.remove(entry)

    def refused(self) -> None:
        entry = self.queue.push(2, Function())
        for priority in (float("nan"), []):
            with suppress(TypeError, ValueError):
                self.queue.push(priority, Function())
            with suppress(TypeError, ValueError):
                self.queue.update(entry, priority)
        self.queue.remove(entry)
        for wrong in (entry, [], None):
            with suppress(TypeError, ValueError):
                self.queue.remove(wrong)
        with suppress(IndexError):
            timerwheel.PriorityQueue().pop()
        with suppress(TypeError):
            timerwheel.PriorityEntry()

    def whole(self) -> None:
        queue: Any = timerwheel.PriorityQueue()
        entries = [queue.push(number, Function()) for number in range(20)]
        queue.clear()
        entries += [queue.push(number, queue) for number in range(20)]
        del queue


class OfTasks:
    """Tasks on a clock."""

    def __init__(self) -> None:
        self.clock = timerwheel.Clock()
        self.scheduler = Scheduler(self.clock)

    def call(self) -> None:
        self.scheduler.call(Function(), [])
        self.scheduler.call_later(5, Function(), priority=3)
        self.scheduler.call_at(self.clock.seconds() + 6, Function())
        self.clock.advance(10)
        assert not self.scheduler.tasks

    def cancel(self) -> None:
        for task in (
            self.scheduler.call(Function(), []),
            self.scheduler.call_later(5, Function()),
            self.scheduler.call_every(5, Function()),
        ):
            task.cancel()
        self.clock.advance(0)

    def repeat(self) -> None:
        task = self.scheduler.call_every(5, Function(), now=False)
        for _ in range(3):
            self.clock.advance(5)
        task.cancel()

    def groups(self) -> None:
        group = self.scheduler.group("one", weight=2, max_running=1)
        tasks = [self.scheduler.call(Function(), group=group) for _ in range(3)]
        tasks[1].priority = -1
        self.clock.advance(0)

    def refused(self) -> None:
        for function, options in [([], {}), (Function(), {"timeout": -1}), (Function(), {"x": 1})]:
            with suppress(TypeError, ValueError):
                self.scheduler.call(function, **options)
        with suppress(ValueError):
            self.scheduler.call_later(float("nan"), Function())


class Whole:
    """Reactors and clocks, with all that they hold."""

    def make_and_discard(self) -> None:
        reactor = make_reactor(FakeClock(100.0))
        for delay in (0, 5, 1e3, 1e30):
            call = reactor.callLater(delay, Function(), reactor, key=[])
            call.own = reactor

    def discard_within_a_call(self) -> None:
        holder: list[Any] = [make_reactor(FakeClock(100.0))]
        holder[0].callLater(0, holder.clear)
        holder[0].callLater(0, Function(), [])
        holder[0].runUntilCurrent()

    def accelerate_and_restore(self) -> None:
        reactor: Any = StockReactor()
        calls = [reactor.callLater(delay, Function(), []) for delay in (0, 5, 1e3, 1e30)]
        for _ in range(2):
            timerwheel.accelerate(reactor)
            calls += [reactor.callLater(delay, Function(), []) for delay in (0, 5, 1e3, 1e30)]
            timerwheel.restore(reactor)
        for call in calls[::2]:
            call.cancel()
        reactor.runUntilCurrent()
        with suppress(TypeError):
            timerwheel.accelerate(calls)

    def immortal(self) -> None:
        reactor = make_reactor(FakeClock(100.0))
        queue_of(reactor).make_immortal()
        calls = [reactor.callLater(delay, Function(), []) for delay in (0, 5, 1e3)]
        calls[0].own = calls[1].own = calls
        reactor.runUntilCurrent()
        calls[1].cancel()
        timerwheel.restore(reactor)

    def clock(self) -> None:
        clock = timerwheel.Clock(max_calls_at_once=5)
        clock.callLater(5, Function(), clock)
        with suppress(ValueError):
            timerwheel.Clock(max_calls_at_once=0)

    def steady_clock(self) -> None:
        assert SteadyClock()() > 0

    def scheduler(self) -> None:
        scheduler = Scheduler(timerwheel.Clock())
        scheduler.call_later(5, Function(), scheduler)
        scheduler.call(Function(), scheduler)


KINDS: list[type] = [OnAReactor, OnAClock, OnAWheel, InAQueue, OfTasks, Whole]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in KINDS for name in vars(kind) if not name.startswith("_")],
)
def test_nothing_adds_up(kind: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Twisted keeps what is logged while nobody has begun to log.
    monkeypatch.setattr("timerwheel._report.report", lambda creator: None)
    assert not adds_up(getattr(kind(), name))


def test_one_leaked_reference_adds_up() -> None:
    assert adds_up(lambda: ctypes.pythonapi.Py_IncRef(ctypes.py_object(Function())))


@pytest.mark.skipif(sys.platform != "linux", reason="there is a timerfd on Linux alone")
def test_alarms() -> None:
    from timerwheel._alarm import Alarm

    def use() -> None:
        alarm = Alarm()
        alarm.set(5.0)
        alarm.clear()
        assert alarm.fileno() < 1000

    assert growth(use) < TIMES / 4


def test_the_arrays_are_given_back() -> None:
    """Of heap and run, which Python's allocator gives no blocks."""

    def use() -> None:
        wheel = timerwheel.TimerWheel(0.0)
        queue: timerwheel.PriorityQueue[None] = timerwheel.PriorityQueue()
        for number in range(2000):
            wheel.schedule(-1.0, int)
            wheel.schedule(0.5 + number * 7919 % 2000 / 1e7, int)
            queue.push(1.0, None)
        wheel.advance(0.4)
        wheel.schedule(0.5, wheel.advance, 0.6)
        wheel.advance(0.55)

    use()
    tracemalloc.start()
    try:
        use()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(10):
            use()
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()
