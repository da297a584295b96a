"""The figures of a reactor's wheel. The extension always counts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from timerwheel.observe._histogram import Histogram
from timerwheel.observe._wheel import require_queue


@dataclass(frozen=True, slots=True)
class Stats:
    """The figures of a reactor's wheel since you put it in. All counts but pending only grow."""

    pending: int
    """Calls that are pending."""
    scheduled: int
    """Calls scheduled, including those that accelerate() moved to the wheel."""
    fired: int
    """Calls made."""
    failed: int
    """Calls made that raised an exception."""
    cancelled: int
    """Calls cancelled while they were pending."""
    moved_later: int
    """How often reset() or delay() moved a call later, or to the same time."""
    moved_sooner: int
    """How often reset() or delay() moved a call sooner."""
    bypassed: int
    """Calls scheduled by Twisted's own callLater(), which a hook has kept from before the wheel.
    Each takes 1.1 times as long as without the wheel.
    """
    passes: int
    """Passes: how often the reactor looked for expired calls."""
    idle_passes: int
    """Passes that ended without making a call."""
    calls_per_pass: Histogram
    """Calls made in each pass that made any."""
    lateness: Histogram
    """Seconds from the deadline of a call to the pass that made it, by the reactor's clock. It does
    not include the time of earlier calls in the same pass.
    """
    seconds_in_passes: float
    """Seconds in passes that made calls, by the monotonic clock."""
    longest_pass: float
    """The longest of these passes, in seconds."""
    next_deadline: float | None
    """The earliest deadline, by the reactor's clock, or None. If very many calls are close
    together, it may be a little early, as timeout() may.
    """
    memory: int
    """Bytes of the wheel and the pending calls, without functions and arguments."""
    elapsed: float
    """Seconds since you put the wheel in, by the monotonic clock."""


def stats(reactor: Any) -> Stats:
    """A snapshot of the figures of a reactor's wheel since you put it in.

    Takes constant time, with any number of calls pending. Raises ValueError if the reactor has no
    wheel.
    """
    figures = require_queue(reactor).figures_now()
    for name in ("lateness", "calls_per_pass"):
        figures[name] = Histogram.from_state(figures[name])
    return Stats(**figures)
