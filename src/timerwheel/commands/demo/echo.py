"""The echo service, with an idle timeout on each connection."""

from __future__ import annotations

from typing import Any
from typing import Protocol as Interface

from twisted.internet.protocol import Protocol, ServerFactory
from twisted.protocols.policies import TimeoutMixin

from timerwheel.commands.demo.stopwatch import Stopwatch


class Host(Interface):
    """Who has the service; `timerwheel.commands.demo.server.Server`, which says what these are."""

    stopwatch: Stopwatch
    idle_timeout: int
    idle_count: int
    received: int

    def connected(self, echo: Echo) -> None: ...

    def disconnected(self, echo: Echo) -> None: ...


class Echo(Protocol, TimeoutMixin):
    """Sends back what comes, and hangs up on a client that is silent for too long."""

    transport: Any

    def __init__(self, server: Host) -> None:
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

    def __init__(self, server: Host) -> None:
        self._server = server

    def buildProtocol(self, addr: object) -> Echo:
        return Echo(self._server)
