"""Reactors that another event loop drives: an alarm that the loop watches, or the loop's timer.

And those that are not Twisted's: an alarm that they read from.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from helpers import FakeAlarm, FakeClock, StockReactor, make_reactor, queue_of
from twisted.internet.interfaces import IReactorFDSet
from zope.interface import implementer

from timerwheel import restore
from timerwheel._wakers import _loop_alarm
from timerwheel._wakers._driven import GRACE
from timerwheel._wakers.asyncio import AsyncioWaker


class Handle:
    """What call_at() and call_soon() return."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when, self.callback = when, callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class TimersLoop:
    """An event loop that watches no descriptors."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.handles: list[Handle] = []

    def time(self) -> float:
        return self.clock.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        self.handles.append(Handle(when, callback))
        return self.handles[-1]

    def call_soon(self, callback: Callable[[], None]) -> Handle:
        return self.call_at(self.time(), callback)

    def is_closed(self) -> bool:
        return False

    def run_due(self) -> None:
        """Call what is due."""
        due = [handle for handle in self.handles if handle.when <= self.time()]
        self.handles = [handle for handle in self.handles if handle not in due]
        for handle in due:
            if not handle.is_cancelled:
                handle.callback()

    def pending(self) -> list[float]:
        """In how many seconds it is to call what."""
        return [h.when - self.time() for h in self.handles if not h.is_cancelled]


class ReadersLoop(TimersLoop):
    """One that watches descriptors."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.readers: dict[int, Callable[[], None]] = {}

    def add_reader(self, number: int, callback: Callable[[], None]) -> None:
        self.readers[number] = callback

    def remove_reader(self, number: int) -> None:
        del self.readers[number]


class WholeMillisecondLoop(TimersLoop):
    """One like uvloop, without readers: its clock is in whole ms, and read once a turn."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.turn()

    def turn(self) -> None:
        self.now = math.floor(self.clock.now * 1000)

    def time(self) -> float:
        return self.now / 1000

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        return super().call_at((self.now + round((when - self.time()) * 1000)) / 1000, callback)


@pytest.fixture
def machine(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock, which is the machine's, too. Alarms are fake."""
    monkeypatch.setattr("timerwheel._wakers._event_loop.monotonic", clock)
    monkeypatch.setattr("timerwheel._wakers._driven.monotonic", clock)
    monkeypatch.setattr(_loop_alarm, "Alarm", FakeAlarm)
    return clock


class Driven:
    """A reactor on a loop, with the waker."""

    def __init__(self, loop: Any, clock: FakeClock) -> None:
        self.clock, self.loop = clock, loop
        self.passes = 0
        self.reactor = make_reactor(clock)
        self.reactor._asyncioEventloop = loop
        self.reactor._timerHandle = None
        self.reactor._onTimer = self.make_pass
        self.waker = AsyncioWaker(self.reactor)
        self.reactor._reschedule = self.waker.reschedule
        queue_of(self.reactor).attach(self.waker)

    def make_pass(self) -> None:
        self.passes += 1
        self.reactor.runUntilCurrent()
        self.reactor._reschedule()

    @property
    def alarm(self) -> Any:
        return self.waker._alarm._alarm

    def go_off(self) -> None:
        """Have the clock come to the alarm, and the loop see it."""
        self.clock.advance(self.alarm.timeout)
        self.loop.readers[self.alarm.fileno()]()


@pytest.fixture
def driven(machine: FakeClock) -> Driven:
    return Driven(ReadersLoop(machine), machine)


def test_an_alarm_wakes_the_reactor_once_a_timer(driven: Driven) -> None:
    for _ in range(100):
        call = driven.reactor.callLater(0.0105, int)
        assert driven.alarm.timeout == pytest.approx(0.0105)
        driven.go_off()
        assert call.called
        assert driven.alarm.timeout is None
    assert driven.passes == 100
    assert len(driven.loop.readers) == 1


def test_the_loops_own_timer_is_set_once_a_second_not_at_each_pass(driven: Driven) -> None:
    def again() -> None:
        driven.reactor.callLater(0.01, again)

    again()
    for _ in range(350):
        driven.go_off()
        driven.loop.run_due()
    assert driven.passes == 350
    assert len(driven.loop.handles) == 1
    (left,) = driven.loop.pending()
    assert 0 < left <= 0.01 + GRACE


