"""The parties: the implementations to measure, each behind the same few methods.

The timed loops of workloads use a party's own object (`reactor` or `loop`) as a program would.
The methods here are for the untimed parts.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import timerwheel

Callback = Callable[..., object]

# An epoch far from 0, as that of a wall clock is.
START = 1_700_000_000.0


def build(name: str) -> Any:
    """An extension module of this folder, compiled if it has not been."""
    import pyximport

    folder = Path(__file__).parent
    sys.path.insert(0, str(folder))
    importers = pyximport.install(language_level=3, build_dir=str(folder / ".build"))
    try:
        return importlib.import_module(name)
    finally:
        pyximport.uninstall(*importers)


class Reactor:
    """A Twisted reactor, on its own clock or on a virtual one that stands at `now`."""

    name: str

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.now: float | None = None
        self.keep: Any = None  # what a workload wants kept alive

    @property
    def schedule(self) -> Callable[..., Any]:
        """What schedules a call after a delay."""
        schedule: Callable[..., Any] = self.reactor.callLater
        return schedule

    def start(self, *, virtual: bool = False) -> None:
        """Begin with no timers."""
        self.stop()
        if virtual:
            self.now = START
            self.reactor.seconds = lambda: self.now

    def stop(self) -> None:
        """Cancel all timers."""
        for call in self.reactor.getDelayedCalls():
            call.cancel()
        self.reactor.timeout()
        self.reactor.runUntilCurrent()
        vars(self.reactor).pop("seconds", None)

    def close(self) -> None:
        """Give its sockets back."""
        self.stop()
        for reader in [*self.reactor._internalReaders, *self.reactor.removeAll()]:
            reader.connectionLost(None)
        if hasattr(self.reactor, "_asyncioEventloop"):
            self.reactor._asyncioEventloop.close()

    def arm(self, delays: Sequence[float], callback: Callback) -> list[Any]:
        """Schedule callback after each delay."""
        schedule = self.schedule
        calls = [schedule(delay, callback) for delay in delays]
        self.reactor.timeout()  # a stock reactor puts new calls into its heap here
        return calls

    def turn(self) -> None:
        """One pass."""
        self.reactor.runUntilCurrent()
        self.reactor.timeout()

    def pass_at(self, times: Sequence[float], share: int) -> None:
        """A pass at each of these times of a virtual clock. (share: see the floor.)"""
        reactor = self.reactor
        for self.now in times:
            reactor.runUntilCurrent()
            reactor.timeout()

    def pending(self) -> int:
        return len(self.reactor.getDelayedCalls())


class Ours(Reactor):
    """timerwheel's epoll reactor, installed, as a program has it."""

    name = "ours"

    def __init__(self) -> None:
        timerwheel.install("epoll")
        from twisted.internet import reactor

        super().__init__(reactor)
        self.new_clock = timerwheel.Clock


class Stock(Reactor):
    """Twisted's own epoll reactor."""

    name = "stock"

    def __init__(self) -> None:
        from twisted.internet import task
        from twisted.internet.epollreactor import EPollReactor

        super().__init__(EPollReactor())
        self.new_clock = task.Clock


class OursAsyncio(Reactor):
    """timerwheel's asyncio reactor."""

    name = "ours on asyncio"

    def __init__(self) -> None:
        from timerwheel.reactors.asyncioreactor import AsyncioSelectorReactor

        super().__init__(AsyncioSelectorReactor(asyncio.SelectorEventLoop()))


class StockAsyncio(Reactor):
    """Twisted's own asyncio reactor."""

    name = "stock on asyncio"

    def __init__(self) -> None:
        from twisted.internet.asyncioreactor import AsyncioSelectorReactor

        super().__init__(AsyncioSelectorReactor(asyncio.SelectorEventLoop()))


class FloorParty(Reactor):
    """The floor (floor.pyx): a list that knows no time, so it does not know which timers have
    expired.
    """

    name = "floor"

    def __init__(self) -> None:
        super().__init__(build("floor").Floor())

    def start(self, *, virtual: bool = False) -> None:
        self.stop()

    def stop(self) -> None:
        self.reactor.clear()

    close = stop

    def arm(self, delays: Sequence[float], callback: Callback) -> list[Any]:
        return [self.reactor.callLater(delay, callback) for delay in delays]

    def turn(self) -> None:
        """Nothing: a pass fires what is due."""

    def pass_at(self, times: Sequence[float], share: int) -> None:
        """In each pass, fire the first `share` calls of the list."""
        floor = self.reactor
        for _ in times:
            floor.run(share)

    def pending(self) -> int:
        return int(self.reactor.count())


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's event loop with a clock that may be moved by hand."""

    now: float | None = None

    def time(self) -> float:
        return time.monotonic() if self.now is None else self.now


class Asyncio:
    """asyncio's own event loop."""

    name = "asyncio"
    new_loop: Callable[[], Any] = VirtualLoop

    def __init__(self) -> None:
        self.loop = self.new_loop()
        self.keep: Any = None

    @property
    def schedule(self) -> Callable[..., Any]:
        schedule: Callable[..., Any] = self.loop.call_later
        return schedule

    def start(self, *, virtual: bool = False) -> None:
        self.stop()
        self.loop = self.new_loop()
        if virtual:
            self.loop.now = START

    def stop(self) -> None:
        self.loop.close()

    close = stop

    def arm(self, delays: Sequence[float], callback: Callback) -> list[Any]:
        schedule = self.schedule
        return [schedule(delay, callback) for delay in delays]

    def turn(self) -> None:
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    def pass_at(self, times: Sequence[float], share: int) -> None:
        loop = self.loop
        for loop.now in times:
            loop.call_soon(loop.stop)
            loop.run_forever()

    def pending(self) -> int:
        return sum(not handle.cancelled() for handle in self.loop._scheduled)


class Uvloop(Asyncio):
    """uvloop's event loop. Its clock cannot be moved, so it fires no virtual timers."""

    name = "uvloop"

    def __init__(self) -> None:
        import uvloop

        self.new_loop = uvloop.new_event_loop
        super().__init__()

    def pending(self) -> int:
        return sum(not handle.cancelled() for handle in self.keep)


PARTIES = [Ours, Stock, FloorParty, Asyncio, Uvloop, OursAsyncio, StockAsyncio]
