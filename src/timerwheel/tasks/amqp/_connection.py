"""A connection to a broker, which reconnects when it is lost."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pika.connection import Parameters
from pika.exceptions import ConnectionWrongStateError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.task import deferLater
from twisted.logger import Logger

from timerwheel.tasks.amqp._backoff import exponential
from timerwheel.tasks.amqp._channel import Channel
from timerwheel.tasks.amqp._protocol import Protocol
from timerwheel.tasks.amqp._publisher import Publisher

_log = Logger()

HANDSHAKE = 15  # seconds, if the parameters have no stack_timeout
LAST_WORDS = 5  # seconds that a broker has to answer when a connection is closed
LONGEST_WAIT = 60  # seconds between two attempts


class Connection:
    """Connection(reactor, pika.URLParameters(url)): a connection to RabbitMQ.

    It connects at once. If it loses the connection, it connects again: after about a second, then
    two, four and so on, up to a minute. After a connection that has lasted longer than the wait
    before it, that begins anew. pika sends the heartbeats, and closes the connection if the
    broker sends none, all on the reactor's timers.

    It uses the parameters' host and port, unless you give an `endpoint`, a client endpoint of
    Twisted's. For TLS (`wrapClientTLS`) or several hosts, give one. Raises TypeError for
    other parameters than pika's, such as a URL, and ValueError for parameters with ssl_options and
    no endpoint, because Twisted cannot use their `ssl.SSLContext`.
    """

    def __init__(self, reactor: Any, parameters: Parameters, endpoint: Any = None) -> None:
        if not isinstance(parameters, Parameters):
            raise TypeError(
                "a Connection needs parameters of pika's, such as pika.URLParameters(url), not"
                f" {parameters!r}"
            )
        if endpoint is None:
            if parameters.ssl_options is not None:
                raise ValueError(
                    "TLS needs an endpoint of Twisted's: Connection(reactor, parameters,"
                    " wrapClientTLS(...))"
                )
            endpoint = HostnameEndpoint(reactor, parameters.host, parameters.port)
        self._reactor = reactor
        self._parameters = parameters
        self._endpoint = endpoint
        self._protocol: Protocol | None = None
        self._waiting: set[Deferred[Protocol]] = set()
        self._closed = False
        self._is_careful = False
        self.publisher = Publisher(self.channel)
        self._running = Deferred.fromCoroutine(self._run())

    def __repr__(self) -> str:
        state = "closed" if self._closed else "connected" if self.is_connected else "connecting"
        return f"<Connection to {self._parameters.host}:{self._parameters.port} {state}>"

    @property
    def reactor(self) -> Any:
        """Its reactor."""
        return self._reactor

    @property
    def is_connected(self) -> bool:
        """Whether the broker has accepted the connection, and it is not lost."""
        return self._protocol is not None

    async def channel(self) -> Channel:
        """A new channel, once there is a connection. Raises CancelledError once this is closed."""
        protocol = await self._when_connected()
        channel = await protocol.channel()
        await channel.confirm_delivery()
        return Channel(channel, protocol.transport, self._reactor)

    async def close(self) -> None:
        """Close it for good, within some seconds. All waiters get CancelledError."""
        self._closed = True
        waiting, self._waiting = self._waiting, set()
        for each in waiting:
            each.errback(CancelledError())
        if self._protocol is None:
            self._running.cancel()
            return
        protocol = self._protocol
        abort = self._reactor.callLater(LAST_WORDS, protocol.transport.abortConnection)
        with suppress(ConnectionWrongStateError):  # the broker closes it just now
            protocol.close()
        await self._running
        if abort.active():
            abort.cancel()

    async def _when_connected(self) -> Protocol:
        if self._closed:
            raise CancelledError
        # (pika tells its channels of the end of a connection before it tells us.)
        if self._protocol is not None and self._protocol.is_open:
            return self._protocol
        connected: Deferred[Protocol] = Deferred(self._waiting.discard)
        self._waiting.add(connected)
        return await connected

    async def _run(self) -> None:
        """Connect, again and again, until this is closed."""
        failures = 0
        wait = 0.0
        while not self._closed:
            try:
                protocol = await self._connect()
            except Exception as error:
                reason: object = error
            else:
                begun = self._reactor.seconds()
                reason = await self._serve(protocol)
                self._is_careful = protocol.is_careful
                if self._reactor.seconds() - begun > wait:
                    failures = 0
            if not self._closed:
                _log.warn("{connection!r} failed: {reason!r}", connection=self, reason=reason)
                failures += 1
                wait = exponential(failures, LONGEST_WAIT)
                await self._pause(wait)

    async def _connect(self) -> Protocol:
        """Connect, and wait until the broker has accepted us."""
        protocol = Protocol(self._parameters, self._reactor, self._is_careful)
        await connectProtocol(self._endpoint, protocol)  # type: ignore[no-untyped-call]
        set_no_delay = getattr(protocol.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            set_no_delay(True)  # acknowledgements are small, and not to wait for each other
        ready: Deferred[Any] = protocol.ready
        try:
            await ready.addTimeout(self._parameters.stack_timeout or HANDSHAKE, self._reactor)
        except BaseException:
            protocol.transport.abortConnection()
            raise
        return protocol

    async def _serve(self, protocol: Protocol) -> object:
        """Let a connection be used until it is lost. Returns the reason."""
        lost: Deferred[Any] = protocol.closed
        self._protocol = protocol
        waiting, self._waiting = self._waiting, set()
        for each in waiting:
            each.callback(protocol)
        reason = await lost
        self._protocol = None
        return reason

    async def _pause(self, seconds: float) -> None:
        with suppress(CancelledError):
            await deferLater(self._reactor, seconds)
