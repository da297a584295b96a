"""Play a plan on a reactor, with a clock moved by hand, and measure.

The loops here do only the least. The measurements include the loops' own time, which is the same
for both sides.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import ceil
from time import perf_counter_ns, thread_time_ns
from typing import Any

from timerwheel.commands.replay.plan import CANCEL, HALF, RESET, SCHEDULE, Action, Plan, Step

SLICES = 44
"""The number of parts of the recording's time in the chart."""


# CPU time: the replay never waits, and what else runs on the machine is not to count. (On Windows
# that clock ticks too seldom.)
cpu_ns = perf_counter_ns if sys.platform == "win32" else thread_time_ns


class ReplayError(Exception):
    """A reactor did other work than the plan's. The message says which."""


@dataclass
class Timing:
    """One play, in nanoseconds of CPU time.

    @ivar slices: time in timers in each of the `SLICES` parts of the recording, without
    @ivar collecting: the time in the garbage collector, and
    @ivar pause: its longest pause.
    """

    slices: list[int]
    collecting: int
    pause: int


@dataclass
class Probe:
    """One play with a closer look, in nanoseconds: of the clock for lateness, else of CPU time.

    @ivar late_p50: half of all calls began so soon after the start of their pass.
    @ivar late_p99: and 99 of 100 so soon.
    @ivar stall: the most that one pass took, or the actions between two.
    @ivar collection: a full garbage collection with the most timers pending.
    """

    late_p50: int
    late_p99: int
    stall: int
    collection: int


