"""The plan of the demonstration, fixed before it starts, so that both sides do the same work."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from random import Random

MESSAGE_BYTES = 32
"""The size of one message and of its echo."""

PROBES_A_SECOND = 200
"""How many timers a second measure lateness."""

REQUEST_TIMEOUT = 30.0
"""The delay of each timer of the churn, in seconds: one value, as in servers."""

REQUEST_LIFE = 1.0
"""Seconds from the scheduling of a churn timer to its cancel."""

FAR = 7 * 24 * 3600.0
"""Seconds to the furthest deadline of the extra timers: a week."""

SETTLING = 1.0
"""Seconds for the loop to settle, between scheduling and measuring."""

ARMING_ALLOWANCE = 20e-6
"""Seconds that scheduling a near timer may take without delaying the measurement."""

SEED = 20240229
"""The seed of all random numbers, on both sides."""


@dataclass(frozen=True)
class Plan:
    """The size of a run. Everything else follows from it and from `SEED`.

    @ivar seconds: how long to measure.
    @ivar connections: how many clients are connected.
    @ivar timers: how many extra timers are pending when the measurement starts.
    @ivar churn: timer operations a second in the background: schedule, push back and cancel in
        equal parts.
    @ivar messages: messages a second that the clients send together.
    """

    seconds: float
    connections: int
    timers: int
    churn: int
    messages: int

    @property
    def lead(self) -> float:
        """Seconds from the scheduling of the first near timer to the start of the measurement."""
        return SETTLING + (self.timers - self.far) * ARMING_ALLOWANCE

    @property
    def near(self) -> float:
        """Seconds after the start of the measurement by which near timers expire."""
        return 60.0 + self.seconds

    @property
    def far(self) -> int:
        """How many of the extra timers are far: half of them."""
        return self.timers // 2

    @property
    def rounds(self) -> int:
        """Rounds of churn while measuring. Each schedules, pushes back and cancels a timer."""
        return int(self.churn * self.seconds) // 3

    @property
    def requests(self) -> int:
        """How many timers of the churn are alive at any moment."""
        return max(2, int(self.churn * REQUEST_LIFE) // 3)

    def far_delays(self) -> array[float]:
        """The delays of the far timers, in seconds: more than the run takes, and up to a week."""
        random = Random(SEED)
        shortest = 2 * (self.lead + self.near)
        return array("d", (random.uniform(shortest, FAR) for _ in range(self.far)))

    def near_deadlines(self) -> array[float]:
        """The deadlines of the near timers, in seconds after the measurement starts: evenly spread
        over the time of the run and the minute after it.
        """
        random = Random(SEED + 1)
        return array("d", (random.uniform(0.0, self.near) for _ in range(self.timers - self.far)))

    def probe_deadlines(self) -> array[float]:
        """The deadlines of the probes, in seconds after the measurement starts, at any fraction of
        a millisecond.
        """
        random = Random(SEED + 2)
        count = int(PROBES_A_SECOND * self.seconds)
        return array("d", sorted(random.uniform(0.0, self.seconds) for _ in range(count)))
