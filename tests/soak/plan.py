"""What one run does: known to the process that is tested and to the one that tests it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

# Where all random numbers start.
SEED = 20240229

# How many of the calls fire in a second, about: their delays follow from it.
RATE = 10_000


@dataclass(frozen=True)
class Plan:
    """One run.

    reactor is a short name of Twisted's, clock "steady" or "wall", calls how many
    are pending all the time, seconds how long they are loaded, clock_file what the
    wall clock is stepped by.
    """

    reactor: str
    clock: str
    calls: int
    seconds: float
    clock_file: str

    @property
    def mean_delay(self) -> float:
        """Seconds for which a call is armed, on average."""
        return self.calls / RATE

    def to_json(self) -> str:
        """For the command line of the tested process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """What to_json() made the text of."""
        return cls(**json.loads(text))
