"""timerwheel.stats(): what is counted, where it ends up, and that looking changes nothing."""

from __future__ import annotations

import copy
import math
import pickle
import random
import threading
from dataclasses import FrozenInstanceError, asdict
from typing import Any

import pytest
from helpers import FakeClock, StockReactor, make_reactor, queue_of
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.base import ReactorBase

import timerwheel
from timerwheel._methods import twisteds
from timerwheel.observe import Histogram


def changes(reactor: Any, earlier: Any) -> dict[str, int]:
    """The whole numbers that have changed since a snapshot, and by how much."""
    now = timerwheel.stats(reactor)
    names = [name for name in asdict(now) if type(getattr(now, name)) is int and name != "memory"]
    differences = {name: getattr(now, name) - getattr(earlier, name) for name in names}
    return {name: difference for name, difference in differences.items() if difference}


def fail() -> None:
    raise ValueError("as it should")


def test_a_new_wheel_has_counted_nothing(reactor: Any) -> None:
    new = timerwheel.stats(reactor)
    assert {name: value for name, value in asdict(new).items() if value == 0} == {
        name: 0
        for name in asdict(new)
        if name not in ("calls_per_pass", "lateness", "next_deadline", "memory", "elapsed")
    }
    assert new.next_deadline is None
    assert new.lateness.count == new.calls_per_pass.count == 0


def test_each_thing_that_happens_is_counted_once(reactor: Any, clock: FakeClock) -> None:
    before = timerwheel.stats(reactor)
    call = reactor.callLater(10, int)
    assert changes(reactor, before) == {"scheduled": 1, "pending": 1}
    before = timerwheel.stats(reactor)
    call.reset(20)
    call.delay(5)
    assert changes(reactor, before) == {"moved_later": 2}
    call.reset(1)
    call.delay(-0.5)
    assert changes(reactor, before) == {"moved_later": 2, "moved_sooner": 2}
    before = timerwheel.stats(reactor)
    call.cancel()
    assert changes(reactor, before) == {"cancelled": 1, "pending": -1}
    before = timerwheel.stats(reactor)
    reactor.callLater(1, int)
    clock.advance(1)
    reactor.runUntilCurrent()
    assert changes(reactor, before) == {"scheduled": 1, "fired": 1, "passes": 1}
    before = timerwheel.stats(reactor)
    reactor.runUntilCurrent()
    assert changes(reactor, before) == {"passes": 1, "idle_passes": 1}


def test_a_call_of_a_stock_reactor_is_counted_as_any_other(clock: FakeClock) -> None:
    reactor = StockReactor()
    reactor.seconds = clock
    gone, later, sooner = (reactor.callLater(10, int) for _ in range(3))
    timerwheel.accelerate(reactor)
    before = timerwheel.stats(reactor)
    assert (before.scheduled, before.pending) == (3, 3)
    gone.cancel()
    sooner.reset(5)
    later.reset(20)
    assert changes(reactor, before) == {"pending": -1, "cancelled": 1, "moved_sooner": 1}
    clock.advance(10)
    reactor.runUntilCurrent()  # finds that one was moved later, which Twisted did not tell
    assert changes(reactor, before) == {
        "pending": -2,
        "cancelled": 1,
        "moved_sooner": 1,
        "moved_later": 1,
        "fired": 1,
        "passes": 1,
    }
    assert timerwheel.stats(reactor).calls_per_pass.total == 1


def test_a_call_that_fails_is_counted_and_those_after_it_are_made(
    reactor: Any, logged: list[Any]
) -> None:
    reactor.callLater(0, fail)
    reactor.callLater(0, int)
    reactor.runUntilCurrent()
    figures = timerwheel.stats(reactor)
    assert (figures.fired, figures.failed) == (2, 1)
    assert figures.calls_per_pass.total == 2
    assert [event["log_failure"].type for event in logged] == [ValueError]


def test_a_stock_call_that_fails_is_counted(clock: FakeClock, logged: list[Any]) -> None:
    reactor = StockReactor()
    reactor.seconds = clock
    reactor.callLater(0, fail)
    timerwheel.accelerate(reactor)
    reactor.runUntilCurrent()
    assert timerwheel.stats(reactor).failed == 1


