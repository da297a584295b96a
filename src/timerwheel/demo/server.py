"""The server: a TCP echo server with an idle timeout on each connection, and the timers of a busy
router beside it.

It runs in a process of its own, on one reactor, and writes what happens as lines of JSON: the port
it listens on, its progress, and at the end what it measured.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.protocol import Protocol, ServerFactory
from twisted.logger import LogEvent, globalLogPublisher
from twisted.protocols.policies import TimeoutMixin

from timerwheel.demo.ledger import Ledger
from timerwheel.demo.plan import MESSAGE_BYTES, REQUEST_TIMEOUT, Plan
from timerwheel.demo.result import ServerResult, percentile, resident_bytes
from timerwheel.demo.stopwatch import Stopwatch, section_cost

if TYPE_CHECKING:
    from timerwheel._install import ReactorName

CHURN_INTERVAL = 0.01
"""Seconds between two bursts of the background churn."""

PROGRESS_INTERVAL = 0.25
"""Seconds between two reports of progress."""


def install_reactor(side: str, name: str) -> Any:
    """Install the reactor.

    @param side: `"stock"` or `"ours"`.
    @param name: the reactor's short name.

    @return: the reactor.
    """
    if side == "stock":
        from twisted.application.reactors import installReactor

        installReactor(name)
    else:
        import timerwheel

        timerwheel.install(cast("ReactorName", name))
    return importlib.import_module("twisted.internet").reactor


def tell(event: str, **details: object) -> None:
    """Write one line of JSON for the process that started this one."""
    print(json.dumps({"event": event, **details}), flush=True)


class Echo(Protocol, TimeoutMixin):
    """Sends back what comes, and hangs up on a client that is silent for too long."""

    transport: Any

    def __init__(self, server: Server) -> None:
        self._server = server
        self._switch = server.stopwatch.switch

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        was = self._switch(True)
        self.setTimeout(self._server.idle_timeout)  # type: ignore[no-untyped-call]
        self._switch(was)
        self._server.connected(self)

    def dataReceived(self, data: bytes) -> None:
        was = self._switch(True)
        self.resetTimeout()  # type: ignore[no-untyped-call]
        self._switch(was)
        self._server.received += len(data)
        self.transport.write(data)

    def connectionLost(self, reason: object = None) -> None:
        was = self._switch(True)
        self.setTimeout(None)  # type: ignore[no-untyped-call]
        self._switch(was)
        self._server.disconnected(self)

    def timeoutConnection(self) -> None:
        self._server.idle_count += 1
        super().timeoutConnection()  # type: ignore[no-untyped-call]


class EchoFactory(ServerFactory):
    """Makes an `Echo` for each connection."""

    noisy = False

    def __init__(self, server: Server) -> None:
        self._server = server

    def buildProtocol(self, addr: object) -> Echo:
        return Echo(self._server)


class Timers:
    """All timers of the server but its idle timeouts: the extra ones, the churn and the probes.

    Each has a number, under which the `Ledger` knows it. Those of the churn are numbered in the
    order in which they are armed, so the oldest alive is cancelled by counting.

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
        """Arm the extra timers that are far from due."""
        for number, delay in enumerate(self._far_delays):
            self._arm(number, self._reactor.seconds(), delay, self._fired)

    def arm_near(self, opening: float) -> None:
        """Arm the extra timers of which some fall due in the run.

        @param opening: the reactor's time at which the measurement starts.
        """
        for number, deadline in enumerate(self._near_deadlines, len(self._far_delays)):
            self._arm_at(number, opening + deadline, self._fired)

    def arm_rest(self, opening: float) -> None:
        """Arm the probes, and the timers of the churn that are alive when it starts."""
        for number, deadline in enumerate(self._probe_deadlines, self._first_probe):
            self._arm_at(number, opening + deadline, self._probed)
        self._arm_requests(self._first_request, self._plan.requests)

    def churn(self, rounds: int) -> None:
        """
        Do some rounds of churn: arm new timers, push back those half way through their life, cancel
        the oldest.
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


class Passes:
    """How long one pass of the reactor keeps everything else waiting.

    @ivar longest: nanoseconds of CPU time, the most between two passes of the timers.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget what was seen."""
        self.longest = 0
        self._began = time.thread_time_ns()

    def begin(self) -> None:
        """A pass of the timers begins."""
        now = time.thread_time_ns()
        self.longest = max(self.longest, now - self._began)
        self._began = now


class Server:
    """One run: connect, arm, settle, measure, check, hang up.

    @ivar idle_timeout: seconds of silence after which a client is hung up on; longer than the run.
    @ivar idle_count: how many clients that happened to.
    @ivar received: bytes received so far.
    """

    def __init__(self, reactor: Any, plan: Plan) -> None:
        self._reactor = reactor
        self._plan = plan
        self.stopwatch = Stopwatch()
        self._passes = Passes()
        self._timers = Timers(reactor, plan, self.stopwatch)
        self._connections: set[Echo] = set()
        self._result: ServerResult | None = None
        self._problems: list[str] = []
        self.idle_timeout = 60 + int(2 * (plan.seconds + plan.lead))
        self.idle_count = 0
        self.received = 0

    def run(self, page: int | None) -> None:
        """Listen, and run until the work is done and all clients are gone.

        @param page: the port of the page; `None` for no page.
        """
        observer: Any = self._on_log
        globalLogPublisher.addObserver(observer)
        self._instrument()
        port = self._reactor.listenTCP(
            0, EchoFactory(self), backlog=self._plan.connections, interface="127.0.0.1"
        )
        tell("listening", port=port.getHost().port, page=self._open_page(page))
        self._reactor.run()

    def _open_page(self, port: int | None) -> str | None:
        if port is None:
            return None
        from timerwheel.demo.page import open_page

        return open_page(self._reactor, port)

    def connected(self, echo: Echo) -> None:
        """A client has connected; the last one starts the work."""
        self._connections.add(echo)
        if len(self._connections) == self._plan.connections:
            self._later(0.0, self._arm)

    def disconnected(self, echo: Echo) -> None:
        """A client is gone; the last one ends the run."""
        self._connections.discard(echo)
        if self._result is None:
            self._problem("a client left before the end")
        elif not self._connections:
            self._finish(self._result)

    def _instrument(self) -> None:
        """Put the stopwatch around what the reactor does for timers.

        What an instance holds is found before what its class holds, so one way does for any
        reactor.
        """
        reactor, run_until_current = self._reactor, self._reactor.runUntilCurrent

        def run_timers() -> None:
            self._passes.begin()
            was = self.stopwatch.switch(True)
            run_until_current()
            self.stopwatch.switch(was)

        reactor.runUntilCurrent = run_timers
        reactor.timeout = self.stopwatch.inside(reactor.timeout)
        self.stopwatch.watch_collector()

    def _later(self, delay: float, callback: Any) -> Any:
        was = self.stopwatch.switch(True)
        call = self._reactor.callLater(delay, self.stopwatch.outside(callback))
        self.stopwatch.switch(was)
        return call

    def _arm(self) -> None:
        """
        Arm the extra timers. The near ones and the probes last, and for times that do not depend on
        how long it takes: so that as many fire while measuring, however fast the reactor is.
        """
        self._resident_before = resident_bytes()
        self._timers.arm_far()
        self._began = self._reactor.seconds()
        opening = self._began + self._plan.lead
        self._timers.arm_near(opening)
        self._later(0.0, lambda: self._arm_rest(opening))
        self._progress()

    def _arm_rest(self, opening: float) -> None:
        """The reactor has had a pass to put the extra timers where it keeps them: go on."""
        self._resident_extra = resident_bytes() - self._resident_before
        self._timers.arm_rest(opening)
        now = self._reactor.seconds()
        self._opening = max(opening, now)
        self._later(self._opening - now, self._open)

    def _progress(self) -> None:
        tell("progress", seconds=self._reactor.seconds() - self._began)
        if self._result is None:
            self._later(PROGRESS_INTERVAL, self._progress)

    def _open(self) -> None:
        """Start to measure."""
        closing = self._opening + self._plan.seconds
        self._closing = self._later(closing - self._reactor.seconds(), self._close)
        self._received_before = self.received
        self._passes.restart()
        self._cpu = time.process_time()
        self._opened = time.perf_counter()
        self.stopwatch.restart()
        self._churn()

    def _churn(self) -> None:
        """Do as many rounds as are due by now, and come back."""
        share = min(1.0, (time.perf_counter() - self._opened) / self._plan.seconds)
        self._timers.churn(int(share * self._plan.rounds) - self._timers.rounds_done)
        if self._result is None:
            self._later(CHURN_INTERVAL, self._churn)

    def _close(self) -> None:
        """Do what is left of the churn, stop measuring, check, and hang up."""
        self._timers.churn(self._plan.rounds - self._timers.rounds_done)
        self._result = self._measured()
        self._problems += self._timers.ledger.problems(self._closing.getTime())
        if self.idle_count:
            self._problem(f"{self.idle_count:,} connections were taken for idle")
        if not self._connections:
            self._finish(self._result)
        for echo in self._connections:
            echo.transport.loseConnection()

    def _finish(self, result: ServerResult) -> None:
        """Hand over the result, and end the run."""
        result.messages_in_all = self.received // MESSAGE_BYTES
        result.problems = self._problems
        tell("result", **asdict(result))
        self._reactor.stop()

    def _measured(self) -> ServerResult:
        seconds = time.perf_counter() - self._opened
        cpu = time.process_time() - self._cpu
        spent, sections = self.stopwatch.spent, self.stopwatch.sections
        collecting = self.stopwatch.collecting
        stopwatch = sections * section_cost()
        reactor_class = type(self._reactor)
        return ServerResult(
            reactor=f"{reactor_class.__module__}.{reactor_class.__qualname__}",
            seconds=seconds,
            messages=(self.received - self._received_before) // MESSAGE_BYTES,
            messages_in_all=0,
            cpu=cpu,
            timers=(spent - stopwatch) / 1e9,
            stopwatch=stopwatch / 1e9,
            collecting=collecting / 1e9,
            lateness_p50=percentile(self._timers.lateness, 50),
            lateness_p99=percentile(self._timers.lateness, 99),
            lateness_max=percentile(self._timers.lateness, 100),
            longest_pass=self._passes.longest / 1e9,
            resident=resident_bytes(),
            resident_extra=self._resident_extra,
            churned=3 * self._timers.rounds_done,
            fired=self._timers.ledger.fired_count,
            probes=len(self._timers.lateness),
        )

    def _on_log(self, event: LogEvent) -> None:
        """Any failure that Twisted logs is one of the run's."""
        failure = event.get("log_failure")
        if failure is not None:
            self._problem(f"logged: {failure.getErrorMessage()}")

    def _problem(self, sentence: str) -> None:
        if sentence not in self._problems:
            self._problems.append(sentence)


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(description="the server of the demonstration")
    parser.add_argument("--side", choices=["stock", "ours"], required=True)
    parser.add_argument("--reactor", required=True)
    parser.add_argument("--plan", type=json.loads, required=True)
    parser.add_argument("--page", type=int)
    options = parser.parse_args()
    reactor = install_reactor(options.side, options.reactor)
    Server(reactor, Plan(**options.plan)).run(options.page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
