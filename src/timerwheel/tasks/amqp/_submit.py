"""Giving work, to be done at some time, and asking for its result."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pika import BasicProperties
from pika.exceptions import AMQPConnectionError, ChannelWrongStateError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed

from timerwheel.tasks.amqp._channel import Channel
from timerwheel.tasks.amqp._connection import Connection
from timerwheel.tasks.amqp._envelope import (
    DUE,
    LONGEST_DELAY,
    PERSISTENT,
    as_due,
    encode_body,
    encode_priority,
)
from timerwheel.tasks.amqp._publisher import REPLIES
from timerwheel.tasks.amqp._queues import delay_queue, expiration, main_queue


class RequestError(Exception):
    """A task whose result was asked for ended in the poison queue. Its text is the reason."""


def submit(
    connection: Connection,
    queue: str,
    function: str,
    *args: Any,
    priority: int = 0,
    delay: float = 0,
    id: str | None = None,
) -> Deferred[str]:
    """Have a worker of the queue call a function with args, which JSON must have.

    `priority` is from -5 to 4, the lowest first. A `delay` in seconds is counted from
    now, and waited for in the broker. `id` is the same in each try, and a new one unless
    it is given: give it when you may submit the same work twice.

    The Deferred fires with the id when the broker has the task safe. It waits for a
    connection, and submits again what was not confirmed when a connection was lost, so
    that a task may be there twice. It tries again while the broker cannot take the task. To stop
    waiting, cancel it. It fails with pika's exceptions if there is no such queue, and none can be
    made. Raises ValueError or TypeError for what cannot be sent.
    """
    task = _Task.make(queue, function, args, priority, delay, id)
    return Deferred.fromCoroutine(_submit(connection, task))


def request(
    connection: Connection,
    queue: str,
    function: str,
    *args: Any,
    priority: int = 0,
    delay: float = 0,
    id: str | None = None,
) -> Deferred[Any]:
    """As submit(), but the Deferred fires with what the function returned.

    It fails with RequestError if the task came to the poison queue, and with pika's
    exception if the connection was lost before the answer came: the answer is lost then,
    and the task is not. It waits for as long as the task is tried: add a timeout.
    """
    task = _Task.make(queue, function, args, priority, delay, id)
    return Deferred.fromCoroutine(_request(connection, task))


@dataclass(frozen=True)
class _Task:
    """A task that is to be published."""

    queue: str
    body: bytes
    priority: int
    id: str
    due: float | None

    @classmethod
    def make(
        cls,
        queue: str,
        function: str,
        args: tuple[Any, ...],
        priority: int,
        delay: float,
        id: str | None,
    ) -> _Task:
        if not 0 <= delay <= LONGEST_DELAY:
            raise ValueError(f"a delay must be seconds, from 0 to 10**12, not {delay!r}")
        due = time.time() + delay if delay else None
        id = uuid4().hex if id is None else id
        return cls(queue, encode_body(function, args), encode_priority(priority), id, due)

    async def publish(self, channel: Channel, **properties: str) -> None:
        queue = main_queue(self.queue)
        await channel.declare(queue)
        headers = None
        if self.due is not None:
            headers = {DUE: as_due(self.due)}
            remaining = self.due - time.time()
            if remaining >= 1:
                queue = delay_queue(self.queue, remaining)
                await channel.declare(queue)
        await channel.publish(
            queue["queue"],
            self.body,
            BasicProperties(
                content_type="application/json",
                delivery_mode=PERSISTENT,
                expiration=expiration(queue),
                headers=headers,
                message_id=self.id,
                priority=self.priority,
                **properties,
            ),
        )


async def _submit(connection: Connection, task: _Task) -> str:
    while True:
        try:
            channel, _ = await connection.publisher.channel()
            await task.publish(channel)
        except (AMQPConnectionError, ChannelWrongStateError, ConnectionClosed):
            continue  # when there is a connection again
        return task.id


async def _request(connection: Connection, task: _Task) -> Any:
    channel, replies = await connection.publisher.channel()
    correlation_id = uuid4().hex
    answer = replies.expect(correlation_id)
    try:
        await task.publish(channel, reply_to=REPLIES, correlation_id=correlation_id)
    except BaseException:
        answer.addErrback(lambda failure: None)
        answer.cancel()
        raise
    content = json.loads(await answer)
    if "error" in content:
        raise RequestError(content["error"])
    return content["result"]
