"""The load, the faults that are done from within, and the judge, on one reactor."""

from __future__ import annotations

import ctypes
import platform
import time
from dataclasses import asdict
from typing import Any

import memory
from chat import Chat
from failures import Failures
from forks import Forks
from hammer import Hammer
from ledger import Ledger
from load import Load
from passes import Passes
from plan import Plan
from signals import Signals
from tickets import Tickets
from wall_clock import HOUR, Steps

import twisted
from timerwheel._accelerate import KEY

# How many passes a copy of the process makes, and after how many seconds each.
COPY_PASSES = 3
COPY_PAUSE = 0.02

# The share of the calls that are moved after the clock has gone back.
STIRRED = 0.1


class Soak:
    """What the commands do. What they return is told to whoever gave them."""

    def __init__(self, reactor: Any, plan: Plan) -> None:
        self._reactor = reactor
        self._plan = plan
        self._queue = vars(reactor)[KEY]
        self._steps = Steps(plan.clock_file)
        self._passes = Passes(reactor, self._steps, plan.clock == "steady")
        self._failures = Failures()
        self._ledger = Ledger(plan.calls, self._passes, self._steps)
        self._load = Load(reactor, plan, self._ledger)
        self._from_threads = Tickets(self._passes, self._steps)
        self._from_signals = Tickets(self._passes, self._steps)
        self._hammer = Hammer(reactor, self._from_threads)
        self._signals = Signals(reactor, self._from_signals, self._queue.hook is None)
        self._chat = Chat(self._passes, self._steps)
        self._forks = Forks(self._copy_is_sound)
        self._c = ctypes.PyDLL(None)
        self._apart = reactor.seconds() - time.monotonic()
        self._checks = 0
        self._unsound: list[str] = []
        self._pending = 0
        self._drained_at = 0.0

    # The load.

    def start(self) -> dict[str, Any]:
        """Arm all calls, and listen; tell the port."""
        self._load.start()
        self._hammer.start()
        port = self._reactor.listenTCP(0, self._chat, interface="127.0.0.1")
        return {"port": port.getHost().port, **self._versions()}

    def stir(self) -> None:
        """Move some of the calls."""
        self._load.stir(STIRRED)

    def hush(self) -> None:
        """Have the threads schedule nothing any more."""
        self._hammer.stop()

    def drain(self) -> None:
        """Arm nothing any more: what is due now is to be made, and what is not is to stay."""
        self._load.draining = True
        self._drained_at = self._passes.seconds()

    def is_drained(self) -> bool:
        """Whether all that was due when this was begun has been made, and all copies have ended."""
        return self._overdue() == 0 and self._forks.reap()

    def finish(self) -> dict[str, Any]:
        """Cancel what is left, and tell all that was found."""
        self.check()
        overdue = self._overdue()
        self._load.cancel_all()
        self.check()
        return {**self.figures(), "overdue": overdue}

    def stop(self) -> None:
        """End the process."""
        self._reactor.stop()

    # Faults.

    def quiet(self, is_quiet: bool) -> None:
        """Whether no fault is at work: lateness is measured then."""
        self._ledger.lateness.quiet = is_quiet

    def hold(self, seconds: float) -> None:
        """Hold the GIL."""
        self._c.usleep(round(seconds * 1e6))

    def fork(self) -> None:
        """Have a copy of the process look whether its timers are whole."""
        self._pending = len(self._reactor.getDelayedCalls())
        self._forks.fork()

    def ring(self, is_on: bool) -> None:
        """Have SIGALRM come all the time, or no more."""
        self._signals.ring(is_on)

    def offset(self) -> float:
        """By how many hours the reactor's clock is off from the one that nobody steps."""
        apart = self._passes.seconds() - time.monotonic()
        return round((apart - self._apart) / HOUR, 3)

    # The judge.

    def check(self) -> None:
        """Look at all calls, and at the inside of the wheel."""
        self._checks += 1
        self._forks.reap()
        self._ledger.check(self._reactor.getDelayedCalls(), self._load.func)
        try:
            self._queue.check_invariants()
        except AssertionError as error:
            self._unsound.append(str(error))

    def memory(self) -> dict[str, int]:
        """What is in use."""
        return memory.measure()

    def figures(self) -> dict[str, Any]:
        """All that was counted so far."""
        ledger = self._ledger
        return {
            **asdict(ledger.counts),
            "lost": len(ledger.lost),
            "lateness": [ledger.lateness.percentile(percent) for percent in (50, 99)],
            "lateness_max": ledger.lateness.maximum,
            "passes": self._passes.count,
            "raised": self._load.raised,
            "logged": self._failures.planned,
            "other_failures": self._failures.others,
            "threads": self._from_threads.figures(),
            "signals": self._from_signals.figures(),
            "chat": self._chat.figures(),
            "copies": self._forks.ended,
            "faulty_copies": self._forks.faulty,
            "checks": self._checks,
            "unsound": self._unsound,
        }

    def _overdue(self) -> int:
        """How many calls were due when the draining began, and have not been made."""
        time = self._drained_at
        return (
            len(self._ledger.overdue(time))
            + self._from_threads.overdue(time)
            + self._from_signals.overdue(time)
            + self._chat.overdue(time)
        )

    def _copy_is_sound(self) -> bool:
        """In a copy of the process: whether its timers are whole, and go on as they should."""
        self._chat.hangs_up = False
        faults = self._faults()
        is_whole = len(self._reactor.getDelayedCalls()) == self._pending
        self.check()
        for _ in range(COPY_PASSES):
            time.sleep(COPY_PAUSE)
            self._reactor.runUntilCurrent()
        self.check()
        return is_whole and self._faults() == faults

    def _faults(self) -> tuple[object, ...]:
        """What changes when something is found wrong."""
        counts = self._ledger.counts
        return (
            len(self._ledger.lost),
            counts.doubled + self._from_threads.doubled + self._from_signals.doubled,
            counts.early + self._from_threads.early + self._chat.early,
            counts.disordered,
            counts.misdated,
            len(self._failures.others),
            len(self._unsound),
        )

    def _versions(self) -> dict[str, str]:
        kind = type(self._reactor)
        return {
            "reactor": f"{kind.__module__}.{kind.__qualname__}",
            "python": platform.python_version(),
            "twisted": twisted.__version__,
        }
