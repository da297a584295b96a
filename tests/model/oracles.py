"""The oracles: timers in a list that is searched each time, as plain as can be.

Oracle          what our reactor does
StockOracle     what Twisted's own does otherwise
TurningOracle   a reactor into which the wheel is put, and out of which it is taken, as it runs
ClockOracle     timerwheel.Clock
WheelOracle     TimerWheel
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.error import AlreadyCalled, AlreadyCancelled

LONGEST_TIMEOUT = 2147483


class Call:
    """A delayed call. It adds up in the order in which Twisted does, as sums may be rounded."""

    def __init__(
        self, oracle: Oracle, time: float, func: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        self.oracle = oracle
        self.sequence = oracle.scheduled
        self.func, self.args = func, args
        self.set_time, self.set_delay = time, 0.0  # what is told, once it is settled
        self.delayed_when_new = False
        self.called = self.cancelled = 0

    @property
    def time(self) -> float:
        self.oracle.settle(self)
        return self.set_time

    @property
    def delayed_time(self) -> float:
        self.oracle.settle(self)
        return self.set_delay

    def getTime(self) -> float:
        return self.set_time + self.set_delay

    def active(self) -> bool:
        return not (self.called or self.cancelled)

    def cancel(self) -> None:
        self.require_active()
        self.oracle.pending.remove(self)
        self.cancelled = 1

    def reset(self, seconds: float) -> None:
        self.require_active()
        when = self.oracle.seconds() + seconds
        if math.isnan(when):
            raise ValueError(seconds)
        self.oracle.settle(self)
        later = when - self.set_time
        if when < self.set_time or math.isnan(self.set_time + later):
            self.put(when, 0.0)
        else:
            self.put(self.set_time, later)

    def delay(self, seconds: float) -> None:
        self.require_active()
        self.oracle.settle(self)
        delayed = self.set_delay + seconds
        if math.isnan(self.set_time + delayed):
            raise ValueError(seconds)
        if delayed < 0.0:
            self.put(self.set_time + delayed, 0.0)
        else:
            self.put(self.set_time, delayed)

    def put(self, time: float, delayed_time: float) -> None:
        self.set_time, self.set_delay = time, delayed_time
        self.delayed_when_new = self.is_new()

    def activate(self) -> None:
        """Make the delay part of the time."""
        self.put(self.getTime(), 0.0)

    def is_new(self) -> bool:
        return self.sequence >= self.oracle.inserted

    def require_active(self) -> None:
        if self.cancelled:
            raise AlreadyCancelled
        if self.called:
            raise AlreadyCalled

    def __repr__(self) -> str:
        left = self.time - self.oracle.seconds()
        func = "" if self.cancelled else f" {self.func.__qualname__}({self.args[0]!r})"
        return (
            f"<DelayedCall 0x{id(self):x} [{left}s] "
            f"called={self.called} cancelled={self.cancelled}{func}>"
        )


class Oracle:
    """A reactor with this clock. report is called with the type of what a callback raised."""

    def __init__(
        self, seconds: Callable[[], float], report: Callable[[type[Exception]], object]
    ) -> None:
        self.seconds = seconds
        self.report = report
        self.pending: list[Call] = []
        self.scheduled = 0  # how many calls were ever made: the sequence of the next
        self.inserted = 0  # those from this sequence on are new: no pass, no timeout() since
        self.limit = 0  # those from this sequence on wait for the next pass
        self.latest_pass = -math.inf
        self.order: deque[int] = deque()
        self.from_threads: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def callLater(self, delay: float, func: Callable[..., object], *args: Any) -> Call:
        self.require_delay(delay)
        call = Call(self, self.seconds() + delay, func, args)
        self.scheduled += 1
        self.pending.append(call)
        return call

    def require_delay(self, delay: float) -> None:
        """That a call can be scheduled for then."""
        if not delay >= 0:
            raise AssertionError(delay)

    def getDelayedCalls(self) -> list[Call]:
        return list(self.pending)

    def timeout(self) -> float | None:
        self.insert()
        if not self.pending:
            return None
        left = min(self.counts_to(call) for call in self.pending) - self.seconds()
        return max(0, min(LONGEST_TIMEOUT, left))

    def counts_to(self, call: Call) -> float:
        """What timeout() takes for the time of a call."""
        return call.getTime()

    def insert(self) -> None:
        """Have the calls so far be new no more."""
        self.inserted = self.scheduled

    def callFromThread(self, func: Callable[..., object], *args: Any) -> None:
        self.from_threads.append((func, args))

    def make_calls_from_threads(self) -> None:
        calls, self.from_threads = self.from_threads, []
        for func, args in calls:
            func(*args)

    def runUntilCurrent(self) -> None:
        self.make_calls_from_threads()
        self.insert()
        now = self.latest_pass = self.seconds()
        self.limit = self.scheduled
        while call := self.next_due(now):
            self.fire(call)

    def next_due(self, now: float) -> Call | None:
        """The first of what is due and does not wait: by time, then in the order of scheduling."""
        stood = [call for call in self.pending if call.sequence < self.limit]
        due = [call for call in stood if call.getTime() <= now]
        if not due:
            return None
        first = min(due, key=lambda call: (call.getTime(), call.sequence))
        if self.order:
            number = self.order.popleft()
            for call in due:
                if call.args[0] == number and call.getTime() == first.getTime():
                    return call
        return first

    def follow(self, order: Iterable[int]) -> None:
        """Choose among equal times as this order does, which is one of calls' first arguments."""
        self.order = deque(order)

    def fire(self, call: Call) -> None:
        self.pending.remove(call)
        call.activate()
        call.called = 1
        try:
            call.func(*call.args)
        except Exception as error:
            self.report(type(error))

    def settle(self, call: Call) -> None:
        """Make the delay of a call part of its time if that is no longer new, and has been delayed
        when it was, or if the latest pass has found the time come."""
        if not call.active() or call.set_delay <= 0.0 or call.is_new():
            return
        if call.delayed_when_new or call.set_time <= self.latest_pass:
            call.activate()


