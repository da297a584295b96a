"""Threads that have the reactor schedule calls for them, all the time."""

from __future__ import annotations

from random import Random
from threading import Event, Thread
from typing import Any

from plan import SEED
from tickets import Tickets

THREADS = 2

# Each schedules so many calls, and then rests for so many seconds.
BURST = 20
REST = 0.02

# The longest delay of a call.
LONGEST = 0.5


class Hammer:
    """The threads."""

    def __init__(self, reactor: Any, tickets: Tickets) -> None:
        self._reactor = reactor
        self._tickets = tickets
        self._over = Event()
        self._threads = [
            Thread(target=self._schedule, args=(Random(SEED + number),), daemon=True)
            for number in range(THREADS)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End. Returns when no thread will schedule any more."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _schedule(self, chance: Random) -> None:
        reactor, tickets = self._reactor, self._tickets
        while not self._over.wait(REST):
            for _ in range(BURST):
                delay = LONGEST * chance.random()
                number = tickets.issue(delay)
                reactor.callFromThread(reactor.callLater, delay, tickets.redeem, number)
