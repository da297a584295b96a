"""The plan of a replay: the work of a recording, fixed before it begins.

A recording has the time at which each timer expired, by the clock of one machine. The replay moves
its clock by hand, and there a microsecond would decide whether a timer expires a pass sooner or
later. Then the work would not be the same. So the plan moves each deadline a little, just enough
for the timer to expire in its recorded pass and in no pass before. Both sides get the same
deadlines.

Deadlines are whole microseconds from the start. The clock is half a microsecond later, so that no
rounding decides.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from timerwheel.recording import Event, Operation, Recording, RecordingError, read
from timerwheel.recording._format import LONGEST

MOST_EVENTS = 20_000_000
"""The most events of a plan: they take some 6 GB, and a small file can hold far more."""

MOST_PASSES = 100_000_000
"""The most passes of a plan: they take minutes a round, and one event can stand for any number."""

HALF = 0.5
"""Microseconds by which the clock is later than the last expired deadline."""

SCHEDULE, CANCEL, RESET, DELAY = range(4)
"""The operation of an action on a timer."""

Action = tuple[int, int, float]
"""The operation, the number of the timer, and the seconds of its argument."""


class Step(NamedTuple):
    """The events of one time: first the actions, then the passes.

    @ivar now: seconds from the start, when the actions are done and the idle passes made.
    @ivar idle: how many passes are made in which no timer expires.
    @ivar pass_at: when a pass is made in which timers expire; `None` for none.
    @ivar expire: their numbers, in the recording's order.
    @ivar replies: as many lists: what the call that is made first, second, ... does.
    """

    now: float
    actions: list[Action]
    idle: int
    pass_at: float | None
    expire: list[int]
    replies: list[list[Action]]


@dataclass
class Plan:
    """The steps of a recording, and its figures.

    @ivar before: schedules the timers that were pending when the recording began.
    @ivar counts: how often each operation happened, by its name.
    @ivar passes: how many passes were made.
    @ivar peak: the most timers that are pending at a time, which they are after
    @ivar peak_step: the step of this number.
    @ivar pending: the timers that are pending at the end.
    @ivar seconds: how long the recording is.
    @ivar lateness: seconds by which each timer was late in the program, unsorted.
    @ivar busy: seconds that the calls of the timers took in the program.
    """

    recording: Recording
    before: list[Action] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    passes: int = 0
    peak: int = 0
    peak_step: int = 0
    pending: frozenset[int] = frozenset()
    seconds: float = 0.0
    lateness: array[float] = field(default_factory=lambda: array("d"))
    busy: float = 0.0

    @property
    def timers(self) -> int:
        """How many timers there are in all."""
        return len(self.before) + self.counts["schedule"]

    @property
    def operations(self) -> int:
        """How often a timer was scheduled, cancelled, moved or expired."""
        return self.counts.total()

    def fingerprint(self) -> list[int]:
        """A description, ready for JSON, that is equal for two plans of the same work."""
        return [self.recording.crc, self.timers, self.passes, *sorted(self.counts.values())]

    def sliced(self, count: int) -> list[list[Step]]:
        """The steps of each of so many equal parts of the recording's time."""
        length = self.seconds / count or 1.0
        slices: list[list[Step]] = [[] for _ in range(count)]
        for step in self.steps:
            slices[min(int(step.now / length), count - 1)].append(step)
        return slices

    def pending_in(self, count: int) -> list[int]:
        """The most timers that were pending after a step, in each of so many parts of the time."""
        pending, peaks = len(self.before), []
        for steps in self.sliced(count):
            peak = pending
            for step in steps:
                kinds = [kind for some in (step.actions, *step.replies) for kind, _, _ in some]
                pending += kinds.count(SCHEDULE) - kinds.count(CANCEL) - len(step.expire)
                peak = max(peak, pending)
            peaks.append(peak)
        return peaks


def make_plan(path: str | Path) -> Plan:
    """Read a recording and plan its replay. Takes some 5 us and 300 bytes an event.

    Raises RecordingError if the recording is damaged, contradicts itself, or has more than
    MOST_EVENTS or MOST_PASSES; OSError if this cannot read the file.
    """
    recording = read(path)
    if recording.count > MOST_EVENTS:
        raise RecordingError(
            f"it has {recording.count:,} events, and at most {MOST_EVENTS:,} can be played: "
            "record with a lower limit"
        )
    return _Planner(recording).plan()


