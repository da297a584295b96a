"""The timers of a busy router, in addition to those of the echo service."""

from __future__ import annotations

from typing import Any

from timerwheel.commands.demo.ledger import Ledger
from timerwheel.commands.demo.plan import REQUEST_TIMEOUT, Plan
from timerwheel.commands.demo.stopwatch import Stopwatch


class Timers:
    """All timers of the server except its idle timeouts: the extra ones, the churn and the probes.

    Each has a number in the `Ledger`. Those of the churn have numbers in the order of scheduling,
    so counting finds the oldest one to cancel.

    @ivar lateness: seconds between a probe's deadline and its callback.
    @ivar rounds_done: how many rounds of churn are done.
    """

    def __init__(self, reactor: Any, plan: Plan, stopwatch: Stopwatch) -> None:
        self._reactor = reactor
        self._plan = plan
        self._switch = stopwatch.switch
        self._far_delays = plan.far_delays()
        self._near_deadlines = plan.near_deadlines()
        self._probe_deadlines = plan.probe_deadlines()
        self._first_request = plan.timers
        self._first_probe = self._first_request + plan.requests + plan.rounds
        size = self._first_probe + len(self._probe_deadlines)
        self.ledger = Ledger(size)
        self._calls: list[Any] = [None] * size
        self._fired = stopwatch.outside(self._record)
        self._probed = stopwatch.outside(self._probe)
        self.lateness: list[float] = []
        self.rounds_done = 0

    def arm_far(self) -> None:
        """Schedule the extra timers with far deadlines."""
        for number, delay in enumerate(self._far_delays):
            self._arm(number, self._reactor.seconds(), delay, self._fired)

    def arm_near(self, opening: float) -> None:
        """Schedule the extra timers, some of which expire in the run.

        @param opening: the reactor's time at which the measurement starts.
        """
        for number, deadline in enumerate(self._near_deadlines, len(self._far_delays)):
            self._arm_at(number, opening + deadline, self._fired)

    def arm_rest(self, opening: float) -> None:
        """Schedule the probes, and the timers of the churn that are pending when it starts."""
        for number, deadline in enumerate(self._probe_deadlines, self._first_probe):
            self._arm_at(number, opening + deadline, self._probed)
        self._arm_requests(self._first_request, self._plan.requests)

    def churn(self, rounds: int) -> None:
        """Do some rounds of churn: schedule new timers, push back the half-old ones, cancel the
        oldest.
        """
        oldest = self._first_request + self.rounds_done
        self._arm_requests(oldest + self._plan.requests, rounds)
        self._push_back(oldest + self._plan.requests // 2, rounds)
        self._cancel(oldest, rounds)
        self.rounds_done += rounds

    def _arm_at(self, number: int, deadline: float, callback: object) -> None:
        now = self._reactor.seconds()
        self._arm(number, now, max(0.0, deadline - now), callback)

    def _arm(self, number: int, before: float, delay: float, callback: object) -> None:
        was = self._switch(True)
        self._calls[number] = self._reactor.callLater(delay, callback, number)
        self._switch(was)
        self.ledger.due(number, before + delay, self._reactor.seconds() + delay)

    def _arm_requests(self, first: int, count: int) -> None:
        numbers = range(first, first + count)
        calls, call_later, fired = self._calls, self._reactor.callLater, self._fired
        before = self._reactor.seconds()
        was = self._switch(True)
        for number in numbers:
            calls[number] = call_later(REQUEST_TIMEOUT, fired, number)
        self._switch(was)
        self._requests_due(numbers, before)

    def _push_back(self, first: int, count: int) -> None:
        numbers = range(first, first + count)
        calls = self._calls[first : first + count]
        before = self._reactor.seconds()
        was = self._switch(True)
        for call in calls:
            call.reset(REQUEST_TIMEOUT)
        self._switch(was)
        self._requests_due(numbers, before)

    def _cancel(self, first: int, count: int) -> None:
        calls = self._calls[first : first + count]
        was = self._switch(True)
        for call in calls:
            call.cancel()
        self._switch(was)
        for number in range(first, first + count):
            self._calls[number] = None
            self.ledger.cancelled(number)

    def _requests_due(self, numbers: range, before: float) -> None:
        soonest = before + REQUEST_TIMEOUT
        latest = self._reactor.seconds() + REQUEST_TIMEOUT
        for number in numbers:
            self.ledger.due(number, soonest, latest)

    def _record(self, number: int) -> None:
        self.ledger.fired(number, self._reactor.seconds())
        self._calls[number] = None

    def _probe(self, number: int) -> None:
        now = self._reactor.seconds()
        self.ledger.fired(number, now)
        self.lateness.append(now - self._calls[number].getTime())
        self._calls[number] = None
