"""A pika channel on which the broker confirms each message."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pika import BasicProperties
from pika.adapters.twisted_connection import ReceivedMessage, TwistedChannel
from pika.exceptions import UnroutableError
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from timerwheel.tasks.amqp._shared import Shared

_log = Logger()


class Channel:
    """An open channel. `Connection.channel()` makes it."""

    def __init__(self, channel: TwistedChannel) -> None:
        self._channel = channel
        self._declared: dict[str, Shared] = {}
        self._gone: set[str] = set()  # queues that a message was returned from
        channel.add_on_return_callback(lambda returned: self._gone.add(returned.method.routing_key))

    @property
    def is_open(self) -> bool:
        """Whether the channel is open."""
        return bool(self._channel.is_open)

    async def close(self) -> None:
        """Close it, if it is open. When this returns, the broker has everything sent before."""
        if self.is_open:
            self._channel.close()
            await self._channel.on_closed

    async def declare(self, queue: dict[str, Any], again: bool = False) -> None:
        """Declare a queue, only the first time unless `again` is true."""
        name = queue["queue"]
        if again or name not in self._declared:
            self._gone.discard(name)
            self._declared[name] = Shared(self._channel.queue_declare(**queue))
        await self._declared[name].wait()

    async def publish(
        self, queue: str, body: bytes, properties: BasicProperties | None = None
    ) -> None:
        """Publish to a queue. Returns when the broker has the message safe.

        Raises UnroutableError if the queue is gone, NackError if the broker cannot take the
        message, and the reason of the close if the channel was closed.
        """
        # Among several messages, pika blames the next confirmed one.
        with suppress(UnroutableError):
            await self._channel.basic_publish("", queue, body, properties, mandatory=True)
        if queue in self._gone:
            self._declared.pop(queue, None)
            raise UnroutableError([])

    def send(self, queue: str, body: bytes, properties: BasicProperties) -> None:
        """Publish to a queue that may be gone, and ignore errors."""
        sent = self._channel.basic_publish("", queue, body, properties)
        sent.addErrback(lambda failure: None)

    async def consume(
        self,
        queue: str,
        received: Callable[[ReceivedMessage], None],
        *,
        prefetch: int = 0,
        auto_ack: bool = False,
    ) -> tuple[str, Deferred[Exception]]:
        """Call received() with each message; at most `prefetch` are unacknowledged at a time.

        0 means no limit. Returns a tag for `stop_consuming()`, and a Deferred of the reason of the
        end.
        """
        await self._channel.basic_qos(prefetch_count=prefetch)
        deliveries, tag = await self._channel.basic_consume(queue, auto_ack=auto_ack)
        return tag, Deferred.fromCoroutine(_take_all(deliveries, received))

    async def stop_consuming(self, tag: str) -> None:
        """Take no more messages. Those that are on their way come before this returns."""
        await self._channel.basic_cancel(tag)

    def acknowledge(self, delivery: ReceivedMessage) -> None:
        """Acknowledge a message. If the channel is closed, the broker has delivered it again."""
        if self.is_open:
            self._channel.basic_ack(delivery.method.delivery_tag)


async def _take_all(deliveries: Any, received: Callable[[ReceivedMessage], None]) -> Exception:
    """Call received() with each message until the end. Returns the reason of the end.

    It waits for the next message as soon as it has one, because at the end pika drops messages
    that nobody waits for.
    """
    while True:
        try:
            delivery = await deliveries.get()
        except Exception as reason:
            return reason
        try:
            received(delivery)
        except Exception:
            _log.failure("while receiving a message")
