"""What a message keeps when a worker moves it to another queue."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from amqp_helpers import Bench

from timerwheel.tasks.amqp import RejectError
from timerwheel.tasks.amqp._envelope import moved


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
