"""The workloads that the benchmarks measure.

Each has a function that prepares a party for a number of pending timers, and returns a `Run`: the
timed part, its number of operations, and an untimed check after it. The timed parts do the same for
each party, in the style of a program for that library.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

from operations.parties import START

from timerwheel.commands.replay.plan import make_plan
from timerwheel.commands.replay.player import Player

RECORDINGS = Path(__file__).parents[1] / "recordings"

# Timers that only stay pending have deadlines so late that they never fire.
FAR, FARTHER = 1000.0, 2000.0
# After so many operations comes a pass, and the time includes it: a program makes passes too, and
# pays there for leftovers.
OPERATIONS_A_PASS = 1000
SPREAD_SECONDS = 60.0
SPREAD_PASSES = 600

Function = TypeVar("Function", bound=Callable[..., Any])
LIBRARY = ("ours", "stock", "floor")
EVENT_LOOPS = ("asyncio", "uvloop")


def fresh(function: Function) -> Function:
    """A copy of a function with bytecode of its own.

    Since 3.11 the interpreter adapts bytecode to the types that it meets. The parties must not
    share these adaptations.
    """
    copy = FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    return copy  # type: ignore[return-value]


def nothing() -> None:
    """A callback that does nothing."""


@dataclass
class Run:
    """One timed run."""

    timed: Callable[[], object]
    operations: int
    check: Callable[[], None]


@dataclass(frozen=True)
class Workload:
    """A workload. `prepare` prepares a party, untimed."""

    name: str
    title: str
    parties: tuple[str, ...]
    prepare: Callable[[Any, int], Run]
    # Beyond so many pending timers a party takes too long: it is measured up to there.
    limits: dict[str, int] = field(default_factory=dict)
    # Only this number of pending timers, where it does not matter much.
    only: int | None = None

    def measures(self, party: str, size: int) -> bool:
        return size <= self.limits.get(party, size)


def far_delays(size: int) -> list[float]:
    """Delays of timers that only stand by."""
    rng = random.Random(1)
    return [rng.uniform(FAR, FARTHER) for _ in range(size)]


def still(party: Any, size: int) -> Callable[[], None]:
    """A check that as many timers are pending as before."""

    def check() -> None:
        assert party.pending() == size, f"{party.name}: {party.pending()} pending, not {size}"

    return check


# schedule + cancel


def schedule_cancel(party: Any, size: int) -> Run:
    party.start()
    party.keep = party.arm(far_delays(size), nothing)
    loop = _twisted_schedule_cancel if hasattr(party, "reactor") else _asyncio_schedule_cancel
    owner = party.reactor if hasattr(party, "reactor") else party.loop
    timed = fresh(loop)

    def run() -> None:
        for _ in range(20):
            timed(owner, OPERATIONS_A_PASS)
            party.turn()

    return Run(run, 20 * OPERATIONS_A_PASS, still(party, size))


def _twisted_schedule_cancel(reactor: Any, count: int) -> None:
    for _ in repeat(None, count):
        reactor.callLater(30, nothing).cancel()


def _asyncio_schedule_cancel(loop: Any, count: int) -> None:
    for _ in repeat(None, count):
        loop.call_later(30, nothing).cancel()


def schedule_cancel_bound(party: Any, size: int) -> Run:
    """Without looking callLater up on the reactor each time."""
    return _schedule_cancel_variant(party, size, _with_bound)


def _with_bound(reactor: Any, count: int) -> None:
    call_later = reactor.callLater
    for _ in repeat(None, count):
        call_later(30, nothing).cancel()


# The same with arguments, and with a bound method


class Connection:
    """What a bound method belongs to."""

    def timed_out(self) -> None:
        """The callback."""


def schedule_cancel_arguments(party: Any, size: int) -> Run:
    return _schedule_cancel_variant(party, size, _with_arguments)


def schedule_cancel_keywords(party: Any, size: int) -> Run:
    return _schedule_cancel_variant(party, size, _with_keywords)


def schedule_cancel_method(party: Any, size: int) -> Run:
    return _schedule_cancel_variant(party, size, _with_method)


def _schedule_cancel_variant(party: Any, size: int, loop: Callable[[Any, int], None]) -> Run:
    party.start()
    party.keep = party.arm(far_delays(size), nothing)
    timed = fresh(loop)

    def run() -> None:
        for _ in range(20):
            timed(party.reactor, OPERATIONS_A_PASS)
            party.turn()

    return Run(run, 20 * OPERATIONS_A_PASS, still(party, size))


def _with_arguments(reactor: Any, count: int) -> None:
    for _ in repeat(None, count):
        reactor.callLater(30, nothing, 1, 2).cancel()


def _with_keywords(reactor: Any, count: int) -> None:
    for _ in repeat(None, count):
        reactor.callLater(30, nothing, 1, key=2).cancel()


def _with_method(reactor: Any, count: int) -> None:
    connection = Connection()
    for _ in repeat(None, count):
        reactor.callLater(30, connection.timed_out).cancel()


# reset


def reset_later(party: Any, size: int) -> Run:
    """Push random timers back, as a message on a connection does its timeout."""
    return _reset(party, size, 3000.0, 20 * OPERATIONS_A_PASS)


def reset_sooner(party: Any, size: int) -> Run:
    """Pull random timers nearer. Stock searches its heap for each, so it does few."""
    few = party.name == "stock" and size > 1000
    return _reset(party, size, 500.0, 20 if few else min(size, 20_000))


def _reset(party: Any, size: int, delay: float, operations: int) -> Run:
    party.start()
    calls = party.keep = party.arm(far_delays(size), nothing)
    rng = random.Random(2)
    # Each once where there are enough: a timer that is where it is going is not moved.
    chosen = (
        rng.sample(calls, operations) if operations <= size else rng.choices(calls, k=operations)
    )
    timed = fresh(_reset_each)

    def check() -> None:
        assert all(call.active() for call in chosen[:100] if hasattr(call, "active"))
        still(party, size)()

    return Run(lambda: (timed(chosen, delay), party.turn()), operations, check)


def _reset_each(calls: Sequence[Any], delay: float) -> None:
    for call in calls:
        call.reset(delay)


# schedule and keep


def schedule_keep(party: Any, size: int) -> Run:
    """Schedule timers from none up to the size, including the collector's work on them."""
    party.start()
    delays = far_delays(size)
    owner = party.reactor if hasattr(party, "reactor") else party.loop
    schedule = _twisted_keep if hasattr(party, "reactor") else _asyncio_keep
    timed = fresh(schedule)
    party.keep = []

    def run() -> None:
        for start in range(0, size, OPERATIONS_A_PASS):
            timed(owner, delays[start : start + OPERATIONS_A_PASS], party.keep)
            party.turn()

    return Run(run, size, still(party, size))


