"""Numbers, names and sentences, as a terminal shows them."""

from __future__ import annotations

import textwrap
from math import inf


def fold(text: str, width: int, indent: str = "") -> str:
    """Break a text between words.

    @param width: columns. A word that is longer stays whole.
    @param indent: before each line but the first.
    """
    return textwrap.fill(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def amount(value: float | None) -> str:
    """A count, or how many there are a second."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def seconds(value: float | None) -> str:
    """A span of time with its unit, to three digits."""
    if value is None:
        return "-"
    if value == inf:
        return "no end"
    for limit, factor, unit in (
        (1e-3, 1e6, "us"),
        (1.0, 1e3, "ms"),
        (120.0, 1.0, "s"),
        (7200.0, 1 / 60, "min"),
        (172800.0, 1 / 3600, "h"),
    ):
        if abs(value) < limit:
            return f"{value * factor:.3g} {unit}"
    return f"{value / 86400:,.3g} days"


def clean(text: str) -> str:
    """Text that does nothing to a terminal: what does not print is replaced."""
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)
