"""What the user sees: a progress bar while it runs, and one table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from timerwheel.demo.plan import MESSAGE_BYTES, PROBES_A_SECOND, Plan
from timerwheel.demo.result import ServerResult, SideResult

SIDES = ("stock", "ours")
"""The two sides, in the order in which they run."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    @ivar label: what it is, with its unit.
    @ivar value: takes it from a result.
    @ivar pattern: how a value is written, for `format`.
    @ivar more_is_better: which way the ratio is taken, so that above 1 ours is better.
    """

    label: str
    value: Callable[[ServerResult], float]
    pattern: str
    more_is_better: bool = False

    def ratio(self, stock: ServerResult, ours: ServerResult) -> float | None:
        """@return: how many times better ours is; `None` when that cannot be said."""
        better, worse = self.value(stock), self.value(ours)
        if self.more_is_better:
            better, worse = worse, better
        return better / worse if better > 0 and worse > 0 else None


MIB = 1024 * 1024

ROWS = (
    Row("messages a second", lambda r: r.messages / r.seconds, ",.0f", more_is_better=True),
    Row("time in timers, % of CPU time", lambda r: 100 * r.timers / r.cpu, ".2f"),
    Row("time in timers, s", lambda r: r.timers, ".3f"),
    Row("time in the garbage collector, s", lambda r: r.collecting, ".3f"),
    Row("lateness of timers, p50, us", lambda r: 1e6 * r.lateness_p50, ",.0f"),
    Row("lateness of timers, p99, us", lambda r: 1e6 * r.lateness_p99, ",.0f"),
    Row("longest stall, ms", lambda r: 1e3 * r.longest_pass, ",.1f"),
    Row("resident memory, MiB", lambda r: r.resident / MIB, ",.1f"),
    Row("of it the extra timers, MiB", lambda r: r.resident_extra / MIB, ",.1f"),
)


@contextmanager
def progress_bar(
    plan: Plan,
) -> Iterator[tuple[Callable[[str, float], None], Callable[[str], None]]]:
    """Show one bar over both sides, on standard error.

    @return: a context manager that gives two functions: one to be told the side and the seconds
        that have passed of it, one that prints a line above the bar.
    """
    seconds = plan.lead + plan.seconds
    columns = (TextColumn("{task.description:5}"), BarColumn(None), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(SIDES[0], total=len(SIDES) * seconds)

        def advance(side: str, passed: float) -> None:
            done = SIDES.index(side) * seconds + min(passed, seconds)
            progress.update(task, description=side, completed=done)

        def say(line: str) -> None:
            progress.console.print(line, highlight=False, markup=False, soft_wrap=True)

        yield advance, say


def print_report(plan: Plan, results: dict[str, SideResult]) -> None:
    """Print the table, and below it how each figure was measured."""
    console = Console()
    with console.capture() as printed:
        console.print(_table(results["stock"].server, results["ours"].server))
        for line in _notes(plan, results):
            console.print(line, highlight=False, markup=False)
    print(printed.get(), end="")


def _table(stock: ServerResult, ours: ServerResult) -> Table:
    table = Table()
    table.add_column("")
    for heading in (*SIDES, "ratio"):
        table.add_column(heading, justify="right")
    for row in ROWS:
        ratio = row.ratio(stock, ours)
        values = (format(row.value(side), row.pattern) for side in (stock, ours))
        table.add_row(row.label, *values, "-" if ratio is None else f"{ratio:.2f} x")
    return table


def _notes(plan: Plan, results: dict[str, SideResult]) -> list[str]:
    """How it was measured, and that both sides did the same work, a sentence a line."""
    servers = [results[side].server for side in SIDES]
    loads = [results[side].load for side in SIDES]
    stopwatch = " and ".join(f"{server.stopwatch:.3f} s" for server in servers)
    clients = " and ".join(f"{100 * load.cpu / load.seconds:.0f} %" for load in loads)
    return [
        "Ratio: above 1 ours is better.",
        f"Reactors: {servers[0].reactor} and {servers[1].reactor}.",
        _same_work(plan, servers),
        *_checks(results),
        (
            f"Messages: echoes of {MESSAGE_BYTES} bytes to {plan.connections:,} clients on"
            " loopback, each waiting for its echo; the clients kept"
            f" {clients} of a core busy."
        ),
        (
            "Time in timers: wall time in runUntilCurrent without the callbacks, in timeout, and in"
            " each callLater, reset and cancel of the server, without the garbage collector; the"
            f" stopwatch's own {stopwatch} are taken off."
        ),
        (
            f"Lateness: the reactor's clock in the callback less the deadline, of {PROBES_A_SECOND}"
            " probes a second at any fraction of a millisecond, armed before the measurement."
        ),
        (
            "Longest stall: the most CPU time between two starts of runUntilCurrent. One full"
            " garbage collection makes it, and p99 with it: a short run may have none."
        ),
        (
            "Memory: VmRSS at the end, and its growth while the extra timers were armed, their"
            " arguments included."
        ),
    ]


def _checks(results: dict[str, SideResult]) -> list[str]:
    """What the servers' checks at the end came to, when they found nothing."""
    if any(result.problems for result in results.values()):
        return []
    return ["Both servers checked every timer at the end: none was early, none was lost."]


def _same_work(plan: Plan, servers: list[ServerResult]) -> str:
    stock, ours = servers
    work = (
        f"{plan.seconds:g} s, {plan.timers:,} extra timers, {stock.churned:,} operations of churn,"
        f" {stock.probes:,} probes, {stock.fired:,} timers fired"
    )
    if (stock.churned, stock.probes, stock.fired) == (ours.churned, ours.probes, ours.fired):
        return f"Both sides did the same work: {work}."
    return (
        f"Stock: {work}; ours: {ours.churned:,} operations of churn, {ours.probes:,} probes,"
        f" {ours.fired:,} timers fired."
    )
