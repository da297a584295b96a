"""What broke in other projects' timers, and must not break here. Each test names the tickets.

Those that fit better beside their like are elsewhere, with the tickets in their docstrings.
"""

from __future__ import annotations

import asyncio
import gc
import math
import random
import sys
import weakref
from collections import Counter
from typing import Any

import pytest
from helpers import REAL, CallQueue, FakeClock, make_reactor, queue_of, run_for, run_on
from twisted.internet import task
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

import timerwheel
from timerwheel import Timer, TimerWheel
from timerwheel._wakers.milliseconds import up_to_whole_milliseconds

TICK = 2.0**-10

# Early by a clock that was rounded down; or spinning until it is time.


@pytest.mark.parametrize("step", [1 / 1024, 1 / 64])
def test_a_coarse_clock_makes_no_call_early_and_nothing_spin(step: float) -> None:
    """libuv#4773, uvloop#739, uvloop#233, cpython#127859: with a reactor that waits whole ms."""
    precise = FakeClock(1.7e9 + 0.0123)
    reactor = make_reactor(precise)
    reactor.seconds = lambda: math.floor(precise.now / step) * step
    passes = 0
    for delay in (0.0001, 0.0009, 0.001, 0.0155, 0.0157, 0.3, 1.0):
        made = reactor.seconds()
        call = reactor.callLater(delay, int)
        while not call.called:
            precise.advance(int(up_to_whole_milliseconds(reactor.timeout()) * 1000) / 1000)
            reactor.runUntilCurrent()
            passes += 1
        assert reactor.seconds() >= made + delay
    assert passes <= 7 * (1 + step / 0.001)


# Floats at a long uptime: t + 1e-9 == t.


@pytest.mark.parametrize("now", [1.7e9, 2.0**33, 2.0**53])
def test_a_delay_that_does_not_move_the_clock_is_over_in_the_next_pass(now: float) -> None:
    """cpython#145703, cpython#145706."""
    clock = FakeClock(now)
    reactor = make_reactor(clock)
    fired: list[float] = []
    call = reactor.callLater(1e-9, fired.append, now)
    assert call.getTime() == now
    assert reactor.timeout() == 0
    reactor.runUntilCurrent()
    assert fired == [now]
    assert reactor.timeout() is None


@pytest.mark.parametrize("now", [1.7e9, 2.0**33, 2.0**40])
def test_one_wait_brings_a_call_at_any_uptime(now: float) -> None:
    """cpython#145703, cpython#145706: what timeout() says is enough, whatever the rounding."""
    clock = FakeClock(now)
    reactor = make_reactor(clock)
    late: list[float] = []
    chance = random.Random(2)
    for _ in range(300):
        call = reactor.callLater(
            chance.random() * 10 ** chance.randrange(-9, 3),
            lambda due: late.append(clock.now - due),
            None,
        )
        call.args = (call.getTime(),)
        clock.advance(math.ulp(clock.now))
        passes = run_for(1000, reactor, clock)
        assert passes <= 2
    assert len(late) == 300
    assert set(late) <= {0.0, *(n * math.ulp(now) for n in (1, 2))}


def test_neighbouring_floats_are_different_times() -> None:
    """cpython#145703: at 2**33 s floats are two microseconds apart, many within a tick."""
    wheel = TimerWheel(2.0**33)
    fired: list[float] = []
    times = [2.0**33 + 1.0]
    for _ in range(100):
        times.append(math.nextafter(times[-1], math.inf))
    for when in reversed(times):
        wheel.schedule(when, fired.append, when)
    for number, when in enumerate(times, 1):
        wheel.advance(when)
        assert fired == times[:number]


# A cached "now" that is stale.


def test_what_a_callback_schedules_counts_from_its_own_now(reactor: Any, clock: FakeClock) -> None:
    """libuv#1068, uvloop#29: a pass has one "now", but a delay begins when it is asked for."""
    times: list[float] = []
    other, third = reactor.callLater(50, int), reactor.callLater(50, int)
    third.delay(1)

    def block() -> None:
        clock.advance(1)
        times.append(reactor.callLater(0.5, int).getTime())
        other.reset(0.75)

    reactor.callLater(1, block)
    clock.advance(1)
    reactor.runUntilCurrent()
    assert times == [102.5]
    assert other.getTime() == 102.75
    assert reactor.timeout() == 0.5


