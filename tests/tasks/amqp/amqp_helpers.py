"""A worker without a broker: the test reads what it sends. tests/broker has a real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pika
from pika.adapters.twisted_connection import ReceivedMessage
from pika.exceptions import ChannelWrongStateError
from twisted.internet.defer import CancelledError, Deferred

from timerwheel import Clock
from timerwheel.tasks import Scheduler
from timerwheel.tasks.amqp import Message, Worker

NOW = 1_800_000_000.0


class FakeChannel:
    """Stands for a Channel; the test says what the broker says."""

    def __init__(self) -> None:
        self.is_open = True
        self.prefetches: list[int] = []
        self.received: Callable[[ReceivedMessage], None] | None = None
        self.ended: Deferred[Exception] = Deferred()
        self.published: list[tuple[str, bytes, pika.BasicProperties]] = []
        self.sent: list[tuple[str, dict[str, Any], str]] = []
        self.acknowledged: list[int] = []
        self.refusal: Exception | None = None
        self.tag = 0

    async def declare(self, queue: dict[str, Any], again: bool = False) -> None:
        """Every queue is there."""

    async def consume(
        self, queue: str, received: Callable[[ReceivedMessage], None], *, prefetch: int
    ) -> tuple[str, Deferred[Exception]]:
        self.prefetches.append(prefetch)
        self.received = received
        self.ended = Deferred()
        return "tag", self.ended

    async def stop_consuming(self, tag: str) -> None:
        self.received = None

    async def publish(self, queue: str, body: bytes, properties: pika.BasicProperties) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.published.append((queue, body, properties))

    def send(self, queue: str, body: bytes, properties: pika.BasicProperties) -> None:
        self.sent.append((queue, json.loads(body), properties.correlation_id))

    def acknowledge(self, received: ReceivedMessage) -> None:
        if self.is_open:
            self.acknowledged.append(received.method.delivery_tag)

    async def close(self) -> None:
        self.lose()

    def lose(self) -> None:
        """The channel is closed, by whomever."""
        if self.is_open:
            self.is_open = False
            self.ended.callback(ChannelWrongStateError())

    def deliver(
        self, body: Any, redelivered: bool = False, raw: bool = False, **properties: Any
    ) -> int:
        """Deliver a message. Returns its tag."""
        assert self.received is not None, "nobody consumes"
        self.tag += 1
        method = pika.spec.Basic.Deliver(delivery_tag=self.tag, redelivered=redelivered)
        body = body if raw else json.dumps(body).encode()
        self.received(ReceivedMessage(None, method, pika.BasicProperties(**properties), body))
        return self.tag


class FakeConnection:
    """Stands for a Connection, on a Clock."""

    def __init__(self) -> None:
        self.reactor = Clock()
        self.channels: list[FakeChannel] = []
        self.is_gone = self.is_closed = False

    async def channel(self) -> FakeChannel:
        if self.is_closed:
            raise CancelledError
        if self.is_gone:
            await Deferred()
        self.channels.append(FakeChannel())
        return self.channels[-1]


class Bench:
    """A worker whose functions are "run", which the test ends, and those that it registers."""

    def __init__(self, **options: Any) -> None:
        self.connection = FakeConnection()
        self.clock = self.connection.reactor
        self.scheduler = Scheduler(self.clock, max_running=3)
        connection: Any = self.connection
        options.setdefault("backoff", lambda failures: 10 * failures)
        self.worker = Worker(self.scheduler, connection, "jobs", **options)
        self.running: dict[Any, Deferred[Any]] = {}
        self.messages: list[Message] = []
        self.worker.register("run", self.run)
        self.worker.start()

    def run(self, message: Message, name: Any) -> Deferred[Any]:
        self.messages.append(message)
        self.running[name] = Deferred()
        return self.running[name]

    @property
    def channel(self) -> FakeChannel:
        return self.connection.channels[-1]

    def deliver(self, name: Any, **properties: Any) -> int:
        """Deliver a message that asks for a run of that name, and let it start."""
        tag = self.channel.deliver({"function": "run", "args": [name]}, **properties)
        self.clock.advance(0)
        return tag

    def moves(self) -> list[tuple[str, dict[str, Any]]]:
        return [(queue, properties.headers) for queue, _, properties in self.channel.published]
