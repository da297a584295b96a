"""How the select reactor is woken: by a timerfd among what select() watches, a wait at a time."""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Iterator
from typing import Any

import pytest
from helpers import SPARSE, FakeAlarm, FakeClock, StockReactor, make_reactor, queue_of, run_on
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.selectreactor import SelectReactor
from zope.interface import implementer

from timerwheel._wakers import _loop_alarm, select, waker_for
from timerwheel._wakers._waker import Waker
from timerwheel._wakers.reader import ReaderWaker
from timerwheel._wakers.select import SPARE, SelectWaker


class SelectsReactor(StockReactor):
    """Waits as select() does, 50 us longer than it is told; or until it can read."""

    __module__ = SelectReactor.__module__  # which is how a reactor's waker is found
    LATE = 0.00005

    def __init__(self) -> None:
        super().__init__()
        self._reads: set[Any] = set()
        self.waits: list[float | None] = []

    def doIteration(self, timeout: float | None) -> None:
        self.waits.append(timeout)
        numbers = [reader.fileno() for reader in list(self._reads)]
        alarm = queue_of(self).waker._alarm._alarm
        wait = math.inf if timeout is None else timeout + self.LATE
        due = alarm.timeout if alarm is not None and alarm.number in numbers else math.inf
        assert min(wait, due) < math.inf, "it would wait for ever"
        self.seconds.advance(min(wait, due))


@pytest.fixture
def reactor(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A reactor on a fake clock, with fake alarms."""
    monkeypatch.setattr(_loop_alarm, "Alarm", FakeAlarm)
    monkeypatch.setattr(_loop_alarm, "require_selectable", lambda number: None)
    monkeypatch.setattr(select, "require_selectable", lambda number: None)
    reactor = make_reactor(clock, SelectsReactor)
    assert type(queue_of(reactor).waker) is SelectWaker
    return reactor


def turn(reactor: Any) -> None:
    """One turn of its main loop."""
    reactor.runUntilCurrent()
    queue_of(reactor).waker.wait(reactor.timeout())


def test_a_timer_takes_one_pass_and_is_as_late_as_its_alarm(reactor: Any) -> None:
    for number in range(1, 101):
        due = reactor.callLater(number * 0.0107, int).getTime()
        turn(reactor)
        assert reactor.seconds() == pytest.approx(due)
        reactor.seconds.now = due
        reactor.runUntilCurrent()
        assert not reactor.getDelayedCalls()


def test_the_wait_ends_soon_after_if_the_alarm_is_not_heard(reactor: Any) -> None:
    reactor.callLater(5, int)
    turn(reactor)
    assert reactor.waits == [5 + SPARE]


def test_without_a_deadline_nothing_of_ours_is_watched(reactor: Any) -> None:
    """It would wake a reactor that is idle; and one that does not wait at all."""
    reactor.callLater(5, int)
    turn(reactor)
    waker = queue_of(reactor).waker
    before = reactor.seconds()
    waker.wait(0)
    assert reactor.seconds() - before == pytest.approx(reactor.LATE)
    with pytest.raises(AssertionError, match="for ever"):
        waker.wait(None)


def test_no_program_finds_the_alarm_among_the_readers(reactor: Any) -> None:
    found: list[Any] = []
    reactor.seconds.advance = lambda seconds: found.extend(reactor._reads)
    reactor.callLater(5, int)
    turn(reactor)
    assert (found, reactor._reads) == ([], set())

    class Broken:
        def fileno(self) -> int:
            raise KeyError

    reactor._reads = Readers([Broken()])
    with pytest.raises(KeyError):
        turn(reactor)
    assert len(reactor._reads) == 1


class Readers(set[Any]):
    """A set that has what was put in last at its end."""

    def __iter__(self) -> Iterator[Any]:
        return iter(sorted(super().__iter__(), key=lambda reader: hasattr(reader, "leave")))


def test_without_alarms_the_wait_is_as_twisted_has_it(
    reactor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError("no descriptors are left")

    monkeypatch.setattr(_loop_alarm, "Alarm", refuse)
    reactor.callLater(5, int)
    turn(reactor)
    assert reactor.waits == [5]
    assert queue_of(reactor).waker.precision == Waker.precision
    monkeypatch.setattr(_loop_alarm, "Alarm", None)
    assert type(waker_for(SelectReactor())) is Waker


def test_a_wait_of_a_subclasss_own_has_a_reader() -> None:
    @implementer(IReactorFDSet)
    class Mine(SelectReactor):
        def doIteration(self, timeout: float | None) -> None:
            """As Qt's: no select() in it."""

    assert isinstance(waker_for(Mine()), ReaderWaker)


CLOSED = """
    import os
    from timerwheel._accelerate import KEY
    waker = vars(reactor)[KEY].waker
    fired, passes = [], []
    run = reactor.runUntilCurrent
    reactor.runUntilCurrent = lambda: (passes.append(1), run())
    def close():
        number = waker._alarm._alarm.fileno()
        os.close(number)
        if {reused}:
            # Always readable, as far as select() is concerned.
            assert os.open("/dev/null", os.O_RDONLY) == number
        passes.clear()
        for delay in range(1, 21):
            reactor.callLater(delay / 200, fired.append, delay)
        reactor.callLater(0.11, reactor.stop)
    # After the first wait, which makes the alarm.
    reactor.callLater(0.01, reactor.callLater, 0.01, close)
    reactor.run()
    print(json.dumps({{"fired": fired, "passes": len(passes)}}))
"""


@pytest.mark.parametrize("reused", [False, True])
def test_an_alarm_that_the_program_closes_costs_no_timer_and_is_soon_noticed(reused: bool) -> None:
    """As long as it is not, select() returns at once: as often as a system call may be spared."""
    result = run_on("select", CLOSED.format(reused=reused))
    assert result["fired"] == list(range(1, 21))
    assert result["passes"] <= 1024 + 21 + 20


@pytest.mark.parametrize("name", ["select", "threadedselect"])
def test_a_descriptor_that_select_does_not_take_is_no_alarm(name: str) -> None:
    """From 1,024 on: each wait would fail, and end at once."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard not in (-1, resource.RLIM_INFINITY) and hard < 1200:
        pytest.skip(f"a process may have {hard} descriptors here")
    program = """
    import os, resource
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1200, hard))
    for _ in range(1100):
        os.open("/dev/null", os.O_RDONLY)
    """
    result = run_on(name, program + SPARSE)
    assert result["timers"] == 24
    assert result["earliest"] >= 0
    assert result["passes"] <= 24 * (2 if name == "threadedselect" else 1) + 8


def test_what_is_left_of_a_wheel_is_no_descriptor() -> None:
    reactor = SelectReactor()
    waker = SelectWaker(reactor)
    before = len(os.listdir("/proc/self/fd"))
    waker.wait(0.0001)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    waker.detach()
    assert len(os.listdir("/proc/self/fd")) == before
