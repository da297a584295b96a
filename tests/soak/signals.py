"""Signals with handlers in Python, which use the reactor."""

from __future__ import annotations

import signal
from typing import Any

from tickets import Tickets

# Seconds between two alarms.
INTERVAL = 0.0005


class Signals:
    """The handlers. SIGUSR1 uses callFromThread(), as it should.

    SIGALRM uses callLater(), if is_direct. That may be late when the reactor
    sleeps, but wherever in the reactor's work it comes, it must do no harm. (On a
    reactor that another event loop wakes it might: in asyncio's heap.)
    """

    def __init__(self, reactor: Any, tickets: Tickets, is_direct: bool) -> None:
        self._reactor = reactor
        self._tickets = tickets
        signal.signal(signal.SIGUSR1, self._call_from_thread)
        signal.signal(signal.SIGALRM, self._call_later if is_direct else self._call_from_thread)

    def ring(self, is_on: bool) -> None:
        """Have alarms come, or none."""
        interval = INTERVAL if is_on else 0.0
        signal.setitimer(signal.ITIMER_REAL, interval, interval)

    def _call_from_thread(self, number: int, frame: object) -> None:
        self._reactor.callFromThread(self._tickets.redeem, self._tickets.issue())

    def _call_later(self, number: int, frame: object) -> None:
        self._reactor.callLater(0, self._tickets.redeem, self._tickets.issue())
