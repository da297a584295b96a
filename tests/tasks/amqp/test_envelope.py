"""How the body and the properties of a message say what to call."""

from __future__ import annotations

import pika
import pytest

from timerwheel.tasks.amqp import Message
from timerwheel.tasks.amqp._envelope import BadMessageError, decode, encode_body, encode_priority


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