BLOCKING = """
    import time
    early = []
    def fire(due):
        early.append(due - reactor.seconds())
        if len(early) == 5:
            reactor.stop()
    def block():
        time.sleep(0.2)
        for number in range(5):
            delay = 0.01 + number * 0.0007
            reactor.callLater(delay, fire, reactor.seconds() + delay)
    reactor.callLater(0.01, block)
    reactor.run()
    print(json.dumps(max(early)))
"""


@pytest.mark.parametrize("name", ["asyncio", "uvloop", "gi"])
def test_a_call_made_after_the_loop_was_blocked_is_not_early(name: str) -> None:
    """libuv#1068, uvloop#29: the loop's own time is that before the block."""
    assert run_on(name, BLOCKING) <= 0


# The edges of slots and of levels.

EDGES = [
    1,
    63,
    64,
    65,
    4095,
    4096,
    4097,
    *(2**power + n for power in (18, 24, 30, 36) for n in (-1, 0, 1)),
]


@pytest.mark.parametrize(
    "start", [0, 1, 62, 63, 64, 4095, 4096, 2**18 - 1, 2**36 - 1, 2**36, 2**36 + 63]
)
def test_no_delay_fires_at_once_or_early_from_whichever_slot_it_is_made(start: int) -> None:
    """folly: a timeout at the edge of a slot fired at once."""
    for edge in EDGES:
        wheel = TimerWheel(start * TICK)
        fired: list[int] = []
        wheel.schedule((start + edge) * TICK, fired.append, edge)
        wheel.advance(start * TICK)
        wheel.advance(math.nextafter((start + edge) * TICK, 0.0))
        assert fired == []
        wheel.advance((start + edge) * TICK)
        assert fired == [edge]


# Numbers that are too large.


@pytest.mark.parametrize("huge", [sys.float_info.max, 2**128 + 1, 2.0**63, 1e300, math.inf])
def test_huge_times_wait_and_those_long_past_do_not(huge: float) -> None:
    """uvloop#259, Netty#7760: an overflow made them due at once."""
    wheel = TimerWheel(1.7e9)
    fired: list[str] = []
    wheel.schedule(huge, fired.append, "future")
    wheel.schedule(-huge, fired.append, "past")
    wheel.schedule(1.7e9 + 1, fired.append, "near")
    wheel.check_invariants()
    assert wheel.next_expiry() == float(-huge)
    wheel.advance(1.7e9)
    assert fired == ["past"]
    assert wheel.next_expiry() == 1.7e9 + 1
    wheel.advance(2.0**60)
    assert fired == ["past", "near"]
    assert wheel.next_expiry() == float(huge)
    wheel.check_invariants()
    wheel.advance(huge)
    assert fired == ["past", "near", "future"]


HUGE = """
    fired = []
    for delay in (sys.float_info.max, 2**128 + 1, 2.0**63, 2.0**31, 2147483.5, float("inf")):
        reactor.callLater(delay, fired.append, delay)
    reactor.callLater(0.05, lambda: reactor.callLater(0.05, reactor.stop))
    reactor.run()
    far = [call for call in reactor.getDelayedCalls() if call.getTime() > reactor.seconds() + 60]
    print(json.dumps([fired, len(far)]))
"""


@pytest.mark.parametrize("name", REAL)
def test_huge_delays_neither_fire_nor_stop_the_reactor(name: str) -> None:
    """uvloop#259, Netty#7760: what each reactor makes of its timeout."""
    assert run_on(name, HUGE) == [[], 6]


# A far timer, and short ones beside it.


@pytest.mark.parametrize("bits", [6, 12, 18, 24, 30, 36, 42])
def test_short_timers_are_on_time_as_the_clock_crosses_an_edge_beside_a_far_one(bits: int) -> None:
    """tokio#8334: late near 12 days of uptime, the edge of the fifth level."""
    edge = 2.0**bits * TICK
    clock = FakeClock(max(edge - 1, 0.0))
    reactor = make_reactor(clock)
    reactor.callLater(2.0**50, int)
    late: list[float] = []

    def fire(due: float) -> None:
        late.append(clock.now - due)
        if clock.now < edge + 1:
            reactor.callLater(0.005, fire, clock.now + 0.005)

    reactor.callLater(0.005, fire, clock.now + 0.005)
    passes = run_for(3, reactor, clock)
    assert len(late) > 150
    assert max(map(abs, late)) <= math.ulp(clock.now)
    assert passes <= 2 * len(late) + 2
    queue_of(reactor).check_invariants()


# The next wake.


