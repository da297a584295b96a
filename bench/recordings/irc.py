"""Record the timers of an IRC server: `python bench/recordings/irc.py FILE`.

The server is twisted.words' service, which has no timers of its own. So the script gives each user
the timers of IRC servers: a ping every `PING` seconds, and Twisted's TimeoutMixin, which hangs up
after `TIMEOUT` seconds of silence and starts again at each line. `CLIENTS` clients, in a process of
their own, join one of `CHANNELS` channels and talk every `TALK` seconds on average. One in twenty
does not answer pings, and none stays longer than `STAY` seconds on average.
"""

from __future__ import annotations

import random
import subprocess
from typing import Any

from twisted.cred import checkers, credentials, portal
from twisted.internet import protocol, reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.protocols.basic import LineReceiver
from twisted.protocols.policies import TimeoutMixin
from twisted.words import service
from two_processes import main, start_clients
from zope.interface import implementer

CLIENTS = 500
CHANNELS = 25
SECONDS = 30.0
PING = 10.0
TIMEOUT = 25.0
TALK = 4.0
STAY = 60.0


class User(service.IRCUser, TimeoutMixin):  # type: ignore[misc]
    """A connection that is pinged, and closed after silence."""

    ping_call: Any = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self.setTimeout(TIMEOUT)
        self.ping_call = reactor.callLater(PING, self.ping)

    def ping(self) -> None:
        self.sendLine(f"PING :{self.hostname}")
        self.ping_call = reactor.callLater(PING, self.ping)

    def irc_PONG(self, prefix: str, params: list[str]) -> None:
        """An answer to a ping: it counts as a line."""

    def dataReceived(self, data: bytes) -> None:
        self.resetTimeout()
        super().dataReceived(data)

    def connectionLost(self, reason: Any) -> None:
        self.setTimeout(None)
        self.ping_call.cancel()
        super().connectionLost(reason)


@implementer(checkers.ICredentialsChecker)
class Everyone:
    """Lets everyone in."""

    credentialInterfaces = (credentials.IUsernamePassword,)

    def requestAvatarId(self, given: Any) -> Any:
        return given.username


class Client(LineReceiver):
    """A user who talks now and then, and hangs up after a while."""

    delimiter = b"\r\n"

    def __init__(self, number: int) -> None:
        self.number = number
        self.chance = random.Random(number)
        self.channel = f"#room{number % CHANNELS}"
        self.answers = number % 20 > 0
        self.calls: list[Any] = []

    def connectionMade(self) -> None:
        self.say(f"PASS secret{self.number}", f"NICK user{self.number}", "USER u 0 * :A user")
        self.later(1.0, self.say, f"JOIN {self.channel}")
        self.later(self.chance.expovariate(1 / STAY), self.transport.loseConnection)
        if self.answers:
            self.later(1.0 + self.chance.expovariate(1 / TALK), self.talk)

    def talk(self) -> None:
        self.say(f"PRIVMSG {self.channel} :something to say")
        self.later(self.chance.expovariate(1 / TALK), self.talk)

    def say(self, *lines: str) -> None:
        for line in lines:
            self.sendLine(line.encode())

    def later(self, delay: float, function: Any, *args: Any) -> None:
        self.calls = [call for call in self.calls if call.active()]
        self.calls.append(reactor.callLater(delay, function, *args))

    def lineReceived(self, line: bytes) -> None:
        if line.startswith(b"PING") and self.answers:
            self.say(line.decode().replace("PING", "PONG"))

    def connectionLost(self, reason: Any = None) -> None:
        for call in self.calls:
            if call.active():
                call.cancel()
        self.factory.again()


class Clients(protocol.ClientFactory):
    """Starts a client for each that has gone."""

    started = 0

    def __init__(self, port: int) -> None:
        self.port = port

    def again(self) -> None:
        reactor.connectTCP("127.0.0.1", self.port, self)

    def buildProtocol(self, address: Any) -> Client:
        self.started += 1
        client = Client(self.started)
        client.factory = self
        return client


def play_clients(port: int) -> None:
    """Be all clients, until the server ends this process."""
    clients = Clients(port)
    for number in range(CLIENTS):
        reactor.callLater(number / CLIENTS * 3, clients.again)
    reactor.run()


def serve(file: str) -> None:
    """Serve, record, and stop after `SECONDS`."""
    from timerwheel import record

    realm = service.InMemoryWordsRealm("irc.local")
    realm.createGroupOnRequest = True
    factory = service.IRCFactory(realm, portal.Portal(realm, [Everyone()]))
    factory.protocol = User
    process: list[subprocess.Popen[bytes]] = []

    def listening(port: Any) -> None:
        process.append(start_clients(__file__, port.getHost().port))

    TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory).addCallback(listening)

    def end() -> None:
        process[0].kill()
        process[0].wait()
        reactor.stop()

    reactor.callLater(SECONDS, end)
    with record(reactor, file):
        reactor.run()


if __name__ == "__main__":
    main(__doc__, serve, play_clients)
