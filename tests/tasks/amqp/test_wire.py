"""A connection and a broker, played by the test, which speak AMQP."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.frame import Body, Header, Method, ProtocolHeader, decode_frame
from pika.spec import Basic, Channel, Confirm, Queue
from pika.spec import Connection as About
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from timerwheel import Clock
from timerwheel.tasks import Scheduler
from timerwheel.tasks.amqp import Connection, Message, Worker

ANSWERS: dict[type, Callable[[Any], Any]] = {
    About.StartOk: lambda asked: About.Tune(channel_max=9, frame_max=131_072, heartbeat=0),
    About.Open: lambda asked: About.OpenOk(),
    About.Close: lambda asked: About.CloseOk(),
    Channel.Open: lambda asked: Channel.OpenOk(),
    Channel.Close: lambda asked: Channel.CloseOk(),
    Confirm.Select: lambda asked: Confirm.SelectOk(),
    Queue.Declare: lambda asked: Queue.DeclareOk(asked.queue, 0, 0),
    Basic.Qos: lambda asked: Basic.QosOk(),
    Basic.Consume: lambda asked: Basic.ConsumeOk(asked.consumer_tag),
}


class Broker(StringTransport):
    """An endpoint, and a transport to the broker there, which answers all that pika asks."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.protocol: Any = None
        self.connected: list[float] = []
        self.published: list[tuple[str, pika.BasicProperties]] = []
        self.acknowledged: list[int] = []
        self.confirmed = 0
        self.consumer = ""

    def connect(self, factory: Any) -> Deferred[Any]:
        self.connected.append(self.clock.seconds())
        self.clear()
        self.confirmed = 0
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self)
        return succeed(self.protocol)

    def write(self, data: bytes) -> None:
        super().write(data)
        self.clock.callLater(0, self.read)

    def read(self) -> None:
        rest = self.value()
        self.clear()
        while rest:
            size, frame = decode_frame(rest)
            rest = rest[size:]
            if isinstance(frame, ProtocolHeader):
                can = {"capabilities": {"publisher_confirms": True, "basic.nack": True}}
                self.say(0, About.Start(0, 9, can, "PLAIN", "en_US"))
            elif isinstance(frame, Header):
                self.published[-1] = (self.published[-1][0], frame.properties)
                self.confirmed += 1
                self.say(frame.channel_number, Basic.Ack(delivery_tag=self.confirmed))
            elif isinstance(frame, Method):
                self.hear(frame.channel_number, frame.method)

    def hear(self, channel: int, method: Any) -> None:
        if isinstance(method, Basic.Publish):
            self.published.append((str(method.routing_key), pika.BasicProperties()))
        elif isinstance(method, Basic.Ack):
            self.acknowledged.append(method.delivery_tag)
        elif type(method) in ANSWERS:
            self.consumer = getattr(method, "consumer_tag", self.consumer)
            self.say(channel, ANSWERS[type(method)](method))

    def say(self, channel: int, method: Any) -> None:
        self.send(Method(channel, method).marshal())

    def send(self, data: bytes) -> None:
        """Send bytes. An error of who receives them ends the connection, as in Twisted."""
        if self.protocol is None:
            return
        try:
            self.protocol.dataReceived(data)
        except Exception:
            self.lose(Failure())

    def lose(self, reason: Failure | None = None) -> None:
        protocol, self.protocol = self.protocol, None
        protocol.connectionLost(reason or Failure(ConnectionLost()))

    def deliver(self, tag: int, headers: bytes, body: bytes, chunk: int = 1 << 20) -> None:
        """Deliver a message whose table of headers is encoded so."""
        method = Basic.Deliver(self.consumer, tag, False, "", "jobs")
        properties = struct.pack(">HHQHI", 60, 0, len(body), 1 << 13, len(headers)) + headers
        frames = Method(1, method).marshal() + framed(2, properties) + Body(1, body).marshal()
        for start in range(0, len(frames), chunk):
            self.send(frames[start : start + chunk])
        self.clock.advance(0)


def framed(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, 1, len(payload)) + payload + b"\xce"


