"""A TimerWheel, a PriorityQueue and a Clock that threads share: each operation is atomic.

On a Python without a GIL these threads run at once; with one they take turns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from threading import Barrier
from typing import Any

import pytest
from helpers import FakeClock, make_reactor, run_python
from twisted.internet.error import AlreadyCalled, AlreadyCancelled

import timerwheel
from timerwheel import Clock, PriorityQueue, TimerWheel

THREADS = 4
EACH = 500


@pytest.fixture(autouse=True)
def threads_that_switch_often() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def together(work: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """What work(number) returns in each of some threads, which begin at the same time."""
    barrier = Barrier(threads)

    def begin(number: int) -> Any:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(begin, range(threads)))


def test_importing_and_installing_leave_the_gil_as_it_was() -> None:
    """So a Python that runs without one stays so. (A warning would be an error here.)"""
    assert run_python(
        """
        import json, sys
        is_enabled = getattr(sys, "_is_gil_enabled", lambda: True)
        before = is_enabled()
        import timerwheel, timerwheel._core, timerwheel.tasks
        if sys.platform == "linux":
            import timerwheel._alarm
        timerwheel.install()
        print(json.dumps(is_enabled() == before))
        """
    )


def test_timers_that_threads_schedule_and_fire() -> None:
    """Each fires once, and is counted by the advance() that fired it."""
    wheel = TimerWheel(0.0)
    fired: list[tuple[int, int]] = []

    def work(number: int) -> int:
        count = 0
        for index in range(EACH):
            wheel.schedule(index % 7, fired.append, (number, index))
            if index % 10 == 0:
                count += wheel.advance(index % 3)
        return count

    counted = sum(together(work)) + wheel.advance(10.0)
    assert counted == len(fired) == THREADS * EACH
    assert len(set(fired)) == THREADS * EACH
    assert len(wheel) == 0
    wheel.check_invariants()


def test_timers_that_all_threads_cancel() -> None:
    """One of them succeeds."""
    wheel = TimerWheel(0.0)
    timers = [wheel.schedule(1.0 + index, int) for index in range(EACH)]
    results = together(lambda number: [timer.cancel() for timer in timers])
    assert [sum(each) for each in zip(*results, strict=True)] == [1] * EACH
    assert len(wheel) == 0
    assert wheel.next_expiry() is None
    wheel.check_invariants()


def test_timers_that_one_thread_fires_and_others_cancel() -> None:
    """Each does the one or the other."""
    wheel = TimerWheel(0.0)
    fired: list[int] = []
    timers = [wheel.schedule(index / 8, fired.append, index) for index in range(EACH)]

    def work(number: int) -> int:
        if number == 0:
            return sum(wheel.advance(tick / 8) for tick in range(EACH))
        return sum(timer.cancel() for timer in timers[::-1])

    assert sum(together(work)) == EACH
    assert fired == sorted(set(fired))
    assert not any(timer.active for timer in timers)


def test_timers_that_all_threads_rearm() -> None:
    """One of them succeeds; to the others it is a timer that has not fired."""
    wheel = TimerWheel(0.0)
    timers = [wheel.schedule(0.0, int) for _ in range(EACH)]
    wheel.advance(0.0)

    def work(number: int) -> list[int]:
        done = []
        for index, timer in enumerate(timers):
            try:
                wheel.rearm(timer, 1.0)
            except ValueError:
                continue
            done.append(index)
        return done

    assert sorted(chain(*together(work))) == list(range(EACH))
    assert len(wheel) == EACH
    assert wheel.advance(1.0) == EACH


def test_timers_that_threads_rearm_on_two_wheels() -> None:
    """Each change of wheel happens once, whole: from the lock of one to that of the other."""
    wheels = [TimerWheel(0.0), TimerWheel(0.0)]
    timers = [wheels[0].schedule(0.0, int) for _ in range(50)]
    wheels[0].advance(0.0)

    def work(number: int) -> tuple[int, int]:
        wheel = wheels[number % 2]
        rearmed = fired = 0
        for index in range(EACH):
            try:
                wheel.rearm(timers[index % 50], 1.0)
            except ValueError:
                continue
            rearmed += 1
            fired += wheel.advance(1.0)
        return rearmed, fired

    rearmed, fired = map(sum, zip(*together(work), strict=True))
    assert rearmed == fired + sum(map(len, wheels))
    assert not any(timer.when != 1.0 for timer in timers)
    for wheel in wheels:
        wheel.check_invariants()


def test_timers_that_move_while_others_look() -> None:
    wheel = TimerWheel(0.0)
    timers = [wheel.schedule(100.0 + index, int) for index in range(50)]

    def work(number: int) -> None:
        for index in range(EACH):
            if number % 2:
                timers[index % 50].reschedule(100.0 + (7 * index + number) % 50)
            else:
                wake, expiry = wheel.next_wake(), wheel.next_expiry()
                assert wake is not None
                assert 0.0 <= wake <= 150.0
                assert expiry is not None
                assert 100.0 <= expiry <= 150.0
                assert len(wheel) == 50

    together(work)
    wheel.check_invariants()
    assert wheel.advance(150.0) == 50


def test_wheels_that_are_dropped_while_their_timers_are_cancelled() -> None:
    """A timer outlives its wheel, in another thread too."""
    for _ in range(20):
        wheels = [TimerWheel(0.0)]
        timers = [wheels[0].schedule(1.0, int) for _ in range(EACH // 5)]

        def work(
            number: int, wheels: list[TimerWheel] = wheels, timers: list[Any] = timers
        ) -> None:
            if number == 0:
                wheels.clear()
            else:
                for timer in timers:
                    timer.cancel()
                    assert not timer.active

        together(work, 2)


def test_items_that_threads_push_and_pop() -> None:
    """Each comes out once."""
    queue: PriorityQueue[tuple[int, int]] = PriorityQueue()

    def work(number: int) -> list[tuple[int, int]]:
        popped = []
        for index in range(EACH):
            queue.push(index % 11, (number, index))
            if index % 2:
                popped.append(queue.pop())
        return popped

    popped = list(chain(*together(work)))
    assert len(popped) == len(queue) == THREADS * EACH / 2
    while queue:
        popped.append(queue.pop())
    assert len(set(popped)) == len(popped) == THREADS * EACH


def test_entries_that_all_threads_remove() -> None:
    """One of them succeeds."""
    queue: PriorityQueue[int] = PriorityQueue()
    entries = [queue.push(index % 5, index) for index in range(EACH)]

    def work(number: int) -> list[int]:
        removed = []
        for entry in entries:
            try:
                removed.append(queue.remove(entry))
            except ValueError:
                assert entry not in queue
        return removed

    assert sorted(chain(*together(work))) == list(range(EACH))
    assert len(queue) == 0


def test_a_queue_that_is_looked_at_while_it_changes() -> None:
    """Each look sees one state: all items, in order."""
    queue: PriorityQueue[int] = PriorityQueue()
    entries = [queue.push(index, index) for index in range(100)]

    def work(number: int) -> None:
        for index in range(EACH):
            if number % 2:
                queue.update(entries[index % 100], index % 100)
            else:
                assert list(queue) == list(range(100))
                assert queue.peek() == 0

    together(work)
    queue.check_invariants()


def test_a_clock_that_threads_advance() -> None:
    """The time is the sum, and each call is made once."""
    clock = Clock()
    made: list[tuple[int, int]] = []

    def work(number: int) -> None:
        for index in range(EACH):
            clock.callLater(index % 5, made.append, (number, index))
            clock.advance(1)

    together(work)
    assert clock.seconds() == THREADS * EACH
    clock.advance(5)
    assert len(made) == len(set(made)) == THREADS * EACH
    assert clock.getDelayedCalls() == []


def test_calls_of_a_clock_that_are_cancelled_and_moved_while_it_advances() -> None:
    """Each is made or cancelled; what has been done to it does not change any more."""
    clock = Clock()
    made: list[int] = []
    calls = [clock.callLater(1 + index, made.append, index) for index in range(EACH)]

    def work(number: int) -> int:
        if number == 0:
            for _ in range(EACH):
                clock.advance(1)
            return 0
        done = 0
        for call in calls[number::2]:
            try:
                call.delay(0.25)
                call.reset(2)
                call.cancel()
            except (AlreadyCalled, AlreadyCancelled):
                continue
            done += 1
        return done

    cancelled = sum(together(work, 3))
    clock.advance(2 * EACH)
    assert len(made) == len(set(made))
    assert cancelled + len(made) == EACH
    assert [bool(call.called) != bool(call.cancelled) for call in calls] == [True] * EACH


def test_the_calls_of_a_clock_are_a_sequence_while_it_changes() -> None:
    clock = Clock()
    last = clock.callLater(1e6, int)

    def work(number: int) -> None:
        for _ in range(EACH):
            if number % 2:
                clock.callLater(1e3, int).cancel()
            else:
                assert clock.calls[-1] is last
                assert len(clock.calls) >= 1
                times = [call.getTime() for call in clock.calls]
                assert times == sorted(times)
                assert clock.calls[0] is not None

    together(work)
    assert list(clock.calls) == [last]


def test_reactors_of_two_threads() -> None:
    """Each has a wheel of its own: the one knows nothing of the other."""

    def work(number: int) -> int:
        clock = FakeClock(0.0)
        reactor = make_reactor(clock)
        made: list[int] = []
        for index in range(EACH):
            reactor.callLater(index % 10, made.append, index)
            reactor.callLater(3, int).cancel()
        for _ in range(10):
            clock.advance(1)
            reactor.timeout()
            reactor.runUntilCurrent()
        timerwheel.restore(reactor)
        return len(made)

    assert together(work) == [EACH] * THREADS