def test_a_wake_is_set_anew_when_its_timer_is_reset_to_sooner(
    reactor: Any, queue: CallQueue, clock: FakeClock
) -> None:
    """tokio#849: what was armed for a slot's start was left as it was."""
    armed: list[float] = []
    queue.hook = lambda: armed.append(reactor.timeout())
    for late in (1 / 16, 1 / 8, 3 / 16, 5, 300, 1e5, 1e9):
        call = reactor.callLater(late, int)
        clock.advance(3 / 1024)
        call.reset(2 / 1024)
        assert armed[-1] == 2 / 1024
        call.cancel()
        reactor.timeout()


def test_many_resets_of_many_timers_leave_the_earliest_next(reactor: Any) -> None:
    """tokio#868."""
    loss, idle = reactor.callLater(0.1875, int), reactor.callLater(0.25, int)
    assert reactor.timeout() == 0.1875
    loss.reset(0.3125)
    idle.reset(0.375)
    loss.reset(0.5)
    assert reactor.timeout() == 0.375


def test_what_is_due_at_the_very_instant_can_be_made_and_moved() -> None:
    """tokio#2473: a deadline that equalled the elapsed time panicked."""
    wheel = TimerWheel(64 * TICK)
    fired: list[str] = []
    wheel.schedule(64 * TICK, fired.append, "made")
    wheel.schedule(99.0, fired.append, "moved").reschedule(64 * TICK)
    wheel.schedule(64 * TICK, fired.append, "put off").reschedule(128 * TICK)
    wheel.check_invariants()
    wheel.advance(64 * TICK)
    assert fired == ["made", "moved"]
    wheel.advance(128 * TICK)
    assert fired == ["made", "moved", "put off"]


@pytest.mark.parametrize("action", ["put off", "put off twice", "cancel", "hasten"])
def test_timers_that_have_expired_but_not_fired_can_be_changed(action: str) -> None:
    """tokio#3270, tokio#2587: several in one slot, of which the first has been taken out."""
    wheel = TimerWheel(0.0)
    fired: list[int] = []
    timers: list[Timer] = []

    def change() -> None:
        for timer in timers:
            if action == "cancel":
                assert timer.cancel()
            elif action == "hasten":
                timer.reschedule(TICK)
            else:
                timer.reschedule(128 * TICK)
                if action == "put off twice":
                    timer.reschedule(256 * TICK)
        wheel.check_invariants()

    wheel.schedule(64 * TICK, change)
    timers += [wheel.schedule(64 * TICK, fired.append, number) for number in range(5)]
    wheel.advance(64 * TICK)
    assert fired == ([0, 1, 2, 3, 4] if action == "hasten" else [])
    wheel.advance(1.0)
    assert fired == ([] if action == "cancel" else [0, 1, 2, 3, 4])
    assert len(wheel) == 0


def test_a_later_timer_does_not_hide_an_earlier_one_that_awaits_its_cascade() -> None:
    """glommio#44: 300 ms, then at 250 ms one more for 400 ms, which was in a lower level."""
    wheel = TimerWheel(0.0)
    wheel.schedule(0.3, int)
    wheel.advance(0.25)
    wheel.schedule(0.4, int)
    assert wheel.next_expiry() == 0.3


@pytest.mark.parametrize("seed", range(4))
def test_no_wake_is_in_the_past_and_each_brings_a_call(seed: int) -> None:
    """glommio#44: a wake in the past spins."""
    chance = random.Random(seed)
    clock = FakeClock(1.7e9)
    reactor = make_reactor(clock)
    instants: set[float] = set()

    def fire() -> None:
        instants.add(clock.now)
        for call in chance.sample(reactor.getDelayedCalls(), 1):
            call.reset(chance.random() * 10)
        if chance.random() < 0.5:
            reactor.callLater(chance.random() * 100, fire)

    for _ in range(200):
        reactor.callLater(chance.random() * 100, fire)
    # One more after each instant, where what timeout() says is rounded; and the first.
    assert run_for(300, reactor, clock) <= 2 * len(instants) + 1
    assert len(instants) > 200


def test_the_next_wake_of_a_timer_that_was_hastened_and_cancelled_is_forgotten(
    reactor: Any,
) -> None:
    """golang#51654: it stayed, and span."""
    reactor.callLater(60, int)
    call = reactor.callLater(30, int)
    assert reactor.timeout() == 30
    call.reset(1)
    assert reactor.timeout() == 1
    call.cancel()
    assert reactor.timeout() == 60


