"""A worker: takes messages, runs them on a scheduler, and acknowledges, retries or rejects them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from pika.adapters.twisted_connection import ReceivedMessage
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from timerwheel.tasks import Group, Scheduler, SchedulerClosedError, Task, TaskState
from timerwheel.tasks.amqp._backoff import exponential
from timerwheel.tasks.amqp._channel import Channel
from timerwheel.tasks.amqp._connection import Connection
from timerwheel.tasks.amqp._delivery import Delivery
from timerwheel.tasks.amqp._envelope import (
    DUE,
    FAILURES,
    LONGEST_DELAY,
    REASON,
    BadMessageError,
    Message,
    as_due,
    as_text,
    decode,
)
from timerwheel.tasks.amqp._functions import Function, Functions, RejectError
from timerwheel.tasks.amqp._queues import check_queue, delay_queue, main_queue, poison_queue

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from timerwheel.tasks._task import Options

_log = Logger()

UNLIMITED = 1000  # messages that a worker has at once, if nothing limits what runs
MOST = 65_535  # that it may have: AMQP's prefetch has 16 bits
LOST = "the worker that had it ended, or lost its connection"


class Worker:
    """Worker(scheduler, connection, "images"): runs the tasks of a RabbitMQ queue.

    It takes as many messages at once as may run: `max_running` of the scheduler and of the group,
    1,000 if neither has a limit. A change of these takes effect at once. It acknowledges a message
    when its task has succeeded, or when the broker has it in another queue:

    - If a try fails, it repeats the task after `backoff(failures)` seconds, which pass in the
      broker. After `tries` tries the message goes to the queue `images.poison`. If a worker died
      with a message, or lost its connection, that counts as a try.
    - A message that it cannot run goes there at once: no JSON, an unknown function, wrong
      arguments, or a function that raises `RejectError`. The header timerwheel-reason says why.

    `group` is the scheduler's group for its tasks. Raises TypeError or ValueError for what
    cannot be: `tries` below 1, another scheduler's group, a reactor instead of a scheduler.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        connection: Connection,
        queue: str,
        *,
        group: Group | None = None,
        tries: int = 5,
        backoff: Callable[[int], float] = exponential,
    ) -> None:
        if not isinstance(scheduler, Scheduler):
            raise TypeError(f"a Worker needs a Scheduler first, not {scheduler!r}")
        if not hasattr(connection, "channel"):
            raise TypeError(f"a Worker needs a Connection, not {connection!r}")
        check_queue(queue)
        if not callable(backoff):
            raise TypeError(f"backoff must be callable, not {backoff!r}")
        scheduler._check_options("Worker", {} if group is None else {"group": group})
        if tries < 1:
            raise ValueError(f"tries must be at least 1, not {tries!r}")
        self._queue = queue
        self._success_count = self._failure_count = self._poison_count = 0
        self._scheduler = scheduler
        self._connection = connection
        self._group = group
        self._tries = tries
        self._backoff = backoff
        self._functions = Functions()
        self._held: dict[Delivery, None] = {}  # in order
        self._unstarted: list[Delivery] = []  # to be given back when no more come
        self._given_back: list[Message] = []
        self._channel: Channel | None = None
        self._prefetch = 0  # of the consumer that there is; 0 if there is none
        self._change: Deferred[None] | None = None  # for which _work() waits
        self._working: Deferred[None] | None = None
        self._closing = False
        self._waiting: list[Deferred[list[Message]]] = []

    def __repr__(self) -> str:
        state = "closing" if self._closing else "ready" if self.is_ready else "waiting"
        return f"<Worker of {self._queue!r} {state} messages={len(self._held)}>"

    def register(self, name: str, func: Callable[..., Any], **options: Unpack[Options]) -> None:
        """Run func(message, *args) for messages with this function name, with these task options.

        The priority is the message's. Use `retry` for errors that pass within seconds: it repeats
        within one try, and keeps the message. Raises ValueError or TypeError for a name that is
        taken, a non-callable, and options that no task can have.
        """
        if "priority" in options:
            raise TypeError("the priority of a task is its message's")
        if self._group is not None:
            options.setdefault("group", self._group)
        self._scheduler._check_options("register", options)
        self._functions.add(name, func, dict(options))

    def start(self) -> None:
        """Take messages whenever there is a connection."""
        if self._working is not None or self._closing:
            raise RuntimeError(f"{self!r} has been started or closed before")
        self._scheduler._limit_listeners.append(self._limit_changed)
        self._working = Deferred.fromCoroutine(self._work())
        self._working.addBoth(self._has_worked)

    @property
    def queue(self) -> str:
        """The name of its queue."""
        return self._queue

    @property
    def succeeded(self) -> int:
        """How many tasks have succeeded."""
        return self._success_count

    @property
    def failed(self) -> int:
        """How many tries have failed and will be repeated."""
        return self._failure_count

    @property
    def poisoned(self) -> int:
        """How many messages went to the poison queue."""
        return self._poison_count

    @property
    def is_ready(self) -> bool:
        """Whether it takes messages now: it is connected and not closing."""
        return self._prefetch > 0 and not self._closing

    @property
    def messages(self) -> list[Message]:
        """The messages that it has and has not acknowledged."""
        return [each.message for each in self._held if each.message is not None]

    def close(self, timeout: float | None = None) -> Deferred[list[Message]]:
        """Take no more messages, and end the running tasks. Fires when the broker knows of all.

        Messages whose task has not begun go back to the queue unchanged. After `timeout` seconds
        this cancels the running tasks, and their messages go back too; None waits for them. The
        Deferred fires with the messages that went back. If a task catches its cancellation and goes
        on, this waits for it: add a timeout to the Deferred; `messages` then has the rest. You can
        call this again.
        """
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"a timeout must be seconds, 0 or more, not {timeout!r}")
        closed: Deferred[list[Message]] = Deferred()
        self._waiting.append(closed)
        self._stop_taking()
        if timeout is not None and self._held:
            deadline = self._connection.reactor.callLater(timeout, self._cancel, lambda task: True)
            closed.addBoth(stop_timer, deadline)
        if self._working is None or self._working.called:
            self._tell()
        return closed

    # The consumer.

    async def _work(self) -> None:
        while not self._closing:
            try:
                self._channel = await self._connection.channel()
                await self._consume(self._channel)
            except CancelledError:
                self._closing = True  # if it was not close(): the connection is closed for good
            except Exception as error:
                _log.warn("{worker!r} takes no messages: {error!r}", worker=self, error=error)
            finally:
                self._prefetch = 0
            if not self._closing:
                await self._pause()
        for delivery in self._unstarted:
            self._give_back(delivery)
        while self._held:
            await self._until_change()
        if self._channel is not None:
            await self._channel.close()

    async def _pause(self) -> None:
        """Open another channel in a moment."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()  # with all that came on it
        with suppress(CancelledError):
            await deferLater(self._connection.reactor, exponential(1))

    async def _consume(self, channel: Channel) -> None:
        """Consume, with the prefetch that is right at the time, until the channel is closed."""
        while channel.is_open and not self._closing:
            await channel.declare(main_queue(self._queue), again=True)
            prefetch = self._right_prefetch()
            received = partial(self._received, channel)
            tag, ended = await channel.consume(self._queue, received, prefetch=prefetch)
            self._prefetch = prefetch
            ended.addCallback(self._wake)
            while not ended.called and prefetch == self._right_prefetch() and not self._closing:
                await self._until_change()
            if not ended.called:
                await channel.stop_consuming(tag)

    def _right_prefetch(self) -> int:
        groups = [self._scheduler, self._group]
        limits = [each.max_running for each in groups if each is not None]
        limit = min((limit for limit in limits if limit is not None), default=UNLIMITED)
        return min(limit, MOST)

    def _limit_changed(self) -> None:
        if self._right_prefetch() != self._prefetch:
            self._wake()

    async def _until_change(self) -> None:
        self._change = Deferred()
        await self._change

    def _wake(self, _: object = None) -> None:
        """Make _work() check its condition again."""
        change, self._change = self._change, None
        if change is not None:
            change.callback(None)

    # A message.

    def _received(self, channel: Channel, received: ReceivedMessage) -> None:
        delivery = Delivery(channel, received, self._ended)
        self._held[delivery] = None
        try:
            delivery.message = message = decode(received.body, received.properties)
            function = self._functions.find(message)
        except BadMessageError as error:
            self._poison(delivery, str(error))
            return
        wait = message.due - time.time() if message.due else 0.0
        if self._closing:
            self._unstarted.append(delivery)
        elif wait >= 1:
            self._move(delivery, delay_queue(self._queue, wait))
        elif delivery.is_again:
            self._try_again(delivery, LOST)
        else:
            self._start(delivery, message, function, wait)

    def _start(self, delivery: Delivery, message: Message, function: Function, wait: float) -> None:
        call = self._scheduler.call if wait <= 0 else partial(self._scheduler.call_later, wait)
        try:
            task = call(
                function.func, message, *message.args, priority=message.priority, **function.options
            )
        except SchedulerClosedError:
            self._unstarted.append(delivery)
            self._stop_taking()
            return
        except Exception:
            self._failed(delivery, Failure())  # type: ignore[no-untyped-call]
            return
        delivery.task = task
        task._add_listener(delivery)

    def _ended(self, outcome: Any, delivery: Delivery) -> None:
        """A task is done."""
        assert delivery.task is not None
        state = delivery.task.state
        if state is TaskState.SUCCEEDED:
            self._success_count += 1
            delivery.answer(result=outcome)
            delivery.acknowledge()
            self._forget(delivery)
        elif state is TaskState.CANCELLED and self._closing:
            self._give_back(delivery)
        elif outcome.check(RejectError):
            self._poison(delivery, outcome.getErrorMessage())
        else:
            self._failed(delivery, outcome)

    def _failed(self, delivery: Delivery, failure: Failure) -> None:
        _log.failure("{message}", failure, LogLevel.warn, message=delivery.message)
        name = type(failure.value).__name__
        self._try_again(delivery, f"{name}: {failure.getErrorMessage()}")

    def _try_again(self, delivery: Delivery, reason: str) -> None:
        """A try has failed."""
        message = delivery.message
        assert message is not None
        failures = message.failures + 1
        if failures >= self._tries:
            self._poison(delivery, f"failed {failures} times; {reason}", failures)
            return
        self._failure_count += 1
        wait = self._wait_after(failures)
        queue = delay_queue(self._queue, wait) if wait >= 1 else main_queue(self._queue)
        self._move(delivery, queue, **{FAILURES: failures, DUE: as_due(time.time() + wait)})

    def _wait_after(self, failures: int) -> float:
        try:
            wait = self._backoff(failures)
            if not 0 <= wait <= LONGEST_DELAY:
                raise ValueError(f"backoff must give seconds, from 0 to 10**12, not {wait!r}")
        except Exception:
            _log.failure("backoff of {worker!r} after {failures}", worker=self, failures=failures)
            return exponential(failures)
        return wait

    def _poison(self, delivery: Delivery, reason: str, failures: int | None = None) -> None:
        """Send it to the poison queue, because no worker can run it."""
        reason = as_text(reason)
        _log.error("{worker!r} gives up a message: {reason}", worker=self, reason=reason)
        delivery.answer(error=reason)
        headers: dict[str, Any] = {REASON: reason}
        if failures is not None:
            headers[FAILURES] = failures
        self._move(delivery, poison_queue(self._queue), **headers)

    def _give_back(self, delivery: Delivery) -> None:
        """Return it unchanged, for another worker."""
        if self._prefetch > 0:
            self._unstarted.append(delivery)  # it would come here again
            return
        if delivery.message is not None:
            self._given_back.append(delivery.message)
        self._move(delivery, main_queue(self._queue))

    def _move(self, delivery: Delivery, queue: dict[str, Any], **headers: Any) -> None:
        moving = Deferred.fromCoroutine(delivery.move(queue, **headers))
        moving.addErrback(lambda failure: _log.failure("while moving a message", failure=failure))
        moving.addCallback(self._moved, delivery, REASON in headers)

    def _moved(self, has_moved: bool | None, delivery: Delivery, is_poison: bool) -> None:
        if has_moved and is_poison:
            self._poison_count += 1
        self._forget(delivery)

    def _forget(self, delivery: Delivery) -> None:
        """Forget it: the broker knows its outcome."""
        self._held.pop(delivery, None)
        if self._closing and not self._held:
            self._wake()

    # The end.

    def _stop_taking(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._cancel(lambda task: task.attempts == 0)
        if self._channel is None and self._working is not None:
            self._working.cancel()  # it waits for a connection
        self._wake()

    def _cancel(self, is_doomed: Callable[[Task], bool]) -> None:
        for delivery in list(self._held):
            if delivery.task is not None and not delivery.task.done and is_doomed(delivery.task):
                delivery.task.cancel()

    def _has_worked(self, outcome: Any) -> None:
        if isinstance(outcome, Failure):
            _log.failure("{worker!r} has ended", failure=outcome, worker=self)
        self._scheduler._limit_listeners.remove(self._limit_changed)
        self._closing = True
        self._tell()

    def _tell(self) -> None:
        """Tell the waiters that it is closed."""
        waiting, self._waiting = self._waiting, []
        for closed in waiting:
            if not closed.called:
                closed.callback(self._given_back)


def stop_timer(outcome: Any, timer: Any) -> Any:
    """For addBoth(): cancel a timer that is not needed any more."""
    if timer.active():
        timer.cancel()
    return outcome
