"""What is pending, found out in steps: the same as pending() says, and estimates of very many."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
from helpers import FakeClock, StockReactor

import timerwheel
from timerwheel.observe._survey import Survey, survey


def surveyed(reactor: Any, between: Callable[[], object] = lambda: None) -> tuple[Survey, int]:
    """A survey, and in how many steps it came."""
    steps = survey(reactor, 20)
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, count
        count += 1
        between()


def test_of_few_calls_it_says_what_pending_says(reactor: Any) -> None:
    with timerwheel.watch(reactor, origins=True):
        for function in (int, int, str):
            reactor.callLater(5, function)
    reactor.callLater(float("inf"), int)
    found, _ = surveyed(reactor)
    assert (found.pending, found.every) == (4, 1)
    assert found.by == {
        by: timerwheel.pending(reactor, by=by) for by in ("function", "origin", "time")
    }


def test_of_very_many_calls_it_estimates(reactor: Any) -> None:
    for number in range(50_000):
        reactor.callLater(1 + number % 100, int if number % 4 else str)
    found, steps = surveyed(reactor)
    assert (found.pending, found.every) == (50_000, 5)
    counts = {group.name: group.count for group in found.by["function"]}
    assert counts["int"] == pytest.approx(37_500, rel=0.05)
    assert counts["str"] == pytest.approx(12_500, rel=0.05)
    assert steps > 50_000 / 256


def test_calls_that_are_gone_before_its_end_have_their_names(reactor: Any) -> None:
    calls = [reactor.callLater(5, int) for _ in range(100)]

    def cancel_one() -> None:
        if calls:
            calls.pop().cancel()

    found, _ = surveyed(reactor, cancel_one)
    assert [group.name for group in found.by["function"]] == ["int"]


def test_it_has_the_times_of_a_watch(reactor: Any) -> None:
    with timerwheel.watch(reactor) as watch:
        reactor.callLater(0, int)
        reactor.runUntilCurrent()
        assert surveyed(reactor)[0].times == watch.times()
        assert len(watch.times()) == 1
    assert surveyed(reactor)[0].times == []


def test_a_survey_that_nobody_finishes_keeps_nothing(reactor: Any) -> None:
    freed: list[bool] = []

    class Noted:
        def __del__(self) -> None:
            freed.append(True)

        def called(self) -> None:
            """Nothing."""

    call = reactor.callLater(5, Noted().called)
    steps = survey(reactor, 20)
    next(steps)
    call.cancel()
    del call
    steps.close()
    gc.collect()
    assert freed == [True]


def test_without_a_wheel_there_is_no_survey() -> None:
    with pytest.raises(ValueError, match="no wheel"):
        next(survey(StockReactor(), 20))


def test_spans_count_from_its_beginning(reactor: Any, clock: FakeClock) -> None:
    for _ in range(100):
        reactor.callLater(5, int)
    found, _ = surveyed(reactor, lambda: clock.advance(1))
    assert [(group.name, group.soonest) for group in found.by["time"]] == [("1 to 10 s", 5)]