class Player:
    """Plays one plan on one reactor, any number of times."""

    def __init__(self, reactor: Any, plan: Plan) -> None:
        self._reactor = reactor
        self._plan = plan
        self._slices = plan.sliced(SLICES)
        self._calls: list[Any] = [None] * plan.timers
        self._replies: Iterator[list[Action]] = iter(())
        self._lacking = 0
        # The clock, C all the way as the system's is.
        self._now = [0.0]
        self._seconds = partial(self._now.__getitem__, 0)

    # The three ways to play

    def time(self) -> Timing:
        """Measure the time in timers and in the collector."""
        self.start()
        slices: list[int] = []
        with _CollectorWatch() as watch:
            for steps in self._slices:
                collecting, began = watch.total, cpu_ns()
                self._play(steps)
                slices.append(cpu_ns() - began - (watch.total - collecting))
        self.finish()
        return Timing(slices, watch.total, watch.longest)

    def probe(self) -> Probe:
        """Measure lateness and stalls, and check that each timer expired in its pass."""
        count = self._plan.counts["expire"]
        times, numbers = array("q", bytes(8 * count)), array("q", bytes(8 * count))
        place = 0

        def expired(number: int) -> None:
            nonlocal place
            if place < count:
                times[place], numbers[place] = perf_counter_ns(), number
            place += 1
            self._expired(number)

        self.start(expired)
        began: list[int] = []
        stall = collection = 0
        for number, step in enumerate(self._plan.steps):
            for part in _parts(step):
                start = cpu_ns()
                began.extend([self._play([part])] * len(part.expire))
                if not part.idle:
                    stall = max(stall, cpu_ns() - start)
            if number == self._plan.peak_step:
                start = cpu_ns()
                gc.collect()
                collection = cpu_ns() - start
        self._check_passes(numbers)
        self.finish()
        late = sorted(time - start for time, start in zip(times, began, strict=True))
        return Probe(_quantile(late, 0.5), _quantile(late, 0.99), stall, collection)

    def memory(self) -> int:
        """The most bytes that Python and the extension had for timers at a time."""
        self.start(schedule=False)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            self._schedule()
            self.play()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        self.finish()
        return peak - before

    # What they share

    def start(
        self, on_expiry: Callable[[int], None] | None = None, *, schedule: bool = True
    ) -> None:
        """Set the clock of the reactor, which must have no timers, to the recording's start."""
        reactor = self._reactor
        self._on_expiry = on_expiry or self._expired
        self._now[0] = HALF / 1e6
        reactor.seconds = self._seconds
        self._lacking = 0
        reactor.runUntilCurrent()  # a wheel without timers follows the clock back
        gc.collect()
        if schedule:
            self._schedule()

    def play(self) -> None:
        """Play the recording. Raises ReplayError if in a pass not as many timers expire."""
        self._play(self._plan.steps)

    def finish(self) -> None:
        """Leave the reactor without timers and with its own clock.

        Raises ReplayError if other timers were pending than at the end of the recording.
        """
        calls = self._reactor.getDelayedCalls()
        pending = frozenset(call.args[0] for call in calls)
        for call in calls:
            call.cancel()
        self._reactor.runUntilCurrent()
        self._calls[:] = [None] * len(self._calls)
        del self._reactor.seconds
        if pending != self._plan.pending or len(calls) != len(pending):
            raise ReplayError(
                f"at the end {len(calls):,} timers were pending; in the recording it is "
                f"{len(self._plan.pending):,}"
            )

    def _schedule(self) -> None:
        self._do(self._plan.before)
        self._reactor.timeout()

    def _play(self, steps: list[Step]) -> int:
        """Play steps. Returns when the last pass began, by perf_counter_ns()."""
        clock, reactor = self._now, self._reactor
        began = 0
        for now, actions, idle, pass_at, expire, replies in steps:
            clock[0] = now
            if actions:
                self._do(actions)
            for _ in range(idle):
                reactor.runUntilCurrent()
                reactor.timeout()
            if self._lacking:
                raise self._wrong_pass(now, 0)
            if pass_at is not None:
                clock[0] = pass_at
                self._replies = iter(replies)
                began = perf_counter_ns()
                reactor.runUntilCurrent()
                reactor.timeout()
                if next(self._replies, None) is not None or self._lacking:
                    raise self._wrong_pass(pass_at, len(expire))
        return began

    def _do(self, actions: list[Action]) -> None:
        calls, reactor, expired = self._calls, self._reactor, self._on_expiry
        for kind, number, seconds in actions:
            if kind == SCHEDULE:
                calls[number] = reactor.callLater(seconds, expired, number)
            elif kind == CANCEL:
                calls[number].cancel()
                calls[number] = None
            elif kind == RESET:
                calls[number].reset(seconds)
            else:
                calls[number].delay(seconds)

    def _expired(self, number: int) -> None:
        """The function of every timer."""
        self._calls[number] = None
        actions = next(self._replies, None)
        if actions is None:
            self._lacking += 1
        elif actions:
            self._do(actions)

    # That the work was that of the plan

    def _wrong_pass(self, pass_at: float, expected: int) -> ReplayError:
        # If replies are left, the caller has taken one of them.
        left = 0 if self._lacking else 1 + sum(1 for _ in self._replies)
        found = expected + self._lacking - left
        return ReplayError(
            f"in the pass at {pass_at:.4f} s {found:,} timers expired; in the recording it is "
            f"{expected:,}"
        )

    def _check_passes(self, numbers: array[int]) -> None:
        start = 0
        for step in self._plan.steps:
            end = start + len(step.expire)
            if sorted(numbers[start:end]) != sorted(step.expire):
                raise ReplayError(
                    f"in the pass at {step.pass_at:.4f} s other timers expired than in the "
                    "recording"
                )
            start = end


class _CollectorWatch:
    """Measures the garbage collector.

    @ivar total: nanoseconds in it.
    @ivar longest: in its longest pause.
    """

    def __init__(self) -> None:
        self.total = self.longest = self._began = 0

    def __enter__(self) -> _CollectorWatch:
        gc.callbacks.append(self._collects)
        return self

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._collects)

    def _collects(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = cpu_ns()
        else:
            pause = cpu_ns() - self._began
            self.total += pause
            self.longest = max(self.longest, pause)


def _parts(step: Step) -> Iterator[Step]:
    """A step's actions, its idle passes and the pass in which timers expire, each by itself."""
    if step.actions:
        yield Step(step.now, step.actions, 0, None, [], [])
    if step.idle:
        yield Step(step.now, [], step.idle, None, [], [])
    if step.pass_at is not None:
        yield step._replace(actions=[], idle=0)


def _quantile(ordered: list[int], share: float) -> int:
    """The least value that this share of all values does not exceed; 0 for none."""
    return ordered[max(ceil(share * len(ordered)) - 1, 0)] if ordered else 0
