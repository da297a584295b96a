"""How one thread and two compare, each with a wheel and a reactor of its own.

    python bench/operations/scaling.py [--seconds S] [--rounds N]

Each thread schedules, cancels and fires timers for S seconds, as fast as it can. The output has the
operations a second of one thread, those of two together, and their ratio: the median and the spread
of N rounds in which both cases take turns. With a GIL two threads do no more than one. Without a
GIL they do twice as much, if two processors are idle.

The last column is the same ratio for a second of processor time, which a busy machine
changes less: 1 if neither thread costs the other anything.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.base import ReactorBase

import timerwheel

PENDING = 1000
BATCH = 100


class StillReactor(ReactorBase):
    """A reactor that does no I/O."""

    def installWaker(self) -> None:
        """There is nothing to wake."""


def nothing() -> None:
    """What is scheduled."""


def wheel_work() -> Callable[[], int]:
    """A step on a wheel of its own: returns how many operations it was."""
    now = 0.0
    wheel = timerwheel.TimerWheel(now)
    for index in range(PENDING):
        wheel.schedule(1e6 + index, nothing)

    def step() -> int:
        nonlocal now
        for _ in range(BATCH):
            wheel.schedule(now + 5.0, nothing).cancel()
            wheel.schedule(now + 0.5, nothing)
        now += 1.0
        assert wheel.advance(now) == BATCH
        return 4 * BATCH

    return step


def reactor_work() -> Callable[[], int]:
    """A step on a reactor of its own, that is driven by hand."""
    now = 0.0
    reactor: Any = StillReactor()
    reactor.seconds = lambda: now
    timerwheel.accelerate(reactor)
    for index in range(PENDING):
        reactor.callLater(1e6 + index, nothing)

    def step() -> int:
        nonlocal now
        for _ in range(BATCH):
            reactor.callLater(5.0, nothing).cancel()
            reactor.callLater(0.5, nothing)
        now += 1.0
        reactor.timeout()
        reactor.runUntilCurrent()
        assert len(reactor.getDelayedCalls()) == PENDING
        return 4 * BATCH

    return step


def queue_work() -> Callable[[], int]:
    """A step on a priority queue of its own."""
    queue: timerwheel.PriorityQueue[int] = timerwheel.PriorityQueue()
    for index in range(PENDING):
        queue.push(index, index)

    def step() -> int:
        for index in range(BATCH):
            queue.remove(queue.push(index, index))
            queue.push(-1.0, index)
            queue.pop()
        return 4 * BATCH

    return step


def rates(
    make: Callable[[], Callable[[], int]], threads: int, seconds: float
) -> tuple[float, float]:
    """Operations of all threads together: a second, and a second of processor time."""
    done = [0] * threads
    spans = [0.0] * threads
    processor = [0.0] * threads
    barrier = threading.Barrier(threads)

    def run(number: int) -> None:
        step = make()
        step()
        operations = 0
        barrier.wait()
        start, start_of_processor = time.perf_counter(), time.thread_time()
        while time.perf_counter() - start < seconds:
            operations += step()
        spans[number] = time.perf_counter() - start
        processor[number] = time.thread_time() - start_of_processor
        done[number] = operations

    workers = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    together = sum(count / span for count, span in zip(done, spans, strict=True))
    return together, sum(done) / sum(processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="of a measurement")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    print(f"Python {platform.python_version()}, GIL {'on' if has_gil else 'off'}")
    print(f"{'':<10}{'one thread':>14}{'two threads':>14}{'ratio':>8}  spread     processor")
    for name, make in (("wheel", wheel_work), ("reactor", reactor_work), ("queue", queue_work)):
        rounds = [
            (rates(make, 1, options.seconds), rates(make, 2, options.seconds))
            for _ in range(options.rounds)
        ]
        one = statistics.median(first for (first, _), _ in rounds)
        two = statistics.median(second for _, (second, _) in rounds)
        ratios = sorted(second / first for (first, _), (second, _) in rounds)
        processor = statistics.median(second / first for (_, first), (_, second) in rounds)
        print(
            f"{name:<10}{one:>12,.0f}/s{two:>12,.0f}/s{statistics.median(ratios):>8.2f}"
            f"  {ratios[0]:.2f}-{ratios[-1]:.2f}{processor:>11.2f}"
        )


if __name__ == "__main__":
    main()
