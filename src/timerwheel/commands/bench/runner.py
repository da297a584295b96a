"""Has both sides measured in turn, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from timerwheel.commands.bench.workloads import WORKLOADS


class BenchError(Exception):
    """A side did not do its work. The message says why."""


class NotStartedError(BenchError):
    """A side could not even start."""


@dataclass
class Result:
    """One line of the table: nanoseconds an operation, of each round."""

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


class Side:
    """A process that measures on one reactor.

    @ivar reactor: the reactor's class.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "timerwheel.commands.bench.side", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        reactor = self._read()
        if reactor is None:
            self.end()
            raise NotStartedError(f"the {name} side did not start")
        self.reactor: str = reactor

    def measure(self, work: str, pending: int) -> float:
        """@return: nanoseconds an operation.

        @raise BenchError: a timer was lost, or fired out of order, or the process has ended.
        """
        where = f"{self._name}, {work} with {pending:,} pending"
        self._write([work, pending])
        answer = self._read()
        if answer is None:
            raise BenchError(f"{where}: the process ended with code {self._process.wait()}")
        if answer["problem"] is not None:
            raise BenchError(f"{where}: {answer['problem']}")
        nanoseconds: float = answer["nanoseconds"]
        return nanoseconds

    def _write(self, question: object) -> None:
        assert self._process.stdin is not None
        # Who has ended does not read: that shows when it does not answer.
        with suppress(BrokenPipeError):
            print(json.dumps(question), file=self._process.stdin, flush=True)

    def _read(self) -> Any:
        """What the process answers; `None` when it has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else None

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def started(name: str) -> Iterator[Side]:
    """Start a side, and see to it that it has ended when the block is left.

    @param name: `"stock"` or `"ours"`.

    @raise NotStartedError: it did not start.
    """
    side = Side(name)
    try:
        yield side
    finally:
        side.end()


def compare(sizes: Sequence[int], rounds: int, progress: Callable[[str], None]) -> Comparison:
    """Run all workloads on both sides, which take turns.

    @param sizes: numbers of pending timers.
    @param rounds: how often each side runs each workload.
    @param progress: is told the workload before each round: `len(WORKLOADS) * len(sizes) * rounds`
        times.

    @raise BenchError: a side did not do its work.
    """
    with started("stock") as stock, started("ours") as ours:
        results = [Result(work, pending) for work in WORKLOADS for pending in sizes]
        for result in results:
            for _ in range(rounds):
                progress(result.work)
                result.stock.append(stock.measure(result.work, result.pending))
                result.ours.append(ours.measure(result.work, result.pending))
        return Comparison(stock.reactor, ours.reactor, results)
