"""CallWalk: meets the pending calls in slices, while they come and go."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from helpers import FakeClock, StockReactor, queue_of
from hypothesis import given
from hypothesis import strategies as st

import timerwheel
from timerwheel._core import CallWalk

DELAYS = (0, 0.0005, 0.01, 1, 5, 300, 20_000, 1e6, 1e9, float("inf"))


def walk(
    reactor: Any, visits: int, every: int = 1, between: Callable[[], object] = lambda: None
) -> list[Any]:
    """All calls that a walk gives."""
    calls, going = [], CallWalk(queue_of(reactor), every)
    while not going.over:
        calls += going.advance(visits)
        between()
    return calls


@pytest.mark.parametrize("visits", [1, 7, 1000])
def test_each_call_is_met_once(reactor: Any, visits: int) -> None:
    made = [reactor.callLater(delay, int) for delay in DELAYS for _ in range(20)]
    assert Counter(walk(reactor, visits)) == Counter(made)


def test_nothing_pending_is_over_at_once(reactor: Any) -> None:
    going = CallWalk(queue_of(reactor))
    assert going.over
    assert going.advance(10) == []


def test_a_call_of_a_stock_reactor_is_given_as_the_program_knows_it(clock: FakeClock) -> None:
    reactor = StockReactor()
    reactor.seconds = clock
    call = reactor.callLater(5, int)
    timerwheel.accelerate(reactor)
    assert walk(reactor, 10) == [call]


def test_calls_of_the_pass_that_runs_are_met(reactor: Any) -> None:
    """Those that it has still to make, and those that wait for the next."""
    seen: list[Any] = []
    reactor.callLater(0, lambda: seen.extend((reactor.callLater(0, int), *walk(reactor, 1))))
    rest = [reactor.callLater(0, int) for _ in range(5)]
    reactor.runUntilCurrent()
    assert Counter(seen) == Counter([seen[0], seen[0], *rest])


def test_new_calls_do_not_keep_it_going(reactor: Any) -> None:
    made = [reactor.callLater(10, int) for _ in range(1000)]

    def add() -> None:
        for _ in range(5):
            reactor.callLater(10, int)

    assert Counter(walk(reactor, 20, between=add)) == Counter(made)


def test_it_ends_even_if_calls_come_faster_than_it_goes(reactor: Any) -> None:
    made = [reactor.callLater(10, int) for _ in range(1000)]
    seen = walk(reactor, 20, between=lambda: [reactor.callLater(10, int) for _ in range(50)])
    assert set(seen) <= set(made)


@pytest.mark.parametrize("every", [2, 10, 100])
@pytest.mark.parametrize("period", [1, 5, 16, 100])
def test_a_share_is_given_of_each_kind_of_call(reactor: Any, every: int, period: int) -> None:
    """Also where kinds of calls are made in turn."""
    for number in range(20_000):
        reactor.callLater(10 + number % 3, int, number % period)
    kinds = Counter(call.args[0] for call in walk(reactor, 500, every))
    expected = 20_000 / every / period
    assert sum(kinds.values()) == pytest.approx(20_000 / every, rel=0.02)
    for kind in range(period):
        assert kinds[kind] == pytest.approx(expected, abs=3 * expected**0.5)


@given(seed=st.integers(0, 2**32))
def test_whatever_happens_between_slices_what_stays_put_is_met(seed: int) -> None:
    """Whatever is cancelled, moved or fired: a call whose slot stays is given."""
    draw = random.Random(seed)
    reactor: Any = StockReactor()
    reactor.seconds = clock = FakeClock(100.0)
    timerwheel.accelerate(reactor)
    lasting = [reactor.callLater(1e9, int) for _ in range(50)]
    others = [reactor.callLater(draw.choice(DELAYS), int) for _ in range(300)]
    draw.shuffle(others)

    def stir() -> None:
        for _ in range(draw.randrange(10)):
            call = others.pop()
            if call.active():
                draw.choice((call.cancel, lambda call=call: call.reset(draw.choice(DELAYS))))()
            others.insert(0, reactor.callLater(draw.choice(DELAYS), int))
        if draw.random() < 0.3:
            clock.advance(draw.choice((0.001, 0.1, 5)))
            reactor.runUntilCurrent()

    seen = walk(reactor, draw.choice((5, 20, 100)), between=stir)
    assert set(lasting) <= set(seen)
    queue_of(reactor).check_invariants()


def test_calls_that_leave_behind_it_do_not_stop_it(reactor: Any) -> None:
    """As timeouts of one length do, of which the oldest are cancelled first."""
    made = [reactor.callLater(10, int) for _ in range(800)]
    going = CallWalk(queue_of(reactor))
    seen = going.advance(50)
    for call in seen:
        call.cancel()
    while not going.over:
        seen += going.advance(50)
    assert Counter(seen) == Counter(made)


def test_what_runs_as_a_call_is_released_may_use_it(reactor: Any) -> None:
    inner: list[int] = []

    class Last:
        def __del__(self) -> None:
            inner.append(len(going.advance(1)))

    for _ in range(100):
        reactor.callLater(10, int).last = Last()
    going = CallWalk(queue_of(reactor))
    while not going.over:
        for call in going.advance(3):
            call.cancel()
        call = None
    # Some are released here, some in advance(), where this finds the walk busy.
    assert set(inner) == {0, 1}


def test_none_of_every_is_refused(reactor: Any) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        CallWalk(queue_of(reactor), 0)
