"""What the user sees while it runs, on standard error: a bar in a terminal, else a line a round."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from timerwheel.demo.plan import Plan
from timerwheel.demo.rounds import SIDES, Audience


class Lines:
    """For a file or a pipe."""

    def __init__(self, plan: Plan, rounds: int) -> None:
        self._plan = plan
        self._rounds = rounds

    def begin(self, number: int, side: str) -> None:
        self.say(
            f"Round {number + 1} of {self._rounds}, {side}: schedules {self._plan.timers:,} timers,"
            f" then {self._plan.seconds:g} s under load"
        )

    def advance(self, seconds: float) -> None:
        """Nothing: a line a round is enough."""

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class Bar:
    """For a terminal."""

    def __init__(self, progress: Progress, task: TaskID, plan: Plan, rounds: int) -> None:
        self._progress = progress
        self._task = task
        self._seconds = plan.lead + plan.seconds
        self._rounds = rounds
        self._before = 0.0

    def begin(self, number: int, side: str) -> None:
        self._before = (len(SIDES) * number + SIDES.index(side)) * self._seconds
        what = f"round {number + 1} of {self._rounds}, {side}"
        self._progress.update(self._task, description=what, completed=self._before)

    def advance(self, seconds: float) -> None:
        self._progress.update(self._task, completed=self._before + min(seconds, self._seconds))

    def say(self, line: str) -> None:
        self._progress.console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def shown(plan: Plan, rounds: int) -> Iterator[Audience]:
    """@return: a context manager that gives who is to be told what goes on."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines(plan, rounds)
        return
    columns = (TextColumn("{task.description:22}"), BarColumn(None), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        total = rounds * len(SIDES) * (plan.lead + plan.seconds)
        yield Bar(progress, progress.add_task("", total=total), plan, rounds)
