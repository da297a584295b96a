"""What the scripts of this folder show: progress, figures with their spread, and what was wrong."""

from __future__ import annotations

import sys
from statistics import median
from typing import Any


def spread(values: list[float]) -> dict[str, Any]:
    """
    @return: the median of some values, the least, the most, and all of them.
    """
    return {"median": median(values), "min": min(values), "max": max(values), "all": values}


def with_spread(figure: dict[str, Any], pattern: str) -> str:
    """
    @return: a median, and from where to where the values go.
    """
    middle, low, high = (format(figure[key], pattern) for key in ("median", "min", "max"))
    return f"{middle} ({low}-{high})"


def show_progress(text: str) -> None:
    """Say what is being done, on a terminal only, in one line that is overwritten."""
    if sys.stderr.isatty():
        print(f"\r{text:40}", end="\r", file=sys.stderr, flush=True)


def exit_code(faults: list[str]) -> int:
    """
    Print what was wrong.

    @return: the exit code.
    """
    for fault in faults:
        print(f"FAILED: {fault}", file=sys.stderr)
    return 1 if faults else 0
