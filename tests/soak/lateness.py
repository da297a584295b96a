"""How late calls are, in a fixed amount of memory."""

from __future__ import annotations

from array import array

# Seconds that one count of the histogram stands for, and how many there are.
WIDTH = 1e-5
BINS = 100_000


class Lateness:
    """A histogram up to one second, and the maximum. Nothing is added while it is not quiet."""

    def __init__(self) -> None:
        self.quiet = False
        self.maximum = 0.0
        self._counts = array("Q", bytes(8 * (BINS + 1)))

    def add(self, seconds: float) -> None:
        """Count one call that was so late. A clock that was stepped may say that it was early."""
        if self.quiet and seconds >= 0.0:
            self._counts[min(int(seconds / WIDTH), BINS)] += 1
            if seconds > self.maximum:
                self.maximum = seconds

    def percentile(self, percent: float) -> float | None:
        """Seconds that no more than the rest of the hundred exceed; None if nothing was counted."""
        left = sum(self._counts) * percent / 100
        for index, count in enumerate(self._counts):
            left -= count
            if count and left <= 0:
                return (index + 1) * WIDTH
        return None