def test_a_timer_that_was_put_off_and_then_hastened_is_next(reactor: Any, clock: FakeClock) -> None:
    """golang#41699: moving a timer later may be lazy, moving it sooner must not be."""
    call = reactor.callLater(10, int)
    reactor.callLater(20, int)
    assert reactor.timeout() == 10
    call.reset(1000)
    call.reset(5)
    assert reactor.timeout() == 5
    clock.advance(5)
    reactor.runUntilCurrent()
    assert call.called


# Cancelling from within.


def test_what_a_timer_arms_after_cancelling_itself_fires() -> None:
    """seastar#3013."""
    wheel = TimerWheel(0.0)
    fired: list[str] = []

    def first() -> None:
        assert timer.cancel() is False
        wheel.schedule(0.002, fired.append, "armed")

    timer = wheel.schedule(0.001, first)
    wheel.schedule(0.001, lambda: other.cancel())
    other = wheel.schedule(0.0015, fired.append, "cancelled")
    wheel.advance(0.0015)
    assert wheel.next_expiry() == 0.002
    wheel.advance(0.002)
    assert fired == ["armed"]


def test_a_call_that_cancels_the_last_and_arms_another_has_it_made(
    reactor: Any, queue: CallQueue, clock: FakeClock
) -> None:
    """seastar#3013."""
    armed: list[float | None] = []
    queue.hook = lambda: armed.append(reactor.timeout())
    fired: list[str] = []
    last = reactor.callLater(5, fired.append, "last")

    def again() -> None:
        last.cancel()
        reactor.callLater(2, fired.append, "armed")

    reactor.callLater(1, again)
    clock.advance(1)
    reactor.runUntilCurrent()
    assert reactor.timeout() == 2
    clock.advance(2)
    reactor.runUntilCurrent()
    assert fired == ["armed"]


# Timers that arm themselves again for at once, and I/O.

ALTERNATING = """
    import os
    events = []
    class Readable:
        def fileno(self): return reading
        def doRead(self): events.append("io")
        def logPrefix(self): return "readable"
        def connectionLost(self, reason): pass
    reading, writing = os.pipe()
    os.write(writing, b"never read")
    def again():
        events.append("timer")
        if events.count("timer") == 200:
            reactor.stop()
        else:
            reactor.callLater(0, again)
    def begin():
        reactor.addReader(Readable())
        reactor.callLater(0, again)
    reactor.callLater(0.05, begin)
    reactor.run()
    from itertools import groupby
    streaks = {kind: max(len(list(group)) for name, group in groupby(events) if name == kind)
               for kind in ("timer", "io")}
    print(json.dumps(streaks))
"""


@pytest.mark.parametrize("name", REAL)
def test_a_timer_that_arms_itself_for_at_once_alternates_with_io(name: str) -> None:
    """libuv#4245, twisted#4026."""
    streaks = run_on(name, ALTERNATING)
    assert streaks["timer"] <= 2
    assert streaks["io"] <= 2


# Heaps, and what goes away while it is used.


def test_what_is_due_is_removed_from_the_heap_both_ways() -> None:
    """libuv e002340e: what takes a removed timer's place may belong above it, or below."""
    chance = random.Random(3)
    for _ in range(50):
        wheel = TimerWheel(1000.0)
        fired: list[float] = []
        timers = []
        for _ in range(60):
            when = float(chance.randrange(1000))
            timers.append(wheel.schedule(when, fired.append, when))
        chance.shuffle(timers)
        for timer in timers[30:]:
            timer.cancel()
            wheel.check_invariants()
        wheel.advance(1000.0)
        assert fired == sorted(timer.when for timer in timers[:30])


def test_a_reactor_that_is_dropped_in_a_callback_goes_on_to_the_end_of_the_pass() -> None:
    """folly: the wheel was destroyed by what it called."""
    reactors = [make_reactor(FakeClock(100.0))]
    fired: list[str] = []
    reactors[0].callLater(0, reactors.clear)
    reactors[0].callLater(0, gc.collect)
    reactors[0].callLater(0, fired.append, "after")
    reactors[0].callLater(50, fired.append, "later")
    dropped = weakref.ref(reactors[0])
    reactors[0].runUntilCurrent()
    gc.collect()
    assert fired == ["after"]
    assert dropped() is None


