"""timerwheel.tasks against what Twisted has: LoopingCall, Cooperator, DeferredSemaphore.

    pytest bench/tasks/test_tasks.py

prints a table for each. Everything runs on a clock moved by hand, with 1,000 other timers pending.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from operations.runs import far_delays, nothing
from pytest_benchmark.fixture import BenchmarkFixture
from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.internet.task import Cooperator, LoopingCall

from timerwheel.tasks import Scheduler

COUNT = 10_000
PERIODIC = 100

# Gets ready on a party, and returns the timed part.
Prepare = Callable[[Any, list[object]], Callable[[], object]]


def looping_call(party: Any, done: list[object]) -> Callable[[], object]:
    """100 LoopingCalls that tick once a second, for 100 seconds."""
    for _ in range(PERIODIC):
        loop = LoopingCall(done.append, None)
        loop.clock = party.reactor
        loop.start(1.0, now=False).addErrback(lambda failure: failure.raiseException())
    return lambda: run_seconds(party)


def periodic_task(party: Any, done: list[object]) -> Callable[[], object]:
    """100 tasks that are called every second, for 100 seconds."""
    scheduler = Scheduler(party.reactor)
    for _ in range(PERIODIC):
        scheduler.call_every(1.0, done.append, None, now=False)
    return lambda: run_seconds(party)


def run_seconds(party: Any) -> None:
    for _ in range(COUNT // PERIODIC):
        party.now += 1.0
        party.turn()


def run_until(party: Any, done: list[object]) -> None:
    while len(done) < COUNT:
        party.now += 0.001
        party.turn()


def cooperator(party: Any, done: list[object]) -> Callable[[], object]:
    """A Cooperator that takes 10,000 steps of one iterator."""

    def steps() -> Iterator[None]:
        for _ in range(COUNT):
            done.append(None)
            yield

    def run() -> None:
        Cooperator(scheduler=lambda call: party.reactor.callLater(0, call)).cooperate(steps())
        run_until(party, done)

    return run


def semaphore(party: Any, done: list[object]) -> Callable[[], object]:
    """10,000 functions through a DeferredSemaphore of ten tokens; each takes a pass."""
    tokens = DeferredSemaphore(10)

    def run() -> None:
        for _ in range(COUNT):
            tokens.run(wait_a_pass, party, done)
        run_until(party, done)

    return run


def limited_tasks(party: Any, done: list[object]) -> Callable[[], object]:
    """The same as tasks of a scheduler that runs ten at once."""
    scheduler = Scheduler(party.reactor, max_running=10)

    def run() -> None:
        for _ in range(COUNT):
            scheduler.call(wait_a_pass, party, done)
        run_until(party, done)

    return run


def wait_a_pass(party: Any, done: list[object]) -> Deferred[None]:
    waiting: Deferred[None] = Deferred()
    waiting.addCallback(done.append)
    party.reactor.callLater(0, waiting.callback, None)
    return waiting


def tasks(party: Any, done: list[object]) -> Callable[[], object]:
    """10,000 short tasks, each made and run."""
    scheduler = Scheduler(party.reactor)

    def run() -> None:
        for _ in range(COUNT):
            scheduler.call(done.append, None)
        run_until(party, done)

    return run


def deferred_calls(party: Any, done: list[object]) -> Callable[[], object]:
    """10,000 short calls by callLater(0) with a Deferred each, as one writes it without tasks."""

    def run() -> None:
        for _ in range(COUNT):
            result = succeed(None)
            party.reactor.callLater(0, result.addCallback, done.append)
        run_until(party, done)

    return run


WORK: dict[str, dict[str, Prepare]] = {
    "periodic, a tick": {"LoopingCall": looping_call, "tasks": periodic_task},
    "at most ten at once": {"DeferredSemaphore": semaphore, "tasks": limited_tasks},
    "10,000 short ones": {"Cooperator": cooperator, "callLater": deferred_calls, "tasks": tasks},
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    cases = [
        pytest.param(work, tool, party, id=f"{work}-{tool}-{party}")
        for work, tools in WORK.items()
        for tool in tools
        for party in ("stock", "ours")
    ]
    metafunc.parametrize(("work", "tool", "party"), cases)


def test_tasks(
    benchmark: BenchmarkFixture, parties: dict[str, Any], work: str, tool: str, party: str
) -> None:
    made = parties[party]
    runs: list[Any] = []

    def prepare() -> None:
        made.start(virtual=True)
        made.arm(far_delays(1000), nothing)
        done: list[object] = []
        runs[:] = [WORK[work][tool](made, done), done]
        gc.collect()

    benchmark.group = work
    benchmark.extra_info.update(work=work, tool=tool, party=party, operations=COUNT)
    benchmark.pedantic(lambda: runs[0](), setup=prepare, rounds=10)
    assert len(runs[1]) == COUNT
    made.start()
