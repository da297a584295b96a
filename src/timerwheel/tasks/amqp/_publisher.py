"""The channel of a connection on which it submits work and gets answers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from pika.adapters.twisted_connection import ReceivedMessage
from twisted.internet.defer import Deferred

from timerwheel.tasks.amqp._channel import Channel
from timerwheel.tasks.amqp._shared import Shared

REPLIES = "amq.rabbitmq.reply-to"  # RabbitMQ's name for a channel's own reply queue


class Publisher:
    """Opens its channel when it needs it, and another when that one is lost."""

    def __init__(self, open_channel: Callable[[], Coroutine[Any, Any, Channel]]) -> None:
        self._open_channel = open_channel
        self._channel: Channel | None = None
        self._replies = Replies()
        self._opening: Shared | None = None

    async def channel(self) -> tuple[Channel, Replies]:
        """The channel, once there is a connection, and the answers on it."""
        while self._channel is None or not self._channel.is_open:
            if self._opening is None or self._opening.is_done:
                self._opening = Shared(Deferred.fromCoroutine(self._open()))
            await self._opening.wait()
        return self._channel, self._replies

    async def _open(self) -> None:
        channel = await self._open_channel()
        replies = Replies()
        _, ended = await channel.consume(REPLIES, replies.received, auto_ack=True)
        ended.addCallback(replies.lost)
        self._channel, self._replies = channel, replies


class Replies:
    """The waiters for answers on a channel."""

    def __init__(self) -> None:
        self._waiting: dict[str, Deferred[bytes]] = {}
        self._lost: Exception | None = None

    def expect(self, correlation_id: str) -> Deferred[bytes]:
        """A Deferred of the answer's body. It fails when the channel is lost."""
        answer: Deferred[bytes] = Deferred(lambda _: self.forget(correlation_id))
        self._waiting[correlation_id] = answer
        if self._lost is not None:
            self.lost(self._lost)
        return answer

    def forget(self, correlation_id: str) -> None:
        """Forget the waiter for an answer."""
        self._waiting.pop(correlation_id, None)

    def received(self, delivery: ReceivedMessage) -> None:
        """Deliver an answer."""
        answer = self._waiting.pop(delivery.properties.correlation_id, None)
        if answer is not None:
            answer.callback(delivery.body)

    def lost(self, reason: Exception) -> None:
        """Fail all waiters, because no more answers come."""
        self._lost = reason
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            answer.errback(reason)
