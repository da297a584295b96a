"""What the user sees while a command measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(steps: int) -> Iterator[Callable[[str], None]]:
    """Show a bar on standard error.

    @return: a context manager that gives a function to be told what is done next, `steps` times.
    """
    columns = (TextColumn("{task.description:21}"), BarColumn(None), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=steps)
        begun = 0

        def advance(work: str) -> None:
            nonlocal begun
            progress.update(task, description=work, completed=begun)
            begun += 1

        yield advance
