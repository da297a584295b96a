"""Reactors without I/O, clocks and alarms moved by hand, programs in processes of their own."""

from __future__ import annotations

import errno
import gc
import json
import os
import select
import subprocess
import sys
import sysconfig
import textwrap
from typing import Any

import pytest
from twisted.internet._threadedselect import ThreadedSelectReactor
from twisted.internet.base import ReactorBase
from twisted.internet.task import Clock

from timerwheel import accelerate
from timerwheel._accelerate import KEY
from timerwheel._core import CallQueue

# All are errors but three that old Twisted causes: PyGObject's, of what its gireactor calls, and
# Python's, of how the asyncio reactor of Twisted 23.10 finds its event loop and of what its
# twisted.web imports.
WARNINGS = ["-W", "error"]
for message in (
    "Since version 3.11, calling threads_init",
    "There is no current event loop",
    "'cgi' is deprecated",
):
    WARNINGS += ["-W", f"ignore:{message}"]


# A Python without a GIL, whose collector walks what is pending in the installed reactor too.
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


# Seconds after which a process that a test has started is taken to hang: below pytest's
# faulthandler_timeout, and far above what one takes on a busy machine.
PATIENCE = 280


class FakeClock:
    """A clock that is moved by hand. Called for the time."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class FakeAlarm:
    """An alarm on no clock. The test has it go off."""

    numbers = iter(range(1000, 10**9))

    def __init__(self) -> None:
        self.number = next(self.numbers)
        self.timeout: float | None = None
        self.lost = False

    def fileno(self) -> int:
        return self.number

    def is_ours(self) -> bool:
        return not self.lost

    def is_over(self) -> bool:
        return True  # the loop calls back when the test has it go off

    def set(self, timeout: float) -> None:
        if self.lost:
            raise OSError(errno.EBADF, "Bad file descriptor")
        self.timeout = timeout

    def clear(self) -> None:
        if self.lost:
            raise OSError(errno.EBADF, "Bad file descriptor")
        self.timeout = None

    def close(self) -> None:
        self.number = -1


class StockReactor(ReactorBase):
    """A stock reactor that does no I/O."""

    def installWaker(self) -> None:
        """There is nothing to wake."""

    def removeAll(self) -> list[Any]:
        return []

    def doIteration(self, delay: float | None) -> None:
        """There is nothing to wait for."""


class Waits:
    """Stands for a reactor whose way to wait is looked at."""

    def __init__(self) -> None:
        self.waits: list[float | None] = []

    def doIteration(self, timeout: float | None) -> None:
        self.waits.append(timeout)


class Watches(Waits):
    """Stands for a poll or an epoll reactor."""

    _POLL_IN, _POLL_OUT = select.POLLIN, select.POLLOUT

    def __init__(self, poller: Any) -> None:
        super().__init__()
        self._poller = poller
        self._selectables: dict[int, object] = {}
        self._reads: set[int] = set()
        self._writes: set[int] = set()


def make_reactor(clock: FakeClock, reactor_class: type[ReactorBase] = StockReactor) -> Any:
    """A reactor on a fake clock, with the wheel."""
    reactor: Any = reactor_class()
    reactor.seconds = clock
    accelerate(reactor)
    return reactor


def queue_of(reactor: Any) -> CallQueue:
    """The queue of a reactor that has the wheel."""
    queue: CallQueue = vars(reactor)[KEY]
    return queue


def run_for(seconds: float, reactor: Any, clock: FakeClock) -> int:
    """Run a reactor, whose waits last just as long as it asks; return how many passes it made."""
    end = clock.now + seconds
    for passes in range(1, 1_000_000):
        reactor.runUntilCurrent()
        timeout = reactor.timeout()
        if timeout is None or clock.now + timeout > end:
            clock.now = end
            return passes
        clock.advance(timeout)
    raise AssertionError("the reactor spins")


def require(reactor_name: str) -> None:
    """Skip a test that runs a reactor, if what that needs is not there."""
    if reactor_name in ("uvloop", "gi"):
        pytest.importorskip(reactor_name)
    if reactor_name == "threadedselect" and not hasattr(ThreadedSelectReactor, "_selectOnce"):
        pytest.skip("this Twisted's own threaded reactor cannot run: it calls Thread.isAlive()")


def run_python(program: str, *arguments: str, **environment: str) -> Any:
    """Run a program in a fresh process; return what it printed last, parsed as JSON."""
    result = subprocess.run(
        [sys.executable, *WARNINGS, "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout.splitlines()[-1])


# The reactors that are run for real: those that Linux has, asyncio's on uvloop too.
REAL = ["epoll", "poll", "select", "asyncio", "uvloop", "gi", "threadedselect"]

INSTALL = """
    import json, sys
    import timerwheel
    name, clock = sys.argv[1], sys.argv[2]
    if name == "uvloop":
        import uvloop
        from timerwheel.reactors import asyncioreactor
        asyncioreactor.install(uvloop.new_event_loop())
    else:
        timerwheel.install(name, clock=clock)
    from twisted.internet import reactor
"""


def run_on(name: str, program: str, clock: str = "wall") -> Any:
    """Run a program on one of the REAL reactors, with the wheel; return what it printed last."""
    require(name)
    return run_python(INSTALL + program, name, clock)


# A program for a reactor: timers one after another. It prints how many there were, how early the
# earliest came, and how many passes were made.
SPARSE = """
    passes = []
    run = reactor.runUntilCurrent
    reactor.runUntilCurrent = lambda: (passes.append(1), run())
    late, delays = [], [0.0007, 0.0101, 0.0033, 0.0051, 0.0029, 0.0113, 0.0083, 0.0009] * 3
    def next_timer():
        if not delays:
            reactor.stop()
            return
        call = reactor.callLater(delays.pop(), lambda: fire(call))
    def fire(call):
        late.append(reactor.seconds() - call.getTime())
        next_timer()
    def begin():
        passes.clear()
        next_timer()
    reactor.callLater(0.05, begin)
    reactor.run()
    print(json.dumps({"timers": len(late), "earliest": min(late), "passes": len(passes)}))
"""


def fire(reactor: Any, *calls: tuple[Any, ...]) -> None:
    """Have a reactor make calls of (function, arguments...) in one pass."""
    for func, *args in calls:
        reactor.callLater(0, func, *args)
    reactor.runUntilCurrent()


def formatted(logged: list[Any]) -> list[str]:
    """The messages of logged events."""
    return [event["log_format"].format(**event) for event in logged if "log_format" in event]


def check_clock(clock: Clock) -> None:
    """The wheel of a clock, if it is one of ours, is sound."""
    for queue in gc.get_referents(clock):
        if isinstance(queue, CallQueue):
            queue.check_invariants()
