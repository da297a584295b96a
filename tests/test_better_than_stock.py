"""Where ours is better than Twisted's, on purpose: each test runs both, and tells the difference.

Those for `clock="steady"` are in test_steady_clock.py.
"""

from __future__ import annotations

import math
import select
import time
from typing import Any

import pytest
from helpers import FakeClock, StockReactor, require, run_for, run_python
from twisted.internet import task
from twisted.internet.base import ReactorBase
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.pollreactor import PollReactor

import timerwheel


@pytest.fixture
def stock(clock: FakeClock) -> Any:
    """A stock reactor that does no I/O, on the same fake clock as `reactor`."""
    made: Any = StockReactor()
    made.seconds = clock
    return made


def test_calls_for_the_same_instant_are_made_in_the_order_of_scheduling(
    stock: Any, reactor: Any, clock: FakeClock
) -> None:
    """twisted#6718: stock makes them in the order of its heap."""
    made_by_stock: list[int] = []
    made: list[int] = []
    for number in range(50):
        stock.callLater(1, made_by_stock.append, number)
        reactor.callLater(1, made.append, number)
    clock.advance(1)
    stock.runUntilCurrent()
    reactor.runUntilCurrent()
    assert sorted(made_by_stock) == made == list(range(50))
    assert made_by_stock != made


class SearchedList(list[Any]):
    """Notes how many items each search has gone through."""

    def __init__(self, items: list[Any]) -> None:
        super().__init__(items)
        self.searches: list[int] = []

    def index(self, *args: Any) -> int:
        position = super().index(*args)
        self.searches.append(position + 1)
        return position


def test_a_reset_to_sooner_searches_no_list(stock: Any, reactor: Any, clock: FakeClock) -> None:
    """twisted#10455: stock goes through its heap. (bench/ measures what ours costs.)"""
    for each in stock, reactor:
        calls = [each.callLater(1000 + number, int) for number in range(10_000)]
        each.runUntilCurrent()
        each._pendingTimedCalls = searched = SearchedList(each._pendingTimedCalls)
        calls[7000].reset(1)
        assert each.timeout() == 1
        assert searched.searches == ([7001] if each is stock else [])
    clock.advance(1)
    reactor.runUntilCurrent()
    assert [call for call in calls if call.called] == [calls[7000]]


def test_a_cancelled_call_wakes_nobody(stock: Any, reactor: Any, clock: FakeClock) -> None:
    """py-ipv8#245: in stock's heap it stays until its time, and the reactor wakes for it."""
    passes = {}
    for each in stock, reactor:
        call = each.callLater(60, int)
        brief = [each.callLater(1 + number / 4, int) for number in range(20)]
        each.runUntilCurrent()
        for cancelled in brief:
            cancelled.cancel()
        assert each.timeout() == (1 if each is stock else 60)
        assert each.getDelayedCalls() == [call]
        passes[each] = run_for(30, each, clock)
    assert passes == {stock: 21, reactor: 1}


@pytest.mark.parametrize("method", ["reset", "delay"])
def test_nan_is_refused_and_wedges_nothing(
    method: str, stock: Any, reactor: Any, clock: FakeClock
) -> None:
    """twisted#3884: stock makes no call any more."""
    made: list[Any] = []
    wrong = stock.callLater(1, made.append, "wrong")
    stock.callLater(2, made.append, "right")
    getattr(wrong, method)(math.nan)
    ours = reactor.callLater(1, made.append, "first")
    reactor.callLater(2, made.append, "second")
    with pytest.raises(ValueError, match="NaN"):
        getattr(ours, method)(math.nan)
    assert ours.getTime() == 101
    run_for(10, stock, clock)
    assert (made, stock.timeout()) == ([], 2147483)
    reactor.runUntilCurrent()
    assert made == ["first", "second"]


@pytest.mark.parametrize("clock_class", [task.Clock, timerwheel.Clock])
def test_a_clock_sorts_nothing_when_a_call_is_made(clock_class: type[task.Clock]) -> None:
    """twisted#9581, twisted#9822: stock sorts all its calls each time."""
    sorts: list[int] = []

    class Clock(clock_class):  # type: ignore[misc, valid-type]
        def _sortCalls(self) -> None:
            sorts.append(len(self.calls))
            super()._sortCalls()

    clock = Clock()
    for delay in range(100, 0, -1):
        clock.callLater(delay, int)
    assert [call.getTime() for call in clock.calls] == list(range(1, 101))
    assert sorts == (list(range(1, 101)) if clock_class is task.Clock else [])


