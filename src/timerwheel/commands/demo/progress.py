"""What the user sees of the rounds while they run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from timerwheel.commands.demo.plan import Plan
from timerwheel.commands.demo.rounds import SIDES
from timerwheel.commands.report.progress import Shown, progress


class Told:
    """The `Audience` of the rounds."""

    def __init__(self, shown: Shown, plan: Plan, rounds: int) -> None:
        self.say = shown.say
        self._shown = shown
        self._plan = plan
        self._rounds = rounds
        self._seconds = plan.lead + plan.seconds
        self._before = 0.0

    def begin(self, number: int, side: str) -> None:
        self._before = (len(SIDES) * number + SIDES.index(side)) * self._seconds
        self._shown.begin(
            f"round {number + 1} of {self._rounds}, {side}",
            self._before,
            f": schedules {self._plan.timers:,} timers, then {self._plan.seconds:g} s under load",
        )

    def advance(self, seconds: float) -> None:
        self._shown.advance(self._before + min(seconds, self._seconds))


@contextmanager
def shown(plan: Plan, rounds: int) -> Iterator[Told]:
    """@return: a context manager that gives who is to be told what goes on."""
    with progress(rounds * len(SIDES) * (plan.lead + plan.seconds)) as all_rounds:
        yield Told(all_rounds, plan, rounds)
