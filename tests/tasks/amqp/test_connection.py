"""The connection to a broker, and the channels of workers and of those who submit, without one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.twisted_connection import ClosableDeferredQueue, ReceivedMessage
from pika.exceptions import (
    ChannelWrongStateError,
    ConnectionWrongStateError,
    ConsumerCancelled,
    NackError,
    StreamLostError,
    UnroutableError,
)
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.testing import StringTransport

from timerwheel import Clock
from timerwheel.tasks.amqp import (
    Connection,
    RequestError,
    request,
    submit,
)
from timerwheel.tasks.amqp._channel import Channel
from timerwheel.tasks.amqp._publisher import Publisher


class NoBroker:
    """An endpoint at which nobody listens."""

    def __init__(self) -> None:
        self.attempts = 0

    def connect(self, factory: object) -> Deferred[Any]:
        self.attempts += 1
        return fail(ConnectionRefusedError())


def test_a_connection_waits_longer_after_each_failure() -> None:
    clock, endpoint = Clock(), NoBroker()
    connection = Connection(clock, pika.ConnectionParameters(), endpoint)
    times = []
    while len(times) < 10:
        (call,) = clock.getDelayedCalls()
        times.append(call.getTime() - clock.seconds())
        clock.advance(times[-1])
    for failures, wait in enumerate(times, start=1):
        assert min(2**failures, 60) / 2 <= wait <= min(2**failures, 60)
    waiting = Deferred.fromCoroutine(connection.channel())
    assert "connecting" in repr(connection)
    Deferred.fromCoroutine(connection.close())
    assert clock.getDelayedCalls() == []
    waiting.addErrback(lambda failure: failure.type.__name__)
    assert waiting.result == "CancelledError"
    assert "closed" in repr(connection)


def test_tls_needs_an_endpoint() -> None:
    parameters = pika.URLParameters("amqps://localhost/")
    with pytest.raises(ValueError, match="TLS needs an endpoint"):
        Connection(Clock(), parameters)


def test_a_connection_needs_parameters_of_pikas() -> None:
    url: Any = "amqp://localhost/"
    with pytest.raises(TypeError, match=r"pika\.URLParameters"):
        Connection(Clock(), url)


def test_what_cannot_be_changed_about_a_connection_is_read_only() -> None:
    connection = Connection(Clock(), pika.ConnectionParameters(), NoBroker())
    for name in ("reactor", "is_connected"):
        with pytest.raises(AttributeError):
            setattr(connection, name, 1)


class PikaChannel:
    """Stands for a TwistedChannel on which messages are published."""

    is_open = True

    def __init__(self) -> None:
        self.unconfirmed: list[Deferred[Any]] = []
        self.published: list[tuple[Any, ...]] = []
        self.answered: list[str] = []

    def add_on_return_callback(self, callback: Callable[[ReceivedMessage], None]) -> None:
        self.on_return = callback

    def basic_publish(self, *arguments: object, mandatory: bool) -> Deferred[Any]:
        self.published.append(arguments)
        self.unconfirmed.append(Deferred())
        return self.unconfirmed[-1]


class OneConnection:
    """Stands for a Connection for those who submit; the test opens its channels."""

    def __init__(self) -> None:
        self.opening: list[Deferred[Any]] = []
        self.publisher = Publisher(self.channel)

    async def channel(self) -> Channel:
        self.opening.append(Deferred())
        below: Any = await self.opening[-1]
        return Channel(below, None, None)


class OpenChannel(PikaChannel):
    """On which queues are declared, and messages consumed, too."""

    channel_number = 1

    def __init__(self) -> None:
        super().__init__()
        self.declared: list[str] = []
        self.deliveries = ClosableDeferredQueue()

    def queue_declare(self, queue: str, **arguments: object) -> Deferred[Any]:
        self.declared.append(queue)
        return succeed(None)

    def basic_qos(self, **arguments: object) -> Deferred[Any]:
        return succeed(None)

    def basic_consume(self, queue: str, auto_ack: bool) -> Deferred[Any]:
        return succeed((self.deliveries, "tag"))

    def callback_deferred(self, deferred: Deferred[Any], replies: list[Any]) -> None:
        self.waiting = (deferred, replies)

    def basic_cancel(self, tag: str) -> Deferred[Any]:
        self.deliveries.close(ConsumerCancelled())
        return succeed(None)


def test_many_who_submit_share_a_channel_and_the_declaring_of_its_queues() -> None:
    connection: Any = OneConnection()
    submitted = [submit(connection, "jobs", "run", id=str(number)) for number in range(5000)]
    below = OpenChannel()
    (opening,) = connection.opening
    opening.callback(below)
    assert below.declared == ["jobs"]
    for confirmed in below.unconfirmed:
        confirmed.callback(None)
    assert [each.result for each in submitted] == [str(number) for number in range(5000)]


@pytest.mark.parametrize("reason", [ConnectionLost(), StreamLostError(), ChannelWrongStateError()])
def test_what_was_not_confirmed_is_submitted_again_on_the_next_channel(reason: Exception) -> None:
    connection: Any = OneConnection()
    submitted = submit(connection, "jobs", "run", id="17")
    below = OpenChannel()
    connection.opening[0].callback(below)
    below.is_open = False
    below.unconfirmed[0].errback(reason)
    assert not submitted.called
    above = OpenChannel()
    connection.opening[1].callback(above)
    above.unconfirmed[0].callback(None)
    assert submitted.result == "17"


def test_each_message_of_a_delay_queue_has_its_time_to_live() -> None:
    connection: Any = OneConnection()
    for delay in (0, 0.5, 3):
        submit(connection, "jobs", "run", delay=delay)
    below = OpenChannel()
    connection.opening[0].callback(below)
    found = [(queue, about.expiration) for _, queue, _, about in below.published]
    assert found == [("jobs", None), ("jobs", None), ("jobs.delay.2", "2000")]


def test_one_who_does_not_wait_for_a_connection_holds_up_no_other() -> None:
    connection: Any = OneConnection()
    first, second = submit(connection, "jobs", "run"), submit(connection, "jobs", "run", id="2")
    first.cancel()
    first.addErrback(lambda failure: failure.trap(CancelledError))
    below = OpenChannel()
    connection.opening[0].callback(below)
    below.unconfirmed[0].callback(None)
    assert (len(below.unconfirmed), second.result) == (1, "2")


def test_a_request_has_its_answer_or_hears_that_it_is_lost() -> None:
    connection: Any = OneConnection()
    requests = [request(connection, "jobs", "run") for _ in range(3)]
    below = OpenChannel()
    connection.opening[0].callback(below)
    for confirmed, content in zip(
        below.unconfirmed, ({"result": [1]}, {"error": "oh"}), strict=False
    ):
        confirmed.callback(None)
        _, _, _, properties = below.published[len(below.answered)]
        below.answered.append(properties.correlation_id)
        about = pika.BasicProperties(correlation_id=properties.correlation_id)
        below.deliveries.put(ReceivedMessage(None, None, about, json.dumps(content).encode()))
    below.unconfirmed[2].callback(None)
    below.deliveries.close(StreamLostError())
    for failed in requests[1:]:
        failed.addErrback(lambda failure: failure.value)
    assert requests[0].result == [1]
    assert str(requests[1].result) == "oh"
    assert isinstance(requests[1].result, RequestError)
    assert isinstance(requests[2].result, StreamLostError)


def test_a_message_that_no_queue_took_is_not_taken_for_safe() -> None:
    """pika blames the message that is confirmed next, which may be another one."""
    below: Any = PikaChannel()
    channel = Channel(below, None, None)
    fine = Deferred.fromCoroutine(channel.publish("jobs", b""))
    lost = Deferred.fromCoroutine(channel.publish("gone", b""))
    method = pika.spec.Basic.Return(routing_key="gone")
    below.on_return(ReceivedMessage(None, method, pika.BasicProperties(), b""))
    below.unconfirmed[0].errback(UnroutableError([]))
    below.unconfirmed[1].callback(None)
    assert fine.result is None
    lost.addErrback(lambda failure: failure.type)
    assert lost.result is UnroutableError


@pytest.mark.parametrize("end", ["as it was told", "with the channel"])
def test_what_is_on_its_way_when_a_consumer_stops_is_taken(end: str) -> None:
    """pika would reject it, and the broker call it redelivered, as if its worker had died."""
    below: Any = OpenChannel()
    transport = StringTransport()
    channel = Channel(below, transport, None)
    received: list[Any] = []
    consuming = Deferred.fromCoroutine(channel.consume("jobs", received.append, prefetch=3))
    tag, ended = consuming.result  # type: ignore[misc]
    stopped = Deferred.fromCoroutine(channel.stop_consuming(tag))
    _, frame = pika.frame.decode_frame(transport.value())
    assert isinstance(frame, pika.frame.Method)
    assert (frame.channel_number, frame.method.consumer_tag) == (1, "tag")
    below.deliveries.put("on its way")
    assert (received, stopped.called, ended.called) == (["on its way"], False, False)
    if end == "with the channel":
        below.deliveries.close(StreamLostError())
    else:
        below.waiting[0].callback(None)
    assert (stopped.result, ended.called) == (None, True)


def test_messages_that_are_there_when_a_consumer_starts_are_taken_first() -> None:
    below: Any = OpenChannel()
    below.deliveries.put("first")
    below.deliveries.put("second")
    received: list[Any] = []
    consuming = Channel(below, StringTransport(), None).consume("jobs", received.append)
    _, ended = Deferred.fromCoroutine(consuming).result  # type: ignore[misc]
    below.deliveries.put("third")
    assert (received, ended.called) == (["first", "second", "third"], False)


def test_one_who_submits_while_a_connection_ends_waits_for_the_next() -> None:
    class Ended:
        """Stands for pika's protocol, which tells its channels first that it is lost."""

        is_open = False
        calls = 0

        def channel(self) -> Deferred[Any]:
            self.calls += 1
            assert self.calls < 100, "it would never end"
            return fail(ConnectionWrongStateError())

    connection = Connection(Clock(), pika.ConnectionParameters(), NoBroker())
    connection._protocol = Ended()  # type: ignore[assignment]
    submitted = submit(connection, "jobs", "run")
    assert not submitted.called
    submitted.cancel()
    submitted.addErrback(lambda failure: failure.trap(CancelledError))


def test_what_the_broker_cannot_take_is_published_again_a_little_later() -> None:
    """As the first message of a queue that another connection has just declared."""
    below: Any = PikaChannel()
    clock = Clock()
    published = Deferred.fromCoroutine(Channel(below, None, clock).publish("jobs", b"body"))
    below.unconfirmed[0].errback(NackError([]))
    assert (len(below.published), published.called) == (1, False)
    clock.advance(2)
    assert below.published[0] == below.published[1]
    below.unconfirmed[1].callback(None)
    assert published.result is None
    assert clock.getDelayedCalls() == []


def test_the_longest_names_that_are_taken_can_be_sent() -> None:
    connection: Any = OneConnection()
    queue, id = "q" * 241, "i" * 255
    submit(connection, queue, "run", id=id, delay=1e12)
    below = OpenChannel()
    connection.opening[0].callback(below)
    ((_, sent_to, _, properties),) = below.published
    pika.spec.Basic.Publish(routing_key=sent_to).encode()
    properties.encode()
    assert (len(sent_to), properties.message_id) == (255, id)
