"""Compares what the two sides recorded, and tells differences that repeat from noise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sides import Record, Run, test_id

# How many times tests that differ are run again by themselves.
REPEATS = 3

# A test that takes so many seconds more on our side has stalled: something woke the reactor late.
STALL = 1.0

MISSING = Record((("not run", ""),))

# A test of Twisted's ReactorBuilder, by the name of its class.
BUILDER_TEST = re.compile(r"_(\w+)Tests\.")

RunAgain = Callable[["list[str] | None"], tuple[Run, Run]]


@dataclass
class Difference:
    """A test whose outcomes differ, with what all runs of it gave."""

    name: str
    stock: Record
    ours: Record
    stock_seen: Counter[str] = field(default_factory=Counter)
    ours_seen: Counter[str] = field(default_factory=Counter)
    stalls: int = 0
    repeated: bool = False

    def see(self, stock: Record, ours: Record) -> None:
        """Count what one more run of both sides gave."""
        self.stock_seen[str(stock)] += 1
        self.ours_seen[str(ours)] += 1
        self.stalls += _stalled(stock, ours)

    def is_noise(self) -> bool:
        """Whether it did not repeat, or the test gives now this, now that on Twisted's side too.

        Then ours must give nothing that Twisted's does not, and most often the same. Stalls are
        noise if most runs have none: some tests make RSA keys, and the machine may be busy.
        """
        if not self.repeated:
            return True
        if self.stock.lacks_reactor or self.ours.lacks_reactor:
            return False
        if 2 * self.stalls > self.ours_seen.total():
            return False
        usual_of_stock, usual_of_ours = (
            seen.most_common(1)[0][0] for seen in (self.stock_seen, self.ours_seen)
        )
        return usual_of_stock == usual_of_ours and self.ours_seen.keys() <= self.stock_seen.keys()


def differing(stock: Run, ours: Run) -> list[Difference]:
    """The tests whose outcomes differ, in the order of their names.

    A test that could not make its reactor differs even if it could not on either
    side: nothing was compared.
    """
    found = []
    for name in sorted(stock.records.keys() | ours.records.keys()):
        of_stock = stock.records.get(name, MISSING)
        of_ours = ours.records.get(name, MISSING)
        if _differ(of_stock, of_ours):
            difference = Difference(name, of_stock, of_ours)
            difference.see(of_stock, of_ours)
            found.append(difference)
    return found


def confirm(found: list[Difference], run_again: RunAgain) -> None:
    """Run the tests that differ again, and mark those that differ again.

    run_again takes the ids of tests, or None for all. A test that never differs
    by itself is run once more among all others, for it may be these that spoil it.
    """
    for _ in range(REPEATS):
        if found:
            _repeat(found, run_again([test_id(difference.name) for difference in found]))
    left = [difference for difference in found if not difference.repeated]
    if left:
        _repeat(left, run_again(None))


def _repeat(found: Iterable[Difference], runs: tuple[Run, Run]) -> None:
    stock, ours = runs
    for difference in found:
        of_stock = stock.records.get(difference.name, MISSING)
        of_ours = ours.records.get(difference.name, MISSING)
        difference.see(of_stock, of_ours)
        difference.repeated |= _differ(of_stock, of_ours)


def _differ(stock: Record, ours: Record) -> bool:
    if stock.lacks_reactor or ours.lacks_reactor:
        return True
    return stock.outcomes != ours.outcomes or _stalled(stock, ours)


def _stalled(stock: Record, ours: Record) -> bool:
    return ours.seconds > stock.seconds + STALL


def on_foreign_reactors(ours: Run) -> list[str]:
    """The builder's tests that made a reactor without the wheel on our side."""
    return [name for name, record in ours.records.items() if record.foreign]


def builder_counts(run: Run) -> dict[str, Counter[bool]]:
    """For each reactor that Twisted's builder makes tests for, how many were skipped and not."""
    counts: dict[str, Counter[bool]] = {}
    for name, record in run.records.items():
        match = BUILDER_TEST.search(name)
        if match and match[1].endswith("Reactor"):
            counts.setdefault(match[1], Counter())["skip" in record.kinds()] += 1
    return counts
