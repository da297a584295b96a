"""Bars, for a terminal: one along a line, or many of a character each."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

BLOCKS = " ▁▂▃▄▅▆▇█"
"""From nothing to all."""

ASCII = " .:-=+*#%@"
"""For terminals that cannot show blocks."""

_FULL = "█"
_PARTS = " ▏▎▍▌▋▊▉"
"""Eighths of a column."""


def bar(share: float, columns: int) -> str:
    """One bar along the line.

    @param share: of `columns`, from 0 to 1; what is above 0 shows.
    """
    eighths = max(round(share * columns * 8), share > 0)
    return _FULL * (eighths // 8) + _PARTS[eighths % 8].strip()


def bars(values: Sequence[float], top: float, ramp: str) -> str:
    """A character for each value: the first of the ramp for 0 alone, the last for `top`."""
    steps = len(ramp) - 1
    return "".join(
        ramp[min(max(round(value / top * steps), 1), steps)] if value > 0 and top > 0 else ramp[0]
        for value in values
    )


def sparkline(values: Sequence[float]) -> str:
    """A character a value, from 0 at the lowest to the largest value at the highest."""
    sparks = BLOCKS[1:]
    top = max((value for value in values if value < inf), default=0.0) or 1.0
    return "".join(sparks[int(min(value / top, 1.0) * (len(sparks) - 1))] for value in values)


def ramp_for(encoding: str) -> str:
    """The characters that an encoding has."""
    try:
        BLOCKS.encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return ASCII
    return BLOCKS
