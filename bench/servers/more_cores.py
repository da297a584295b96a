"""Requests a second of one process, and of several that share its port, each with a wheel.

    python bench/servers/more_cores.py [--processes 2] [--work 1000] [--connections 64]
        [--seconds 5]

Each request is a byte, for which the server computes for some microseconds of processor time,
pushes an idle timeout back, and answers with a byte. The connections are kept, and each has one
request at a time. One process and the ways to share its port take turns. The clients are one more
process, which needs a processor, too: with two processors, two servers cannot reach 2 x.

Last in a row is how many connections each process got: the kernel gives these out, not requests.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import selectors
import socket
import statistics
import subprocess
import sys
import time
from typing import Any

WARM_UP = 0.5  # seconds
IDLE_TIMEOUT = 60.0  # seconds
INHERITED, REUSED = "inherited", "SO_REUSEPORT"


def compute(rounds: int) -> None:
    """What a server does for a request."""
    hashlib.pbkdf2_hmac("sha256", b"key", b"salt", rounds)


def rounds_for(microseconds: float) -> int:
    """How many rounds take so long."""
    rounds = 10_000
    start = time.process_time()
    compute(rounds)
    return max(1, round(rounds * microseconds / 1e6 / (time.process_time() - start)))


# A server.


def serve(way: str, place: int, rounds: int) -> None:
    """Serve a port, inherited or shared, until SIGTERM. Prints how many connections came."""
    import timerwheel

    timerwheel.install()
    from twisted.internet import reactor
    from twisted.internet.protocol import Factory, Protocol
    from twisted.protocols.policies import TimeoutMixin

    class Server(Protocol, TimeoutMixin):
        transport: Any

        def connectionMade(self) -> None:
            came.append(self)
            self.setTimeout(IDLE_TIMEOUT)

        def dataReceived(self, data: bytes) -> None:
            self.resetTimeout()
            compute(rounds)
            self.transport.write(b"!")

        def connectionLost(self, reason: object = None) -> None:
            self.setTimeout(None)

    came: list[Protocol] = []
    any_reactor: Any = reactor
    with listener_at(place) if way == REUSED else socket.socket(fileno=place) as listener:
        factory = Factory.forProtocol(Server)
        any_reactor.adoptStreamPort(listener.fileno(), socket.AF_INET, factory)
    any_reactor.callWhenRunning(print, "ready", flush=True)
    any_reactor.run()
    print(len(came))


def listener_at(port: int) -> socket.socket:
    """A socket that listens at a port, as others may."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(1000)
    listener.setblocking(False)
    return listener


# The clients.


def drive(port: int, connections: int, seconds: float) -> None:
    """Have each connection ask again and again. Prints the requests a second."""
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        client = socket.create_connection(("127.0.0.1", port), timeout=60)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(b"?")
        selector.register(client, selectors.EVENT_READ)
    begin = time.perf_counter() + WARM_UP
    end = begin + seconds
    answered = 0
    while (now := time.perf_counter()) < end:
        for key, _ in selector.select(end - now):
            client: Any = key.fileobj
            if client.recv(1) != b"!":
                raise SystemExit("a server has hung up")
            client.sendall(b"?")
            answered += now >= begin
    print(answered / seconds)


# A measurement.


def measure(way: str, processes: int, options: argparse.Namespace) -> tuple[float, list[int]]:
    """Requests a second, and the connections of each process."""
    with socket.socket() as first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        first.bind(("127.0.0.1", 0))
        port = first.getsockname()[1]
        if way == INHERITED:
            first.listen(1000)
            first.setblocking(False)
        place = first.fileno() if way == INHERITED else port
        command = [sys.executable, __file__, "--serve", way, str(place), str(options.rounds)]
        keep = [place] if way == INHERITED else []
        servers = [
            subprocess.Popen(command, pass_fds=keep, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]
    try:
        for server in servers:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
        clients = [str(port), str(options.connections), str(options.seconds)]
        driven = subprocess.run(
            [sys.executable, __file__, "--drive", *clients], check=True, capture_output=True
        )
    finally:
        for server in servers:
            server.terminate()
        came = [int(server.communicate()[0] or 0) for server in servers]
    return float(driven.stdout), sorted(came)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--work", type=float, default=1000, help="microseconds for a request")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--drive", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        way, *numbers = options.serve
        serve(way, *map(int, numbers))
        return 0
    if options.drive:
        port, connections, seconds = options.drive
        drive(int(port), int(connections), float(seconds))
        return 0
    options.rounds = rounds_for(options.work)
    many = options.processes
    ways = {"one process": (INHERITED, 1)}
    ways.update({f"{many} processes, {way}": (way, many) for way in (INHERITED, REUSED)})
    rates: dict[str, list[float]] = {name: [] for name in ways}
    shares: dict[str, list[int]] = {}
    for _ in range(options.repeats):
        for name, (way, processes) in ways.items():
            rate, shares[name] = measure(way, processes, options)
            rates[name].append(rate)
    print(f"{os.cpu_count()} processors, {options.work:g} us of work for a request")
    first = statistics.median(rates["one process"])
    for name, found in rates.items():
        rate = statistics.median(found)
        print(
            f"{name:<26}{rate:8,.0f} requests a second ({min(found):,.0f} to {max(found):,.0f})"
            f"{rate / first:6.2f} x   connections {' '.join(map(str, shares[name]))}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
