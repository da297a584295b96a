"""What becomes of a message that asks for a task: acknowledged, answered, tried again, poison."""

from __future__ import annotations

import json
from typing import Any

import pytest
from amqp_helpers import NOW, Bench
from pika.adapters.twisted_connection import ReceivedMessage
from twisted.python.failure import Failure

from timerwheel.tasks.amqp import Message, RejectError
from timerwheel.tasks.amqp._backoff import exponential
from timerwheel.tasks.amqp._queues import delay_queue


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


def test_the_back_off_doubles_and_has_an_end() -> None:
    for failures in range(1, 2000):
        longest = min(2.0 ** min(failures, 64), 3600)
        assert longest / 2 <= exponential(failures) <= longest