def test_a_stock_call_that_is_cancelled_without_a_word_is_counted(clock: FakeClock) -> None:
    reactor: Any = StockReactor()
    reactor.seconds = clock
    call = reactor.callLater(0, int)
    timerwheel.accelerate(reactor)
    call.cancelled = 1
    reactor.runUntilCurrent()
    figures = timerwheel.stats(reactor)
    assert (figures.cancelled, figures.fired, figures.pending) == (1, 0, 0)
    assert (figures.passes, figures.idle_passes) == (1, 1)


def test_calls_that_bypass_the_wheel_are_counted(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, logged: list[Any]
) -> None:
    original = twisteds(ReactorBase, "callLater")

    def hook(self: Any, *args: Any, **kw: Any) -> Any:
        return original(self, *args, **kw)

    monkeypatch.setattr(ReactorBase, "callLater", hook)
    reactor = make_reactor(clock)
    reactor.callLater(1, int)
    reactor.callLater(1, int)
    figures = timerwheel.stats(reactor)
    assert (figures.bypassed, figures.scheduled, figures.pending) == (2, 2, 2)
    warnings = [event for event in logged if event["log_level"].name == "warn"]
    assert len(warnings) == 1
    assert f"{__file__}:" in str(warnings[0]["origin"])
    assert " in " in str(warnings[0]["origin"])
    assert "hook" in str(warnings[0]["origin"])


def test_lateness_is_by_the_clock_of_the_reactor(reactor: Any, clock: FakeClock) -> None:
    reactor.callLater(1, int)
    reactor.callLater(2, int)
    clock.advance(3.5)
    reactor.runUntilCurrent()
    lateness = timerwheel.stats(reactor).lateness
    assert (lateness.count, lateness.total, lateness.largest) == (2, 4.0, 2.5)
    assert [(bucket.lower, bucket.upper) for bucket in lateness.buckets()] == [
        (1.5, 1.5625),
        (2.5, 2.625),
    ]


def test_what_a_call_takes_does_not_make_the_next_of_the_pass_late(
    reactor: Any, clock: FakeClock
) -> None:
    reactor.callLater(1, clock.advance, 100)
    reactor.callLater(1, int)
    clock.advance(1)
    reactor.runUntilCurrent()
    assert timerwheel.stats(reactor).lateness.largest == 0.0


@given(
    st.floats(min_value=0, max_value=1e9, allow_subnormal=True)
    | st.integers(-30, 30).map(lambda exponent: 2.0**exponent)
)
def test_a_value_is_in_a_bucket_that_is_narrow(late: float) -> None:
    clock = FakeClock(0.0)
    reactor = make_reactor(clock)
    reactor.callLater(0, int)
    clock.now = late
    reactor.runUntilCurrent()
    lateness = timerwheel.stats(reactor).lateness
    (bucket,) = lateness.buckets()
    assert bucket.count == 1
    assert bucket.lower <= late < bucket.upper
    if 2**-20 <= late < 2**12:
        assert bucket.upper - bucket.lower <= late / 16
    elif late < 2**-20:
        assert (bucket.lower, bucket.upper) == (0.0, 2**-20)
    else:
        assert (bucket.lower, bucket.upper) == (2**12, math.inf)
    assert lateness.percentile(50) == late  # no value is above the largest


def test_percentiles_outside_the_octaves(reactor: Any, clock: FakeClock) -> None:
    for late in (0.0, 0.0, 5000.0, 5000.0, 1e6):
        reactor.callLater(0, int)
        clock.advance(late)
        reactor.runUntilCurrent()
    lateness = timerwheel.stats(reactor).lateness
    assert [lateness.percentile(percent) for percent in (40, 60, 100)] == [2**-20, 1e6, 1e6]


