"""The server: a TCP echo server with an idle timeout on each connection, and the timers of a busy
router.

It runs in a process of its own, on one reactor. It writes lines of JSON: its port, its progress,
and at the end its measurements.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from twisted.logger import LogEvent, globalLogPublisher

from timerwheel.commands.demo.echo import Echo, EchoFactory
from timerwheel.commands.demo.passes import Passes
from timerwheel.commands.demo.plan import MESSAGE_BYTES, Plan
from timerwheel.commands.demo.result import ServerResult, percentile, resident_bytes
from timerwheel.commands.demo.stopwatch import Stopwatch, section_cost
from timerwheel.commands.demo.timers import Timers
from timerwheel.commands.side_process import class_name

if TYPE_CHECKING:
    from timerwheel._reactors import ReactorName

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


class Server:
    """One run: connect, schedule, settle, measure, check, hang up.

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
        from timerwheel.commands.demo.page import open_page

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

        Python finds an instance's attribute before its class's, so this works for any reactor.
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
        """Schedule the extra timers. The near ones and the probes come last, for times that do not
        depend on how long this takes. So the same number fires while measuring, however fast the
        reactor is.
        """
        self._resident_before = resident_bytes()
        self._timers.arm_far()
        self._began = self._reactor.seconds()
        opening = self._began + self._plan.lead
        self._timers.arm_near(opening)
        self._later(0.0, lambda: self._arm_rest(opening))
        self._progress()

    def _arm_rest(self, opening: float) -> None:
        """Go on, once the reactor has had a pass to store the extra timers."""
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
        """Do the rounds of churn up to now, and schedule the next ones."""
        share = min(1.0, (time.perf_counter() - self._opened) / self._plan.seconds)
        self._timers.churn(int(share * self._plan.rounds) - self._timers.rounds_done)
        if self._result is None:
            self._later(CHURN_INTERVAL, self._churn)

    def _close(self) -> None:
        """Do the rest of the churn, stop measuring, check, and hang up."""
        self._timers.churn(self._plan.rounds - self._timers.rounds_done)
        self._result = self._measured()
        self._problems += self._timers.ledger.problems(self._closing.getTime())
        if self.idle_count:
            self._problem(f"{self.idle_count:,} connections timed out as idle")
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
        return ServerResult(
            reactor=class_name(self._reactor),
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
