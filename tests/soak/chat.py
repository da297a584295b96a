"""A chat server: each message pushes back its connection's idle timeout."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from passes import Passes
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.protocols.policies import TimeoutMixin
from wall_clock import Steps

# Seconds of silence after which a connection is closed.
IDLE = 1.0


class Chat(ServerFactory):
    """The server. It hangs up on idle clients, unless another process has their connections too."""

    noisy = False

    def __init__(self, passes: Passes, steps: Steps) -> None:
        self.passes = passes
        self.steps = steps
        self.hangs_up = True
        self.messages = self.hung_up = self.early = 0
        self._connections: set[Connection] = set()

    def buildProtocol(self, addr: object) -> Connection:
        return Connection(self)

    def opened(self, connection: Connection) -> None:
        """A client has come."""
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        """A client has gone."""
        self._connections.discard(connection)

    def overdue(self, time: float) -> int:
        """How many connections should have been closed by this time."""
        return sum(connection.latest <= time for connection in self._connections)

    def figures(self) -> dict[str, Any]:
        """What was counted."""
        return {"messages": self.messages, "hung_up": self.hung_up, "early": self.early}


class Connection(TimeoutMixin, Protocol):
    """One client. Its timeout falls due between soonest and latest."""

    transport: Any

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._mark = 0
        self._soonest = self.latest = inf

    def connectionMade(self) -> None:
        self._push_back(self.setTimeout, IDLE)
        self._chat.opened(self)

    def dataReceived(self, data: bytes) -> None:
        self._chat.messages += 1
        self._push_back(self.resetTimeout)
        self.transport.write(data)

    def connectionLost(self, reason: object = None) -> None:
        self.setTimeout(None)  # type: ignore[no-untyped-call]
        self._chat.closed(self)

    def timeoutConnection(self) -> None:
        chat = self._chat
        chat.hung_up += 1
        if self._soonest > chat.passes.bound() and chat.steps.none_since(self._mark):
            chat.early += 1
        if chat.hangs_up:
            self.latest = inf
            self.transport.abortConnection()

    def _push_back(self, method: Callable[..., None], *arguments: float) -> None:
        self._mark = self._chat.steps.mark()
        self._soonest = self._chat.passes.seconds() + IDLE
        method(*arguments)
        self.latest = self._chat.passes.seconds() + IDLE