def test_percentiles_are_never_too_low_and_at_most_a_sixteenth_too_high(
    reactor: Any, clock: FakeClock
) -> None:
    values = sorted(random.Random(0).expovariate(100) for _ in range(1000))
    start = clock.now
    for value in values:
        reactor.callLater(0, int)
        clock.now = start + value
        reactor.runUntilCurrent()
        clock.now = start
    lateness = timerwheel.stats(reactor).lateness
    for percent in (0, 1, 50, 90, 99, 99.9, 100):
        exact = values[max(1, math.ceil(percent * 10)) - 1]
        assert exact * (1 - 1e-9) <= lateness.percentile(percent) <= exact * (1 + 1 / 16 + 1e-9)
    assert lateness.mean == pytest.approx(sum(values) / 1000)


@pytest.mark.parametrize("percent", [-1, 100.5, math.nan])
def test_a_percentile_is_from_0_to_100(reactor: Any, percent: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 100"):
        timerwheel.stats(reactor).lateness.percentile(percent)


def test_the_difference_of_two_snapshots_is_what_was_counted_between(
    reactor: Any, clock: FakeClock
) -> None:
    def be_late(seconds: float) -> Histogram:
        reactor.callLater(0, int)
        clock.advance(seconds)
        reactor.runUntilCurrent()
        return timerwheel.stats(reactor).lateness

    first = be_late(8.0)
    second = be_late(1.0)
    between = second - first
    assert (between.count, between.total) == (1, 1.0)
    assert 1.0 <= between.largest <= 1.0625
    assert between.percentile(99) == between.largest
    assert (first - first).count == 0
    assert (first - first).percentile(50) == (first - first).mean == 0.0
    with pytest.raises(TypeError):
        first - timerwheel.stats(reactor).calls_per_pass  # another unit


def test_cumulative_counts_for_a_monitor(reactor: Any, clock: FakeClock) -> None:
    for late in (0.1, 0.3, 0.3, 5.0):
        reactor.callLater(0, int)
        clock.advance(late)
        reactor.runUntilCurrent()
    lateness = timerwheel.stats(reactor).lateness
    assert [lateness.at_or_below(bound) for bound in (0.0625, 0.125, 0.5, 8, math.inf)] == [
        0,
        1,
        3,
        4,
        4,
    ]


def test_calls_per_pass_counts_whole_numbers_exactly(reactor: Any) -> None:
    for calls in (1, 3, 16, 31):
        for _ in range(calls):
            reactor.callLater(0, int)
        reactor.runUntilCurrent()
    reactor.runUntilCurrent()
    histogram = timerwheel.stats(reactor).calls_per_pass
    assert [bucket.lower for bucket in histogram.buckets()] == [1, 3, 16, 31]
    assert (histogram.count, histogram.total, histogram.largest) == (4, 51, 31)


def test_a_percentile_of_whole_numbers_is_one(reactor: Any) -> None:
    def make(count: int) -> None:
        for _ in range(count):
            reactor.callLater(0, int)
        reactor.runUntilCurrent()

    counts = [1, 1, 2, 3, 5, 15, 16, 33, 100, 1000]
    for count in counts:
        make(count)
    first = timerwheel.stats(reactor).calls_per_pass
    for number, count in enumerate(counts, 1):
        found = first.percentile(100 * number / len(counts))
        assert found == int(found)
        assert count <= found <= count * (1 + 1 / 16)
    make(3)
    between = timerwheel.stats(reactor).calls_per_pass - first
    assert between.percentile(50) == between.largest == 3


def test_a_clock_that_says_infinity_does_not_spoil_the_sum(reactor: Any, clock: FakeClock) -> None:
    reactor.callLater(1, int)
    reactor.callLater(math.inf, int)
    clock.advance(1)
    reactor.runUntilCurrent()
    clock.now = math.inf
    reactor.runUntilCurrent()
    figures = timerwheel.stats(reactor)
    assert figures.fired == figures.lateness.count == 2
    assert figures.lateness.total == 0.0
    assert figures.lateness.percentile(50) == 0.0
    assert figures.lateness.at_or_below(1e6) == 1


def test_a_call_that_the_hook_refuses_is_cancelled(reactor: Any) -> None:
    before = timerwheel.stats(reactor)
    queue_of(reactor).hook = fail
    with pytest.raises(ValueError, match="as it should"):
        reactor.callLater(1, int)
    assert changes(reactor, before) == {"scheduled": 1, "cancelled": 1}


def test_a_pass_that_looks_at_the_figures_is_not_idle(reactor: Any) -> None:
    seen: list[Any] = []
    reactor.callLater(0, lambda: seen.append(timerwheel.stats(reactor)))
    reactor.runUntilCurrent()
    assert (seen[0].passes, seen[0].idle_passes, seen[0].fired) == (1, 0, 1)
    assert timerwheel.stats(reactor).idle_passes == 0


def test_the_time_of_a_pass_within_a_pass_is_counted_once(reactor: Any) -> None:
    reactor.callLater(0, reactor.runUntilCurrent)
    reactor.callLater(0, threading.Event().wait, 0.01)
    reactor.runUntilCurrent()
    figures = timerwheel.stats(reactor)
    assert (figures.passes, figures.calls_per_pass.count, figures.fired) == (2, 2, 2)
    assert figures.seconds_in_passes == figures.longest_pass >= 0.01


def test_the_time_in_passes_is_of_those_that_make_calls(reactor: Any) -> None:
    reactor.runUntilCurrent()
    assert timerwheel.stats(reactor).seconds_in_passes == 0.0
    reactor.callLater(0, threading.Event().wait, 0.01)
    reactor.runUntilCurrent()
    figures = timerwheel.stats(reactor)
    assert 0.01 <= figures.longest_pass == figures.seconds_in_passes <= figures.elapsed


def test_a_pass_for_calls_from_threads_is_counted(reactor: Any) -> None:
    reactor.callFromThread(int)
    reactor.runUntilCurrent()
    figures = timerwheel.stats(reactor)
    assert (figures.passes, figures.idle_passes) == (1, 1)
    reactor.callLater(0, int)
    reactor.callFromThread(int)
    reactor.runUntilCurrent()
    figures = timerwheel.stats(reactor)
    assert (figures.passes, figures.idle_passes, figures.fired) == (2, 1, 1)


def test_looking_changes_nothing(reactor: Any) -> None:
    call = reactor.callLater(10, int)
    call.delay(5)
    assert timerwheel.stats(reactor).next_deadline == call.getTime()
    assert (call.time, call.delayed_time) == (110.0, 5.0)


def test_the_memory_of_pending_calls_is_in_the_figure(reactor: Any) -> None:
    empty = timerwheel.stats(reactor).memory
    calls = [reactor.callLater(10, int) for _ in range(1000)]
    assert 80 <= (timerwheel.stats(reactor).memory - empty) / 1000 <= 200
    for call in calls:
        call.cancel()
    assert timerwheel.stats(reactor).memory == empty


def test_a_snapshot_cannot_be_changed_and_can_be_kept(reactor: Any) -> None:
    reactor.callLater(0, int)
    reactor.runUntilCurrent()
    figures = timerwheel.stats(reactor)
    with pytest.raises(FrozenInstanceError):
        figures.fired = 5  # type: ignore[misc]
    with pytest.raises(AttributeError):
        figures.lateness.count = 5  # type: ignore[misc]
    kept = pickle.loads(pickle.dumps(figures))
    assert kept == figures == copy.deepcopy(figures)
    assert hash(kept.lateness) == hash(figures.lateness)
    assert figures.lateness != 3
    reactor.callLater(0, int)
    reactor.runUntilCurrent()
    assert kept == figures != timerwheel.stats(reactor)
    assert "count=1" in repr(figures.lateness)


def test_a_wheel_that_is_put_in_again_begins_anew(reactor: Any) -> None:
    reactor.callLater(5, int)
    reactor.callLater(5, int).cancel()
    timerwheel.restore(reactor)
    timerwheel.accelerate(reactor)
    figures = timerwheel.stats(reactor)
    assert (figures.scheduled, figures.cancelled, figures.pending) == (1, 0, 1)


@pytest.mark.parametrize("name", ["stats", "watch", "pending", "dump"])
@pytest.mark.parametrize("reactor", [StockReactor(), None, 5])
def test_without_a_wheel_there_is_one_clear_error(name: str, reactor: Any) -> None:
    with pytest.raises(ValueError, match=r"has no wheel.*timerwheel\.accelerate"):
        getattr(timerwheel, name)(reactor)
