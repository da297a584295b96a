"""A table, and lines below it, as wide as the terminal is."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from timerwheel.commands.report.text import fold


def print_sheet(
    headings: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[str]
) -> None:
    """Print it. Where the terminal is too narrow for the table, each row is a sentence.

    @param headings: of the columns but the first, which has what a row is about.
    @param lines: broken between words where they are too long.
    """
    console = Console()
    table = _table(headings, rows)
    anywhere = console.options.update(max_width=sys.maxsize)
    with console.capture() as printed:
        if console.measure(table, options=anywhere).maximum <= console.width:
            console.print(table)
        else:
            for name, *cells in rows:
                pairs = zip(headings, cells, strict=True)
                _print(console, f"{name}: {', '.join(' '.join(pair) for pair in pairs)}")
        for line in ["", *lines]:
            _print(console, line)
    print(printed.get(), end="")


def _print(console: Console, line: str) -> None:
    text = line if len(line) <= console.width else fold(line, console.width)
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table
