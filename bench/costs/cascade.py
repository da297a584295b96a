"""The longest pause that one slot makes when its timers go down a level.

    python bench/costs/cascade.py [--timers 1000000]

All timers are in one slot of level 2, which is four seconds wide (ext/timerwheel/_core.pyx has the
levels). The pause is the call of advance() that moves the wheel's time to that slot, before any
timer expires. Prints the least of some runs, because the machine may do other things meanwhile.
"""

from __future__ import annotations

import argparse
import gc
from random import Random
from time import perf_counter

from timerwheel import TimerWheel

RUNS = 5

SLOT, WIDTH = 64.0, 4.0
"""Where the slot begins, and how wide it is, in seconds."""


def pause(timers: int, *, in_order: bool) -> float:
    """The seconds that the wheel takes to spread one slot with so many timers."""
    wheel = TimerWheel(0.0)
    times = [SLOT + WIDTH * (number + 0.5) / timers for number in range(timers)]
    if not in_order:
        Random(1).shuffle(times)
    for time in times:
        wheel.schedule(time, int)
    first = min(times)
    start = perf_counter()
    made = wheel.advance(SLOT)
    seconds = perf_counter() - start
    assert made == 0
    assert wheel.next_expiry() == first
    return seconds


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--timers", type=int, default=1_000_000, metavar="N")
    timers = parser.parse_args().timers
    gc.disable()
    for in_order in (True, False):
        least = min(pause(timers, in_order=in_order) for _ in range(RUNS))
        order = "in order" if in_order else "at random"
        print(f"{timers:,} timers in one slot, scheduled {order}: {least * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