@pytest.mark.parametrize("phase", ["before", "during", "after"])
def test_calls_can_be_made_while_the_reactor_shuts_down(
    phase: str, reactor: Any, clock: FakeClock
) -> None:
    """tokio#2789."""
    fired: list[str] = []
    made: list[Any] = []

    def make() -> None:
        made.append(reactor.callLater(0, fired.append, "soon"))
        made.append(reactor.callLater(1000, fired.append, "later"))
        made[1].reset(5)

    reactor.addSystemEventTrigger(phase, "shutdown", make)
    reactor.startRunning(installSignalHandlers=False)
    reactor.callLater(1, reactor.stop)
    clock.advance(1)
    reactor.runUntilCurrent()
    assert reactor.getDelayedCalls() == made
    reactor.runUntilCurrent()
    assert fired == ["soon"]
    assert reactor.timeout() == 5


# Counters, and cancelled entries that linger.


def test_a_timer_ends_once_however_often_and_wherever_it_is_cancelled() -> None:
    """Netty#14959: cancelled when its slot had come, and it had not fired: counted twice."""
    wheel = TimerWheel(0.0)
    timers: list[Timer] = []

    def cancel_all() -> None:
        counts.append(len(wheel))
        for timer in timers * 2:
            timer.cancel()
        counts.append(len(wheel))

    counts: list[int] = []
    wheel.schedule(0.2, cancel_all)
    timers += [wheel.schedule(0.2, int) for _ in range(10)]
    timers += [wheel.schedule(when, int) for when in (0.0, 0.19, 0.3, 9.0, 1e9, math.inf)]
    assert wheel.advance(0.2) == 3
    assert counts == [14, 0]
    for timer in timers:
        timer.cancel()
    assert len(wheel) == 0
    wheel.schedule(1.0, int)
    assert len(wheel) == 1
    wheel.check_invariants()


def test_what_is_cancelled_is_let_go_of_at_once(reactor: Any, queue: CallQueue) -> None:
    """tokio#8252, cpython asyncio#186, uvloop#240: without a collection of garbage."""

    class Argument:
        """To be let go of."""

    gc.disable()
    try:
        for delay in (0, 0.01, 10, 1e4, 1e9, math.inf):
            argument = Argument()
            gone = weakref.ref(argument)
            call = reactor.callLater(delay, print, argument, reactor, key=argument)
            del argument
            call.cancel()
            handle_gone = weakref.ref(call)
            del call
            assert gone() is None
            assert handle_gone() is None
            assert len(queue) == 0
    finally:
        gc.enable()


def test_the_event_loop_keeps_no_handle_for_each_timeout_that_was_cancelled() -> None:
    """cpython asyncio#186, tokio#8252: each stayed in the loop's heap until its time."""
    loop = asyncio.SelectorEventLoop()
    reactor: Any = AsyncioSelectorReactor(loop)
    timerwheel.accelerate(reactor)
    for _ in range(1000):
        reactor.callLater(60, int).cancel()
        reactor.callLater(60, int).reset(120)
    for call in reactor.getDelayedCalls():
        call.cancel()
    assert len(loop._scheduled) <= 2
    reactor.removeAll()
    loop.close()


# The clock steps, or has been standing.


def test_after_a_suspend_each_call_is_made_once_and_in_order(
    reactor: Any, clock: FakeClock
) -> None:
    """akka#26910: a burst of those that were missed."""
    fired: list[float] = []
    delays = [number * 7919 % 3600 + 0.5 for number in range(5000)]
    for delay in delays:
        reactor.callLater(delay, fired.append, delay)
    missed: list[int] = []
    loop = task.LoopingCall.withCount(missed.append)
    loop.clock = reactor
    loop.start(1, now=False)
    clock.advance(3600)
    reactor.runUntilCurrent()
    assert fired == sorted(delays)
    assert missed == [3600]
    run_for(10, reactor, clock)
    assert missed == [3600] + [1] * 10
    loop.stop()


# Very many in one slot.


def test_a_pass_of_a_burst_makes_the_calls_that_are_due_and_touches_no_others() -> None:
    """200,000 timeouts of one length, armed within a second: each pass has its share, no more.

    What a pass takes beyond its calls cannot be asserted here: the workload fire-burst of bench/
    measures it, beside the floor.
    """
    clock = FakeClock(1.7e9)
    reactor = make_reactor(clock)
    made: Counter[float] = Counter()
    armed: Counter[float] = Counter()

    def fire(due: float) -> None:
        assert due == clock.now
        made[clock.now] += 1

    for _ in range(1000):
        for _ in range(200):
            reactor.callLater(60, fire, clock.now + 60)
        armed[clock.now + 60] += 200
        clock.advance(1 / 1024)
    passes = run_for(61, reactor, clock)
    assert made == armed
    # A slot of more than 256 has an early wake or two for each level that it passes.
    assert passes <= 1000 + 8
