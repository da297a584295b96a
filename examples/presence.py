"""Presence over XMPP: which components are here, come, go, or do not answer.

    python examples/presence.py --port 5347 --secret s3cret

External components (XEP-0114) connect. The server sends each a <presence/> for the others that are
here, and when one comes or goes. Every --interval seconds it pings each (XEP-0199). If one does not
answer within --patience seconds, the server drops it.
"""

from __future__ import annotations

import argparse
from typing import Any

import timerwheel

timerwheel.install()

from twisted.internet import reactor
from twisted.internet.defer import Deferred, TimeoutError
from twisted.python.failure import Failure
from twisted.words.protocols.jabber.component import ListenComponentAuthenticator
from twisted.words.protocols.jabber.error import StanzaError, StreamError
from twisted.words.protocols.jabber.xmlstream import (
    IQ,
    STREAM_AUTHD_EVENT,
    STREAM_END_EVENT,
    XmlStream,
    XmlStreamServerFactory,
)
from twisted.words.xish.domish import Element

from timerwheel.tasks import Scheduler

NAME = "presence.localhost"
GRACE = 5  # seconds for a dropped component to read why


class Presence(XmlStreamServerFactory):
    """The streams of the components that are here, by name."""

    def __init__(self, secret: str, interval: float, patience: float) -> None:
        super().__init__(lambda: ListenComponentAuthenticator(secret))
        self.addBootstrap(STREAM_AUTHD_EVENT, self.come)
        self.scheduler = Scheduler(reactor)
        self.interval = interval
        self.patience = patience
        self.streams: dict[str, XmlStream] = {}

    def come(self, stream: XmlStream) -> None:
        """A component has sent its name and the secret."""
        name = stream.thisEntity.full()
        if name in self.streams:
            stream.sendStreamError(StreamError("conflict"))
            return
        for other in self.streams:
            stream.send(presence(other, name))
        self.tell_all(name)
        self.streams[name] = stream
        heartbeat = self.scheduler.call_every(
            self.interval, ping, stream, now=False, timeout=self.patience
        )
        heartbeat.deferred.addErrback(self.drop, stream)
        stream.addOnetimeObserver(STREAM_END_EVENT, lambda _: self.go(name, heartbeat))

    def go(self, name: str, heartbeat: Any) -> None:
        heartbeat.cancel()
        del self.streams[name]
        self.tell_all(name, "unavailable")

    def tell_all(self, name: str, kind: str | None = None) -> None:
        """Send the presence of a component to all others."""
        for other, stream in self.streams.items():
            stream.send(presence(name, other, kind))

    def drop(self, failure: Failure, stream: XmlStream) -> None:
        """A heartbeat has ended: with its stream, or because a ping got no answer."""
        if failure.check(TimeoutError):
            stream.sendStreamError(StreamError("connection-timeout"))
            self.scheduler.call_later(GRACE, stream.transport.abortConnection)


def ping(stream: XmlStream) -> Deferred[Any]:
    """Ping a component. The Deferred fires when it answers."""
    iq = IQ(stream, "get")
    iq["from"] = NAME
    iq.addElement(("urn:xmpp:ping", "ping"))
    # An error reply, such as "no pings here", is an answer too.
    return iq.send(stream.thisEntity.full()).addErrback(lambda failure: failure.trap(StanzaError))


def presence(sender: str, to: str, kind: str | None = None) -> Element:
    """A presence stanza; kind is None for a component that is here."""
    stanza = Element((None, "presence"))
    stanza["from"] = sender
    stanza["to"] = to
    if kind is not None:
        stanza["type"] = kind
    return stanza


def main() -> None:
    parser = argparse.ArgumentParser(description="presence of XMPP components")
    parser.add_argument("--port", type=int, default=5347)
    parser.add_argument("--secret", default="secret")
    parser.add_argument("--interval", type=float, default=30, metavar="SECONDS")
    parser.add_argument("--patience", type=float, default=10, metavar="SECONDS")
    options = parser.parse_args()
    service = Presence(options.secret, options.interval, options.patience)
    port = reactor.listenTCP(options.port, service, interface="127.0.0.1")
    print("listening on port", port.getHost().port)
    reactor.run()


if __name__ == "__main__":
    main()
