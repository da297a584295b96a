"""
How long an echo server's clients wait while it has a hundred thousand tasks ready to run.

    python bench/tasks/round_trip.py

The server runs in a process of its own, on timerwheel's epoll reactor. A client sends it a line and
waits for the answer, again and again: first while the server is idle, then while it runs 100,000
tasks of mixed priority, new ones in each of 20 rounds. Exits with 1 if the 99th percentile of the
round trips under tasks is more than the scheduler's budget and 5 ms.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
from math import ceil
from time import perf_counter
from typing import Any

TASKS = 100_000
ROUNDS = 20
IDLE_TRIPS = 2000
BUDGET = 0.005
"""Seconds: the scheduler's default."""
LIMIT = BUDGET + 0.005


def serve() -> None:
    """Answer lines with the number of tasks that are left; make new ones at the line `make`."""
    import timerwheel

    timerwheel.install("epoll")
    from twisted.internet import reactor as installed
    from twisted.internet.protocol import ServerFactory
    from twisted.protocols.basic import LineReceiver

    from timerwheel.tasks import Scheduler

    reactor: Any = installed
    scheduler = Scheduler(reactor, budget=BUDGET)

    class Answers(LineReceiver):
        left = 0
        seconds = 0.0

        def connectionMade(self) -> None:
            self.transport.setTcpNoDelay(True)

        def connectionLost(self, reason: object = None) -> None:
            reactor.stop()

        def lineReceived(self, line: bytes) -> None:
            if line == b"make":
                self.left = TASKS
                for number in range(TASKS):
                    scheduler.call(self.work, priority=number * 7919 % 100)
                self.began = perf_counter()
            self.sendLine(b"%d %f" % (self.left, self.seconds))

        def work(self) -> None:
            self.left -= 1
            if not self.left:
                self.seconds = perf_counter() - self.began

    factory = ServerFactory.forProtocol(Answers)
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    reactor.run()


class Client:
    """A connection to the server, and how long its answers took."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def ask(self, line: bytes) -> tuple[float, int, float]:
        """
        @return: seconds until the answer, how many tasks are left, and the seconds that all took.
        """
        began = perf_counter()
        self.socket.sendall(line + b"\r\n")
        left, seconds = self.file.readline().split()
        return perf_counter() - began, int(left), float(seconds)

    def trips_while_idle(self) -> list[float]:
        return [self.ask(b"ping")[0] for _ in range(IDLE_TRIPS)]

    def trips_while_tasks_run(self) -> tuple[list[float], float]:
        """
        @return: the seconds of each round trip, and how many that all tasks took.
        """
        trips: list[float] = []
        _, left, _ = self.ask(b"make")
        while left:
            trip, left, seconds = self.ask(b"ping")
            trips.append(trip)
        return trips, seconds

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def percentile(trips: list[float], share: float) -> float:
    return sorted(trips)[ceil(len(trips) * share) - 1]


def print_trips(name: str, trips: list[float]) -> None:
    p50, p99 = (percentile(trips, share) * 1e3 for share in (0.5, 0.99))
    print(f"{name:16} {len(trips):6,} {p50:10.3f} {p99:10.3f} {max(trips) * 1e3:10.3f}")


def measure() -> int:
    """
    @return: the exit code.
    """
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    client = Client(int(server.stdout.readline()))
    idle = client.trips_while_idle()
    rounds = [client.trips_while_tasks_run() for _ in range(ROUNDS)]
    client.close()
    if server.wait(timeout=60):
        print(f"FAILED: the server's exit code is {server.returncode}", file=sys.stderr)
        return 1
    busy = [trip for trips, _ in rounds for trip in trips]
    rate = TASKS * ROUNDS / sum(seconds for _, seconds in rounds)
    print(f"{'round trips':16} {'':>6} {'p50 ms':>10} {'p99 ms':>10} {'max ms':>10}")
    print_trips("idle", idle)
    print_trips("while tasks run", busy)
    print(f"{rate:,.0f} tasks a second; a budget of {BUDGET * 1e3:g} ms")
    if percentile(busy, 0.99) > LIMIT:
        print(f"FAILED: p99 is more than {LIMIT * 1e3:g} ms", file=sys.stderr)
        return 1
    return 0


def main() -> int:
    """Measure, or serve in the process that is measured."""
    parser = argparse.ArgumentParser(
        description="Measure an echo server's round trips while tasks run.",
        epilog="exit codes: 0 all well, 1 the round trips took too long",
    )
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    if parser.parse_args().serve:
        serve()
        return 0
    return measure()


if __name__ == "__main__":
    sys.exit(main())
