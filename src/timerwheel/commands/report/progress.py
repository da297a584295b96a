"""What the user sees while a command works, on standard error: a bar in a terminal, else lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Shown(Protocol):
    """What a command tells of its work."""

    def begin(self, what: str, done: float, more: str = "") -> None:
        """Something begins.

        @param what: its name.
        @param done: how much of the whole is done.
        @param more: what there is room for in a line of its own.
        """

    def advance(self, done: float) -> None:
        """So much of the whole is done."""

    def say(self, line: str) -> None:
        """Something that the user should read now."""


class _Lines:
    """For a file or a pipe: a line for each thing that begins."""

    def __init__(self) -> None:
        self._last = ""

    def begin(self, what: str, done: float, more: str = "") -> None:
        line = f"{what[:1].upper()}{what[1:]}{more}"
        if line != self._last:
            self._last = line
            self.say(line)

    def advance(self, done: float) -> None:
        """Nothing: the lines are enough."""

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class _Bar:
    """For a terminal."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def begin(self, what: str, done: float, more: str = "") -> None:
        self._progress.update(self._task, description=what, completed=done)

    def advance(self, done: float) -> None:
        self._progress.update(self._task, completed=done)

    def say(self, line: str) -> None:
        self._progress.console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def progress(total: float) -> Iterator[Shown]:
    """Show how far a command is.

    @param total: of the whole, in any unit.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (TextColumn("{task.description:22}"), BarColumn(None), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as drawn:
        yield _Bar(drawn, drawn.add_task("", total=total))
