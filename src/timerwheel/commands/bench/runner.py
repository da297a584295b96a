"""Measure both sides in turn, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from timerwheel.commands.bench.workloads import WORKLOADS
from timerwheel.commands.sides import Side

MODULE = "timerwheel.commands.bench.side"
"""What each side runs."""


@dataclass
class Result:
    """One line of the table: nanoseconds an operation, for each round."""

    work: str
    pending: int
    stock: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """How many times faster ours was, round by round."""
        return [stock / ours for stock, ours in zip(self.stock, self.ours, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of `ratios`."""
        return median(self.ratios)


@dataclass
class Comparison:
    """All results, and the classes of both reactors."""

    stock: str
    ours: str
    results: list[Result]


def measure(side: Side, work: str, pending: int) -> float:
    """@return: nanoseconds an operation.

    @raise SideError: a timer was lost, or fired out of order, or the process has ended.
    """
    answer = side.ask([work, pending], f"{work} with {pending:,} pending")
    nanoseconds: float = answer["nanoseconds"]
    return nanoseconds


def compare(sizes: Sequence[int], rounds: int, begins: Callable[[str, int], None]) -> Comparison:
    """Run all workloads on both sides, which take turns.

    @param sizes: numbers of pending timers.
    @param rounds: how often each side runs each workload.
    @param begins: is told the workload before each round, and how many rounds have been done, of
        `len(WORKLOADS) * len(sizes) * rounds`.

    @raise SideError: a side did not do its work.
    """
    with Side(MODULE, "stock") as stock, Side(MODULE, "ours") as ours:
        results = [Result(work, pending) for work in WORKLOADS for pending in sizes]
        for number, result in enumerate(results):
            for done in range(rounds):
                begins(result.work, number * rounds + done)
                result.stock.append(measure(stock, result.work, result.pending))
                result.ours.append(measure(ours, result.work, result.pending))
        return Comparison(stock.greeting, ours.greeting, results)
