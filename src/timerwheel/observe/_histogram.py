"""Snapshots of the histograms that the extension keeps: percentiles, means, buckets."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import sub

# As in ext/timerwheel/histogram.pxd: 16 buckets an octave, one below all and one beyond.
_SUB_BUCKETS = 16


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many values v there are with lower <= v < upper."""

    lower: float
    upper: float
    count: int


class Histogram:
    """A snapshot of values of any size, in buckets at most 1/16 as wide as the values in them.

    This is a log-linear histogram, like HdrHistogram's: 32 powers of two, each in 16 equal buckets,
    and a wider bucket on either side. A snapshot does not change. `later - earlier` has the values
    counted between two snapshots.
    """

    __slots__ = ("_counts", "_largest", "_lowest", "_total")

    def __init__(self, lowest: int, total: float, largest: float, counts: Sequence[int]) -> None:
        self._lowest = lowest  # the octaves begin at 2**lowest
        self._total = total
        self._largest = largest
        self._counts = array("Q", counts)

    @classmethod
    def from_state(cls, state: tuple[int, float, float, bytes]) -> Histogram:
        """Make one from the extension's state."""
        lowest, total, largest, counts = state
        return cls(lowest, total, largest, array("Q", counts))

    @property
    def count(self) -> int:
        """The number of values."""
        return sum(self._counts)

    @property
    def total(self) -> float:
        """Their sum."""
        return self._total

    @property
    def largest(self) -> float:
        """The largest value, or 0.0 if there are none. For a difference, an upper bound of it."""
        return self._largest

    @property
    def mean(self) -> float:
        """Their mean, or 0.0 if there are none."""
        return self._total / self.count if self.count else 0.0

    def percentile(self, percent: float) -> float:
        """The value that percent of all values do not exceed; 0.0 if there are none.

        The result is the upper bound of a bucket, but not above the largest value. It is at most
        1/16 too high, never too low. For whole numbers it is a whole number. Seconds have octaves
        from 2**-20 (1 us) to 2**12 (4,096 s). Below the octaves, the result may be as high as their
        start; beyond them, it is the largest value.

        Raises ValueError if percent is not from 0 to 100.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"percent must be from 0 to 100, not {percent!r}")
        rank = max(1, math.ceil(self.count * percent / 100))
        for index, reached in enumerate(accumulate(self._counts)):
            if reached >= rank:
                return self._highest(index, self._largest)
        return 0.0

    def buckets(self) -> Iterator[Bucket]:
        """The buckets that are not empty, lowest first.

        The bucket below the octaves begins at 0.0; the one beyond them ends at infinity.
        """
        for index, count in enumerate(self._counts):
            if count:
                yield Bucket(self._upper(index - 1) if index else 0.0, self._upper(index), count)

    def at_or_below(self, bound: float) -> int:
        """How many values are in buckets that end at or before bound: all below it, if it is
        a power of two.
        """
        return sum(bucket.count for bucket in self.buckets() if bucket.upper <= bound)

    def _upper(self, index: int) -> float:
        """The upper bound of a bucket."""
        if index == len(self._counts) - 1:
            return math.inf
        octave, place = divmod(index, _SUB_BUCKETS)
        return math.ldexp(1 + place / _SUB_BUCKETS, self._lowest + octave)

    def _highest(self, index: int, largest: float) -> float:
        """The highest value that a bucket can have, given the largest of all."""
        bound = min(self._upper(index), largest)
        # Octaves from 1 on are for whole numbers, and a bucket ends before its upper bound.
        return float(math.floor(bound)) if self._lowest >= 0 and bound < math.inf else bound

    def __sub__(self, earlier: Histogram) -> Histogram:
        if not isinstance(earlier, Histogram) or earlier._lowest != self._lowest:
            return NotImplemented
        counts = array("Q", map(sub, self._counts, earlier._counts))
        total = self._total - earlier._total
        last = max((index for index, count in enumerate(counts) if count), default=0)
        largest = self._highest(last, self._largest) if any(counts) else 0.0
        return Histogram(self._lowest, total, largest, counts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return self._state() == other._state()

    def __hash__(self) -> int:
        return hash(self._state())

    def _state(self) -> tuple[object, ...]:
        return self._lowest, self._total, self._largest, self._counts.tobytes()

    def __repr__(self) -> str:
        return (
            f"<Histogram count={self.count} mean={self.mean:.3g} median={self.percentile(50):.3g} "
            f"p99={self.percentile(99):.3g} largest={self.largest:.3g}>"
        )
