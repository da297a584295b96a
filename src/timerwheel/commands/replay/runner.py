"""Let both sides play in turn, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from statistics import median
from typing import Any

from timerwheel.commands.replay.plan import Plan
from timerwheel.commands.sides import Side, SideError

MODULE = "timerwheel.commands.replay.side"
"""What each side runs."""

SHORTEST = 0.1
"""The least seconds of a stock round: it plays a short recording several times."""

MOST_PLAYS = 20
"""The most plays of a recording in a round."""

STAGES = ("time", "probe", "memory")
"""The measurements of each round, in order, each on stock and then on ours."""


@dataclass
class Measured:
    """One side: of each round one figure, in nanoseconds or bytes.

    @ivar slices: of each round the time in timers in each part of the recording.
    """

    reactor: str
    time: list[float] = field(default_factory=list)
    collecting: list[float] = field(default_factory=list)
    pause: list[float] = field(default_factory=list)
    late_p50: list[float] = field(default_factory=list)
    late_p99: list[float] = field(default_factory=list)
    stall: list[float] = field(default_factory=list)
    collection: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    slices: list[list[float]] = field(default_factory=list)

    def add(self, plays: list[dict[str, Any]]) -> None:
        """Add a round: the means of its plays, and the longest pause."""
        for name in plays[0]:
            values = [play[name] for play in plays]
            if name == "slices":
                means = [sum(parts) / len(plays) for parts in zip(*values, strict=True)]
                self.slices.append(means)
                self.time.append(sum(means))
            else:
                figure = max(values) if name == "pause" else sum(values) / len(plays)
                getattr(self, name).append(figure)

    def chart(self) -> list[float]:
        """The time in each part of the recording: the medians of the rounds."""
        return [median(parts) for parts in zip(*self.slices, strict=True)]


@dataclass
class Comparison:
    """Both sides, and how often a recording was played in a round."""

    stock: Measured
    ours: Measured
    plays: int


def compare(path: str, plan: Plan, rounds: int, begins: Callable[[str, int], None]) -> Comparison:
    """Play a recording on both sides, which take turns.

    @param plan: that of the recording; both sides make it anew.
    @param begins: is told what comes before each stage, and how many have been done, of
        `rounds * len(STAGES)`.

    @raise SideError: a side did not do the work of the recording, or another than the other.
    """
    with _started("stock", path, plan) as stock, _started("ours", path, plan) as ours:
        # The first play warms up, and says how many make a round.
        spent = _play(stock, "time", 1)[0]["slices"]
        plays = min(max(ceil(SHORTEST * 1e9 / max(sum(spent), 1)), 1), MOST_PLAYS)
        _play(ours, "time", 1)
        sides = [(side, Measured(side.greeting["reactor"])) for side in (stock, ours)]
        for number in range(rounds):
            for done, stage in enumerate(STAGES, number * len(STAGES)):
                begins(f"round {number + 1} of {rounds}: {stage}", done)
                for side, measured in sides:
                    measured.add(_play(side, stage, plays if stage == "time" else 1))
        return Comparison(sides[0][1], sides[1][1], plays)


@contextmanager
def _started(name: str, path: str, plan: Plan) -> Iterator[Side]:
    with Side(MODULE, name, path) as side:
        if side.greeting["work"] != plan.fingerprint():
            raise SideError(f"{name}: the recording is another than when this began")
        yield side


def _play(side: Side, way: str, times: int) -> list[dict[str, Any]]:
    plays: list[dict[str, Any]] = side.ask([way, times], f"play for {way}")["plays"]
    return plays
