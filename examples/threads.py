"""Slow work in threads, the shortest first, while timers go on ticking.

    python examples/threads.py --port 8008 --threads 2

Then `telnet localhost 8008`. A thread hashes each line, which takes a while. It reports progress
with callFromThread, and returns its result through deferToThread. A tick comes every --tick
seconds, however busy the threads are. On SIGTERM or control-C, the server still answers the lines
that it has received.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from typing import Any

import timerwheel

timerwheel.install()

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import ServerFactory
from twisted.internet.threads import deferToThread
from twisted.protocols.basic import LineReceiver

from timerwheel.tasks import Scheduler, SchedulerClosedError

STEPS = 4
ROUNDS = 50_000  # of each step


def digest_slowly(text: bytes, tell: Callable[[bytes], None]) -> bytes:
    """Hash a text. This runs in a thread, so tell() must be safe to call there."""
    digest = text
    for step in range(STEPS):
        tell(b"%b %d%%" % (text, 100 * step // STEPS))
        digest = hashlib.pbkdf2_hmac("sha256", digest, b"salt", ROUNDS)
    return digest


class Hasher(LineReceiver):
    """A client's connection."""

    def connectionMade(self) -> None:
        self.gone: Deferred[None] = Deferred()
        self.factory.clients.add(self)

    def lineReceived(self, line: bytes) -> None:
        Deferred.fromCoroutine(self.answer(line))

    async def answer(self, line: bytes) -> None:
        try:
            digest = await self.factory.hash(line, self.tell)
        except SchedulerClosedError:
            self.sendLine(b"too late")
        else:
            self.sendLine(line + b" " + digest.hex().encode())

    def tell(self, line: bytes) -> None:
        """Send a line. You can call this in any thread."""
        reactor.callFromThread(self.sendLine, line)

    def connectionLost(self, reason: object) -> None:
        self.factory.clients.remove(self)
        self.gone.callback(None)


class Server(ServerFactory):
    """The state that all clients share."""

    protocol = Hasher

    def __init__(self, threads: int, tick: float) -> None:
        reactor.suggestThreadPoolSize(threads)
        self.scheduler = Scheduler(reactor)
        # The group has the limit, not the scheduler, so that the tick never waits for a thread.
        self.threads = self.scheduler.group("threads", max_running=threads)
        self.scheduler.call_every(tick, self.tick, now=False)
        self.clients: set[Hasher] = set()

    def hash(self, text: bytes, tell: Callable[[bytes], None]) -> Any:
        """Hash a text in a thread. Short texts go before long ones."""
        return self.scheduler.call(
            deferToThread, digest_slowly, text, tell, group=self.threads, priority=len(text)
        )

    def tick(self) -> None:
        for client in self.clients:
            client.sendLine(b"tick")

    async def stop(self) -> None:
        """Answer all received lines, and hang up."""
        await self.scheduler.close()
        for client in self.clients:
            client.transport.loseConnection()
        await gatherResults([client.gone for client in self.clients])


def main() -> None:
    parser = argparse.ArgumentParser(description="slow hashes, in threads")
    parser.add_argument("--port", type=int, default=8008)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tick", type=float, default=1, metavar="SECONDS")
    options = parser.parse_args()
    server = Server(options.threads, options.tick)
    port = reactor.listenTCP(options.port, server, interface="127.0.0.1")
    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: Deferred.fromCoroutine(server.stop())
    )
    print("listening on port", port.getHost().port)
    reactor.run()


if __name__ == "__main__":
    main()
