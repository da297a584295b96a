"""One run: starts the process, loads it, injects the faults, and has it tell what it found."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any

from clients import Clients
from faults import Faults
from plan import Plan
from process import Process, wait_for
from wall_clock import WallClock

# Seconds that it is given to get under way or to get quiet, that it is left alone at first and at
# most, and that it may take to make what is due at the end.
LEAD = 0.3
ALONE = 1.0
ALONE_LIMIT = 4.0
DRAIN_LIMIT = 30.0

# So many passes does it make when it is left alone, with thousands of calls due, if timers wake it
# at all: in a second, on a slow machine in some more.
LEAST_PASSES = 20


@dataclass
class Result:
    """What was found: the figures of the process, and what was done to it."""

    about: dict[str, Any]
    figures: dict[str, Any]
    injected: dict[str, int]
    # Once each kind of fault has been there, and at the end.
    memory: list[dict[str, int]]
    seconds: float
    problems: list[str] = field(default_factory=list)


def run(plan: Plan, clock: WallClock, progress: Callable[[float, dict[str, Any]], None]) -> Result:
    """Run a plan. progress is told after each round how long it has run, and the figures."""
    with closing(Process(plan, clock)) as process:
        about = process.ask("start")
        clients = Clients(about["port"])
        clients.start()
        sleep(LEAD)
        faults = Faults(process, clock, plan.clock == "steady", plan.seconds)
        memory = []
        began = monotonic()
        for number in range(faults.rounds):
            faults.round()
            progress(monotonic() - began, process.ask("figures"))
            if number in (0, faults.rounds - 1):
                memory.append(process.ask("memory"))
        seconds = monotonic() - began
        clients.hush()
        alone = passes_alone(process)
        figures = {**drained(process), "passes_alone": alone}
        clients.close()
        process.finish()
    problems = faults.problems
    if clients.error is not None:
        problems.append(f"the clients failed: {clients.error!r}")
    return Result(about, figures, dict(faults.injected), memory, seconds, problems)


def passes_alone(process: Process) -> int:
    """How many passes the process makes in a while in which only its timers wake it.

    If a second is too short, in one twice as long, and so on. (Each question wakes it once.)
    """
    process.ask("hush")
    sleep(LEAD)
    passes, seconds = 0, ALONE
    while passes < LEAST_PASSES and seconds <= ALONE_LIMIT:
        before = process.ask("figures")["passes"]
        sleep(seconds)
        passes = process.ask("figures")["passes"] - before
        seconds *= 2
    return passes


def drained(process: Process) -> dict[str, Any]:
    """Let the process make all that is due, and tell what it found."""
    process.ask("drain")
    wait_for(lambda: process.ask("is_drained"), DRAIN_LIMIT)
    figures: dict[str, Any] = process.ask("finish")
    return figures
