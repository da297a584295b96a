"""An IRC server. If one user floods it, the others do not notice.

    python examples/chat.py --port 6667

Connect with any IRC client; any nick and password will do. Twisted has the chat itself. This adds
the order of work:

- Each incoming line is a task in its user's group. Groups take fair turns.
- Within a group, PING, PONG and the server's notices go before text.
- Every --heartbeat seconds the server sends each user a PING.
- If a user sends nothing for --idle seconds, the server drops the connection.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import timerwheel

timerwheel.install()  # before twisted.words.service, which imports the reactor

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.protocols.policies import TimeoutMixin
from twisted.words.protocols import irc
from twisted.words.service import InMemoryWordsRealm, IRCFactory, IRCUser
from zope.interface import implementer

from timerwheel.tasks import Scheduler

URGENT, TEXT, LAST = range(3)  # priorities
BACKLOG = 500  # a user with more waiting lines is too fast
GRACE = 5  # seconds for a dropped user to read why


class User(IRCUser, TimeoutMixin):
    """The connection of a user."""

    factory: Server
    password = ""  # asks for no password
    is_held = False

    def connectionMade(self) -> None:
        super().connectionMade()
        scheduler = self.factory.scheduler
        self.group = scheduler.group(str(self.transport.getPeer()))
        self.heartbeat = scheduler.call_every(
            self.factory.heartbeat,
            self.sendLine,
            f"PING :{self.hostname}",
            now=False,
            group=self.group,
            priority=URGENT,
        )
        self.setTimeout(self.factory.idle)

    def schedule(self, priority: int, func: Callable[..., Any], *args: Any) -> None:
        """Call func in one of this user's turns."""
        self.factory.scheduler.call(func, *args, group=self.group, priority=priority)

    def handleCommand(self, command: str, prefix: str, params: list[str]) -> None:
        """Handle a line when its turn comes."""
        self.resetTimeout()
        priority = URGENT if command in ("PING", "PONG") else TEXT
        self.schedule(priority, super().handleCommand, command, prefix, params)
        if self.group.ready > BACKLOG and not self.is_held:
            self.hold()

    def hold(self) -> None:
        """Stop reading from a user who is too fast, until all waiting lines are done."""
        self.is_held = True
        self.transport.pauseProducing()
        text = f"Slow down: more than {BACKLOG} of your lines wait."
        self.schedule(URGENT, self.notice, self.hostname, self.nickname or "*", text)
        self.schedule(LAST, self.let_go)

    def let_go(self) -> None:
        self.is_held = False
        self.transport.resumeProducing()

    def irc_PONG(self, prefix: str, params: list[str]) -> None:
        """Any line shows that the user is there, so there is nothing to do."""

    def irc_unknown(self, prefix: str, command: str, params: list[str]) -> None:
        self.sendMessage(irc.ERR_UNKNOWNCOMMAND, command, ":Unknown command", to="*")

    def timeoutConnection(self) -> None:
        self.sendLine(f"ERROR :Nothing heard for {self.factory.idle:g} seconds")
        self.transport.loseConnection()
        self.factory.scheduler.call_later(GRACE, self.transport.abortConnection)

    def connectionLost(self, reason: object) -> None:
        self.setTimeout(None)
        self.heartbeat.cancel()
        self.schedule(LAST, super().connectionLost, reason)


class Server(IRCFactory):
    """The state that all users share."""

    protocol = User

    def __init__(self, heartbeat: float, idle: float) -> None:
        realm = InMemoryWordsRealm("chat.example")
        realm.createGroupOnRequest = True
        super().__init__(realm, Portal(realm, [Anybody()]))
        self.scheduler = Scheduler(reactor)
        self.heartbeat = heartbeat
        self.idle = idle


@implementer(ICredentialsChecker)
class Anybody:
    """Lets everybody in, under any nick."""

    credentialInterfaces = (IUsernamePassword,)

    def requestAvatarId(self, credentials: Any) -> str:
        return credentials.username


def main() -> None:
    parser = argparse.ArgumentParser(description="an IRC server")
    parser.add_argument("--port", type=int, default=6667)
    parser.add_argument("--heartbeat", type=float, default=30, metavar="SECONDS")
    parser.add_argument("--idle", type=float, default=120, metavar="SECONDS")
    options = parser.parse_args()
    server = Server(options.heartbeat, options.idle)
    port = reactor.listenTCP(options.port, server, interface="127.0.0.1")
    print("listening on port", port.getHost().port)
    reactor.run()


if __name__ == "__main__":
    main()
