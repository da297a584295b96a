"""
The servers of `end_to_end.py`: an echo server with an idle timeout on each connection, and a web
server with a tiny page.

It runs in a process of its own, on one reactor, and writes lines of JSON: its port; its
measurements; and, after SIGTERM, the number of answers and the faults.

With `--instrument`, a stopwatch runs while the program is in timers: in `callLater`, `cancel`,
`reset` and `delay`, in `runUntilCurrent` and `timeout`, and in the part of `doIteration` that is
not the reactor class's own. It does not run in the callbacks or in the garbage collector. It
subtracts its own time for each section, which is its reading for an empty one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from typing import Any

from end_to_end_load import BODY, MESSAGE_BYTES
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.logger import LogEvent, globalLogBeginner
from twisted.protocols.policies import TimeoutMixin

from timerwheel.commands.demo.server import install_reactor, tell
from timerwheel.commands.demo.stopwatch import Stopwatch, section_cost

IDLE_TIMEOUT = 60.0
"""Seconds after which the echo server hangs up on a silent client; the web server's own default."""

WARM_UP = 0.3
"""Seconds from the first messages to the measurement."""


class Meter:
    """
    How much was answered.

    @ivar amount: what was answered, in bytes or in requests.
    @ivar idle: connections that were taken for idle.
    """

    def __init__(self, unit: int) -> None:
        self._unit = unit
        self.amount = 0
        self.idle = 0

    @property
    def messages(self) -> int:
        """Messages answered."""
        return self.amount // self._unit


class Echo(Protocol, TimeoutMixin):
    """Sends back what comes, and hangs up on a client that is silent for too long."""

    transport: Any

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.setTimeout(IDLE_TIMEOUT)

    def dataReceived(self, data: bytes) -> None:
        self.resetTimeout()
        self._meter.amount += len(data)
        self.transport.write(data)

    def connectionLost(self, reason: object = None) -> None:
        self.setTimeout(None)

    def timeoutConnection(self) -> None:
        self._meter.idle += 1
        super().timeoutConnection()


class EchoFactory(ServerFactory):
    """Makes an `Echo` for each connection."""

    noisy = False

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def buildProtocol(self, addr: object) -> Echo:
        return Echo(self._meter)


def web_site(meter: Meter) -> Any:
    """
    @return: a site of one page, with every setting as Twisted has it.
    """
    # Imported once the reactor is installed: twisted.web would install the default one.
    from twisted.web.resource import Resource
    from twisted.web.server import Site

    class Page(Resource):
        isLeaf = True

        def render_GET(self, request: object) -> bytes:
            meter.amount += 1
            return BODY

    site = Site(Page())
    site.noisy = False
    return site


# The instrument


class TimedCall:
    """The handle of a timer, with the stopwatch around what moves it and cancels it."""

    def __init__(self, call: Any, timers: TimersWatch) -> None:
        self.active = call.active
        self.getTime = call.getTime
        self.cancel = timers.watched("cancel", call.cancel)
        self.reset = timers.watched("reset", call.reset)
        self.delay = timers.watched("delay", call.delay)


