"""TimerWheel: exact order and exact expiry, whatever the times and however they change."""

from __future__ import annotations

import gc
import random
import tracemalloc
from fractions import Fraction
from typing import Any

import pytest

from timerwheel import Timer, TimerWheel

TICK = 2.0**-10
STARTS = [0.0, 1.7e9, -1.0e6, 2.0**33 + 0.3, 12 * 86400.0]


class Oracle:
    """The same as the wheel by a list that is searched."""

    def __init__(self, now: float) -> None:
        self.entries: dict[Timer, tuple[float, int]] = {}
        self.scheduled = 0

    def add(self, timer: Timer, when: float) -> None:
        self.entries[timer] = (when, self.scheduled)
        self.scheduled += 1

    def move(self, timer: Timer, when: float) -> None:
        self.entries[timer] = (when, self.entries[timer][1])

    def due(self, now: float) -> list[Timer]:
        due = sorted((key, timer) for timer, key in self.entries.items() if key[0] <= now)
        for _, timer in due:
            del self.entries[timer]
        return [timer for _, timer in due]

    def next_expiry(self) -> float | None:
        return min((when for when, _ in self.entries.values()), default=None)


def check(wheel: TimerWheel, oracle: Oracle) -> None:
    wheel.check_invariants()
    assert len(wheel) == len(oracle.entries)
    assert wheel.next_expiry() == oracle.next_expiry()


class Machine:
    """Does the same at random to a wheel and to the oracle."""

    def __init__(self, seed: int, now: float) -> None:
        self.random = random.Random(seed)
        self.now = now
        self.wheel = TimerWheel(now)
        self.oracle = Oracle(now)
        self.fired: list[Timer] = []

    def delay(self) -> float:
        kind = self.random.randrange(8)
        if kind == 0:
            return self.random.choice([0.0, TICK, -TICK, 63 * TICK, 64 * TICK, 65 * TICK])
        if kind == 1:
            return self.random.choice([4095, 4096, 4097, 2**18, 2**24, 2**30]) * TICK
        if kind == 2:
            return self.random.choice([2.0**26, 2.0**27, float("inf"), 2.0**128 + 1, 1e300])
        if kind == 3:
            return -self.random.random() * 10
        return self.random.random() * 10 ** self.random.randrange(-4, 6)

    def schedule(self) -> None:
        when = self.now + self.delay()
        holder: list[Timer] = []
        timer = self.wheel.schedule(when, lambda: self.fired.append(holder[0]))
        holder.append(timer)
        self.oracle.add(timer, when)

    def pick(self) -> Timer | None:
        timers = list(self.oracle.entries)
        return self.random.choice(timers) if timers else None

    def cancel(self) -> None:
        timer = self.pick()
        if timer is not None:
            assert timer.cancel() is True
            assert timer.cancel() is False
            del self.oracle.entries[timer]

    def move(self) -> None:
        timer = self.pick()
        if timer is not None:
            when = self.now + self.delay()
            timer.reschedule(when)
            self.oracle.move(timer, when)

    def advance(self) -> None:
        self.now += self.random.choice(
            [0.0, TICK / 3, self.random.random(), self.random.random() * 1000, 2.0**20, -5.0]
        )
        self.fired.clear()
        fired = self.wheel.advance(self.now)
        due = self.oracle.due(self.now)
        assert self.fired == due
        assert fired == len(due)

    def step(self) -> None:
        action = self.random.choices(
            [self.schedule, self.cancel, self.move, self.advance], weights=[5, 2, 4, 2]
        )[0]
        action()
        check(self.wheel, self.oracle)


# Timers are compared by the oracle only when their keys are equal, which they never are.
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("seed", range(6))
def test_any_program_fires_as_a_sorted_list_would(seed: int, start: float) -> None:
    machine = Machine(seed, start)
    for _ in range(400):
        machine.step()


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("edge", [1, 63, 64, 65, 4095, 4096, 4097, 2**18, 2**24, 2**30, 2**36])
def test_fires_neither_early_nor_late_at_the_edge_of_each_level(start: float, edge: int) -> None:
    """folly: a timeout at the edge of a slot fired at once."""
    wheel = TimerWheel(start)
    fired: list[int] = []
    for ticks in (edge - 1, edge, edge + 1):
        wheel.schedule(start + ticks * TICK, fired.append, ticks)
    for ticks in (edge - 1, edge, edge + 1):
        before = start + ticks * TICK - TICK / 4
        wheel.advance(before)
        assert ticks not in fired
        assert wheel.next_expiry() == start + ticks * TICK
        wheel.advance(start + ticks * TICK)
        assert fired[-1] == ticks
        wheel.check_invariants()


