"""
A million timers on one reactor: scheduled, cancelled, moved, fired, and counted.

    python bench/operations/million.py [--timers 1000000] [--moves 100000] [--stock]

The script replaces the reactor's clock and sets it, so nothing waits. It cancels one set of timers,
resets a second sooner, a third later, and does one of the three at random to a fourth. No timer is
in two sets; the sets and their order come from a fixed seed. The other timers stay as they are.
Then the clock moves on in equal steps until every timer has fired. The script does not test timers
scheduled for a time before the reactor's clock. Exits with 1 if a timer did not fire in the pass of
its deadline, fired although cancelled, or fired out of order.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib
import sys
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import pairwise
from math import inf
from pathlib import Path
from random import Random
from typing import Any

START = 2.0e9
"""
The time at which all timers are armed and moved, in seconds after the epoch. It is ahead of the
wall clock, at which the reactor was made: behind it, every timer would count as due.
"""

SPREAD = 600.0
"""Seconds over which deadlines are spread; moving a timer later puts it off by as much at most."""

PASSES = 1200
"""Passes of the reactor in which all timers fire."""

TIE_EVERY = 10
"""Every so many timers, two are armed for the same instant."""

SEED = 11

Clock = list[float]
"""The time of the reactor, as the one item."""


class Memory:
    """
    Resident memory of this process, and whether freed memory went back to the system first.

    @ivar trims: whether the C library has `malloc_trim`.
    """

    def __init__(self) -> None:
        self._trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self.trims = self._trim is not None

    def resident(self) -> int:
        """
        @return: `VmRSS` in bytes, or 0 where there is no `/proc`.
        """
        if self._trim is not None:
            self._trim(0)
        status = Path("/proc/self/status")
        lines = status.read_text().splitlines() if status.exists() else []
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


class Timers:
    """
    The timers, and what is expected of them.

    @ivar cancelled: how many were cancelled.
    @ivar firing: nanoseconds in the passes of `fire_all`.
    """

    def __init__(self, reactor: Any, count: int) -> None:
        self._reactor = reactor
        self._random = Random(SEED)
        self._delays = array("d", (self._random.uniform(0.0, SPREAD) for _ in range(count)))
        for number in range(TIE_EVERY - 1, count, TIE_EVERY):
            self._delays[number] = self._delays[number - 1]
        self._due = array("d", (START + delay for delay in self._delays))
        self._moved = bytearray(count)
        self._fired = array("q")
        self._calls: list[Any] = [None] * count
        self.cancelled = 0
        self.firing = 0

    def arm(self) -> None:
        """Arm all timers."""
        call_later, record, calls = self._reactor.callLater, self._fired.append, self._calls
        for number, delay in enumerate(self._delays):
            calls[number] = call_later(delay, record, number)

    def choose(self, moves: int) -> list[list[int]]:
        """
        @return: four lists of `moves` numbers in random order, no number in two of them.
        """
        numbers = self._random.sample(range(len(self._calls)), 4 * moves)
        return [numbers[part * moves : (part + 1) * moves] for part in range(4)]

    def canceller(self, number: int) -> Callable[[], None]:
        """
        @return: what cancels this timer.
        """
        self.cancelled += 1
        self._due[number] = inf
        call: Any = self._calls[number]
        cancel: Callable[[], None] = call.cancel
        return cancel

    def sooner(self, number: int) -> tuple[Any, float]:
        """
        @return: this timer, and the delay to reset it to so that it fires sooner.
        """
        return self._reset(number, self._random.uniform(0.0, self._delays[number]))

    def later(self, number: int) -> tuple[Any, float]:
        """
        @return: this timer, and the delay to reset it to so that it fires later.
        """
        return self._reset(number, self._delays[number] + self._random.uniform(0.0, SPREAD))

    def mixed(self, number: int) -> tuple[Any, float | None]:
        """
        @return: this timer, and the delay to reset it to; `None` to cancel it.
        """
        way = self._random.randrange(3)
        if way == 0:
            self.canceller(number)
            return self._calls[number], None
        return self.sooner(number) if way == 1 else self.later(number)

    def drop_handles(self) -> None:
        """Let go of all timers."""
        self._calls.clear()

    def fire_all(self, clock: Clock) -> list[str]:
        """
        Move the clock on until all timers have fired.

        @return: what was wrong after a pass, a sentence each.
        """
        ordered = sorted(self._due)
        faults: list[str] = []
        for step in range(1, PASSES + 1):
            clock[0] = START + 2 * SPREAD * step / PASSES
            began = time.perf_counter_ns()
            self._reactor.runUntilCurrent()
            left = self._reactor.timeout()
            self.firing += time.perf_counter_ns() - began
            due = bisect_right(ordered, clock[0])
            if len(self._fired) != due:
                faults.append(f"{len(self._fired):,} had fired after pass {step}, not {due:,}")
            next_due = ordered[due] if due < len(ordered) else inf
            if (inf if left is None else left) > next_due - clock[0]:
                faults.append(f"timeout() was too long after pass {step}: {left}")
        return faults

    def faults(self, *, ties_in_order: bool) -> list[str]:
        """
        Check which timers fired, and in what order.

        @param ties_in_order: whether timers for the same instant that were never moved must fire in
            the order in which they were armed.

        @return: what is wrong, a sentence each.
        """
        expected = [number for number, due in enumerate(self._due) if due < inf]
        faults = []
        if sorted(self._fired) != expected:
            faults.append(f"{len(self._fired):,} timers fired, not the {len(expected):,} expected")
        unordered = sum(
            self._out_of_order(first, second, ties_in_order)
            for first, second in pairwise(self._fired)
        )
        if unordered:
            faults.append(f"{unordered:,} timers fired before one that was due first")
        return faults

    @property
    def fired(self) -> int:
        """How many timers fired."""
        return len(self._fired)

    def _reset(self, number: int, delay: float) -> tuple[Any, float]:
        self._due[number] = START + delay
        self._moved[number] = True
        return self._calls[number], delay

    def _out_of_order(self, first: int, second: int, ties_in_order: bool) -> bool:
        if self._due[first] != self._due[second]:
            return self._due[first] > self._due[second]
        unmoved = not (self._moved[first] or self._moved[second])
        return ties_in_order and unmoved and first > second


# What is timed


def cancel(cancellers: Iterable[Callable[[], None]]) -> None:
    """Cancel timers."""
    for canceller in cancellers:
        canceller()


def reset(moves: Iterable[tuple[Any, float]]) -> None:
    """Reset timers."""
    for call, delay in moves:
        call.reset(delay)


def mix(moves: Iterable[tuple[Any, float | None]]) -> None:
    """Reset timers, or cancel them where the delay is `None`."""
    for call, delay in moves:
        if delay is None:
            call.cancel()
        else:
            call.reset(delay)


def timed(label: str, count: int, work: Callable[[], object]) -> None:
    """Do some work and print how many nanoseconds each of `count` operations took on average."""
    began = time.perf_counter_ns()
    work()
    print_time(label, count, time.perf_counter_ns() - began)


def print_time(label: str, count: int, nanoseconds: int) -> None:
    """Print the average over `count` operations."""
    print(f"{label:24}{count:12,}{nanoseconds / max(count, 1):14,.0f} ns each", flush=True)


def print_memory(label: str, size: int, before: int, count: int) -> None:
    """Print resident memory, and what it grew by for each of `count` timers."""
    each = (size - before) / count
    print(f"{'resident, ' + label:24}{size / 2**20:12,.1f} MiB{each:12,.0f} B a timer", flush=True)


def install_reactor(stock: bool) -> Any:
    """
    Install the default reactor, stock or ours.

    @return: the reactor.
    """
    if stock:
        importlib.import_module("twisted.application.reactors").installReactor("default")
    else:
        importlib.import_module("timerwheel").install()
    return importlib.import_module("twisted.internet").reactor


def measure(count: int, moves: int, *, stock: bool) -> list[str]:
    """
    Do and print it all.

    @return: what was wrong, a sentence each.
    """
    clock: Clock = [START]
    reactor = install_reactor(stock)
    reactor.seconds = lambda: clock[0]
    kind = type(reactor)
    print(f"{count:,} timers on {kind.__module__}.{kind.__qualname__}")
    reactor.runUntilCurrent()
    memory = Memory()
    timers = Timers(reactor, count)
    before = memory.resident()
    print_memory("before arming", before, before, count)
    timed("arm", count, timers.arm)
    timed("first pass, none due", 1, reactor.runUntilCurrent)
    print_memory("all pending", memory.resident(), before, count)
    move(timers, moves)
    faults = timers.fire_all(clock)
    print_time("fire", timers.fired, timers.firing)
    timers.drop_handles()
    print_memory("all fired", memory.resident(), before, count)
    gc.collect()
    print_memory("collected", memory.resident(), before, count)
    faults += timers.faults(ties_in_order=not stock)
    print(f"{timers.fired:,} fired, {timers.cancelled:,} cancelled, of {count:,}")
    trimmed = "after malloc_trim" if memory.trims else "without malloc_trim, which is not there"
    print(
        f"Resident memory is VmRSS {trimmed}; a timer's argument and handle are in it, and once all"
        " fired the record of them, 8 B each. Before the collection, Python's own lists of free"
        " tuples hold on to pages that are nearly empty, on either side.\nAverages have the loop"
        f" around the operations in them, those of firing the record and {PASSES:,} passes with"
        " timeout(); the garbage collector is on."
    )
    return faults


def move(timers: Timers, moves: int) -> None:
    """Cancel and move timers, and print how long it took."""
    to_cancel, to_sooner, to_later, to_mix = timers.choose(moves)
    cancellers = [timers.canceller(number) for number in to_cancel]
    timed("cancel", moves, lambda: cancel(cancellers))
    sooner = [timers.sooner(number) for number in to_sooner]
    timed("reset sooner", moves, lambda: reset(sooner))
    later = [timers.later(number) for number in to_later]
    timed("reset later", moves, lambda: reset(later))
    mixed = [timers.mixed(number) for number in to_mix]
    timed("all three, mixed", moves, lambda: mix(mixed))


def main() -> int:
    """
    Measure as the command line says.

    @return: the exit code.
    """
    parser = argparse.ArgumentParser(
        description="Arm, cancel, move and fire a million timers, and check each.",
        epilog="exit codes: 0 all well, 1 a timer fired wrongly, 2 wrong arguments",
    )
    add = parser.add_argument
    add("--timers", type=int, default=1_000_000, metavar="N", help="default: 1000000")
    add("--moves", type=int, default=100_000, metavar="N", help="default: 100000")
    add(
        "--stock",
        action="store_true",
        help="on the stock reactor, where resetting sooner is a linear search: take fewer --moves",
    )
    options = parser.parse_args()
    if options.timers < 1 or not 0 <= 4 * options.moves <= options.timers:
        parser.error("--timers must be at least 1 and at least four times --moves")
    faults = measure(options.timers, options.moves, stock=options.stock)
    for fault in faults:
        print(f"FAILED: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