def _twisted_keep(reactor: Any, delays: Sequence[float], keep: list[Any]) -> None:
    for delay in delays:
        keep.append(reactor.callLater(delay, nothing))


def _asyncio_keep(loop: Any, delays: Sequence[float], keep: list[Any]) -> None:
    for delay in delays:
        keep.append(loop.call_later(delay, nothing))


# fire


class Firing:
    """Timers with random deadlines, and what says that all were fired, and in order."""

    def __init__(self, party: Any, size: int, passes: int) -> None:
        rng = random.Random(3)
        step = SPREAD_SECONDS / passes
        self.party = party
        self.size = size
        self.delays = [rng.random() * SPREAD_SECONDS for _ in range(size)]
        self.times = [START + number * step for number in range(1, passes + 1)]
        self.fired = 0
        self.noted: list[float] = []

    def count(self) -> None:
        """The callback."""
        self.fired += 1

    def note(self, delay: float) -> None:
        """The callback of every hundredth, by which the order is known."""
        self.fired += 1
        self.noted.append(delay)

    def arm(self) -> None:
        self.party.start(virtual=True)
        schedule = self.party.schedule
        for number, delay in enumerate(self.delays):
            schedule(delay, self.count if number % 100 else partial(self.note, delay))
        if self.party.name == "stock":
            self.party.reactor.timeout()  # here it puts new calls into its heap

    def run(self) -> None:
        self.party.pass_at(self.times, -(-self.size // len(self.times)))

    def check(self) -> None:
        name = self.party.name
        assert self.fired == self.size, f"{name}: {self.fired} of {self.size} fired"
        assert self.party.pending() == 0
        assert name == "floor" or self.noted == sorted(self.noted), f"{name}: not in order"


def fire_spread(party: Any, size: int) -> Run:
    return _fire(party, size, SPREAD_PASSES)


def fire_burst(party: Any, size: int) -> Run:
    return _fire(party, size, 1)


def _fire(party: Any, size: int, passes: int) -> Run:
    firing = Firing(party, size, passes)
    firing.arm()
    return Run(firing.run, size, firing.check)


# A pass in which nothing is due


def idle_pass(party: Any, size: int) -> Run:
    party.start()
    party.keep = party.arm(far_delays(size), nothing)
    timed = fresh(_idle_passes)
    return Run(lambda: timed(party.reactor, 10_000), 10_000, still(party, size))


def _idle_passes(reactor: Any, count: int) -> None:
    for _ in repeat(None, count):
        reactor.runUntilCurrent()
        reactor.timeout()


# Twisted's own tools on top


def looping_call(party: Any, size: int) -> Run:
    """Ticks of LoopingCalls: 100 of them, each tick a pass."""
    from twisted.internet.task import LoopingCall

    party.start(virtual=True)
    party.arm(far_delays(size), nothing)
    ticks = [0]

    def tick() -> None:
        ticks[0] += 1

    loops = [LoopingCall(tick) for _ in range(100)]
    for loop in loops:
        loop.clock = party.reactor
        loop.start(1.0, now=False)

    def run() -> None:
        for _ in range(100):
            party.now += 1.0
            party.turn()

    def check() -> None:
        assert ticks[0] == 10_000, ticks
        for loop in loops:
            loop.stop()

    return Run(run, 10_000, check)


def defer_later(party: Any, size: int) -> Run:
    """deferLater() up to its result."""
    from twisted.internet.task import deferLater

    party.start(virtual=True)
    party.arm(far_delays(size), nothing)
    results: list[object] = []

    def run() -> None:
        for _ in range(100):
            for _ in repeat(None, 100):
                deferLater(party.reactor, 0.5, nothing).addCallback(results.append)
            party.now += 1.0
            party.turn()

    def check() -> None:
        assert len(results) == 10_000, len(results)

    return Run(run, 10_000, check)


def add_timeout(party: Any, size: int) -> Run:
    """Deferred.addTimeout() with a result before the timeout."""
    from twisted.internet.defer import Deferred

    party.start()
    party.keep = party.arm(far_delays(size), nothing)

    def run() -> None:
        reactor = party.reactor
        for _ in repeat(None, 10_000):
            waiting: Deferred[None] = Deferred()
            waiting.addTimeout(30, reactor)
            waiting.callback(None)
        party.turn()

    return Run(run, 10_000, still(party, size))


# Tasks of timerwheel.tasks


def task(party: Any, size: int) -> Run:
    """A task that is made, and run in the next pass."""
    return _tasks(party, size, _make_tasks)


def task_after(party: Any, size: int) -> Run:
    """The same, each after the one before it."""
    return _tasks(party, size, _make_chain)


def _tasks(party: Any, size: int, make: Callable[[Any, int], None]) -> Run:
    from timerwheel.tasks import Scheduler

    party.start()
    party.keep = party.arm(far_delays(size), nothing)
    scheduler = Scheduler(party.reactor, budget=float("inf"))
    made = fresh(make)

    def run() -> None:
        for _ in range(20):
            made(scheduler, OPERATIONS_A_PASS)
            party.turn()

    def check() -> None:
        assert not scheduler.tasks
        still(party, size)()

    return Run(run, 20 * OPERATIONS_A_PASS, check)


def _make_tasks(scheduler: Any, count: int) -> None:
    for _ in repeat(None, count):
        scheduler.call(nothing)


def _make_chain(scheduler: Any, count: int) -> None:
    task = scheduler.call(nothing)
    for _ in repeat(None, count - 1):
        task = scheduler.call(nothing, after=[task])


# The clock for tests


def clock(party: Any, size: int) -> Run:
    """Calls with random delays on a Clock, which is then moved on in a hundred steps."""
    rng = random.Random(5)
    delays = [rng.random() * SPREAD_SECONDS for _ in range(size)]
    made: list[float] = []
    new_clock = party.new_clock

    def run() -> None:
        clock = new_clock()
        for delay in delays:
            clock.callLater(delay, made.append, delay)
        for _ in repeat(None, 100):
            clock.advance(SPREAD_SECONDS / 100 + 1e-9)

    def check() -> None:
        assert made == sorted(delays), f"{party.name}: not all, or not in order"

    return Run(run, size, check)


# Mixed traffic


class ChatServer:
    """A model of a chat server's timers, for a clock moved by hand.

    Each connection has a heartbeat every 30 s, which sends a ping, and an idle timeout of 75 s,
    which each message pushes back. Messages arrive at each connection every 20 s on average, at
    random. Every 5 minutes on average a connection ends, which cancels both, and another begins.
    """

    HEARTBEAT, IDLE, MESSAGE_EVERY, LIFETIME = 30.0, 75.0, 20.0, 300.0
    STEP = 0.05

    def __init__(self, party: Any, connections: int, seconds: float) -> None:
        self.party = party
        self.pings = self.idlers = 0
        rng = random.Random(4)
        self.heartbeats: list[Any] = [None] * connections
        self.timeouts: list[Any] = [None] * connections
        for number in range(connections):
            self.connect(number, rng.random() * self.HEARTBEAT)
        party.turn()
        self.steps = [
            (
                rng.choices(
                    range(connections), k=int(connections * self.STEP / self.MESSAGE_EVERY)
                ),
                rng.choices(range(connections), k=int(connections * self.STEP / self.LIFETIME)),
            )
            for _ in range(int(seconds / self.STEP))
        ]
        self.operations = sum(len(messages) + 4 * len(ends) for messages, ends in self.steps) + int(
            connections * seconds / self.HEARTBEAT
        )

    def connect(self, number: int, first: float) -> None:
        """A connection begins."""
        call_later = self.party.reactor.callLater
        self.heartbeats[number] = call_later(first, self.beat, number)
        self.timeouts[number] = call_later(self.IDLE, self.idle, number)

    def beat(self, number: int) -> None:
        """A heartbeat is due."""
        self.pings += 1
        self.heartbeats[number] = self.party.reactor.callLater(self.HEARTBEAT, self.beat, number)

    def idle(self, number: int) -> None:
        """A connection had no message for long: the model has it try again."""
        self.idlers += 1
        self.timeouts[number] = self.party.reactor.callLater(self.IDLE, self.idle, number)

    def run(self) -> None:
        """All the traffic."""
        party = self.party
        for messages, ends in self.steps:
            party.now += self.STEP
            party.turn()
            for number in messages:
                self.timeouts[number].reset(self.IDLE)
            for number in ends:
                self.heartbeats[number].cancel()
                self.timeouts[number].cancel()
                self.connect(number, self.HEARTBEAT)

    def check(self) -> None:
        assert self.party.pending() == 2 * len(self.timeouts)
        assert self.pings > 0


def chat_server(party: Any, size: int) -> Run:
    party.start(virtual=True)
    chat = ChatServer(party, size, 5.0)
    return Run(chat.run, chat.operations, chat.check)


# Recordings of real programs


def recorded(name: str, title: str) -> Workload:
    """What a program did, as bench/recordings has it; the size is the most pending at a time."""
    plan = make_plan(RECORDINGS / f"{name}.twr")

    def replay(party: Any, size: int) -> Run:
        party.start()
        player = Player(party.reactor, plan)
        gc.collect()
        gc.freeze()  # the plan costs no collection anything
        player.start()

        def check() -> None:
            player.finish()
            gc.unfreeze()

        return Run(player.play, plan.operations, check)

    return Workload(name, title, TWISTED, replay, only=plan.peak)


EVERYONE = (*LIBRARY, *EVENT_LOOPS)
TWISTED = ("ours", "stock")

WORKLOADS = [
    Workload("schedule-cancel", "schedule + cancel", EVERYONE, schedule_cancel),
    Workload("reset-later", "reset later", LIBRARY, reset_later),
    Workload("reset-sooner", "reset sooner", TWISTED, reset_sooner, {"stock": 100_000}),
    Workload("keep", "schedule, timers kept", EVERYONE, schedule_keep),
    Workload("fire-spread", "fire, spread over 600 passes", (*LIBRARY, "asyncio"), fire_spread),
    Workload("fire-burst", "fire, all in one pass", (*LIBRARY, "asyncio"), fire_burst),
    Workload("idle-pass", "one idle pass", TWISTED, idle_pass),
    Workload(
        "asyncio-reactor",
        "schedule + cancel on the asyncio reactor",
        ("ours on asyncio", "stock on asyncio"),
        schedule_cancel,
        only=1000,
    ),
    Workload("bound", "… with callLater in a variable", LIBRARY, schedule_cancel_bound, only=1000),
    Workload("arguments", "… with arguments", LIBRARY, schedule_cancel_arguments, only=1000),
    Workload("keywords", "… with a keyword", TWISTED, schedule_cancel_keywords, only=1000),
    Workload("method", "… with a bound method", LIBRARY, schedule_cancel_method, only=1000),
    Workload(
        "chat-server",
        "traffic of a chat server with 100,000 connections",
        TWISTED,
        chat_server,
        only=100_000,
    ),
    Workload("clock", "Clock: a call and its part of the advance", TWISTED, clock, only=10_000),
    Workload("looping-call", "LoopingCall, a tick", TWISTED, looping_call, only=1000),
    Workload("defer-later", "deferLater", TWISTED, defer_later, only=1000),
    Workload("add-timeout", "Deferred.addTimeout", TWISTED, add_timeout, only=1000),
    recorded("crawl", "recorded: Scrapy crawls a site"),
    recorded("irc", "recorded: an IRC server of twisted.words"),
    recorded("wamp", "recorded: a WAMP router, crossbar"),
]

# Of timerwheel.tasks instructions are counted. Its times are in test_tasks.py and task_graph.py.
TASKS = [
    Workload("task", "a task, made and run", TWISTED, task, only=1000),
    Workload("task-after", "a task, made and run after another", TWISTED, task_after, only=1000),
]