class Poller:
    """Stands for a poll or an epoll on a fake clock: a wait that returns at once takes 1 us."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.deadline = math.inf

    def register(self, descriptor: int, events: int) -> None:
        """Watch the alarm."""

    def alarm(self) -> Poller:
        """In place of a timerfd."""
        return self

    def fileno(self) -> int:
        return -1

    def set(self, delay: float) -> None:
        self.deadline = self.clock.now + delay

    def poll(self, timeout: float | None, maximum: int = 0) -> list[Any]:
        if timeout is None or timeout < 0:
            self.clock.now = self.deadline
        else:
            end = self.clock.now + (self.seconds(timeout) or 1e-6)
            self.clock.now = min(self.deadline, end) if self.deadline > self.clock.now else end
        return []

    def seconds(self, timeout: float) -> float:
        """How long a poll of Python's waits: whole ms, as it is told."""
        return timeout / 1000


class EPoller(Poller):
    def fromfd(self) -> None:
        """By this epoll is told from poll."""

    def seconds(self, timeout: float) -> float:
        """How long an epoll of Python's waits: whole ms, rounded up."""
        return math.ceil(timeout * 1000) / 1000


def run_with(
    poller: Poller, reactor_class: type[ReactorBase], wheel: bool, patch: pytest.MonkeyPatch
) -> tuple[int, list[float]]:
    """Make 200 calls; return how many passes it took, and how late each was, in seconds."""
    patch.setattr("timerwheel._wakers.alarm.Alarm", poller.alarm)
    reactor: Any = reactor_class()
    reactor.seconds = poller.clock
    reactor._poller = poller
    if wheel:
        timerwheel.accelerate(reactor)
    late: list[float] = []
    for number in range(200):
        delay = number * 0.0037 + 0.0001
        reactor.callLater(delay, lambda due: late.append(poller.clock.now - due), 100 + delay)
    passes = 0
    while len(late) < 200:
        reactor.doIteration(reactor.timeout())
        reactor.runUntilCurrent()
        passes += 1
    return passes, sorted(late)


def test_epoll_is_not_late_by_parts_of_a_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of stock's calls are more than half a millisecond late."""
    before = time.monotonic()
    with select.epoll() as epoll:
        epoll.poll(0.0001)
    assert time.monotonic() - before >= 0.001, "Python's epoll no longer waits whole ms"
    _, late = run_with(EPoller(FakeClock(100.0)), EPollReactor, False, monkeypatch)
    assert late[100] >= 0.0004
    _, late = run_with(EPoller(FakeClock(100.0)), EPollReactor, True, monkeypatch)
    assert late[-1] < 1e-9
    assert late[0] >= 0


def test_poll_does_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stock cuts its wait to whole ms, and then polls until it is time."""
    passes, _ = run_with(Poller(FakeClock(100.0)), PollReactor, False, monkeypatch)
    assert passes > 200 * 100
    passes, late = run_with(Poller(FakeClock(100.0)), PollReactor, True, monkeypatch)
    # (What timeout() says is rounded: a second pass may have to wait for the last bit.)
    assert passes <= 400
    assert late[0] >= 0


ON_UVLOOP = """
    import json, sys, uvloop
    from twisted.internet import asyncioreactor as stock
    from timerwheel.reactors import asyncioreactor as ours
    {"stock": stock, "ours": ours}[sys.argv[1]].install(uvloop.new_event_loop())
    from twisted.internet import reactor
    passes, early = [], []
    run = reactor.runUntilCurrent
    reactor.runUntilCurrent = lambda: (passes.append(1), run())
    def fire(due):
        early.append(due - reactor.seconds())
        if len(early) < 50:
            again()
        else:
            reactor.stop()
    def again():
        delay = 0.001 + len(early) % 7 * 0.0011
        reactor.callLater(delay, fire, reactor.seconds() + delay)
    reactor.callLater(0.05, lambda: (passes.clear(), again()))
    reactor.run()
    print(json.dumps({"passes": len(passes), "early": max(early)}))
"""


def test_the_asyncio_reactor_on_uvloop_makes_one_pass_a_timer() -> None:
    """Stock's is woken early by uvloop's whole milliseconds, and spins until it is time."""
    require("uvloop")
    if not any(run_python(ON_UVLOOP, "stock")["passes"] > 50 * 2 for _ in range(10)):
        pytest.skip("so slow a machine (an emulator?) never wakes uvloop early")
    ours = run_python(ON_UVLOOP, "ours")
    assert ours["passes"] <= 50 + 8
    assert ours["early"] <= 0
