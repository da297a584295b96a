"""Count the instructions that whole servers take for a message: a yardstick without noise.

    python bench/servers/messages.py [--json]

Runs the echo server and twisted.web of `end_to_end.py`, on the stock epoll reactor and on ours,
under valgrind's callgrind. The clients are in the same process, and the count leaves them out. Each
turn of the reactor answers ten messages. The script moves the clock by hand, so timers fire in the
same turns on both sides. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

# What the folders of bench share is found from there.
sys.path.insert(0, str(Path(__file__).parents[1]))

from end_to_end_load import EchoTalk, WebTalk
from instructions import read_dump

SIDES = ("stock", "ours")
MESSAGES = 10
"""Messages a turn."""

TURNS = 100
"""Turns that are counted."""

TURN = 0.01
"""Seconds that a turn takes by the server's clock."""

HEARTBEAT = 1.0
"""Seconds between the heartbeats of a connection."""


@dataclass(frozen=True)
class Workload:
    """A server and what is connected to it."""

    title: str
    talk: type[EchoTalk | WebTalk]
    connections: int
    heartbeats: bool = False


WORKLOADS = {
    "echo": Workload("echo server, 50 connections", EchoTalk, 50),
    "web": Workload("twisted.web, 50 connections", WebTalk, 50),
    "heartbeats": Workload("echo server, 1,000 connections with heartbeats", EchoTalk, 1000, True),
}


class Client:
    """One connection."""

    def __init__(self, number: int, port: int, talk: Any) -> None:
        self._number, self._talk = number, talk
        self._sent = 0
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self) -> None:
        """Send the next message."""
        self._request = self._talk.request(self._number, self._sent)
        self._sent += 1
        self.socket.sendall(self._request)

    def check(self) -> None:
        """Receive the answer, and fail if it is wrong. (Heartbeats may be around it.)"""
        answer = self.socket.recv(65536).strip(b".")
        assert self._talk.right(answer, self._request), answer


class Bench:
    """One server on one reactor, turned by hand."""

    def __init__(self, reactor: Any, workload: Workload) -> None:
        from end_to_end_server import EchoFactory, Meter, web_site

        self._reactor = reactor
        self._now = [1e9]
        # In C, as time.time is.
        reactor.seconds = partial(self._now.__getitem__, 0)
        factory = EchoFactory(Meter(1)) if workload.talk is EchoTalk else web_site(Meter(1))
        if workload.heartbeats:
            self._add_heartbeats(factory)
        port = reactor.listenTCP(0, factory, backlog=1024, interface="127.0.0.1").getHost().port
        reactor.startRunning(installSignalHandlers=False)
        talk = workload.talk()
        self._clients = []
        for number in range(workload.connections):
            self._clients.append(Client(number, port, talk))
            self._turn()
        self._next = 0
        self._asked: list[Client] = []

    def run(self, uncounted: Callable[..., Any]) -> None:
        """Answer messages for some turns. (Twisted writes in the turn after it has read.)"""
        for _ in range(TURNS):
            asked, self._asked = self._asked, uncounted(self._send)
            self._turn()
            uncounted(self._check, asked)

    def _send(self) -> list[Client]:
        self._now[0] += TURN
        first = self._next
        count = len(self._clients)
        self._next = (first + MESSAGES) % count
        clients = [self._clients[(first + n) % count] for n in range(MESSAGES)]
        for client in clients:
            client.send()
        return clients

    def _check(self, clients: list[Client]) -> None:
        for client in clients:
            client.check()

    def _turn(self) -> None:
        """As ReactorBase.mainLoop does."""
        reactor = self._reactor
        reactor.runUntilCurrent()
        timeout = reactor.timeout()
        reactor.doIteration(reactor.running and timeout)

    def _add_heartbeats(self, factory: Any) -> None:
        """Have each connection send one now and then, spread evenly over the seconds."""
        reactor = self._reactor
        build = factory.buildProtocol
        made = 0

        def beat(protocol: Any) -> None:
            protocol.transport.write(b".")
            reactor.callLater(HEARTBEAT, beat, protocol)

        def build_with_heartbeat(address: object) -> Any:
            nonlocal made
            protocol = build(address)
            reactor.callLater(HEARTBEAT * (1 + made / 1000), beat, protocol)
            made += 1
            return protocol

        factory.buildProtocol = build_with_heartbeat


def count_here(side: str, name: str) -> None:
    """Count one workload on one side, in this process, which runs under callgrind."""
    from operations.parties import build

    from timerwheel.commands.demo.server import install_reactor

    callgrind = build("callgrind")
    bench = Bench(install_reactor(side, "epoll"), WORKLOADS[name])
    for _ in range(2):
        bench.run(lambda function, *arguments: function(*arguments))
    run = partial(bench.run, callgrind.uncounted)
    callgrind.count(run, f"{name} {TURNS * MESSAGES}".encode())


def count(side: str, name: str) -> float:
    """The instructions of one message, from a process under callgrind."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--quiet"]
        command += [f"--callgrind-out-file={folder}/out", sys.executable, __file__]
        # The same layout of dicts each time.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        subprocess.run([*command, "--here", side, name], check=True, env=environment)
        (dump,) = (
            path for path in Path(folder).glob("out.*") if "Client Request" in path.read_text()
        )
        return read_dump(dump)[1]["all"]


def main() -> int:
    """Count as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument("--here", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        count_here(*options.here)
        return 0
    counts = {name: {side: count(side, name) for side in SIDES} for name in WORKLOADS}
    if options.json:
        print(json.dumps(counts, indent=1))
        return 0
    print(f"{'Instructions a message':<50}{'stock':>10}{'ours':>10}{'ours / stock':>14}")
    for name, found in counts.items():
        stock, ours = (found[side] for side in SIDES)
        print(f"{WORKLOADS[name].title:<50}{stock:>10,.0f}{ours:>10,.0f}{ours / stock:>14.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
