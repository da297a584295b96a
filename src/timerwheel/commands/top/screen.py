"""The screen of `top`, drawn with rich."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from timerwheel.commands.report.bars import sparkline
from timerwheel.commands.report.text import amount, clean, seconds
from timerwheel.commands.top.history import History

_ROWS = 20
"""The rows of each table of functions, if there is no screen to fit."""

_FEWEST = 3
"""The least rows of each table."""

_NUMBER = 8
"""Characters of a number and its unit."""

_NAME = 13
"""Characters of a figure's name and a blank."""

_FIGURE = _NAME + 9
"""Characters of a figure: its name, and a number with its unit."""


@contextmanager
def opened(history: History, address: str) -> Iterator[Callable[[str | None], None]]:
    """Draw until the block is left: over the whole of a terminal, else one look below the other.

    @return: draws anew; takes what went wrong, or `None`.
    """
    console = Console()
    if not console.is_terminal:
        yield lambda trouble: console.print(frame(history, address, trouble, _ROWS))
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:

        def draw(trouble: str | None) -> None:
            live.update(fitted(console, history, address, trouble), refresh=True)

        draw(None)
        yield draw


def fitted(console: Console, history: History, address: str, trouble: str | None) -> RenderableType:
    """As much as the terminal has lines for, as long as it has some."""
    others = len(console.render_lines(frame(history, address, trouble, 0), pad=False))
    return frame(history, address, trouble, max(_FEWEST, (console.height - others) // 2))


def frame(history: History, address: str, trouble: str | None, rows: int) -> RenderableType:
    """All of the screen.

    @param rows: of each table of functions, at the most.
    """
    data = history.latest
    parts: list[RenderableType] = [_head(data["status"], address)]
    if trouble is not None:
        parts.append(Text(clean(trouble), style="bold red"))
    parts += [Columns(_figures(history), width=_FIGURE), _trends(history)]
    survey = data["survey"]
    if survey is None:
        parts.append(Text("Looking through what is pending ...", style="dim"))
    else:
        parts += [_pending(survey, rows), _times(survey, data["watch"], rows), _note(survey)]
    return Group(*parts)


def _head(status: dict[str, Any], address: str) -> Text:
    versions = ", ".join(f"{name} {version}" for name, version in status["versions"].items())
    head = Text.assemble(("timerwheel top ", "bold"), clean(f"{address}  {status['reactor']}"))
    head.append(clean(f", {status['clock']} clock; {versions}"), style="dim")
    for name, function in status["overridden"].items():
        head.append(clean(f"\nreactor.{name}() is not the wheel's but {function}"), style="yellow")
    return head


def _figures(history: History) -> Iterator[Text]:
    stats, watch = history.latest["stats"], history.latest["watch"]
    for name, value in (
        ("pending", amount(stats["pending"])),
        ("scheduled/s", amount(history.last("scheduled"))),
        ("made/s", amount(history.last("made"))),
        ("cancelled/s", amount(history.last("cancelled"))),
        ("moved/s", amount(history.last("moved"))),
        ("passes/s", amount(history.last("passes"))),
        ("in passes", _percent(history.last("busy"))),
        ("longest pass", seconds(stats["longest_pass"])),
        ("failed", amount(stats["failed"])),
        ("slow calls", "no watch" if watch is None else amount(watch["slow_calls"])),
        ("next in", seconds(stats["until_deadline"])),
        ("memory", f"{stats['memory'] / 2**20:.1f} MiB"),
    ):
        yield Text.assemble((name.ljust(_NAME), "dim"), (value, "bold"))


def _trends(history: History) -> Table:
    table = Table.grid(padding=(0, 2))
    for title, name, show in (
        ("pending", "pending", amount),
        ("made/s", "made", amount),
        ("late, median", "median", seconds),
        ("late, 99 %", "p99", seconds),
    ):
        line = list(history.lines.get(name, ()))
        value = Text(show(history.last(name)), style="bold")
        table.add_row(Text(title, style="dim"), value, Text(sparkline(line), style="cyan"))
    return table


def _pending(survey: dict[str, Any], rows: int) -> RenderableType:
    table = _table("Pending", "calls", "first in", "last in", "function")
    for group in survey["by"]["function"][:rows]:
        last = "never" if group["latest"] is None else seconds(group["latest"])
        table.add_row(
            amount(group["count"]), seconds(group["soonest"]), last, Text(clean(group["name"]))
        )
    spans = survey["by"]["time"]
    line = ", ".join(f"{clean(span['name'])}: {amount(span['count'])}" for span in spans)
    return Group(Text(f"Due in {line}" if line else "Nothing is pending"), table)


def _times(survey: dict[str, Any], watch: dict[str, Any] | None, rows: int) -> RenderableType:
    if watch is None:
        return Text("No watch is on: no times of functions, no slow calls", style="dim")
    table = _table("Took", "calls", "total", "99 %", "longest", "function")
    for one in survey["times"][:rows]:
        table.add_row(
            amount(one["count"]),
            *(seconds(one[name]) for name in ("total", "p99", "longest")),
            Text(clean(one["function"])),
        )
    return table


def _note(survey: dict[str, Any]) -> Text:
    how = "" if survey["every"] == 1 else f", estimated from one call in {survey['every']}"
    return Text(f"Pending: as of {seconds(survey['age'])} ago{how}. Ctrl-C ends.", style="dim")


def _table(title: str, *columns: str) -> Table:
    table = Table(box=None, title=title, title_justify="left", pad_edge=False, expand=True)
    for column in columns[:-1]:
        table.add_column(column, justify="right", no_wrap=True, min_width=_NUMBER)
    table.add_column(columns[-1], no_wrap=True, overflow="ellipsis", ratio=1)
    return table


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