def test_equal_deadlines_fire_in_the_order_of_scheduling_through_cascades() -> None:
    wheel = TimerWheel(0.0)
    fired: list[int] = []
    for number in range(100):
        wheel.schedule(5000.0, fired.append, number)
        wheel.advance(number * 40.0)
    wheel.advance(5000.0)
    assert fired == list(range(100))


def test_order_within_a_tick_is_by_time_not_by_scheduling() -> None:
    wheel = TimerWheel(0.0)
    fired: list[float] = []
    delays = [1 + number * TICK / 1000 for number in range(999)]
    random.Random(1).shuffle(delays)
    for delay in delays:
        wheel.schedule(delay, fired.append, delay)
    wheel.advance(2.0)
    assert fired == sorted(delays)


def test_a_timer_moved_later_keeps_no_claim_to_its_earlier_time() -> None:
    """Also among timers that are due already, which lie in the heap."""
    wheel = TimerWheel(100.0)
    fired: list[str] = []
    first = wheel.schedule(1.0, fired.append, "moved")
    wheel.schedule(1.25, fired.append, "stayed")
    first.reschedule(1.5)
    wheel.advance(110.0)
    assert fired == ["stayed", "moved"]


def test_a_far_timer_does_not_delay_near_ones_at_any_uptime() -> None:
    """tokio#8334: late near 12 days of uptime."""
    wheel = TimerWheel(0.0)
    wheel.schedule(float("inf"), lambda: None)
    wheel.schedule(2.0**40, lambda: None)
    now = 0.0
    for day in range(400):
        fired: list[float] = []
        now = day * 86400.0 * 4.3
        wheel.advance(now)
        wheel.schedule(now + 0.005, fired.append, now)
        assert wheel.next_expiry() == now + 0.005
        wheel.advance(now + 0.005)
        assert fired == [now]


def test_a_jump_of_a_year_fires_all_in_order() -> None:
    wheel = TimerWheel(0.0)
    fired: list[int] = []
    delays = [number**3 for number in range(300)]
    for delay in reversed(delays):
        wheel.schedule(delay, fired.append, delay)
    assert wheel.advance(366 * 86400.0) == 300
    assert fired == delays


def test_what_a_callback_schedules_for_the_same_instant_waits_for_the_next_advance() -> None:
    """aiohttp#10149, libuv#4245."""
    wheel = TimerWheel(10.0)
    fired: list[int] = []

    def again() -> None:
        fired.append(len(fired))
        wheel.schedule(10.0, again)
        wheel.schedule(9.0, fired.append, 100)

    wheel.schedule(10.0, again)
    assert wheel.advance(10.0) == 1
    assert fired == [0]
    assert wheel.next_expiry() == 9.0
    assert wheel.advance(10.0) == 2
    assert fired == [0, 100, 2]


def test_a_timer_that_a_callback_moves_into_the_pass_fires_in_it() -> None:
    wheel = TimerWheel(0.0)
    fired: list[str] = []
    later = wheel.schedule(50.0, fired.append, "moved")
    wheel.schedule(1.0, lambda: later.reschedule(0.5))
    wheel.schedule(1.0, fired.append, "last")
    wheel.advance(1.0)
    assert fired == ["moved", "last"]


def test_a_timer_that_a_callback_cancels_does_not_fire() -> None:
    wheel = TimerWheel(0.0)
    fired: list[int] = []
    timers: list[Timer] = []
    timers.append(wheel.schedule(1.0, lambda: [timer.cancel() for timer in timers[1:]]))
    timers += [
        wheel.schedule(1.0 + number * TICK / 9, fired.append, number) for number in range(20)
    ]
    assert wheel.advance(2.0) == 1
    assert fired == []
    wheel.schedule(3.0, fired.append, 3)
    wheel.advance(3.0)
    assert fired == [3]


def test_an_advance_within_a_callback_is_a_pass_of_its_own() -> None:
    wheel = TimerWheel(0.0)
    fired: list[str] = []

    def outer() -> None:
        wheel.schedule(0.0, fired.append, "made before the inner")
        wheel.advance(2.0)
        wheel.schedule(0.0, fired.append, "made after the inner")
        fired.append("outer")

    wheel.schedule(1.0, outer)
    wheel.schedule(1.5, fired.append, "inner")
    wheel.advance(1.0)
    assert fired == ["made before the inner", "inner", "outer"]
    wheel.advance(1.0)
    assert fired[3:] == ["made after the inner"]


