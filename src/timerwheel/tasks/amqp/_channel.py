"""A pika channel on which the broker confirms each message."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pika import BasicProperties
from pika.adapters.twisted_connection import ReceivedMessage, TwistedChannel
from pika.exceptions import NackError, UnroutableError
from pika.frame import Method
from pika.spec import Basic
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.logger import Logger

from timerwheel.tasks.amqp._backoff import exponential
from timerwheel.tasks.amqp._shared import Shared

_log = Logger()


class Channel:
    """An open channel. `Connection.channel()` makes it."""

    def __init__(self, channel: TwistedChannel, transport: Any, reactor: Any) -> None:
        self._channel = channel
        self._transport = transport
        self._reactor = reactor
        self._ended: dict[str, Deferred[Exception]] = {}  # of the consumers, by tag
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

        It tries again each second or two while the broker cannot take the message: the queue is at
        its limit, or another connection has just declared it, and it is not quite there. Raises
        UnroutableError if the queue is gone, and the reason of the close if the channel was closed.
        """
        while not await self._is_taken(queue, body, properties):
            _log.warn("{queue} takes no message now", queue=queue)
            await deferLater(self._reactor, exponential(1))
        if queue in self._gone:
            self._declared.pop(queue, None)
            raise UnroutableError([])

    async def _is_taken(self, queue: str, body: bytes, properties: BasicProperties | None) -> bool:
        """Publish, and return whether the broker has taken the message."""
        try:
            # Among several messages, pika blames the next confirmed one.
            with suppress(UnroutableError):
                await self._channel.basic_publish("", queue, body, properties, mandatory=True)
        except NackError:
            return False
        return True

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
        self._ended[tag] = _take_all(deliveries, received)
        return tag, self._ended[tag]

    async def stop_consuming(self, tag: str) -> None:
        """Take no more messages. Those that are on their way come before this returns.

        pika rejects what comes once it has been told to cancel, and then the broker says of it what
        it says of messages whose worker has died. So the broker is told first.
        """
        cancelled: Deferred[Any] = Deferred()
        self._channel.callback_deferred(cancelled, [Basic.CancelOk])
        frame = Method(self._channel.channel_number, Basic.Cancel(consumer_tag=tag))
        self._transport.write(frame.marshal())
        ended = self._ended.pop(tag)
        await DeferredList([cancelled, ended], fireOnOneCallback=True)
        if not ended.called:
            await self._channel.basic_cancel(tag)

    def acknowledge(self, delivery: ReceivedMessage) -> None:
        """Acknowledge a message. If the channel is closed, the broker has delivered it again."""
        if self.is_open:
            self._channel.basic_ack(delivery.method.delivery_tag)


def _take_all(deliveries: Any, received: Callable[[ReceivedMessage], None]) -> Deferred[Exception]:
    """Call received() with each message until the end. Fires with the reason of the end.

    pika puts each message into the queue. A put() of ours takes it there, because get() makes a
    Deferred for each, which takes 3 us. get() has only those that are in the queue already, and the
    end: pika then closes the queue, which fails its waiter.
    """
    ended: Deferred[Exception] = Deferred()

    def put(delivery: ReceivedMessage) -> None:
        try:
            received(delivery)
        except Exception:
            _log.failure("while receiving a message")

    def take(delivery: ReceivedMessage | None = None) -> None:
        if delivery is not None:
            put(delivery)
        deliveries.get().addCallbacks(take, lambda failure: ended.callback(failure.value))

    deliveries.put = put
    take()
    return ended
