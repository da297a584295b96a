"""What `lateness.py` measures, stock and ours: reactors and event loops, each in a process."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from random import Random
from typing import Any

REACTORS = (
    "epoll",
    "poll",
    "select",
    "threadedselect",
    "asyncio",
    "uvloop",
    "qasync",
    "gi",
    "qt",
)
"""The reactors measured; uvloop and qasync are the asyncio reactor on these event loops, qt is
qt-reactor's.
"""

LOOPS = ("asyncio loop", "uvloop loop")
"""The event loops measured without Twisted: ours are `timerwheel.aio.EventLoop`, and uvloop's with
the wheel.
"""

NEEDS = {
    "uvloop": ("uvloop",),
    "uvloop loop": ("uvloop",),
    "gi": ("gi",),
    "qasync": ("PySide6", "qasync"),
    "qt": ("PySide6", "qreactor"),
}
"""The modules without which something cannot be measured."""

QT = {"QT_API": "pyside6", "QT_QPA_PLATFORM": "offscreen"}
"""The environment that Qt needs."""

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
    @ivar passes: passes of the loop for each timer that fired; `None` if they cannot be counted.
    """

    minimum: float
    p50: float
    p99: float
    maximum: float
    cpu: float
    passes: float | None


def summary(lateness: list[float], cpu: float, passes: int | None) -> Measurement:
    """
    @param lateness: of each timer, in seconds.
    @param cpu: CPU time of the process, in seconds.
    @param passes: passes of the loop in all.
    """
    ordered = sorted(1e6 * value for value in lateness)
    count = len(ordered)
    p50, p99 = (ordered[ceil(count * share) - 1] for share in (0.5, 0.99))
    a_timer = None if passes is None else passes / count
    return Measurement(ordered[0], p50, p99, ordered[-1], cpu, a_timer)


def delays(count: int) -> list[float]:
    """
    @return: how long to arm each timer for, in seconds; the same in every process.
    """
    random = Random(SEED)
    return [random.uniform(SHORTEST, LONGEST) for _ in range(count)]


def measure_one(side: str, name: str, count: int) -> Measurement:
    """Measure `count` timers on one of `REACTORS` or `LOOPS`."""
    if name in LOOPS:
        return LoopProbes(new_loop(side, name), count).run()
    return ReactorProbes(install_reactor(side, name), count).run()


# Reactors


def install_reactor(side: str, name: str) -> Any:
    """
    Install a reactor.

    @param side: `"stock"` or `"ours"`.
    @param name: one of `REACTORS`.

    @return: the reactor.
    """
    package = "twisted.internet" if side == "stock" else "timerwheel.reactors"
    if name in ("uvloop", "qasync"):
        loop = new_uvloop() if name == "uvloop" else new_qt_loop()
        asyncio.set_event_loop(loop)
        importlib.import_module(f"{package}.asyncioreactor").install(eventloop=loop)
    elif name == "qt":
        importlib.import_module("qreactor").install()
    elif side == "ours":
        importlib.import_module("timerwheel").install(name)
    elif name == "threadedselect":
        importlib.import_module("twisted.internet._threadedselect").install()
    else:
        importlib.import_module("twisted.application.reactors").installReactor(name)
    reactor = importlib.import_module("twisted.internet").reactor
    if name == "qt" and side == "ours":
        importlib.import_module("timerwheel").accelerate(reactor)
    return reactor


def new_uvloop() -> Any:
    """An event loop of uvloop's."""
    return importlib.import_module("uvloop").new_event_loop()


def new_qt_loop() -> Any:
    """An event loop of qasync's, and the application that it needs."""
    application = importlib.import_module("PySide6.QtCore").QCoreApplication([])
    return importlib.import_module("qasync").QEventLoop(application)


class ReactorProbes:
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


# Event loops


def new_loop(side: str, name: str) -> Any:
    """
    @param side: `"stock"` or `"ours"`.
    @param name: one of `LOOPS`.
    """
    from timerwheel import aio

    if name == "asyncio loop":
        return asyncio.SelectorEventLoop() if side == "stock" else aio.new_event_loop()
    loop = new_uvloop()
    if side == "ours":
        aio.accelerate(loop)
    return loop


class LoopProbes:
    """
    Timers on an event loop, one after the other.

    By the monotonic clock: uvloop's own is that of its last turn, in whole milliseconds.
    """

    def __init__(self, loop: Any, count: int) -> None:
        self._loop = loop
        self._delays = iter(delays(count))
        self._lateness: list[float] = []
        self._passes: int | None = None
        self._count_passes()

    def run(self) -> Measurement:
        """Run the loop until all timers have fired."""
        self._done = self._loop.create_future()
        self._loop.call_soon(self._start)
        self._loop.run_until_complete(self._done)
        self._loop.close()
        return summary(self._lateness, self._cpu, self._passes)

    def _count_passes(self) -> None:
        """Where asyncio's loop lets us: each turn calls this. uvloop's turns are in C."""
        run_once: Callable[[], None] | None = getattr(self._loop, "_run_once", None)
        if run_once is None:
            return
        self._passes = 0

        def counted() -> None:
            assert self._passes is not None
            self._passes += 1
            run_once()

        self._loop._run_once = counted

    def _start(self) -> None:
        if self._passes is not None:
            self._passes = 0
        self._cpu = time.process_time()
        self._arm()

    def _arm(self) -> None:
        delay = next(self._delays, None)
        if delay is None:
            self._cpu = time.process_time() - self._cpu
            self._done.set_result(None)
        else:
            self._deadline = time.monotonic() + delay
            self._loop.call_later(delay, self._fired)

    def _fired(self) -> None:
        self._lateness.append(time.monotonic() - self._deadline)
        self._arm()
