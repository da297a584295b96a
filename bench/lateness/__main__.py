"""
How late timers are: stock reactors and event loops, ours, and the floor that the system sets.

    python bench/lateness [--reactor epoll ...] [--timers 200] [--json]

Each measurement runs in a process of its own. It arms one timer at a time, due after an irregular
fraction of a few milliseconds, so that the loop sleeps before each. Lateness is the reactor's clock
in the callback less the deadline; on an event loop it is the monotonic clock. Exits with 1 when a
timer was early, but for stock event loops, or a measurement failed.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from math import ceil
from typing import Any, cast

from subjects import (
    LOOPS,
    NEEDS,
    QT,
    REACTORS,
    SIDES,
    Measurement,
    delays,
    measure_one,
    summary,
)

SUBJECTS = (*REACTORS, *LOOPS)

# The floor: loops that do nothing but sleep until a time


class Timespec(ctypes.Structure):
    """`struct timespec`."""

    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class Itimerspec(ctypes.Structure):
    """`struct itimerspec`."""

    _fields_ = (("interval", Timespec), ("value", Timespec))


EVENT_BYTES = 16
"""Room for one `struct epoll_event`, padded or packed."""

PR_SET_TIMERSLACK = 29


def timespec(seconds: float) -> Timespec:
    """
    @return: `seconds` rounded up to a nanosecond, and one nanosecond at least: zero disarms a
        timerfd.
    """
    return Timespec(*divmod(max(1, ceil(seconds * 1e9)), 1_000_000_000))


def checked(result: int, function: Any, arguments: tuple[object, ...]) -> int:
    """
    Raise what `errno` says when a function of the C library fails.
    """
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{function.__name__}: {os.strerror(code)}")
    return result


def libc_function(name: str, *types: Any) -> Callable[..., int]:
    """
    @return: a function of the C library that raises `OSError` when it fails.

    @raise AttributeError: this C library has no such function.
    """
    function: Any = ctypes.CDLL(None, use_errno=True)[name]
    function.argtypes = types
    function.errcheck = checked
    return cast("Callable[..., int]", function)


def pwait2_sleeper() -> Callable[[float], None]:
    """
    @return: a function that sleeps for some seconds in `epoll_pwait2`.
    """
    pwait2 = libc_function(
        "epoll_pwait2",
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.POINTER(Timespec),
        ctypes.c_void_p,
    )
    poller = select.epoll()
    events = ctypes.create_string_buffer(EVENT_BYTES)

    def sleep(seconds: float) -> None:
        pwait2(poller.fileno(), events, 1, ctypes.byref(timespec(seconds)), None)

    return sleep


def timerfd_sleeper() -> Callable[[float], None]:
    """
    @return: a function that sleeps for some seconds in `epoll_wait` on a timerfd.
    """
    create = libc_function("timerfd_create", ctypes.c_int, ctypes.c_int)
    settime = libc_function(
        "timerfd_settime",
        ctypes.c_int,
        ctypes.c_int,
        ctypes.POINTER(Itimerspec),
        ctypes.c_void_p,
    )
    wait = libc_function("epoll_wait", ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
    timer = create(time.CLOCK_MONOTONIC, os.O_NONBLOCK)
    poller = select.epoll()
    poller.register(timer, select.EPOLLIN)
    events = ctypes.create_string_buffer(EVENT_BYTES)

    def sleep(seconds: float) -> None:
        settime(timer, 0, ctypes.byref(Itimerspec(Timespec(0, 0), timespec(seconds))), None)
        wait(poller.fileno(), events, 1, -1)
        os.read(timer, 8)

    return sleep


def pwait2_sleeper_without_slack() -> Callable[[float], None]:
    """
    @return: as `pwait2_sleeper`, in a thread that the system is told not to wake late for the sake
        of other timers: a thread's timer slack is 50 microseconds unless it asks for less.
    """
    prctl = libc_function("prctl", ctypes.c_int, ctypes.c_ulong)
    prctl(PR_SET_TIMERSLACK, 1)
    return pwait2_sleeper()


FLOORS = {
    "timerfd": timerfd_sleeper,
    "epoll_pwait2": pwait2_sleeper,
    "epoll_pwait2, 1 ns slack": pwait2_sleeper_without_slack,
}


def measure_floor(name: str, count: int) -> Measurement:
    """Measure `count` deadlines in a bare loop that sleeps in one of `FLOORS`."""
    sleep = FLOORS[name]()
    lateness = []
    passes = 0
    cpu = time.process_time()
    for delay in delays(count):
        deadline = time.time() + delay
        while (left := deadline - time.time()) > 0:
            sleep(left)
            passes += 1
        lateness.append(-left)
    return summary(lateness, time.process_time() - cpu, passes)


def floors_here() -> list[str]:
    """
    @return: the names in `FLOORS` that this system has: Linux before 5.11 has no `epoll_pwait2`.
    """
    try:
        pwait2_sleeper()(1e-9)
    except (AttributeError, OSError) as error:
        print(f"NOT MEASURED: the floors of epoll_pwait2: {error}", file=sys.stderr)
        return ["timerfd"]
    return list(FLOORS)


# The processes and the table


def measure_apart(*arguments: str) -> Measurement | str:
    """
    Run this file in a fresh process.

    @return: what it measured, or one line that says why it failed.
    """
    command = [sys.executable, __file__, *arguments]
    environment = {**QT, **os.environ}
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=300, env=environment
        )
    except subprocess.TimeoutExpired:
        return "no result within 300 s"
    if done.returncode == 0:
        return Measurement(**json.loads(done.stdout.splitlines()[-1]))
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"


def missing(names: list[str]) -> dict[str, str]:
    """
    @return: for each of these that cannot be measured here, a module that is not installed.
    """
    needed = [(name, module) for name in names for module in NEEDS.get(name, ())]
    return {name: module for name, module in needed if find_spec(module) is None}


def measure_all(names: list[str], count: int) -> dict[str, Measurement | str]:
    """
    @return: by the name of each line of the table, what was measured or why not.
    """
    absent = missing(names)
    found: dict[str, Measurement | str] = {}
    for floor in floors_here():
        found[f"floor {floor}"] = measure_apart(f"--timers={count}", f"--one-floor={floor}")
    for name in names:
        if name in absent:
            print(
                f"NOT MEASURED: {name}, since the module {absent[name]} is not installed",
                file=sys.stderr,
            )
            continue
        for side in SIDES:
            arguments = (f"--timers={count}", f"--one={name}", f"--side={side}")
            found[f"{name} {side}"] = measure_apart(*arguments)
    return found


PATTERNS = (*["10,.1f"] * 4, "10.3f", "10.2f")
"""How the figures of a `Measurement` are printed."""


def print_table(found: dict[str, Measurement | str], count: int) -> None:
    """Print a line for each measurement."""
    headings = ("min us", "p50 us", "p99 us", "max us", "CPU s", "passes")
    print(f"Lateness of {count} timers, one at a time")
    print(f"{'':30}", *(f"{heading:>10}" for heading in headings), f"{'p50, p99 / epoll':>18}")
    epoll = found.get("epoll ours")
    for name, measurement in found.items():
        if isinstance(measurement, str):
            print(f"{name:30} FAILED: {measurement}")
            continue
        cells = [
            f"{'-':>10}" if value is None else format(value, pattern)
            for value, pattern in zip(asdict(measurement).values(), PATTERNS, strict=True)
        ]
        if isinstance(epoll, Measurement) and name.endswith(" ours"):
            ratios = measurement.p50 / epoll.p50, measurement.p99 / epoll.p99
            cells.append("{:.2f}, {:.2f}".format(*ratios).rjust(18))
        print(f"{name:30}", *cells)
    print(
        "Lateness: the clock in the callback less the deadline. CPU: the whole process while the"
        " timers ran.\nPasses: calls of runUntilCurrent a timer, or turns of an event loop where"
        " they can be counted;\non the floor, sleeps. The last column compares ours with our epoll"
        " reactor."
    )


def parse() -> argparse.Namespace:
    """
    @return: the options; `one` or `one_floor` is set in the processes that measure.
    """
    parser = argparse.ArgumentParser(
        description="Measure how late timers are on stock reactors and event loops and on ours.",
        epilog="exit codes: 0 all well, 1 a timer was early or a measurement failed",
    )
    add = parser.add_argument
    add("--reactor", nargs="+", choices=SUBJECTS, default=list(SUBJECTS), help="default: all")
    add("--timers", type=int, default=200, metavar="N", help="default: 200")
    add("--json", action="store_true", help="print JSON in place of the table")
    add("--one", choices=SUBJECTS, help=argparse.SUPPRESS)
    add("--side", choices=SIDES, help=argparse.SUPPRESS)
    add("--one-floor", choices=list(FLOORS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.timers < 1:
        parser.error("--timers must be at least 1")
    return options


def main() -> int:
    """
    Measure as the command line says.

    @return: the exit code.
    """
    options = parse()
    one: Callable[[], Measurement] | None = None
    if options.one:
        one = partial(measure_one, options.side, options.one, options.timers)
    elif options.one_floor:
        one = partial(measure_floor, options.one_floor, options.timers)
    if one is not None:
        print(json.dumps(asdict(one())), flush=True)
        os._exit(0)  # (Qt does not always survive the end of Python.)
    found = measure_all(options.reactor, options.timers)
    if options.json:
        ready = {k: v if isinstance(v, str) else asdict(v) for k, v in found.items()}
        print(json.dumps(ready, indent=2))
    else:
        print_table(found, options.timers)
    # (What a stock event loop does early is its own.)
    may_be_early = {f"{name} stock" for name in LOOPS}
    bad = [
        name
        for name, m in found.items()
        if isinstance(m, str) or (m.minimum < 0 and name not in may_be_early)
    ]
    if bad:
        print(f"FAILED or early: {', '.join(bad)}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
