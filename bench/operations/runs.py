"""What workloads are made from: a `Run`, which is timed, and what prepares it and checks it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, TypeVar

# Timers that only stay pending have deadlines so late that they never fire.
FAR, FARTHER = 1000.0, 2000.0
# After so many operations comes a pass, and the time includes it: a program makes passes too, and
# pays there for leftovers.
OPERATIONS_A_PASS = 1000
SPREAD_SECONDS = 60.0
SPREAD_PASSES = 600

Function = TypeVar("Function", bound=Callable[..., Any])


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
