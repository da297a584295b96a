"""A message that a worker has, until it acknowledges or returns it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pika import BasicProperties
from pika.adapters.twisted_connection import ReceivedMessage
from twisted.logger import Logger

from timerwheel.tasks import Task
from timerwheel.tasks.amqp._channel import Channel
from timerwheel.tasks.amqp._envelope import Message, moved
from timerwheel.tasks.amqp._queues import expiration

_log = Logger()


class Delivery:
    """A message from a channel, and its task, to which it listens."""

    __slots__ = ("_ended", "called", "channel", "message", "received", "task")

    def __init__(
        self, channel: Channel, received: ReceivedMessage, ended: Callable[[Any, Delivery], None]
    ) -> None:
        self.channel = channel
        self.received = received
        self.message: Message | None = None
        self.task: Task | None = None
        self._ended = ended
        self.called = False

    def callback(self, outcome: Any) -> None:
        """Its task is done."""
        self.called = True
        try:
            self._ended(outcome, self)
        except Exception:
            _log.failure("while ending {message}", message=self.message)

    @property
    def is_again(self) -> bool:
        """Whether a worker had it before, and then ended or lost its connection."""
        return bool(self.received.method.redelivered)

    def acknowledge(self) -> None:
        """Acknowledge it. If the channel is closed, the broker delivers it again."""
        self.channel.acknowledge(self.received)

    def answer(self, **content: Any) -> None:
        """Answer a request for the result. If the requester is gone, the answer is lost."""
        properties = self.received.properties
        if properties.reply_to is None or not self.channel.is_open:
            return
        try:
            body = json.dumps(content, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            body = json.dumps({"error": f"the result is not JSON: {error}"})
        about = BasicProperties(correlation_id=properties.correlation_id)
        self.channel.send(properties.reply_to, body.encode(), about)

    async def move(self, queue: dict[str, Any], **headers: Any) -> bool:
        """Put it into another queue, with more headers, then acknowledge it.

        Returns whether the other queue has it. If not, this closes the channel, and the broker
        delivers it again.
        """
        try:
            properties = moved(self.received.properties, **headers)
            properties.expiration = expiration(queue)
            await self.channel.declare(queue)
            await self.channel.publish(queue["queue"], self.received.body, properties)
        except Exception as error:
            if self.channel.is_open:
                _log.error("{queue} takes no message: {error!r}", queue=queue["queue"], error=error)
                await self.channel.close()
            return False
        self.acknowledge()
        return True