def test_an_exception_ends_the_advance_and_loses_nothing() -> None:
    wheel = TimerWheel(0.0)
    fired: list[int] = []
    wheel.schedule(1.0, fired.append, 1)
    wheel.schedule(2.0, lambda: 1 / 0)
    wheel.schedule(3.0, fired.append, 3)
    with pytest.raises(ZeroDivisionError):
        wheel.advance(5.0)
    assert fired == [1]
    assert wheel.advance(5.0) == 1
    assert fired == [1, 3]


def test_a_clock_that_goes_back_harms_nothing() -> None:
    wheel = TimerWheel(1000.0)
    fired: list[float] = []
    wheel.schedule(1001.0, fired.append, 1001.0)
    wheel.advance(500.0)
    for when in (502.0, 501.0, 999.9):
        wheel.schedule(when, fired.append, when)
    assert wheel.next_expiry() == 501.0
    wheel.advance(501.0)
    assert fired == [501.0]
    wheel.advance(2000.0)
    assert fired == [501.0, 502.0, 999.9, 1001.0]


def test_an_empty_wheel_takes_up_another_clock() -> None:
    wheel = TimerWheel(1.7e9)
    fired: list[float] = []
    timers = [wheel.schedule(1.7e9 + number * TICK / 100, int) for number in range(90)]
    wheel.advance(1.7e9 + TICK / 200)
    for timer in timers[1:]:
        timer.cancel()
    wheel.advance(100.0)
    timers = [
        wheel.schedule(101 + number * TICK / 100, fired.append, number) for number in range(90)
    ]
    wheel.advance(101.0)
    assert fired == [0]
    for timer in timers[1::2]:
        timer.cancel()
    wheel.check_invariants()
    wheel.advance(102.0)
    assert fired == list(range(0, 90, 2))


@pytest.mark.parametrize("count", [1, 15, 16, 17, 100, 4097, 100_000])
def test_a_burst_in_one_tick_fires_sorted(count: int) -> None:
    wheel = TimerWheel(0.0)
    fired: list[float] = []
    order = random.Random(count)
    delays = [5.0 + order.random() * TICK for _ in range(count)]
    for delay in delays:
        wheel.schedule(delay, fired.append, delay)
    assert wheel.advance(6.0) == count
    assert fired == sorted(delays)
    wheel.check_invariants()


@pytest.mark.parametrize(
    ("when", "error"),
    [(float("nan"), ValueError), ("5", TypeError), (None, TypeError), (10**400, OverflowError)],
)
def test_a_time_that_is_none_is_refused_and_changes_nothing(
    when: Any, error: type[Exception]
) -> None:
    wheel = TimerWheel(0.0)
    timer = wheel.schedule(5.0, lambda: None)
    for call in (
        lambda: wheel.schedule(when, print),
        lambda: timer.reschedule(when),
        lambda: wheel.advance(when),
        lambda: TimerWheel(when),
    ):
        with pytest.raises(error):
            call()
    assert len(wheel) == 1
    assert wheel.next_expiry() == 5.0


def test_what_cannot_be_called_is_refused() -> None:
    wheel = TimerWheel(0.0)
    with pytest.raises(TypeError, match="needs a callable, not None"):
        wheel.schedule(1.0, None)  # type: ignore[arg-type]
    assert len(wheel) == 0


def test_a_timer_that_has_fired_cannot_be_rescheduled() -> None:
    wheel = TimerWheel(0.0)
    timer = wheel.schedule(1.0, int)
    assert timer.active
    wheel.advance(1.0)
    assert not timer.active
    assert timer.cancel() is False
    with pytest.raises(ValueError, match="fired or been cancelled"):
        timer.reschedule(2.0)


def test_any_number_is_a_time() -> None:
    wheel = TimerWheel(0)
    fired: list[int] = []
    for number, when in enumerate([True, Fraction(1, 2), 2**128 + 1, 1]):
        wheel.schedule(when, fired.append, number)
    wheel.advance(1)
    assert fired == [1, 0, 3]
    wheel.advance(float("inf"))
    assert fired == [1, 0, 3, 2]


