"""Workers and messages without a broker: what is sent on a channel. tests/broker has a real one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.twisted_connection import ReceivedMessage
from pika.exceptions import (
    ChannelWrongStateError,
    UnroutableError,
)
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from timerwheel import Clock
from timerwheel.tasks import Scheduler
from timerwheel.tasks.amqp import (
    Message,
    RejectError,
    Worker,
    request,
    submit,
)
from timerwheel.tasks.amqp._backoff import exponential
from timerwheel.tasks.amqp._envelope import (
    BadMessageError,
    decode,
    encode_body,
    encode_priority,
    moved,
)
from timerwheel.tasks.amqp._queues import delay_queue

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


@pytest.fixture(autouse=True)
def _wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)


@pytest.fixture
def bench() -> Bench:
    return Bench()


# A task.


def test_a_message_is_acknowledged_when_its_task_has_succeeded(bench: Bench) -> None:
    tag = bench.deliver("a", message_id="17", priority=6)
    assert bench.messages == [Message("run", ("a",), "17", -2)]
    assert bench.channel.acknowledged == []
    assert bench.worker.messages == bench.messages
    bench.running["a"].callback("done")
    assert (bench.channel.acknowledged, bench.channel.published) == ([tag], [])
    assert (bench.worker.succeeded, bench.worker.messages) == (1, [])


def test_the_priority_of_a_message_is_its_tasks() -> None:
    bench = Bench()
    bench.scheduler.max_running = 1
    for name, priority in [("first", 0), ("low", 0), ("normal", 4), ("high", 9)]:
        bench.deliver(name, priority=priority)
    for _ in range(4):
        list(bench.running.values())[-1].callback(None)
        bench.clock.advance(0)
    assert list(bench.running) == ["first", "high", "normal", "low"]


def test_a_failed_try_waits_in_the_broker(bench: Bench) -> None:
    tag = bench.deliver("a", message_id="17", priority=6, headers={"mine": 1})
    bench.running["a"].errback(ValueError("oh"))
    ((queue, body, properties),) = bench.channel.published
    assert queue == "jobs.delay.8"  # and then 2
    assert json.loads(body) == {"function": "run", "args": ["a"]}
    assert properties.headers == {
        "mine": 1,
        "timerwheel-failures": 1,
        "timerwheel-due": (NOW + 10) * 1000,
    }
    assert (properties.message_id, properties.priority, properties.delivery_mode) == ("17", 6, 2)
    assert properties.expiration == "8000"
    assert (bench.channel.acknowledged, bench.worker.failed) == ([tag], 1)


def test_a_short_wait_is_the_workers(bench: Bench) -> None:
    bench.deliver("a", headers={"timerwheel-due": int((NOW + 0.5) * 1000)})
    assert bench.messages == []
    bench.clock.advance(0.5)
    assert [message.due for message in bench.messages] == [NOW + 0.5]
    assert bench.channel.published == []


@pytest.mark.parametrize(
    ("wait", "seconds"), [(1, 1), (1.9, 1), (2, 2), (100, 64), (1e7, 1 << 22), (1e300, 1 << 22)]
)
def test_the_longest_power_of_two_is_waited_for_first(wait: float, seconds: int) -> None:
    arguments = delay_queue("jobs", wait)
    assert arguments["queue"] == f"jobs.delay.{seconds}"
    assert arguments["arguments"]["x-message-ttl"] == seconds * 1000 < 2**32


def test_a_message_that_comes_before_its_time_waits_for_the_rest_in_the_broker(
    bench: Bench,
) -> None:
    headers = {"timerwheel-due": int((NOW + 36.5) * 1000), "timerwheel-failures": 2}
    bench.deliver("a", headers=headers, redelivered=True)
    assert bench.moves() == [("jobs.delay.32", headers)]  # which is no try
    assert bench.messages == []


def test_the_last_try_that_fails_goes_to_the_poison_queue(bench: Bench) -> None:
    tag = bench.deliver("a", headers={"timerwheel-failures": 4})
    bench.running["a"].errback(ValueError("oh"))
    ((queue, headers),) = bench.moves()
    assert queue == "jobs.poison"
    assert bench.channel.published[0][2].expiration is None
    assert headers["timerwheel-failures"] == 5
    assert headers["timerwheel-reason"] == "failed 5 times; ValueError: oh"
    assert (bench.channel.acknowledged, bench.worker.poisoned) == ([tag], 1)


def test_a_function_may_reject_a_task(bench: Bench) -> None:
    bench.deliver("a")
    bench.running["a"].errback(RejectError("no such picture" + "!" * 100_000))
    ((queue, headers),) = bench.moves()
    assert queue == "jobs.poison"
    assert headers["timerwheel-reason"].startswith("no such picture!")
    assert len(headers["timerwheel-reason"]) == 1000  # headers must fit into a frame


def test_a_reason_may_have_what_utf_8_has_not(bench: Bench) -> None:
    """File names do. The broker would else be sent nothing, and the channel closed."""
    bench.deliver("a")
    bench.running["a"].errback(RejectError("no picture caf\udce9.png"))
    bench.channel.published[0][2].encode()
    assert bench.moves() == [("jobs.poison", {"timerwheel-reason": "no picture caf\\udce9.png"})]


@pytest.mark.parametrize("wait", [float("nan"), float("inf"), -1, "soon", None])
def test_a_back_off_that_is_none_holds_no_message_up(wait: Any, logged: list[Failure]) -> None:
    bench = Bench(backoff=(lambda failures: 1 / 0) if wait is None else lambda failures: wait)
    tag = bench.deliver("a", headers={"timerwheel-failures": 1})
    bench.running["a"].errback(ValueError("oh"))
    ((queue, headers),) = bench.moves()
    assert (queue, headers["timerwheel-failures"]) == ("jobs.delay.2", 2)
    assert (bench.channel.acknowledged, bench.worker.messages) == ([tag], [])
    assert len(logged) == 2


def test_a_task_that_the_scheduler_refuses_is_tried_again_and_then_poison(
    bench: Bench, logged: list[Failure], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(bench.scheduler, "call", refuse)
    bench.worker.register("refused", print)
    for failures in (0, 4):
        bench.channel.deliver({"function": "refused"}, headers={"timerwheel-failures": failures})
    (first, _), (second, headers) = bench.moves()
    assert (first, second) == ("jobs.delay.8", "jobs.poison")
    assert headers["timerwheel-reason"] == "failed 5 times; MemoryError: no room"
    assert bench.worker.messages == []
    assert [failure.type for failure in logged] == [MemoryError] * 2


def test_a_message_whose_worker_was_lost_counts_as_tried(bench: Bench) -> None:
    bench.deliver("a", redelivered=True)
    bench.deliver("b", redelivered=True, headers={"timerwheel-failures": 4})
    assert bench.messages == []
    (first, headers), (second, _) = bench.moves()
    assert (first, headers["timerwheel-failures"], second) == ("jobs.delay.8", 1, "jobs.poison")


def test_a_task_that_somebody_cancels_is_tried_again(bench: Bench) -> None:
    bench.deliver("a")
    bench.scheduler.tasks[0].cancel()
    ((queue, headers),) = bench.moves()
    assert (queue, headers["timerwheel-failures"]) == ("jobs.delay.8", 1)


def test_a_message_whose_end_goes_wrong_holds_no_other_up(
    bench: Bench, logged: list[Failure], monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = [bench.deliver(name) for name in "ab"]
    told: list[str] = []

    def cannot(received: ReceivedMessage) -> None:
        told.append("a")
        raise OSError("no")

    with monkeypatch.context() as patched:
        patched.setattr(bench.channel, "acknowledge", cannot)
        bench.running["a"].callback(None)
    bench.running["b"].callback(None)
    bench.clock.advance(1)
    assert (told, bench.channel.acknowledged) == (["a"], [tags[1]])
    assert [failure.type for failure in logged] == [OSError]
    # The broker still has it, and delivers it again if the worker ends.
    assert [message.args for message in bench.worker.messages] == [("a",)]


def test_an_interrupt_while_a_message_ends_does_not_end_it_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[ReceivedMessage] = []

    def interrupted(received: ReceivedMessage) -> None:
        told.append(received)
        raise KeyboardInterrupt

    bench.worker.register("now", lambda message: None)
    monkeypatch.setattr(bench.channel, "acknowledge", interrupted)
    bench.channel.deliver({"function": "now"})
    with pytest.raises(KeyboardInterrupt):
        bench.clock.advance(0)
    bench.clock.advance(1)
    assert len(told) == 1


# Answers.


def test_a_result_is_answered(bench: Bench) -> None:
    for name in "abc":
        bench.deliver(name, reply_to="replies", correlation_id=name)
    bench.running["a"].callback([1, None])
    bench.running["b"].callback(object())
    bench.running["c"].errback(RejectError("never"))
    assert bench.channel.sent[0] == ("replies", {"result": [1, None]}, "a")
    assert bench.channel.sent[1][1]["error"].startswith("the result is not JSON: ")
    assert bench.channel.sent[2] == ("replies", {"error": "never"}, "c")
    assert bench.channel.acknowledged == [1, 2, 3]


# What cannot be run.


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "the body is not a JSON object"),
        (b"{}", "the body has no function that is a string"),
        (b'{"function": []}', "the body has no function that is a string"),
        (b'{"function": "run", "args": {}}', "the body's args are not a list"),
        (b'{"function": "run", "args": [1], "z": 0, "kwargs": {}}', "unknown keys: kwargs, z"),
        (b'{"function": "walk"}', "unknown function 'walk'"),
        (b'{"function": "run"}', "wrong arguments: missing a required argument: 'name'"),
    ],
)
def test_what_cannot_be_run_is_poison(bench: Bench, body: bytes, reason: str) -> None:
    tag = bench.channel.deliver(body, raw=True)
    ((queue, headers),) = bench.moves()
    assert queue == "jobs.poison"
    assert headers["timerwheel-reason"].startswith(reason)
    assert (bench.channel.published[0][1], bench.channel.acknowledged) == (body, [tag])


@pytest.mark.parametrize("value", ["x", float("nan"), float("inf"), None, [1], 1e300, -(2**53) - 1])
@pytest.mark.parametrize("name", ["timerwheel-due", "timerwheel-failures"])
def test_a_header_that_is_no_number_is_poison(name: str, value: Any) -> None:
    with pytest.raises(BadMessageError, match=name):
        decode(b'{"function": "run"}', pika.BasicProperties(headers={name: value}))


def test_a_move_keeps_what_the_sender_said_but_not_where_else_it_goes() -> None:
    before = pika.BasicProperties(
        message_id="17",
        type="job",
        expiration="1000",
        user_id="another",
        headers={
            "kept": [1, {"a": "b"}],
            "CC": ["jobs"],
            "BCC": ["jobs"],
            "float": 1.5,
            "large": 10**30,
        },
    )
    after = moved(before, more=1)
    assert after.headers == {"kept": [1, {"a": "b"}], "more": 1}  # what pika can send
    assert (after.message_id, after.type, after.delivery_mode) == ("17", "job", 2)
    # It is not to vanish while it waits; and the broker refuses another's name.
    assert (after.expiration, after.user_id) == (None, None)
    after.encode()


@pytest.mark.parametrize(
    "headers",
    [
        {"mine": "x" * 130_939},
        {"mine": [1] * 50_000},  # of 2 bytes each where they came from, of 5 here
        {"mine": "x" * 70_000, "yours": "x" * 60_000},
    ],
)
def test_headers_that_would_not_fit_into_a_frame_are_dropped(
    bench: Bench, headers: dict[str, Any]
) -> None:
    bench.deliver("a", headers={**headers, "timerwheel-failures": 2, "timerwheel-due": 5})
    bench.running["a"].errback(RejectError("\u4e2d" * 1000))
    (properties,) = [properties for _, _, properties in bench.channel.published]
    assert len(b"".join(properties.encode())) < 131_072 - 4096
    assert {**properties.headers, "timerwheel-reason": ""} == {
        "timerwheel-failures": 2,
        "timerwheel-due": 5,
        "timerwheel-reason": "",
    }
    assert len(properties.headers["timerwheel-reason"].encode()) in range(990, 1001)


def test_a_header_of_ours_that_is_too_large_is_dropped_too(bench: Bench) -> None:
    bench.deliver("a", headers={"timerwheel-due": "x" * 130_939})
    ((queue, headers),) = bench.moves()
    assert (queue, list(headers)) == ("jobs.poison", ["timerwheel-reason"])


def test_a_header_that_is_nested_too_deeply_to_be_sent_is_dropped() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"": deep}
    assert moved(pika.BasicProperties(headers={"deep": deep, "kept": 1})).headers == {"kept": 1}


def test_a_message_is_poison_when_the_broker_has_it(bench: Bench) -> None:
    bench.channel.refusal = UnroutableError([])
    bench.deliver("a")
    bench.running["a"].errback(RejectError("no"))
    assert bench.worker.poisoned == 0
    bench.clock.advance(3)
    bench.deliver("a")
    bench.running["a"].errback(RejectError("no"))
    assert bench.worker.poisoned == 1


def test_what_pika_cannot_do_without_a_broker_that_takes_the_message(bench: Bench) -> None:
    """It stays with the broker, which delivers it again on another channel."""
    bench.channel.refusal = UnroutableError([])
    bench.deliver("a")
    bench.running["a"].errback(ValueError("oh"))
    assert not bench.channel.is_open
    assert bench.channel.acknowledged == []
    bench.clock.advance(3)
    assert len(bench.connection.channels) == 2
    assert bench.worker.is_ready


# The consumer.


def test_prefetch_follows_max_running(bench: Bench) -> None:
    bench.scheduler.max_running = 5
    bench.scheduler.max_running = 5
    bench.scheduler.max_running = None
    assert bench.channel.prefetches == [3, 5, 1000]
    assert bench.worker.is_ready


def test_prefetch_is_no_more_than_amqp_can_say(bench: Bench) -> None:
    bench.scheduler.max_running = 100_000
    assert bench.channel.prefetches == [3, 65_535]


def test_prefetch_follows_the_limit_of_the_group() -> None:
    clock = Clock()
    scheduler = Scheduler(clock, max_running=3)
    connection: Any = FakeConnection()
    group = scheduler.group(max_running=2)
    Worker(scheduler, connection, "jobs", group=group).start()
    group.max_running = 1
    scheduler.max_running = 4
    group.max_running = None
    assert connection.channels[0].prefetches == [2, 1, 4]


def test_a_worker_consumes_again_on_another_channel(bench: Bench) -> None:
    bench.deliver("a")
    lost = bench.channel
    lost.lose()
    assert not bench.worker.is_ready
    bench.clock.advance(2)
    assert bench.worker.is_ready
    assert bench.channel is not lost
    bench.running["a"].callback(None)  # acknowledged nowhere: the broker delivers it again
    assert (lost.acknowledged, bench.channel.acknowledged) == ([], [])
    assert bench.worker.messages == []


def test_a_consumer_that_the_broker_ends_is_begun_anew(bench: Bench) -> None:
    bench.channel.ended.callback(ChannelWrongStateError())  # the queue was deleted
    assert bench.channel.prefetches == [3, 3]
    bench.deliver("a")
    assert list(bench.running) == ["a"]


# The end.


def test_close_waits_for_what_runs_and_gives_back_what_has_not_begun(bench: Bench) -> None:
    bench.scheduler.max_running = 1
    channel = bench.channel
    for name in "abc":
        bench.deliver(name, headers={"mine": name})
    closed = bench.worker.close()
    assert not bench.worker.is_ready
    assert channel.received is None
    assert channel.acknowledged == [2, 3]
    assert bench.moves() == [("jobs", {"mine": "b"}), ("jobs", {"mine": "c"})]
    assert not closed.called
    bench.running["a"].callback(None)
    assert channel.acknowledged == [2, 3, 1]
    assert [message.args for message in closed.result] == [("b",), ("c",)]
    assert not channel.is_open
    assert list(bench.running) == ["a"]


def test_close_gives_back_what_still_runs_after_the_timeout(bench: Bench) -> None:
    bench.deliver("a", headers={"timerwheel-failures": 2})
    closed = bench.worker.close(5)
    bench.clock.advance(4.9)
    assert not closed.called
    bench.clock.advance(0.1)
    assert bench.moves() == [("jobs", {"timerwheel-failures": 2})]
    assert len(closed.result) == 1


def test_close_has_no_timer_left_when_all_has_ended(bench: Bench) -> None:
    bench.deliver("a")
    closed = bench.worker.close(5)
    bench.running["a"].callback(None)
    assert closed.result == []
    assert bench.clock.getDelayedCalls() == []


def test_close_is_at_once_without_a_connection() -> None:
    bench = Bench()
    bench.connection.is_gone = True
    bench.channel.lose()
    bench.clock.advance(2)
    assert bench.worker.close().result == []


def test_close_is_at_once_while_a_worker_waits_to_connect_again(bench: Bench) -> None:
    bench.channel.lose()
    assert bench.worker.close().result == []
    assert bench.clock.getDelayedCalls() == []


def test_a_worker_ends_with_its_scheduler(bench: Bench) -> None:
    bench.scheduler.close()
    bench.deliver("a")
    assert bench.moves() == [("jobs", {})]
    assert not bench.worker.is_ready


def test_a_worker_ends_with_its_connection(bench: Bench) -> None:
    bench.deliver("a")
    bench.connection.is_closed = True
    bench.channel.lose()
    bench.clock.advance(2)
    closed = bench.worker.close()
    assert not closed.called
    bench.running["a"].callback(None)
    assert (closed.result, bench.worker.close().result) == ([], [])


def test_close_of_a_worker_that_was_not_started() -> None:
    connection: Any = FakeConnection()
    worker = Worker(Scheduler(Clock()), connection, "jobs")
    assert worker.close().result == []
    with pytest.raises(RuntimeError, match="started or closed before"):
        worker.start()


# What a program gives.


def test_wrong_use_is_refused(bench: Bench) -> None:
    connection: Any = bench.connection
    with pytest.raises(ValueError, match="tries must be at least 1"):
        Worker(bench.scheduler, connection, "jobs", tries=0)
    with pytest.raises(ValueError, match="a function 'run' already"):
        bench.worker.register("run", print)
    with pytest.raises(TypeError, match="needs a callable"):
        bench.worker.register("walk", 3)
    with pytest.raises(TypeError, match="priority"):
        bench.worker.register("walk", print, priority=1)
    with pytest.raises(ValueError, match="timeout"):
        bench.worker.close(-1)


def test_what_cannot_be_changed_is_read_only(bench: Bench) -> None:
    for name in ("queue", "succeeded", "failed", "poisoned", "is_ready", "messages"):
        with pytest.raises(AttributeError):
            setattr(bench.worker, name, 1)


def test_what_a_worker_cannot_be_made_of_is_refused(bench: Bench) -> None:
    scheduler, connection = bench.scheduler, bench.connection
    wrong: Any
    for wrong, said in [
        ((bench.clock, connection, "jobs"), "needs a Scheduler"),
        ((scheduler, "amqp://localhost/", "jobs"), "needs a Connection"),
        ((scheduler, connection, 3), "name of a queue"),
        ((connection, scheduler, "jobs"), "needs a Scheduler"),
    ]:
        with pytest.raises(TypeError, match=said):
            Worker(*wrong)
    with pytest.raises(TypeError, match="backoff must be callable"):
        Worker(scheduler, connection, "jobs", backoff=3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout": -1}, "a timeout must be seconds"),
        ({"timout": 5}, "timout"),
        ({"after": []}, "after"),
        ({"deadline": 5}, "deadline"),
        ({"retry": 3}, "retry must be a tenacity.Retrying"),
        ({"fallback": 3}, "3 is not callable"),
        ({"group": 3}, "group"),
        ({"group": Scheduler(Clock()).group("another's")}, "not a group of this scheduler"),
    ],
)
def test_an_option_that_no_task_can_have_is_refused_when_a_function_is_registered(
    bench: Bench, options: Any, said: str
) -> None:
    """Otherwise each message that asks for the function would go to the poison queue."""
    with pytest.raises((ValueError, TypeError), match=said):
        bench.worker.register("walk", print, **options)
    bench.worker.register("walk", print, timeout=5)


def test_a_worker_with_the_group_of_another_scheduler_is_refused(bench: Bench) -> None:
    group = Scheduler(bench.clock).group("another's")
    with pytest.raises(ValueError, match="not a group of this scheduler"):
        Worker(bench.scheduler, bench.connection, "jobs", group=group)  # type: ignore[arg-type]


@pytest.mark.parametrize("give", [submit, request])
def test_what_cannot_be_sent_is_refused_at_the_call(give: Any) -> None:
    wrong = ({"priority": 5}, {"priority": -6}, {"priority": 0.5}, {"delay": -1}, {"delay": 1e300})
    for options in wrong:
        with pytest.raises(ValueError, match="must be"):
            give(None, "jobs", "run", **options)
    with pytest.raises(TypeError, match="not JSON serializable"):
        give(None, "jobs", "run", object())
    with pytest.raises(TypeError, match="not JSON serializable: the key 1"):
        give(None, "jobs", "run", [({"a": {1: 2}},)])
    with pytest.raises(ValueError, match="JSON"):
        give(None, "jobs", "run", float("nan"))
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="Circular"):
        give(None, "jobs", "run", loop)
    with pytest.raises(TypeError, match="function must be a string"):
        give(None, "jobs", None)


@pytest.mark.parametrize("give", [submit, request])
@pytest.mark.parametrize(
    ("queue", "id", "error"),
    [
        (None, None, TypeError),
        ("", None, ValueError),
        ("\u00e9" * 121, None, ValueError),  # 242 bytes, and .delay.4194304
        ("\ud800", None, ValueError),
        ("jobs", 5, TypeError),
        ("jobs", "x" * 256, ValueError),
        ("jobs", "\ud800", ValueError),
    ],
)
def test_a_name_that_amqp_cannot_have_is_refused_at_the_call(
    give: Any, queue: Any, id: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        give(None, queue, "run", id=id)


def test_the_envelope() -> None:
    body = encode_body("run", ["é", 1.5, None, {"a": []}])
    properties = pika.BasicProperties(message_id="17", priority=encode_priority(-5))
    message = decode(body, properties)
    assert message == Message("run", ("é", 1.5, None, {"a": []}), "17", -5)
    assert decode(b'{"function": "run"}', pika.BasicProperties()).priority == 4  # as for a queue


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
@pytest.mark.parametrize("space", ["", " \r\n\t"])
def test_a_body_may_be_what_json_loads_takes(encoding: str, space: str) -> None:
    body = f'{space}{{"function": "run", "args": ["é"]}}{space}'.encode(encoding)
    assert decode(body, pika.BasicProperties()).args == ("é",)


def test_a_body_may_be_followed_by_nothing() -> None:
    with pytest.raises(BadMessageError, match="not JSON: Extra data"):
        decode(b'{"function": "run"}{}', pika.BasicProperties())


def test_the_back_off_doubles_and_has_an_end() -> None:
    for failures in range(1, 2000):
        longest = min(2.0 ** min(failures, 64), 3600)
        assert longest / 2 <= exponential(failures) <= longest
