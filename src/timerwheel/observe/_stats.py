"""The figures of a reactor's wheel, which the extension counts all the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from timerwheel.observe._histogram import Histogram
from timerwheel.observe._wheel import require_queue


@dataclass(frozen=True, slots=True)
class Stats:
    """What a reactor's wheel has done since it was put in. Counts only grow, but for pending."""

    pending: int
    """Calls that are to be made."""
    scheduled: int
    """Calls that have come in, those that accelerate() moved over included."""
    fired: int
    """Calls that were made."""
    failed: int
    """Calls that were made and raised an exception."""
    cancelled: int
    """Calls that were cancelled while they were pending."""
    moved_later: int
    """How often reset() or delay() moved a call later, or to the same time."""
    moved_sooner: int
    """How often they moved one sooner."""
    bypassed: int
    """Scheduled calls that came by Twisted's own callLater(), which a hook has kept from before
    the wheel was put in. They cost 1.1 times what they cost without the wheel.
    """
    passes: int
    """How often the reactor looked for calls that are due."""
    idle_passes: int
    """Passes that have ended and made no call."""
    calls_per_pass: Histogram
    """Calls made by a pass, of the passes that made any."""
    lateness: Histogram
    """Seconds from the deadline of a call to the pass that made it, by the reactor's clock. What
    earlier calls of the same pass took is not in it.
    """
    seconds_in_passes: float
    """Seconds in passes that made calls, by the monotonic clock."""
    longest_pass: float
    """The longest of these, seconds."""
    next_deadline: float | None
    """The earliest deadline, as the reactor's clock reads, or None. Where very many calls are
    close together it may be a little before it, as timeout() may.
    """
    memory: int
    """Bytes of the wheel and the pending calls, without functions and arguments."""
    elapsed: float
    """Seconds since the wheel was put in, by the monotonic clock."""


def stats(reactor: Any) -> Stats:
    """A snapshot of what a reactor's wheel has counted since it was put in.

    Takes constant time, however many calls are pending. Raises ValueError if the reactor has no
    wheel.
    """
    figures = require_queue(reactor).figures_now()
    for name in ("lateness", "calls_per_pass"):
        figures[name] = Histogram.from_state(figures[name])
    return Stats(**figures)