@dataclass
class _Draft:
    """A step under construction. It has only the numbers of its actions."""

    now: int
    actions: list[int] = field(default_factory=list)
    idle: int = 0
    pass_at: int | None = None
    expire: list[int] = field(default_factory=list)
    replies: list[list[int]] = field(default_factory=list)

    @property
    def has_passed(self) -> bool:
        """Whether the next event belongs to another step."""
        return self.idle > 0 or self.pass_at is not None


@dataclass
class _Life:
    """A pending timer: the action that set its deadline, and the last pass that does not count."""

    action: int
    since: int


class _Planner:
    """Reads the events into drafts, and then makes steps of the drafts.

    (Not in one go: a deadline is known only when the timer has moved, expired or been cancelled.)
    """

    def __init__(self, recording: Recording) -> None:
        self._plan = Plan(recording)
        self._drafts = [_Draft(0)]
        self._before: list[int] = []
        # Of each action:
        self._kinds = array("b")
        self._timers = array("q")
        self._bases = array("d")  # the time from which its argument counts, in microseconds
        self._deadlines = array("q")
        self._lives: dict[int, _Life] = {}
        self._clock = 0
        # Passes are numbered from 1. The times of the last one and of the one before it:
        self._passes = 0
        self._pass_times = (-1, -1)
        self._pass_open = False  # whether the next timer may expire in the last one
        self._calls: list[tuple[int, int]] = []  # those that have begun: their passes and times

    def plan(self) -> Plan:
        handlers: dict[Operation, Callable[[Event], None]] = {
            Operation.PENDING: self._pending,
            Operation.SCHEDULE: self._schedule,
            Operation.CANCEL: self._cancel,
            Operation.RESET: self._move,
            Operation.DELAY: self._move,
            Operation.PASSES: self._idle,
            Operation.PASS: self._begin_pass,
            Operation.FIRE: self._fire,
            Operation.DONE: self._done,
        }
        plan, time = self._plan, 0
        for number, event in enumerate(plan.recording.events()):
            time = event.time
            try:
                handlers[event.operation](event)
            except _ImpossibleError as error:
                raise RecordingError(
                    f"damaged: event {number:,}, {time / 1e6:.6f} s from the start, {error}"
                ) from None
            if self._passes > MOST_PASSES:
                raise RecordingError(
                    f"it has more than {MOST_PASSES:,} passes of the reactor, the most that can be "
                    "played: record for a shorter time"
                )
            if len(self._lives) > plan.peak:
                plan.peak, plan.peak_step = len(self._lives), len(self._drafts) - 1
        for life in self._lives.values():
            self._survive(life)
        plan.seconds = time / 1e6
        plan.passes = self._passes
        plan.pending = frozenset(self._lives)
        plan.before = [self._action(number) for number in self._before]
        plan.steps = [self._step(draft) for draft in self._drafts]
        return plan

    # What an event does

    def _pending(self, event: Event) -> None:
        self._before.append(self._act(SCHEDULE, event.timer, HALF, max(event.amount, 1)))
        self._lives[event.timer] = _Life(self._before[-1], 0)

    def _schedule(self, event: Event) -> None:
        # (Not the clock's own time: it stands half a microsecond later, and no delay is negative.)
        deadline = max(event.time + event.amount, self._clock + 1)
        action = self._do(SCHEDULE, event, deadline)
        self._lives[event.timer] = _Life(action, self._passes)
        self._plan.counts["schedule"] += 1

    def _cancel(self, event: Event) -> None:
        self._survive(self._life(event, "is cancelled"))
        del self._lives[event.timer]
        self._do(CANCEL, event, 0)
        self._plan.counts["cancel"] += 1

    def _move(self, event: Event) -> None:
        life = self._life(event, "is moved")
        self._survive(life)
        if event.operation is Operation.RESET:
            life.action = self._do(RESET, event, event.time + event.amount)
        else:
            former = self._deadlines[life.action]
            life.action = self._do(DELAY, event, former + event.amount)
            self._bases[life.action] = former
        # One that is moved within a pass may expire in it still.
        life.since = self._passes - self._in_call()
        self._plan.counts[event.operation.name.lower()] += 1

    def _idle(self, event: Event) -> None:
        if event.amount < 1:
            raise _ImpossibleError("says that less than one pass was made")
        draft = self._drafts[-1]
        if draft.pass_at is not None:
            draft = self._new_draft(self._clock)
        draft.idle += event.amount
        self._count_pass(draft.now, event.amount)
        self._pass_open = False

    def _begin_pass(self, event: Event) -> None:
        draft = self._drafts[-1]
        if draft.pass_at is not None:
            draft = self._new_draft(self._clock)
        draft.pass_at = self._clock = max(event.time, self._clock + 1)
        self._count_pass(draft.pass_at, 1)
        self._pass_open = True

    def _fire(self, event: Event) -> None:
        life = self._life(event, "expires")
        if not self._pass_open or life.since >= self._passes or self._in_call():
            # A loop within a loop, a log's observer that schedules: the rest is another pass here.
            self._begin_pass(event)
        deadline = self._deadlines[life.action]
        self._plan.lateness.append(max(event.time - deadline, 0) / 1e6)
        before, now = self._pass_times
        if life.since < self._passes - 1:
            deadline = max(deadline, before + 1)
        self._deadlines[life.action] = min(deadline, now)
        del self._lives[event.timer]
        draft = self._drafts[-1]
        draft.expire.append(event.timer)
        draft.replies.append([])
        self._calls.append((self._passes, event.time))
        self._plan.counts["expire"] += 1

    def _done(self, event: Event) -> None:
        if not self._calls:
            raise _ImpossibleError("ends a call that did not begin")
        began = self._calls.pop()[1]
        if not self._calls:
            self._plan.busy += max(event.time - began, 0) / 1e6

    # What they share

    def _life(self, event: Event, what: str) -> _Life:
        life = self._lives.get(event.timer)
        if life is None:
            raise _ImpossibleError(f"says that timer {event.timer:,} {what}, which is not pending")
        return life

    def _survive(self, life: _Life) -> None:
        """Make sure that a timer does not expire in any pass up to now."""
        if life.since < self._passes:
            deadline = self._deadlines[life.action]
            self._deadlines[life.action] = max(deadline, self._pass_times[1] + 1)

    def _count_pass(self, time: int, count: int) -> None:
        self._passes += count
        self._pass_times = (self._pass_times[1] if count == 1 else time, time)

    def _in_call(self) -> bool:
        """Whether a timer's call has begun in the last pass and has not ended."""
        return bool(self._calls) and self._pass_open and self._calls[-1][0] == self._passes

    def _do(self, kind: int, event: Event, deadline: int) -> int:
        """Add an action to the current call, or else to the step."""
        draft = self._drafts[-1]
        if self._in_call():
            action = self._act(kind, event.timer, self._clock + HALF, max(deadline, self._clock))
            draft.replies[-1].append(action)
            return action
        self._pass_open = False
        if draft.has_passed or not draft.actions:
            self._clock = max(event.time, self._clock)
        if draft.has_passed:
            draft = self._new_draft(self._clock)
        elif not draft.actions:
            draft.now = self._clock
        action = self._act(kind, event.timer, self._clock + HALF, max(deadline, self._clock))
        draft.actions.append(action)
        return action

    def _act(self, kind: int, timer: int, base: float, deadline: int) -> int:
        self._kinds.append(kind)
        self._timers.append(timer)
        self._bases.append(base)
        self._deadlines.append(min(deadline, 4 * LONGEST))  # delayed again and again
        return len(self._kinds) - 1

    def _new_draft(self, now: int) -> _Draft:
        self._drafts.append(_Draft(now))
        return self._drafts[-1]

    # From the drafts

    def _action(self, number: int) -> Action:
        kind = self._kinds[number]
        seconds = (self._deadlines[number] - self._bases[number]) / 1e6
        if kind == SCHEDULE:
            seconds = max(seconds, 0.0)
        return kind, self._timers[number], 0.0 if kind == CANCEL else seconds

    def _step(self, draft: _Draft) -> Step:
        return Step(
            (draft.now + HALF) / 1e6,
            [self._action(number) for number in draft.actions],
            draft.idle,
            None if draft.pass_at is None else (draft.pass_at + HALF) / 1e6,
            draft.expire,
            [[self._action(number) for number in reply] for reply in draft.replies],
        )


class _ImpossibleError(Exception):
    """An event contradicts the ones before it."""