def test_a_call_without_delay_leaves_a_look_at_the_alarm(driven: Driven) -> None:
    driven.reactor.callLater(5, int)
    driven.reactor.callLater(0, int)
    driven.loop.run_due()
    assert driven.loop.pending() == [5 + GRACE]


def test_an_idle_loop_has_nothing_to_wake_for(driven: Driven) -> None:
    driven.reactor.callLater(1, int)
    driven.go_off()
    assert driven.alarm.timeout is None
    assert driven.loop.pending() == []


def test_a_call_without_delay_waits_for_no_alarm(driven: Driven) -> None:
    call = driven.reactor.callLater(0, int)
    assert driven.alarm is None
    driven.loop.run_due()
    assert call.called


@pytest.mark.parametrize("lost", ["closed", "deaf"])
def test_an_alarm_that_is_not_heard_makes_a_call_late_by_a_second_at_most(
    driven: Driven, lost: str
) -> None:
    """Somebody has closed the descriptor; or the loop's epoll is shared with a child."""
    call = driven.reactor.callLater(5, int)
    first = driven.alarm
    first.lost = lost == "closed"
    driven.clock.advance(5 + GRACE)
    driven.loop.run_due()
    assert call.called
    call = driven.reactor.callLater(5, int)
    assert driven.alarm is not first
    driven.go_off()
    assert call.called
    # What has the number may be another's: only what is known to be ours is taken out.
    assert len(driven.loop.readers) == (2 if lost == "closed" else 1)


def test_an_alarm_that_cannot_be_set_is_replaced(driven: Driven) -> None:
    driven.reactor.callLater(5, int)
    first = driven.alarm
    first.lost = True
    call = driven.reactor.callLater(3, int)
    driven.clock.advance(3)
    driven.loop.run_due()
    assert call.called
    assert driven.alarm not in (None, first)


def test_a_lost_alarm_that_the_loop_calls_for_is_not_watched_any_more(driven: Driven) -> None:
    """As where poll() reports a closed descriptor for ever."""
    driven.reactor.callLater(5, int)
    number = driven.alarm.fileno()
    driven.alarm.lost = True
    driven.loop.readers[number]()
    assert number not in driven.loop.readers
    assert driven.alarm.timeout == pytest.approx(5)


def test_a_pass_that_fails_leaves_the_alarm_cleared(driven: Driven) -> None:
    """Or the loop would see it at each turn."""
    driven.reactor.callLater(5, int)
    driven.reactor._onTimer = lambda: {}["fails"]
    with pytest.raises(KeyError):
        driven.go_off()
    assert driven.alarm.timeout is None


@pytest.mark.parametrize("error", [NotImplementedError, AttributeError, OSError, RuntimeError])
def test_a_loop_that_watches_no_descriptors_is_asked_less_and_less_often(
    driven: Driven, error: type[Exception]
) -> None:
    attempts: list[int] = []

    def refuse(number: int, callback: object) -> None:
        attempts.append(driven.passes)
        raise error

    driven.loop.add_reader = refuse
    for _ in range(1000):
        call = driven.reactor.callLater(0.01, int)
        driven.clock.advance(0.01)
        driven.loop.run_due()
        assert call.called
    assert driven.passes == 1000
    assert attempts == [2**n - 2 for n in range(1, 10)]


def test_where_there_are_no_alarms_the_loops_timer_is_set(
    machine: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_loop_alarm, "Alarm", None)
    driven = Driven(ReadersLoop(machine), machine)
    driven.reactor.callLater(3, int)
    assert driven.loop.pending() == [3]


def test_a_loop_that_was_early_once_is_asked_for_whole_milliseconds(machine: FakeClock) -> None:
    """uvloop#739, uvloop#233: late by less than a millisecond instead, and no spinning."""
    loop = WholeMillisecondLoop(machine)
    driven = Driven(loop, machine)
    chance = random.Random(1)
    for _ in range(1000):
        machine.advance(chance.random())
        loop.turn()
        machine.advance(chance.random() / 100)  # what the turn has done so far
        call = driven.reactor.callLater(0.001 + chance.random() / 10, int)
        while not call.called:
            machine.now = max(machine.now, min(loop.pending()) + loop.time() + 1e-9)
            loop.turn()
            loop.run_due()
        assert machine.now < call.getTime() + 0.0021
    assert driven.passes <= 1001


