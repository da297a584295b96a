"""The figures of a reactor's wheel, which the extension counts all the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from timerwheel.observe._histogram import Histogram
from timerwheel.observe._wheel import require_queue


@dataclass(frozen=True, slots=True)
class Stats:
    """What a reactor's wheel has done since it was put in. Counts only grow, but for pending.

    Attributes:
        pending: calls that are to be made.
        scheduled: calls that have come in, those that accelerate() moved over included.
        fired: calls that were made.
        failed: calls that were made and raised an exception.
        cancelled: calls that were cancelled while they were pending.
        moved_later: how often reset() or delay() moved a call later, or to the same time.
        moved_sooner: how often they moved one sooner.
        bypassed: scheduled calls that came by Twisted's own callLater(), which a hook has kept from
            before the wheel was put in. They cost what they cost without the wheel.
        passes: how often the reactor looked for calls that are due.
        idle_passes: passes that have ended and made no call.
        calls_per_pass: calls made by a pass, of the passes that made any.
        lateness: seconds from the deadline of a call to the pass that made it, by the reactor's
            clock. What earlier calls of the same pass took is not in it.
        seconds_in_passes: seconds in passes that made calls, by the monotonic clock.
        longest_pass: the longest of these, seconds.
        next_deadline: the earliest deadline, as the reactor's clock reads, or None. Where very many
            calls are close together it may be a little before it, as timeout() may.
        memory: bytes of the wheel and the pending calls, without functions and arguments.
        elapsed: seconds since the wheel was put in, by the monotonic clock.
    """

    pending: int
    scheduled: int
    fired: int
    failed: int
    cancelled: int
    moved_later: int
    moved_sooner: int
    bypassed: int
    passes: int
    idle_passes: int
    calls_per_pass: Histogram
    lateness: Histogram
    seconds_in_passes: float
    longest_pass: float
    next_deadline: float | None
    memory: int
    elapsed: float


def stats(reactor: Any) -> Stats:
    """A snapshot of what a reactor's wheel has counted since it was put in.

    Takes constant time, however many calls are pending. Raises ValueError if the reactor has no
    wheel.
    """
    figures = require_queue(reactor).figures_now()
    for name in ("lateness", "calls_per_pass"):
        figures[name] = Histogram.from_state(figures[name])
    return Stats(**figures)
