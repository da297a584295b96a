"""Threads that nobody synchronises: no crash, nothing corrupted, nothing lost, nothing twice.

Twisted allows it of `callFromThread()` alone. To do it to a reactor's calls is the program's bug,
whose effect must not be that other calls are lost.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from helpers import CallQueue, FakeClock
from twisted.internet.error import AlreadyCalled, AlreadyCancelled

import timerwheel

THREADS = 4
STEPS = 2500

# Due, in the run of the next tick, ahead in several levels, beyond them.
DELAYS = [0.0, 1e-4, 0.5, 5.0, 1e3, 1e6, 1e30]


class Yielding:
    """A number that lets other threads run while it is read."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        time.sleep(0)
        return self.value


class Item:
    """Numbered, and lets other threads run when it goes."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self) -> None:
        raise AssertionError("it was not due")

    def __del__(self) -> None:
        time.sleep(0)


@pytest.fixture(autouse=True)
def threads_that_switch_often() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


class Machine:
    """Does the steps that subclasses have, at random, in several threads at once."""

    steps: list[Callable[[], object]]

    def __init__(self) -> None:
        # `next()` of it and `append()` of a list are atomic.
        self.numbers = count()
        self.handles: list[Any] = []
        self.taken: list[int] = []

    def run(self) -> None:
        def work(seed: int) -> None:
            choose = random.Random(seed).choice
            for _ in range(STEPS):
                choose(self.steps)()

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(work, range(THREADS)))

    def check(self) -> None:
        """That each that was put in has come out once."""
        number = next(self.numbers)
        assert number > THREADS * STEPS / 10
        assert sorted(self.taken) == list(range(number))


class Calls(Machine):
    """Calls of a reactor or a clock, while other threads have them made."""

    def __init__(self, holder: Any, advance: Callable[[float], object]) -> None:
        super().__init__()
        self.holder = holder
        self.advance = advance
        self.steps = [self.schedule] * 3 + [
            self.cancel,
            self.reset,
            self.delay,
            self.read,
            self.fire,
        ]

    def schedule(self) -> None:
        number = next(self.numbers)
        delay: Any = Yielding(random.choice(DELAYS))
        self.handles.append((number, self.holder.callLater(delay, self.call, Item(number))))

    def call(self, item: Item) -> None:
        self.taken.append(item.number)
        time.sleep(0)

    def cancel(self) -> None:
        for number, call in random.sample(self.handles, min(1, len(self.handles))):
            try:
                call.cancel()
            except (AlreadyCalled, AlreadyCancelled):
                continue
            self.taken.append(number)

    def move(self, how: str) -> None:
        for _, call in random.sample(self.handles, min(3, len(self.handles))):
            try:
                getattr(call, how)(Yielding(random.choice(DELAYS)))
            except (AlreadyCalled, AlreadyCancelled):
                continue

    def reset(self) -> None:
        self.move("reset")

    def delay(self) -> None:
        self.move("delay")

    def read(self) -> None:
        for call in self.holder.getDelayedCalls()[:20]:
            call.getTime()

    def fire(self) -> None:
        self.advance(random.choice(DELAYS[:4]))

    def end(self) -> None:
        for call in self.holder.getDelayedCalls():
            call.reset(0)
        # (As Twisted computes a deadline that is reset to later, it may be rounded up.)
        self.advance(1)
        assert self.holder.getDelayedCalls() == []


@pytest.mark.parametrize("is_watched", [False, True])
def test_calls_of_a_reactor(
    reactor: Any, queue: CallQueue, clock: FakeClock, is_watched: bool
) -> None:
    watching = timerwheel.watch(reactor, slow=60, origins=3) if is_watched else None

    def advance(seconds: float) -> None:
        clock.advance(seconds)
        reactor.timeout()
        reactor.runUntilCurrent()

    machine = Calls(reactor, advance)
    machine.run()
    queue.check_invariants()
    machine.end()
    machine.check()
    if watching is not None:
        watching.stop()


def test_calls_of_a_clock() -> None:
    clock = timerwheel.Clock()
    machine = Calls(clock, clock.advance)
    machine.steps.append(lambda: [call.getTime() for call in clock.calls[:20]])
    machine.run()
    machine.end()
    machine.check()


class Timers(Machine):
    """Timers of a wheel, which several threads advance."""

    def __init__(self) -> None:
        super().__init__()
        self.wheel = timerwheel.TimerWheel(0.0)
        self.now = 0.0
        self.steps = [self.schedule] * 3 + [self.cancel, self.reschedule, self.rearm, self.fire]

    def when(self) -> Any:
        return Yielding(self.now + random.choice(DELAYS))

    def schedule(self) -> None:
        number = next(self.numbers)
        timer = self.wheel.schedule(self.when(), self.call, Item(number))
        self.handles.append((number, timer))

    def call(self, item: Item) -> None:
        self.taken.append(item.number)
        time.sleep(0)

    def cancel(self) -> None:
        for number, timer in random.sample(self.handles, min(1, len(self.handles))):
            if timer.cancel():
                self.taken.append(number)

    def reschedule(self) -> None:
        for _, timer in random.sample(self.handles, min(3, len(self.handles))):
            try:
                timer.reschedule(self.when())
            except ValueError:
                continue

    def rearm(self) -> None:
        """One that is made again and again by other threads too."""
        ticks: list[float] = []
        timer = self.wheel.schedule(self.now, lambda: ticks.append(self.now))
        for _ in range(3):
            try:
                self.wheel.rearm(timer, self.when())
            except ValueError:
                continue
        timer.cancel()

    def fire(self) -> None:
        self.now += random.choice(DELAYS[:4])
        self.wheel.advance(Yielding(self.now))
        self.wheel.next_expiry()


def test_timers_of_a_wheel() -> None:
    machine = Timers()
    machine.run()
    machine.wheel.check_invariants()
    machine.wheel.advance(float("inf"))
    assert len(machine.wheel) == 0
    machine.check()


class Items(Machine):
    """Items of a priority queue, which several threads take out of it."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: timerwheel.PriorityQueue[Item] = timerwheel.PriorityQueue()
        self.steps = [self.push] * 4 + [self.pop, self.remove, self.update, self.read]

    def push(self) -> None:
        priority: Any = Yielding(random.random())
        self.handles.append(self.queue.push(priority, Item(next(self.numbers))))

    def pop(self) -> None:
        try:
            item = self.queue.pop()
        except IndexError:
            return
        self.taken.append(item.number)

    def remove(self) -> None:
        for entry in random.sample(self.handles, min(1, len(self.handles))):
            try:
                item = self.queue.remove(entry)
            except ValueError:
                continue
            self.taken.append(item.number)

    def update(self) -> None:
        for entry in random.sample(self.handles, min(3, len(self.handles))):
            priority: Any = Yielding(random.random())
            try:
                self.queue.update(entry, priority)
            except ValueError:
                continue

    def read(self) -> None:
        assert all(isinstance(item, Item) for item in self.queue)


def test_items_of_a_queue() -> None:
    machine = Items()
    machine.run()
    machine.queue.check_invariants()
    assert len(machine.queue) > 0
    while machine.queue:
        machine.pop()
    machine.check()


def test_a_clock_that_is_dropped_while_threads_use_it() -> None:
    """The last to use it ends it."""
    made: list[int] = []
    clocks = [timerwheel.Clock()]

    def work(number: int) -> None:
        while True:
            try:
                clock = clocks[0]
            except IndexError:
                return
            clock.callLater(0, made.append, number)
            clock.callLater(5, Item(number))
            clock.advance(0)

    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(work, number) for number in range(THREADS)]
        while set(made) != set(range(THREADS)):
            time.sleep(0)
        clocks.clear()
        for work_of_one in running:
            work_of_one.result()
