"""The workloads that use timers as programs do: Twisted's tools, tasks, a clock, traffic."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from typing import Any

from operations.runs import (
    OPERATIONS_A_PASS,
    SPREAD_SECONDS,
    Run,
    Workload,
    far_delays,
    fresh,
    nothing,
    still,
)

from timerwheel.commands.replay.plan import make_plan
from timerwheel.commands.replay.player import Player

RECORDINGS = Path(__file__).parents[1] / "recordings"
TWISTED = ("ours", "stock")

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
