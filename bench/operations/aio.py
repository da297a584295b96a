"""asyncio's timers: its own loop, uvloop, rloop, and the wheel in asyncio's and in uvloop's.

    python bench/operations/aio.py                     all rows
    python bench/operations/aio.py --sizes 1000 --rounds 5

Each round runs each party once, in a process of its own, in turn, so that a busy machine is busy
for all. The output has each party's median, in ns of processor time an operation, and the median of
its ratios to ours over the rounds, with the least and the greatest.
"""

from __future__ import annotations

import argparse
import asyncio
import contextvars
import gc
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from statistics import median
from time import process_time
from time import sleep as sleep_blocking
from typing import Any

PARTIES = ("asyncio", "uvloop", "rloop", "ours", "uvloop + ours")
REPEATS = 3  # of a workload in one process, of which the best counts


def nothing() -> None:
    """What the timers call."""


def new_loop(party: str) -> Any:
    """An event loop of a party."""
    if party == "asyncio":
        return asyncio.SelectorEventLoop()
    if party == "ours":
        from timerwheel import aio

        return aio.new_event_loop()
    if party == "rloop":
        import rloop

        return rloop.new_event_loop()
    import uvloop

    loop = uvloop.new_event_loop()
    if party != "uvloop":
        from timerwheel import aio

        aio.accelerate(loop)
    return loop


def fill(loop: Any, size: int) -> list[Any]:
    """So many timers that stay, spread over ten minutes from a quarter of an hour on."""
    return [loop.call_later(900 + index % 600, nothing) for index in range(size)]


async def cancel(loop: Any, size: int) -> float:
    """call_later() and cancel(): a timeout that never fires."""
    count = 20_000
    began = process_time()
    for _ in range(count):
        loop.call_later(60, nothing).cancel()
    return (process_time() - began) / count


async def fire(loop: Any, size: int) -> float:
    """Timers that are all due, until the last was called."""
    done = loop.create_future()
    when = loop.time() + 0.01
    for index in range(size):
        loop.call_at(when + index * 1e-8, nothing)
    loop.call_at(when + size * 1e-8, done.set_result, None)
    sleep_blocking(0.03)
    began = process_time()
    await done
    return (process_time() - began) / size


async def timeout(loop: Any, size: int) -> float:
    """asyncio.timeout() around a step that does not wait."""
    count = 10_000
    began = process_time()
    for _ in range(count):
        async with asyncio.timeout(60):
            pass
    return (process_time() - began) / count


async def wait_for(loop: Any, size: int) -> float:
    """asyncio.wait_for() of a coroutine that yields once."""

    async def step() -> None:
        await asyncio.sleep(0)

    count = 3000
    began = process_time()
    for _ in range(count):
        await asyncio.wait_for(step(), 60)
    return (process_time() - began) / count


async def sleep(loop: Any, size: int) -> float:
    """asyncio.sleep() of 5,000 tasks at once, for up to 10 ms."""
    count = 5000
    began = process_time()
    await asyncio.gather(*(asyncio.sleep(index % 10 / 1000) for index in range(count)))
    return (process_time() - began) / count


async def collect(loop: Any, size: int) -> float:
    """A full collection, each timer's part of it."""
    gc.collect()
    began = process_time()
    gc.collect()
    return (process_time() - began) / size


async def context(loop: Any, size: int) -> float:
    """contextvars.copy_context() alone, which each call_later() has to do."""
    count = 100_000
    copy = contextvars.copy_context
    began = process_time()
    for _ in range(count):
        copy()
    return (process_time() - began) / count


WORKLOADS: dict[str, Callable[[Any, int], Awaitable[float]]] = {
    workload.__name__: workload
    for workload in (cancel, fire, timeout, wait_for, sleep, collect, context)
    if workload is not timeout or sys.version_info >= (3, 11)
}


def measure(party: str, name: str, size: int) -> float:
    """Seconds an operation, the best of some."""
    loop = new_loop(party)
    asyncio.set_event_loop(loop)

    async def main() -> float:
        kept = fill(loop, size) if name not in ("fire", "context") else []
        if name != "collect":
            gc.collect()
            gc.freeze()
        best = min([await WORKLOADS[name](loop, size) for _ in range(REPEATS)])
        del kept
        return best

    return float(loop.run_until_complete(main()))


def ask(party: str, name: str, size: int) -> float:
    """measure() in a process of its own."""
    arguments = json.dumps([party, name, size])
    process = subprocess.run(
        [sys.executable, __file__, "--measure", arguments], stdout=subprocess.PIPE, check=True
    )
    return float(process.stdout)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--parties", nargs="+", choices=PARTIES, default=list(PARTIES))
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(measure(*json.loads(options.measure)))
        return
    for name in options.workloads:
        for size in options.sizes if name != "context" else [0]:
            report(name, size, options)


def report(name: str, size: int, options: argparse.Namespace) -> None:
    """Measure one row, and print it."""
    seen: dict[str, list[float]] = {party: [] for party in options.parties}
    for _ in range(options.rounds):
        for party in options.parties:
            seen[party].append(ask(party, name, size))
    print(f"{name}, {size:,} pending")
    for party, times in seen.items():
        line = f"  {party:<14}{median(times) * 1e9:>12,.1f} ns"
        if "ours" in seen and party != "ours":
            ratios = [time / ours for time, ours in zip(times, seen["ours"], strict=True)]
            line += f"  {median(ratios):6.2f} x ours ({min(ratios):.2f} to {max(ratios):.2f})"
        print(line, flush=True)


if __name__ == "__main__":
    main()