class TimersWatch:
    """
    The stopwatch around all that a reactor does for timers, and how often it does what.

    What an instance holds is found before what its class holds, so one way does for any reactor
    that runs Twisted's own loop.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._stopwatch = Stopwatch()
        self._stopwatch.watch_collector()
        self._calls: Counter[str] = Counter()
        kind = type(reactor)
        # Only the class's own part of the wait is stopped for: ours sets an alarm before it.
        kind.doIteration = self._stopwatch.outside(kind.doIteration)
        if "doIteration" not in vars(reactor):
            reactor.doIteration = kind.doIteration.__get__(reactor)
        reactor.doIteration = self._stopwatch.inside(reactor.doIteration)
        reactor.timeout = self._stopwatch.inside(reactor.timeout)
        reactor.runUntilCurrent = self.watched("runUntilCurrent", reactor.runUntilCurrent)
        self._call_later = reactor.callLater
        reactor.callLater = self._timed_call_later

    def watched(self, name: str, function: Any) -> Any:
        """
        @return: a function that calls `function` with the stopwatch on, and counts it as `name`.
        """
        timed = self._stopwatch.inside(function)

        def counted(*args: object) -> Any:
            self._calls[name] += 1
            return timed(*args)

        return counted

    def restart(self) -> None:
        """Forget what was seen so far."""
        self._calls.clear()
        self._stopwatch.restart()

    def reading(self, messages: int) -> dict[str, Any]:
        """
        @return: for each of `messages` messages, microseconds in timers, and how often what was
            called.
        """
        spent = self._stopwatch.spent - self._stopwatch.sections * section_cost()
        calls = {name: count / messages for name, count in sorted(self._calls.items())}
        return {"timers": spent / messages / 1e3, "calls": calls}

    def _timed_call_later(self, delay: float, function: Any, *args: object) -> TimedCall:
        self._calls["callLater"] += 1
        callback = self._stopwatch.outside(function)
        was = self._stopwatch.switch(True)
        call = self._call_later(delay, callback, *args)
        self._stopwatch.switch(was)
        return TimedCall(call, self)


# The run


class Server:
    """
    One run: listen, warm up, measure, and serve on until SIGTERM.
    """

    def __init__(self, reactor: Any, workload: str, seconds: float, *, instrument: bool) -> None:
        self._reactor = reactor
        self._seconds = seconds
        self._problems: list[str] = []
        self._watch = TimersWatch(reactor) if instrument else None
        self._meter = Meter(MESSAGE_BYTES if workload == "echo" else 1)
        self._factory = EchoFactory(self._meter) if workload == "echo" else web_site(self._meter)

    def run(self) -> None:
        """Do it all."""
        observers: Any = [self._on_log]
        globalLogBeginner.beginLoggingTo(observers, redirectStandardIO=False)
        port = self._reactor.listenTCP(0, self._factory, backlog=1024, interface="127.0.0.1")
        tell("listening", port=port.getHost().port)
        self._reactor.callWhenRunning(self._await_load)
        self._reactor.run()
        if self._meter.idle:
            self._problems.append(f"{self._meter.idle:,} connections were taken for idle")
        left = len(self._reactor.getDelayedCalls())
        if left:
            self._problems.append(f"{left:,} timers were left when the reactor had stopped")
        tell("stopped", messages=self._meter.messages, problems=self._problems)

    def _await_load(self) -> None:
        if self._meter.messages:
            self._reactor.callLater(WARM_UP, self._open)
        else:
            self._reactor.callLater(0.02, self._await_load)

    def _open(self) -> None:
        self._reactor.callLater(self._seconds, self._close)
        self._messages = self._meter.messages
        self._opened, self._cpu = time.perf_counter(), time.process_time()
        if self._watch is not None:
            self._watch.restart()

    def _close(self) -> None:
        seconds = time.perf_counter() - self._opened
        cpu = time.process_time() - self._cpu
        messages = self._meter.messages - self._messages
        kind = type(self._reactor)
        tell(
            "measured",
            reactor=f"{kind.__module__}.{kind.__qualname__}",
            rate=messages / seconds,
            cpu=1000 * cpu / messages if messages else 0.0,
            **(self._watch.reading(messages) if self._watch is not None and messages else {}),
        )
        if not messages:
            self._problems.append("no message came while it measured")

    def _on_log(self, event: LogEvent) -> None:
        """Any failure that Twisted logs is one of the run's."""
        failure = event.get("log_failure")
        if failure is not None:
            sentence = f"logged: {failure.getErrorMessage()}"
            if sentence not in self._problems:
                self._problems.append(sentence)


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(description="the servers of end_to_end.py")
    parser.add_argument("--side", choices=["stock", "ours"], required=True)
    parser.add_argument("--reactor", required=True)
    parser.add_argument("--workload", choices=["echo", "web"], required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--instrument", action="store_true")
    options = parser.parse_args()
    reactor = install_reactor(options.side, options.reactor)
    Server(reactor, options.workload, options.seconds, instrument=options.instrument).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
