"""
How late timers are: stock reactors and ours, and the floor that the system sets.

    python bench/lateness [--reactor epoll ...] [--timers 200] [--json]

Each measurement runs in a process of its own. It arms one timer at a time, due after an irregular
fraction of a few milliseconds, so that the loop sleeps before each. Lateness is the reactor's clock
in the callback less the deadline. Exits with 1 when a timer was early or a measurement failed.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import importlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import partial
from importlib.util import find_spec
from math import ceil
from random import Random
from typing import Any, cast

REACTORS = ("epoll", "poll", "select", "asyncio", "uvloop", "gi", "threadedselect")
"""The reactors measured; uvloop is the asyncio reactor on a uvloop event loop."""

NEEDS = {"uvloop": "uvloop", "gi": "gi"}
"""The module without which a reactor cannot be measured."""

SIDES = ("stock", "ours")

SHORTEST, LONGEST = 0.002, 0.012
"""Seconds that a timer is armed for, at least and at most."""

SEED = 7


@dataclass(frozen=True)
class Measurement:
    """
    What one process found.

    @ivar minimum: lateness of the least late timer, in microseconds, as the next three.
    @ivar p50: lateness that half of the timers exceed.
    @ivar p99: lateness that one timer in a hundred exceeds.
    @ivar maximum: lateness of the latest timer.
    @ivar cpu: CPU time of the process, in seconds.
    @ivar passes: passes of the loop for each timer that fired.
    """

    minimum: float
    p50: float
    p99: float
    maximum: float
    cpu: float
    passes: float


def summary(lateness: list[float], cpu: float, passes: int) -> Measurement:
    """
    @param lateness: of each timer, in seconds.
    @param cpu: CPU time of the process, in seconds.
    @param passes: passes of the loop in all.
    """
    ordered = sorted(1e6 * value for value in lateness)
    count = len(ordered)
    p50, p99 = (ordered[ceil(count * share) - 1] for share in (0.5, 0.99))
    return Measurement(ordered[0], p50, p99, ordered[-1], cpu, passes / count)


def delays(count: int) -> list[float]:
    """
    @return: how long to arm each timer for, in seconds; the same in every process.
    """
    random = Random(SEED)
    return [random.uniform(SHORTEST, LONGEST) for _ in range(count)]


# The reactors


def install_reactor(side: str, name: str) -> Any:
    """
    Install a reactor.

    @param side: `"stock"` or `"ours"`.
    @param name: one of `REACTORS`.

    @return: the reactor.
    """
    if name == "uvloop":
        install_on_uvloop("twisted.internet" if side == "stock" else "timerwheel.reactors")
    elif side == "ours":
        importlib.import_module("timerwheel").install(name)
    elif name == "threadedselect":
        importlib.import_module("twisted.internet._threadedselect").install()
    else:
        importlib.import_module("twisted.application.reactors").installReactor(name)
    return importlib.import_module("twisted.internet").reactor


def install_on_uvloop(package: str) -> None:
    """Install the asyncio reactor of `package` on a uvloop event loop."""
    loop = importlib.import_module("uvloop").new_event_loop()
    asyncio.set_event_loop(loop)
    importlib.import_module(f"{package}.asyncioreactor").install(eventloop=loop)


class Probes:
    """
    Timers on a reactor, one after the other.
    """

    def __init__(self, reactor: Any, count: int) -> None:
        self._reactor = reactor
        self._delays = iter(delays(count))
        self._lateness: list[float] = []
        self._passes = 0

    def run(self) -> Measurement:
        """Run the reactor until all timers have fired."""
        self._run_until_current = self._reactor.runUntilCurrent
        self._reactor.runUntilCurrent = self._pass
        self._reactor.callWhenRunning(self._start)
        self._reactor.run()
        return self._measurement

    def _pass(self) -> None:
        self._passes += 1
        self._run_until_current()

    def _start(self) -> None:
        self._passes = 0
        self._cpu = time.process_time()
        self._arm()

    def _arm(self) -> None:
        delay = next(self._delays, None)
        if delay is None:
            cpu = time.process_time() - self._cpu
            self._measurement = summary(self._lateness, cpu, self._passes)
            self._reactor.stop()
        else:
            self._call = self._reactor.callLater(delay, self._fired)

    def _fired(self) -> None:
        now = self._reactor.seconds()
        self._lateness.append(now - self._call.getTime())
        self._arm()


def measure_reactor(side: str, name: str, count: int) -> Measurement:
    """Measure `count` timers on one reactor."""
    return Probes(install_reactor(side, name), count).run()


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


# The processes and the table


def measure_apart(*arguments: str) -> Measurement | str:
    """
    Run this file in a fresh process.

    @return: what it measured, or one line that says why it failed.
    """
    command = [sys.executable, __file__, *arguments]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return "no result within 300 s"
    if done.returncode == 0:
        return Measurement(**json.loads(done.stdout))
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"


def missing(names: list[str]) -> dict[str, str]:
    """
    @return: for each reactor that cannot be measured here, the module that is not installed.
    """
    needed = {name: NEEDS[name] for name in names if name in NEEDS}
    return {name: module for name, module in needed.items() if find_spec(module) is None}


def measure_all(names: list[str], count: int) -> dict[str, Measurement | str]:
    """
    @return: by the name of each line of the table, what was measured or why not.
    """
    absent = missing(names)
    found: dict[str, Measurement | str] = {}
    for floor in FLOORS:
        found[f"floor {floor}"] = measure_apart(f"--timers={count}", f"--one-floor={floor}")
    for name in names:
        if name in absent:
            print(
                f"NOT MEASURED: {name}, since the module {absent[name]} is not installed",
                file=sys.stderr,
            )
            continue
        for side in SIDES:
            arguments = (f"--timers={count}", f"--one-reactor={name}", f"--side={side}")
            found[f"{name} {side}"] = measure_apart(*arguments)
    return found


def print_table(found: dict[str, Measurement | str], count: int) -> None:
    """Print a line for each measurement."""
    headings = ("min us", "p50 us", "p99 us", "max us", "CPU s", "passes a timer")
    print(f"Lateness of {count} timers, one at a time")
    print(f"{'':30}", *(f"{heading:>10}" for heading in headings))
    for name, measurement in found.items():
        if isinstance(measurement, str):
            print(f"{name:30} FAILED: {measurement}")
            continue
        patterns = (*["10,.1f"] * 4, "10.3f", f"{len(headings[-1])}.2f")
        values = (getattr(measurement, field.name) for field in fields(measurement))
        print(f"{name:30}", *(format(*pair) for pair in zip(values, patterns, strict=True)))
    print(
        "Lateness: the clock in the callback less the deadline. CPU: the whole process while the"
        " timers ran.\nPasses: calls of runUntilCurrent; on the floor, sleeps."
    )


def parse() -> argparse.Namespace:
    """
    @return: the options; `one_reactor` or `one_floor` is set in the processes that measure.
    """
    parser = argparse.ArgumentParser(
        description="Measure how late timers are on stock reactors and on ours.",
        epilog="exit codes: 0 all well, 1 a timer was early or a measurement failed",
    )
    add = parser.add_argument
    add("--reactor", nargs="+", choices=REACTORS, default=list(REACTORS), help="default: all")
    add("--timers", type=int, default=200, metavar="N", help="default: 200")
    add("--json", action="store_true", help="print JSON in place of the table")
    add("--one-reactor", choices=REACTORS, help=argparse.SUPPRESS)
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
    if options.one_reactor:
        one = partial(measure_reactor, options.side, options.one_reactor, options.timers)
    elif options.one_floor:
        one = partial(measure_floor, options.one_floor, options.timers)
    if one is not None:
        print(json.dumps(asdict(one())))
        return 0
    found = measure_all(options.reactor, options.timers)
    if options.json:
        ready = {k: v if isinstance(v, str) else asdict(v) for k, v in found.items()}
        print(json.dumps(ready, indent=2))
    else:
        print_table(found, options.timers)
    bad = [name for name, m in found.items() if isinstance(m, str) or m.minimum < 0]
    if bad:
        print(f"FAILED or early: {', '.join(bad)}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
