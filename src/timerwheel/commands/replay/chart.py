"""Bars of one line, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = " ▁▂▃▄▅▆▇█"
"""From nothing to all."""

ASCII = " .:-=+*#%@"
"""For terminals that cannot show blocks."""


def bars(values: Sequence[float], top: float, ramp: str) -> str:
    """A character for each value: the first of the ramp for 0 alone, the last for `top`."""
    steps = len(ramp) - 1
    return "".join(
        ramp[min(max(round(value / top * steps), 1), steps)] if value > 0 and top > 0 else ramp[0]
        for value in values
    )


def ramp_for(encoding: str) -> str:
    """The characters that an encoding has."""
    try:
        BLOCKS.encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return ASCII
    return BLOCKS
