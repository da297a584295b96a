"""Submit work, for now or later, and request its result."""

from __future__ import annotations

import json
import time
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
from timerwheel.tasks.amqp._queues import (
    check_name,
    check_queue,
    delay_queue,
    expiration,
    main_queue,
)


class RequestError(Exception):
    """The task of a request ended in the poison queue. The text of this is the reason."""


def submit(
    connection: Connection,
    queue: str,
    function: str,
    *args: Any,
    priority: int = 0,
    delay: float = 0,
    id: str | None = None,
) -> Deferred[str]:
    """Submit a call of a function to a queue, for any of its workers. args must be JSON's types.

    `priority` is from -5 to 4, the lowest first. `delay` is in seconds from now; the task waits in
    the broker. `id` is the same in each try. Give one if you may submit the same work twice;
    otherwise it is a new one.

    The Deferred fires with the id when the broker has the task safe. It waits for a connection. If
    it loses the connection before the broker confirms the task, it submits the task again, so the
    broker may get it twice. It tries again while the broker cannot take the task. To stop waiting,
    cancel it. It fails with pika's exceptions if there is no such queue, and it cannot make one.
    Raises ValueError or TypeError for values that cannot be sent. The name of a queue has at most
    241 bytes in UTF-8, an id 255, and the keys of a dict are strings.
    """
    task = _Task(queue, function, args, priority, delay, id)
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
    """As submit(), but the Deferred fires with the function's result.

    It fails with RequestError if the task goes to the poison queue. If it loses the connection
    before the answer comes, it fails with pika's exception: the answer is lost, but not the task.
    It waits while workers try the task, so add a timeout.
    """
    task = _Task(queue, function, args, priority, delay, id)
    return Deferred.fromCoroutine(_request(connection, task))


class _Task:
    """A task to publish."""

    def __init__(
        self,
        queue: str,
        function: str,
        args: tuple[Any, ...],
        priority: int,
        delay: float,
        id: str | None,
    ) -> None:
        """Raises ValueError or TypeError for what cannot be sent."""
        check_queue(queue)
        if id is not None:
            check_name("an id", id)
        if not 0 <= delay <= LONGEST_DELAY:
            raise ValueError(f"a delay must be seconds, from 0 to 10**12, not {delay!r}")
        self.id = uuid4().hex if id is None else id
        self._queue = queue
        self._body = encode_body(function, args)
        self._priority = encode_priority(priority)
        self._due = time.time() + delay if delay else None

    async def publish(self, channel: Channel, **properties: str) -> None:
        queue = main_queue(self._queue)
        await channel.declare(queue)
        headers = None
        if self._due is not None:
            headers = {DUE: as_due(self._due)}
            remaining = self._due - time.time()
            if remaining >= 1:
                queue = delay_queue(self._queue, remaining)
                await channel.declare(queue)
        await channel.publish(
            queue["queue"],
            self._body,
            BasicProperties(
                content_type="application/json",
                delivery_mode=PERSISTENT,
                expiration=expiration(queue),
                headers=headers,
                message_id=self.id,
                priority=self._priority,
                **properties,
            ),
        )


async def _submit(connection: Connection, task: _Task) -> str:
    while True:
        try:
            channel, _ = await connection.publisher.channel()
            await task.publish(channel)
        except (AMQPConnectionError, ChannelWrongStateError, ConnectionClosed):
            continue  # once there is a connection again
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
