"""The result: a chart with a bar a side for each figure, and two notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from timerwheel.commands.demo.figures import Figure, Spread, quantity
from timerwheel.commands.demo.rounds import SIDES
from timerwheel.commands.report.bars import bar
from timerwheel.commands.report.text import fold

LONGEST = 30
"""Columns of the longest bar."""


def chart(heading: str, figures: Sequence[Figure], notes: Sequence[str], width: int) -> str:
    """Draw all of it.

    @param width: columns of the terminal.
    """
    lines = [line for figure in figures for line in _lines(figure, width)]
    return "\n".join([fold(heading, width), "", *lines, *(fold(note, width) for note in notes)])


def _lines(figure: Figure, width: int) -> Iterator[str]:
    yield fold(f"{figure.kind.label}, {figure.kind.unit}: {figure.verdict}", width, "  ")
    longest = max(figure.stock.middle, figure.ours.middle)
    columns = max(1, min(LONGEST, width - 40))
    for side in SIDES:
        spread = getattr(figure, side)
        drawn = bar(spread.middle / longest if longest else 0.0, columns)
        line = f"  {side:5} {drawn:{columns}} {_numbers(spread)}"
        yield line if len(line) <= width else fold(f"  {side:5} {_numbers(spread)}", width, "    ")
    yield ""


def _numbers(spread: Spread) -> str:
    least, most = quantity(spread.least), quantity(spread.most)
    return f"{quantity(spread.middle):>6} ({least} to {most})"
