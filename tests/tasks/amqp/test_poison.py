"""Messages that cannot be run, and what holds if the broker does not take them back."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from amqp_helpers import Bench
from pika.exceptions import UnroutableError

from timerwheel.tasks.amqp import RejectError
from timerwheel.tasks.amqp._envelope import BadMessageError, decode


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
