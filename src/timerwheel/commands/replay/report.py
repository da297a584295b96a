"""The result: a table, a chart over the recording's time, and notes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from rich.console import Console

from timerwheel.commands.replay.plan import Plan
from timerwheel.commands.replay.player import SLICES
from timerwheel.commands.replay.runner import Comparison, Measured
from timerwheel.commands.report.bars import bars, ramp_for
from timerwheel.commands.report.sheet import print_sheet
from timerwheel.commands.report.text import clean
from timerwheel.commands.versions import versions_in_a_line


@dataclass(frozen=True)
class Row:
    """One line of the table.

    @ivar label: what it is, with its unit.
    @ivar values: takes those of all rounds from a side.
    @ivar unit: how many nanoseconds or bytes the unit has.
    """

    label: str
    values: Callable[[Measured], list[float]]
    unit: float

    def ratios(self, comparison: Comparison) -> list[float]:
        """How many times better ours was, round by round; none if either is 0."""
        pairs = zip(self.values(comparison.stock), self.values(comparison.ours), strict=True)
        return [stock / ours for stock, ours in pairs if stock and ours]


ROWS = (
    Row("time in timers, ms", lambda side: side.time, 1e6),
    Row("collector, ms", lambda side: side.collecting, 1e6),
    Row("longest pause, ms", lambda side: side.pause, 1e6),
    Row("full collection, ms", lambda side: side.collection, 1e6),
    Row("lateness p50, us", lambda side: side.late_p50, 1e3),
    Row("lateness p99, us", lambda side: side.late_p99, 1e3),
    Row("longest stall, ms", lambda side: side.stall, 1e6),
    Row("memory, KiB", lambda side: side.memory, 1024),
)


def print_report(plan: Plan, comparison: Comparison) -> None:
    """Print all of it."""
    drawn = _chart(plan, comparison, ramp_for(Console().encoding))
    lines = [*drawn, "", *_notes(plan), *_how(plan, comparison)]
    print_sheet(("stock", "ours", "ratio"), [_row(row, comparison) for row in ROWS], lines)


def _row(row: Row, comparison: Comparison) -> list[str]:
    sides = (comparison.stock, comparison.ours)
    scaled = ([value / row.unit for value in row.values(side)] for side in sides)
    return [row.label, *map(_cell, scaled), _ratio(row.ratios(comparison))]


def _figure(value: float, digits: int = 3) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}" if value >= 0.1 else f"{value:.2g}"


def _range(values: list[float]) -> str:
    """The least and the greatest."""
    least, greatest = _figure(min(values), 2), _figure(max(values), 2)
    return f"({least}-{greatest})"


def _cell(values: list[float]) -> str:
    """The median, with the range behind it if there is one."""
    if min(values) == max(values):
        return _figure(values[0])
    return f"{_figure(median(values))} {_range(values)}"


def _ratio(ratios: list[float]) -> str:
    """The cell of a ratio: "none" if the rounds do not agree on which side is better."""
    if not ratios:
        return "-"
    return f"none {_range(ratios)}" if min(ratios) <= 1 <= max(ratios) else _cell(ratios)


def _chart(plan: Plan, comparison: Comparison, ramp: str) -> list[str]:
    stock, ours = comparison.stock.chart(), comparison.ours.chart()
    pending = plan.pending_in(SLICES)
    top = max(*stock, *ours)
    part = plan.seconds / SLICES
    return [
        f"Time in timers over the recording, a bar for {_figure(1e3 * part)} ms of it, both on one"
        " scale:",
        f"stock   |{bars(stock, top, ramp)}| at most {_figure(max(stock) / 1e3)} us",
        f"ours    |{bars(ours, top, ramp)}| at most {_figure(max(ours) / 1e3)} us",
        f"pending |{bars(pending, plan.peak, ramp)}| at most {plan.peak:,} timers",
    ]


def _notes(plan: Plan) -> list[str]:
    """A description of the recording."""
    header, counts = plan.recording.header, plan.counts
    wheel = "with the wheel" if header.wheel else "stock"
    versions = ", ".join(f"{name} {version}" for name, version in header.versions.items())
    limit = ", where it had reached its limit" if plan.recording.end == "limit" else ""
    late = sorted(plan.lateness)
    notes = [
        clean(
            f"Recording: {plan.seconds:,.1f} s{limit} of {header.reactor} ({wheel}); clock"
            f" {header.clock}; {versions}."
        ),
        f"Work, the same on both sides: {len(plan.before):,} timers pending at the start,"
        f" {counts['schedule']:,} scheduled, {counts['cancel']:,} cancelled,"
        f" {counts['reset'] + counts['delay']:,} moved, {counts['expire']:,} expired;"
        f" {plan.passes:,} passes. Each timer expired in its pass, and none else.",
    ]
    if late:
        p50, p99 = (1e6 * late[int(share * (len(late) - 1))] for share in (0.5, 0.99))
        notes.append(
            f"In the program itself timers were {_figure(p50)} us late (p50) and {_figure(p99)} us"
            f" (p99), by its own clock, and their calls took {_figure(1e3 * plan.busy)} ms."
        )
    return notes


def _how(plan: Plan, comparison: Comparison) -> list[str]:
    """How it was measured."""
    stock, ours = comparison.stock, comparison.ours
    share = (median(stock.time) - median(ours.time)) / 1e7 / (plan.seconds or 1)
    return [
        f"Figures: medians of {len(stock.time)} rounds, in which both sides take turns (the least"
        "-the greatest). Ratio: above 1, ours is better; none if the rounds do not agree."
        + (
            f" A round's time is the mean of {comparison.plays} plays."
            if comparison.plays > 1
            else ""
        ),
        "Time in timers: CPU time of all operations and passes, without the collector's. It"
        " includes the replay's own loop. Calls do only their part of the recording. Stock less"
        f" ours is {_figure(share)} % of the recording's time.",
        f"Collector: Python's, with the longest pause. Full: one with {plan.peak:,} timers pending,"
        " the most in the recording.",
        "Lateness: the time from the start of a pass to the call, which is the part that a side"
        " adds. The replay moves the clock by hand, so a pass begins as late as in the program.",
        "Longest stall: the most CPU time of one pass, or of the operations between two. Memory:"
        " the most that Python's allocators gave for timers.",
        f"Reactors: {stock.reactor} and {ours.reactor}.",
        versions_in_a_line() + ".",
    ]