def test_handles_carry_what_is_called() -> None:
    timer = TimerWheel(0.0).schedule(1.5, dict, [("a", 1)], b=2)
    assert (timer.func, timer.args, timer.kw, timer.when) == (dict, ([("a", 1)],), {"b": 2}, 1.5)


def test_dropping_the_wheel_in_a_callback_is_harmless() -> None:
    """folly."""
    wheels = [TimerWheel(0.0)]
    fired: list[str] = []
    kept = wheels[0].schedule(1.0, fired.append, "kept")
    wheels[0].schedule(0.5, wheels.clear)
    wheels[0].advance(1.0)
    assert fired == ["kept"]
    assert not kept.active


def test_a_destructor_may_use_the_wheel() -> None:
    wheel = TimerWheel(0.0)
    fired: list[str] = []

    class Argument:
        def __del__(self) -> None:
            wheel.schedule(1.0, fired.append, "from the destructor")
            wheel.advance(0.5)

    timer = wheel.schedule(1.0, print, Argument())
    timer.cancel()
    wheel.check_invariants()
    wheel.schedule(0.25, lambda _: None, Argument())
    wheel.advance(0.3)
    wheel.check_invariants()
    wheel.advance(2.0)
    assert fired == ["from the destructor"] * 2


def test_a_timer_that_has_fired_can_be_armed_again() -> None:
    wheel = TimerWheel(0.0)
    fired: list[str] = []
    first = wheel.schedule(1.0, fired.append, "first")
    wheel.advance(1.0)
    wheel.schedule(2.0, fired.append, "second")
    wheel.rearm(first, 2)
    assert (first.active, first.when) == (True, 2.0)
    wheel.check_invariants()
    wheel.advance(2.0)
    assert fired == ["first", "second", "first"]


def test_a_timer_can_be_armed_again_by_its_own_callback() -> None:
    """aiohttp#10149: for the same instant, under a clock that stands still."""
    wheel = TimerWheel(0.0)
    fired: list[float] = []

    def callback() -> None:
        fired.append(timer.when)
        wheel.rearm(timer, 0.0)

    timer = wheel.schedule(0.0, callback)
    assert [wheel.advance(0.0) for _ in range(3)] == [1, 1, 1]
    assert fired == [0.0] * 3


