"""The faults, in rounds: each round has every kind, in an order of its own."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from random import Random
from time import monotonic, sleep

from plan import SEED
from process import Process
from wall_clock import HOUR, WallClock

# Seconds that a round takes, about. Of the time that each of its faults has: until which share the
# fault is at work, and until which the reactor may catch up. The rest is quiet.
ROUND = 30.0
AT_WORK = 0.6
SETTLED = 0.8

# How many signals are sent at a time, and after how many they are let come in.
SIGNALS = 1000
TOGETHER = 10

# The steps of the clock in a round, in hours. They end where it has never been later, so that no
# call that was made before waits for longer than its delay.
STEPS = (1, -1, 1)


class Faults:
    """Injects them into a process. injected counts each kind; problems has what they came to."""

    def __init__(self, process: Process, clock: WallClock, is_steady: bool, seconds: float) -> None:
        self.injected: Counter[str] = Counter()
        self.problems: list[str] = []
        self._process = process
        self._clock = clock
        self._is_steady = is_steady
        self._random = Random(SEED)
        self._hours = 0
        self._kinds: list[Callable[[float], None]] = [
            *[self._step] * len(STEPS),
            *[self._fork] * 2,
            self._stop,
            self._hold,
            self._signal,
            self._alarm,
        ]
        self.rounds = max(2, round(seconds / ROUND))
        self._turn = seconds / self.rounds / len(self._kinds)
        self._steps = list(STEPS)

    def round(self) -> None:
        """All kinds, once or more."""
        self._steps = list(STEPS)
        kinds = list(self._kinds)
        self._random.shuffle(kinds)
        for inject in kinds:
            end = monotonic() + self._turn
            self._process.ask("quiet", False)
            inject(AT_WORK * self._turn)
            self._process.ask("check")
            sleep((SETTLED - AT_WORK) * self._turn)
            self._process.ask("quiet", True)
            sleep(max(0.0, end - monotonic()))

    def _step(self, seconds: float) -> None:
        """Step the wall clock, at whatever the process is about."""
        hours = self._steps.pop(0)
        self._clock.step(hours * HOUR)
        self._hours += hours
        self._count("forward" if hours > 0 else "back")
        self._look_at_clock()
        if hours < 0:
            self._process.ask("stir")
        sleep(seconds)

    def _look_at_clock(self) -> None:
        seen, expected = self._process.ask("offset"), 0 if self._is_steady else self._hours
        if seen != expected:
            self.problems.append(f"the reactor's clock is off by {seen} h, not {expected} h")

    def _fork(self, seconds: float) -> None:
        self._count("forks")
        self._process.ask("fork")
        sleep(seconds)

    def _stop(self, seconds: float) -> None:
        self._count("stops")
        self._process.signal(signal.SIGSTOP)
        sleep(seconds)
        self._process.signal(signal.SIGCONT)

    def _hold(self, seconds: float) -> None:
        self._count("holds")
        self._process.ask("hold", seconds)

    def _signal(self, seconds: float) -> None:
        self._count("signals", SIGNALS)
        for _ in range(SIGNALS // TOGETHER):
            for _ in range(TOGETHER):
                self._process.signal(signal.SIGUSR1)
            sleep(seconds * TOGETHER / SIGNALS)

    def _alarm(self, seconds: float) -> None:
        self._count("alarms")
        self._process.ask("ring", True)
        sleep(seconds)
        self._process.ask("ring", False)

    def _count(self, kind: str, number: int = 1) -> None:
        self.injected[kind] += number
