"""What users of Twisted's timers suffered from: each test names the ticket.

twisted#10455, twisted#6718, twisted#3884 and py-ipv8#245 are in test_better_than_stock.py,
twisted#4026 in test_known_failures.py, twisted#5962 in test_clock.py, and those about steps of the
wall clock in test_steady_clock.py.
"""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import Any

import pytest
from helpers import CallQueue, FakeClock, make_reactor, run_for, run_on, run_python
from twisted.internet.task import LoopingCall


def test_the_pings_of_30_000_clients(reactor: Any, queue: CallQueue, clock: FakeClock) -> None:
    """crossbar#722: nearly all timeouts are cancelled; they wake nobody and leave nothing."""
    clients = 30_000
    answered: list[int] = []

    def ping(client: int) -> None:
        timeout = reactor.callLater(5, pytest.fail, "a client was lost")
        reactor.callLater(0.0625, answer, client, timeout)

    def answer(client: int, timeout: Any) -> None:
        timeout.cancel()
        answered.append(client)
        reactor.callLater(10, ping, client)

    for client in range(clients):
        reactor.callLater(client % 1000 / 128, ping, client)
    passes = run_for(10, reactor, clock)
    assert sorted(answered) == list(range(clients))
    assert len(queue) == clients
    # 1,000 instants with pings and as many with answers, of which 992 are also of pings.
    assert passes <= 1010
    for call in reactor.getDelayedCalls():
        call.cancel()
    assert run_for(100, reactor, clock) == 1


RESETS = """
    import gc
    from twisted.logger import globalLogPublisher
    logged = []
    globalLogPublisher.addObserver(lambda event: "log_failure" in event and logged.append(1))
    early, left, objects = [], [200], []
    def fire(due):
        early.append(due - reactor.seconds())
        left[0] -= 1
        if not left[0]:
            reactor.callLater(0, end)
    def move(number):
        delay = 0.05 if number % 2 else 0.001
        call.args = (reactor.seconds() + delay,)
        call.reset(delay)
    def begin():
        global call
        gc.collect()
        objects.append(len(gc.get_objects()))
        for number in range(200):
            call = reactor.callLater(0.02, fire, None)
            move(number)
        del call
    def end():
        early_now = max(early)
        early.clear()
        objects.append(len(gc.get_objects()))
        reactor.stop()
        print(json.dumps([early_now, objects[1] - objects[0], len(logged)]))
    gc.disable()
    reactor.callLater(0.01, begin)
    reactor.run()
"""


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
def test_resets_on_the_asyncio_reactor_hold_and_leave_no_garbage(name: str) -> None:
    """twisted#9780, twisted PR 1232: neither early nor an error, and not one object a timer."""
    early, objects, errors = run_on(name, RESETS)
    assert early <= 0
    assert objects < 200
    assert errors == 0


class LateClock(FakeClock):
    """Each wait takes ten microseconds longer than asked: the least that a system call does."""

    def advance(self, seconds: float) -> None:
        super().advance(seconds + 1e-5)


@pytest.mark.parametrize("interval", [0.05, 0.1, 1 / 3, 1.0])
@pytest.mark.parametrize("start", [0.0, 1.7e9, 2.0**33])
def test_a_looping_call_runs_as_often_as_it_should(interval: float, start: float) -> None:
    """twisted#9935: called too early, it ran half as often again.

    (On Twisted's own reactor too it does so where waits are exact: its sums are rounded.)
    """
    clock = LateClock(start)
    reactor = make_reactor(clock)
    times: list[float] = []
    loop = LoopingCall(lambda: times.append(clock.now))
    loop.clock = reactor
    loop.start(interval, now=False)
    run_for(300.5 * interval, reactor, clock)
    loop.stop()
    assert len(times) == 300
    assert all(after - before > interval / 2 for before, after in pairwise(times))


def test_calls_that_threads_make_are_not_lost(
    reactor: Any, queue: CallQueue, clock: FakeClock
) -> None:
    """twisted#11024, twisted#11901: it is the caller's bug, but it corrupts nothing."""
    made: list[int] = []
    each, threads = 2000, 4

    def schedule(first: int) -> None:
        for number in range(first, first + each):
            reactor.callLater(60, made.append, -1).cancel()
            reactor.callLater(0.0001, made.append, number).delay(0.0001)

    running = [threading.Thread(target=schedule, args=(n * each,)) for n in range(threads)]
    for thread in running:
        thread.start()
    while any(thread.is_alive() for thread in running):
        clock.advance(1 / 1024)
        reactor.timeout()
        reactor.runUntilCurrent()
    queue.check_invariants()
    run_for(1, reactor, clock)
    assert sorted(made) == list(range(threads * each))
    assert len(queue) == 0


def test_a_negative_delay_is_refused_where_assertions_are_off() -> None:
    """`python -O`, under which stock takes it: an assertion was all that stood before it."""
    refused = run_python(
        """
        import json
        import timerwheel
        from twisted.internet.selectreactor import SelectReactor
        from timerwheel.reactors import selectreactor
        assert False, "assertions are on"
        refused = []
        for reactor in SelectReactor(), selectreactor.SelectReactor():
            for delay in -1, float("nan"), float("-inf"):
                try:
                    reactor.callLater(delay, int)
                    refused.append(False)
                except AssertionError:
                    refused.append(True)
        print(json.dumps(refused))
        """,
        PYTHONOPTIMIZE="1",
    )
    assert refused == [False] * 3 + [True] * 3