def test_a_loop_with_a_clock_of_its_own_keeps_to_it(machine: FakeClock) -> None:
    """A test moves it, and the machine's clock does not move with it."""
    driven = Driven(ReadersLoop(FakeClock(0.0)), machine)
    driven.reactor.callLater(3, int)
    assert driven.alarm is None
    assert driven.loop.pending() == [3]


def test_a_loop_that_is_put_on_the_reactor_later_is_used(driven: Driven) -> None:
    driven.reactor.callLater(3, int)
    first, second = driven.loop, ReadersLoop(driven.clock)
    driven.reactor._asyncioEventloop = driven.loop = second
    call = driven.reactor.callLater(1, int)
    assert first.readers == {}
    assert first.pending() == []
    driven.go_off()
    assert call.called


def test_a_child_leaves_its_parents_alarm_alone(driven: Driven) -> None:
    driven.reactor.callLater(3, int)
    parents = driven.alarm
    _loop_alarm._tell_alarms()
    driven.reactor.callLater(1, int)
    assert parents.timeout == 3
    assert driven.alarm.timeout == 1
    driven.loop.readers[parents.fileno()]()
    assert list(driven.loop.readers) == [driven.alarm.fileno()]
    assert parents.fileno() >= 0
    _loop_alarm._left.clear()


def test_what_is_left_of_a_wheel_is_no_descriptor() -> None:
    loop = asyncio.new_event_loop()
    driven = Driven(loop, FakeClock(100.0))
    before = len(os.listdir("/proc/self/fd"))
    driven.reactor.callLater(3, int)
    assert len(os.listdir("/proc/self/fd")) == before + (driven.alarm is not None)
    driven.reactor._reschedule = lambda: None
    driven.waker.detach()
    assert len(os.listdir("/proc/self/fd")) == before
    loop.close()


# Reactors that are not Twisted's


@implementer(IReactorFDSet)
class ReadsReactor(StockReactor):
    """One like Qt's: it waits in whole milliseconds, rounded down, or until it can read."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self._internalReaders: set[Any] = set()

    def addReader(self, reader: Any) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.discard(reader)

    def turn(self) -> None:
        """Make a pass, and wait."""
        self.runUntilCurrent()
        timeout = self.timeout()
        assert timeout is not None
        alarm = queue_of(self).waker._alarm._alarm
        wait = int(timeout * 1000) / 1000
        if self.readers and alarm.timeout is not None and alarm.timeout <= wait:
            wait = alarm.timeout
            self.seconds.advance(wait)
            for reader in list(self.readers):
                reader.doRead()
        else:
            self.seconds.advance(wait)


@pytest.fixture
def reads(machine: FakeClock) -> Any:
    return make_reactor(machine, ReadsReactor)


def test_a_reactor_that_rounds_its_waits_down_makes_one_pass_a_timer(reads: Any) -> None:
    due = []
    for number in range(1, 101):
        call = reads.callLater(number * 0.0107, int)
        due.append((call, call.getTime()))
    for call, when in due:
        reads.turn()
        assert not call.called
        assert reads.seconds() == pytest.approx(when)
        reads.seconds.now = when
    reads.runUntilCurrent()
    assert all(call.called for call, _ in due)


def test_the_alarm_of_a_reactor_is_none_of_the_programs_readers(reads: Any) -> None:
    reads.callLater(1, int)
    reads.turn()
    (reader,) = reads.readers
    assert reads._internalReaders == {reader}
    restore(reads)
    assert reads.readers == reads._internalReaders == set()
    assert reads.timeout() == 0


def test_a_wait_that_ends_without_the_alarm_is_late_by_a_sixteenth_at_most(reads: Any) -> None:
    reads.callLater(16, int)
    assert 16.002 <= reads.timeout() <= 17.003
    reads.callLater(float("inf"), int)
    reads.seconds.advance(16)
    reads.runUntilCurrent()
    assert reads.timeout() == 2147483


def test_a_reader_whose_alarm_is_lost_goes(reads: Any) -> None:
    reads.callLater(1, int)
    reads.timeout()
    (reader,) = reads.readers
    queue_of(reads).waker._alarm._alarm.lost = True
    reader.doRead()
    assert reads.readers == reads._internalReaders == set()
    reads.timeout()
    assert len(reads.readers) == 1
