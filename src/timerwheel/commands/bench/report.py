"""What the user sees: a progress bar while it runs, and one table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from timerwheel.commands.bench.runner import Comparison
from timerwheel.commands.versions import versions_in_a_line


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


def print_report(comparison: Comparison) -> None:
    """Print the table, and below it what its figures are."""
    console = Console()
    with console.capture() as printed:
        console.print(_table(comparison), "")
        for line in _notes(comparison):
            console.print(line, highlight=False, markup=False)
    print(printed.get(), end="")


def _table(comparison: Comparison) -> Table:
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False)
    table.add_column("", no_wrap=True)
    for heading in ("pending", "stock", "ours", "ratio", "from - to"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in comparison.results:
        table.add_row(
            result.work,
            f"{result.pending:,}",
            f"{median(result.stock):,.0f}",
            f"{median(result.ours):,.0f}",
            _ratio(result.ratio),
            f"{_ratio(min(result.ratios))} - {_ratio(max(result.ratios))}",
        )
    return table


def _ratio(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 100 else f"{ratio:,.0f}"


def _notes(comparison: Comparison) -> list[str]:
    rounds = len(comparison.results[0].stock)
    return [
        f"Nanoseconds an operation, the Python loop around it included: medians of {rounds} rounds,"
        " in which both sides take turns. Ratio: above 1 ours is faster.",
        f"Reactors: {comparison.stock} and {comparison.ours}.",
        versions_in_a_line() + ".",
    ]