class StockOracle(Oracle):
    """Twisted's own reactor, but for the order of calls for the same instant.

    Its heap is ordered by `time`. Delays become part of that when a call gets into the heap, and
    when a pass gets to it; timeout() counts to it. What timeout() has seen is in the heap, and runs
    in the pass that goes on, if there is one.
    """

    def counts_to(self, call: Call) -> float:
        return call.set_time

    def insert(self) -> None:
        for call in self.pending:
            if call.is_new():
                call.activate()
        super().insert()

    def runUntilCurrent(self) -> None:
        self.make_calls_from_threads()
        self.insert()
        now = self.seconds()
        while due := [call for call in self.pending if call.set_time <= now and not call.is_new()]:
            call = min(due, key=lambda call: (call.set_time, call.sequence))
            if call.set_delay > 0.0:
                call.activate()
            else:
                self.fire(call)

    def settle(self, call: Call) -> None:
        """It is settled when it has to be."""


class TurningOracle(Oracle):
    """A stock reactor into which the wheel is put, and out of which it is taken.

    A pass of the wheel ends when that is taken out. One of Twisted ends if the wheel is in, and was
    not before, when a call returns. With calls from threads a pass is Twisted's, the wheel's in it.
    """

    turns = 0  # odd: the wheel is in

    def turn(self) -> None:
        self.turns += 1
        self.limit = self.scheduled

    def timeout(self) -> float | None:
        if self.turns % 2 == 0:
            self.limit = self.scheduled  # see StockOracle
        return super().timeout()

    def runUntilCurrent(self) -> None:
        by_twisted = self.turns % 2 == 0 or bool(self.from_threads)
        self.make_calls_from_threads()
        self.insert()
        now, turns = self.seconds(), self.turns
        self.limit = self.scheduled
        while call := self.next_due(now):
            self.fire(call)
            if self.turns != turns and (self.turns % 2 or not by_twisted):
                return


class ClockOracle(Oracle):
    """A clock that is moved by hand: it has no passes, and a call that raises ends an advance."""

    def __init__(self) -> None:
        super().__init__(lambda: self.rightNow, lambda error: None)
        self.rightNow = 0.0

    def require_delay(self, delay: float) -> None:
        """A negative one is due at once."""
        if math.isnan(delay):
            raise ValueError(delay)

    @property
    def calls(self) -> list[Call]:
        return sorted(self.pending, key=lambda call: (call.getTime(), call.sequence))

    def advance(self, amount: float) -> None:
        self.rightNow += amount
        while self.pending and self.calls[0].getTime() <= self.rightNow:
            call = self.calls[0]
            self.pending.remove(call)
            call.called = 1
            call.func(*call.args)

    def settle(self, call: Call) -> None:
        """Time and delay stay apart."""


class Timer:
    """A timer of WheelOracle."""

    def __init__(
        self, wheel: WheelOracle, when: float, func: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        self.wheel = wheel
        self.when = when
        self.sequence = wheel.scheduled
        self.func, self.args = func, args

    @property
    def active(self) -> bool:
        return self in self.wheel.pending

    def cancel(self) -> bool:
        was_active = self.active
        if was_active:
            self.wheel.pending.remove(self)
        return was_active

    def reschedule(self, when: float) -> None:
        if math.isnan(when) or not self.active:
            raise ValueError(when)
        self.when = float(when)


class WheelOracle:
    """A wheel by itself, whose advance() is a pass that a callback ends when it raises."""

    def __init__(self) -> None:
        self.pending: list[Timer] = []
        self.scheduled = 0
        self.limit = 0

    def __len__(self) -> int:
        return len(self.pending)

    def schedule(self, when: float, func: Callable[..., object], *args: Any) -> Timer:
        if math.isnan(when):
            raise ValueError(when)
        timer = Timer(self, float(when), func, args)
        self.scheduled += 1
        self.pending.append(timer)
        return timer

    def advance(self, now: float) -> int:
        fired = 0
        self.limit = self.scheduled
        while due := [t for t in self.pending if t.when <= now and t.sequence < self.limit]:
            timer = min(due, key=lambda timer: (timer.when, timer.sequence))
            self.pending.remove(timer)
            fired += 1
            timer.func(*timer.args)
        return fired

    def next_expiry(self) -> float | None:
        return min((timer.when for timer in self.pending), default=None)
