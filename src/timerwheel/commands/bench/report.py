"""What the user sees at the end: one table, and what its figures are."""

from __future__ import annotations

from statistics import median

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from timerwheel.commands.bench.runner import Comparison
from timerwheel.commands.versions import versions_in_a_line


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
