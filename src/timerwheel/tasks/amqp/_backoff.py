"""How long to wait after failures, before the next try of a task or a connection."""

from __future__ import annotations

import random


def exponential(failures: int, longest: float = 3600) -> float:
    """Seconds to wait after so many failures in a row: 1 to 2, 2 to 4, 4 to 8 and so on.

    The time is random in that range, so that workers that failed together do not come back
    together. It is `longest` at most.
    """
    return min(2.0 ** min(failures, 64), longest) * random.uniform(0.5, 1)
