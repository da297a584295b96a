"""An echo server that hangs up on silent clients: each line pushes its client's timeout back.

    python examples/echo.py --port 8007 --reactor epoll

Then `telnet localhost 8007`. --reactor takes the short name of any of Twisted's
reactors; "uvloop" is the asyncio reactor on uvloop's event loop.
"""

from __future__ import annotations

import argparse

from twisted.internet.protocol import ServerFactory
from twisted.protocols.basic import LineReceiver
from twisted.protocols.policies import TimeoutMixin

import timerwheel


class Echo(LineReceiver, TimeoutMixin):
    """Sends back each line."""

    def connectionMade(self) -> None:
        self.peer = self.transport.getPeer().port
        self.setTimeout(self.factory.idle)

    def lineReceived(self, line: bytes) -> None:
        self.resetTimeout()
        self.sendLine(line)

    def timeoutConnection(self) -> None:
        print("hung up on port", self.peer)
        self.transport.loseConnection()

    def connectionLost(self, reason: object) -> None:
        self.setTimeout(None)


def install(name: str) -> None:
    """Install a reactor."""
    if name == "uvloop":
        import uvloop

        from timerwheel.reactors import asyncioreactor

        asyncioreactor.install(uvloop.new_event_loop())
    else:
        timerwheel.install(name)


def main() -> None:
    parser = argparse.ArgumentParser(description="an echo server with an idle timeout")
    parser.add_argument("--port", type=int, default=8007)
    parser.add_argument("--reactor", default="default", metavar="NAME")
    parser.add_argument("--idle", type=float, default=60, metavar="SECONDS")
    options = parser.parse_args()
    install(options.reactor)
    from twisted.internet import reactor

    factory = ServerFactory.forProtocol(Echo)
    factory.idle = options.idle
    port = reactor.listenTCP(options.port, factory, interface="127.0.0.1")
    print("listening on port", port.getHost().port)
    reactor.run()


if __name__ == "__main__":
    main()