def settle(clock: Clock) -> None:
    """Let the broker and pika say all that they have to say now."""
    for _ in range(50):
        clock.advance(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def broker(clock: Clock) -> Broker:
    return Broker(clock)


@pytest.fixture
def connection(clock: Clock, broker: Broker) -> Connection:
    connection = Connection(clock, pika.ConnectionParameters(), broker)
    settle(clock)
    assert connection.is_connected
    return connection


def nested(levels: int) -> bytes:
    """A table in a table, and so on."""
    table = b""
    for _ in range(levels):
        table = b"\x01aF" + struct.pack(">I", len(table)) + table
    return table


@pytest.mark.parametrize(
    "bad",
    [
        b"\x01aT" + struct.pack(">Q", 1_732_600_000_000),
        b"\x01ad" + struct.pack(">d", float("nan")),
        nested(5000),
    ],
    ids=["a timestamp in milliseconds", "NaN", "nested"],
)
@pytest.mark.parametrize("chunk", [10, 1 << 20])
def test_a_header_that_pika_cannot_decode_is_poison(
    clock: Clock, broker: Broker, connection: Connection, bad: bytes, chunk: int
) -> None:
    worker = Worker(Scheduler(clock), connection, "jobs")
    done: list[Message] = []
    worker.register("run", lambda message, *args: done.append(message))
    worker.start()
    settle(clock)
    body = json.dumps({"function": "run", "args": ["x" * 1000]}).encode()
    broker.deliver(1, bad, body, chunk)
    assert not connection.is_connected
    clock.advance(2)
    settle(clock)
    assert worker.is_ready
    broker.deliver(1, bad, body, chunk)
    broker.deliver(2, b"\x01aI" + struct.pack(">i", 17), body, chunk)
    settle(clock)
    ((queue, properties),) = broker.published
    assert queue == "jobs.poison"
    assert properties.headers is not None
    assert "cannot be decoded" in properties.headers["timerwheel-reason"]
    assert [message.args for message in done] == [("x" * 1000,)]
    assert sorted(broker.acknowledged) == [1, 2]
    assert len(broker.connected) == 2


def test_a_header_may_be_nested_as_deeply_as_it_likes(
    clock: Clock, broker: Broker, connection: Connection
) -> None:
    """Also by just so much that it can be decoded, but not sent to the poison queue."""
    worker = Worker(Scheduler(clock), connection, "jobs")
    worker.start()
    deepest = sys.getrecursionlimit() // 2
    for levels in range(deepest - 100, deepest):
        deliveries = 0
        while worker.poisoned < levels - (deepest - 100) + 1:
            clock.advance(200)
            settle(clock)
            assert worker.is_ready
            deliveries += 1
            assert deliveries <= 2
            broker.deliver(levels, b"\x01aI" + bytes(4) + nested(levels), b"{}")
            settle(clock)
    assert [queue for queue, _ in broker.published] == ["jobs.poison"] * 100


def test_a_broker_that_accepts_and_ends_connections_is_left_alone_for_longer_and_longer(
    clock: Clock, broker: Broker, connection: Connection
) -> None:
    waits = []
    for _ in range(8):
        broker.lose()
        assert not connection.is_connected
        lost = clock.seconds()
        while not connection.is_connected:
            clock.advance(0.25)
            settle(clock)
        waits.append(clock.seconds() - lost)
    for failures, wait in enumerate(waits, start=1):
        assert min(2**failures, 60) / 2 <= wait <= min(2**failures, 60) + 1
    # One that has lasted ends the series.
    clock.advance(100)
    broker.lose()
    clock.advance(2)
    settle(clock)
    assert connection.is_connected


def test_a_lost_connection_is_a_warning(
    clock: Clock, broker: Broker, connection: Connection
) -> None:
    events: list[dict[str, Any]] = []
    globalLogPublisher.addObserver(events.append)
    try:
        broker.lose()
    finally:
        globalLogPublisher.removeObserver(events.append)
    levels = [event["log_level"] for event in events if "connection" in event]
    assert levels == [LogLevel.warn]