def test_only_a_timer_that_has_fired_can_be_armed_again() -> None:
    wheel = TimerWheel(0.0)
    pending, cancelled = (wheel.schedule(1.0, print) for _ in range(2))
    cancelled.cancel()
    for timer in (pending, cancelled):
        with pytest.raises(ValueError, match="has not fired"):
            wheel.rearm(timer, 2.0)
    with pytest.raises(TypeError):
        wheel.rearm(None, 2.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        wheel.rearm("timer", 2.0)  # type: ignore[arg-type]
    fired = wheel.schedule(0.0, int)
    wheel.advance(0.0)
    for wrong, error in [(float("nan"), ValueError), ("soon", TypeError)]:
        with pytest.raises(error):
            wheel.rearm(fired, wrong)  # type: ignore[arg-type]
    assert not fired.active
    assert len(wheel) == 1


def test_timers_that_are_over_take_no_memory() -> None:
    """Also if some are always due within a tick whose others have fired."""
    wheel = TimerWheel(0.0)

    def run(ticks: range) -> None:
        for tick in ticks:
            wheel.schedule((tick + 0.25) * TICK, int)
            wheel.schedule((tick + 0.75) * TICK, int)
            wheel.advance((tick + 0.5) * TICK)
            assert len(wheel) == 1

    run(range(1000))
    tracemalloc.start()
    try:
        run(range(1000, 11_000))
        assert tracemalloc.get_traced_memory()[0] < 10_000
    finally:
        tracemalloc.stop()


def test_timers_are_made_by_the_wheel_and_a_wheel_but_once() -> None:
    with pytest.raises(TypeError, match=r"made by TimerWheel\.schedule"):
        Timer()
    wheel = TimerWheel(0.0)
    wheel.__init__(5.0)  # type: ignore[misc]
    wheel.schedule(5.5, int)
    with pytest.raises(ValueError, match="holds timers"):
        wheel.__init__(0.0)  # type: ignore[misc]
    assert wheel.next_expiry() == 5.5


def test_what_is_held_for_the_next_advance_is_seen_and_can_be_cancelled() -> None:
    wheel = TimerWheel(10.0)
    fired: list[str] = []

    def callback() -> None:
        for when, name in [(9.0, "kept"), (5.0, "cancelled"), (7.0, "moved")]:
            made[name] = wheel.schedule(when, fired.append, name)
        assert wheel.next_expiry() == 5.0
        assert made["cancelled"].cancel()
        assert wheel.next_expiry() == 7.0
        made["moved"].reschedule(9.5)
        assert wheel.next_expiry() == 9.0
        wheel.check_invariants()

    made: dict[str, Timer] = {}
    wheel.schedule(10.0, callback)
    assert wheel.advance(10.0) == 1
    assert wheel.advance(10.0) == 2
    assert fired == ["kept", "moved"]


def test_the_collector_sees_each_timer_wherever_it_lies() -> None:
    wheel = TimerWheel(0.0)
    seen: list[bool] = []

    def look(timers: list[Timer]) -> None:
        seen.extend(wheel in gc.get_referrers(timer) for timer in timers)

    def fail() -> None:
        look([wheel.schedule(0.0, int)])  # held
        raise ZeroDivisionError

    ahead = [wheel.schedule(when, int) for when in (5.0, 5000.0, 1e7, 1e9, float("inf"))]
    wheel.schedule(1.0, fail)
    due = [wheel.schedule(1.0, int)]
    with pytest.raises(ZeroDivisionError):
        wheel.advance(1.0)
    due.append(wheel.schedule(0.5, int))
    look(ahead + due)
    assert seen == [True] * 8


def test_a_wake_is_found_without_a_search_and_is_never_late() -> None:
    chance = random.Random(7)
    wheel = TimerWheel(0.0)
    assert wheel.next_wake() is None
    few = [wheel.schedule(when, int) for when in (9.0, 7.0)]
    assert wheel.next_wake() == 7.0
    for timer in few:
        timer.cancel()
    earliest = min(wheel.schedule(chance.uniform(5000, 5001), int).when for _ in range(1000))
    wakes = 0
    now = 0.0
    while len(wheel) == 1000:
        wake = wheel.next_wake()
        assert wake is not None
        assert now < wake <= earliest
        now = wake
        wheel.advance(now)
        wakes += 1
    assert now == earliest
    assert wakes <= 7
    assert wheel.next_wake() == wheel.next_expiry()


def test_the_next_expiry_is_exact_after_a_wake_that_was_not() -> None:
    chance = random.Random(7)
    wheel = TimerWheel(0.0)
    timers = [wheel.schedule(chance.uniform(1000, 1001), int) for _ in range(1000)]
    for timer in sorted(timers, key=lambda timer: timer.when):
        wake = wheel.next_wake()
        assert wake is not None
        assert wake <= timer.when
        assert wheel.next_expiry() == timer.when
        timer.cancel()


@pytest.mark.parametrize("seed", range(3))
def test_a_wake_is_never_late_whatever_leaves_and_moves(seed: int) -> None:
    chance = random.Random(seed)
    wheel = TimerWheel(0.0)
    timers = [wheel.schedule(1000 + chance.random(), int) for _ in range(1000)]
    for _ in range(2000):
        timer = chance.choice(timers)
        if timer.active and chance.random() < 0.3:
            timer.cancel()
        elif timer.active:
            timer.reschedule(1000 + chance.random() * chance.choice([0.1, 1, 1000]))
        else:
            timers.append(wheel.schedule(1000 + chance.random(), int))
        wake = wheel.next_wake()
        assert wake is not None
        assert wake <= min(timer.when for timer in timers if timer.active)
        wheel.check_invariants()


@pytest.mark.parametrize("start", [1.7e9, 0.0, -3.0])
@pytest.mark.parametrize("count", [600, 5000])
def test_many_of_one_slot_in_random_order_fire_in_exact_order(start: float, count: int) -> None:
    """Few bits of their times differ, or many; some are for the same time; zeros have signs."""
    chance = random.Random(count)
    wheel = TimerWheel(start - 10)
    due = []
    for number in range(count):
        when = start + chance.choice([chance.random() / 1025, 0.0, 1 / 2048])
        due.append((chance.choice([when, -0.0]) if when == 0 else when, number))
    fired: list[tuple[float, int]] = []
    timers = [wheel.schedule(start + 5, fired.append, pair) for pair in due]
    moved = list(zip(timers, due, strict=True))
    chance.shuffle(moved)
    for timer, (when, _) in moved:
        timer.reschedule(when)
    wheel.advance(start + 1)
    assert [number for _, number in fired] == [number for _, number in sorted(due)]
