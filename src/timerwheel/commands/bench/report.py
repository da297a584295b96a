"""The result: one table, and notes on its figures."""

from __future__ import annotations

from statistics import median

from timerwheel.commands.bench.runner import Comparison, Result
from timerwheel.commands.report.sheet import print_sheet
from timerwheel.commands.versions import versions_in_a_line


def print_report(comparison: Comparison) -> None:
    """Print the table, and notes on its figures below."""
    headings = ("pending", "stock", "ours", "ratio", "from - to")
    print_sheet(headings, [_row(result) for result in comparison.results], _notes(comparison))


def _row(result: Result) -> list[str]:
    return [
        result.work,
        f"{result.pending:,}",
        f"{median(result.stock):,.0f}",
        f"{median(result.ours):,.0f}",
        _ratio(result.ratio),
        f"{_ratio(min(result.ratios))} - {_ratio(max(result.ratios))}",
    ]


def _ratio(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 100 else f"{ratio:,.0f}"


def _notes(comparison: Comparison) -> list[str]:
    rounds = len(comparison.results[0].stock)
    return [
        f"Nanoseconds an operation, including the Python loop around it: medians of {rounds}"
        " rounds, in which both sides take turns. Ratio: above 1, ours is faster.",
        f"Reactors: {comparison.stock} and {comparison.ours}.",
        versions_in_a_line() + ".",
    ]
