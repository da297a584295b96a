"""The format of a message: a JSON body, and properties and headers of AMQP.

    body            {"function": "resize", "args": ["cat.png", 640]}
    message_id      the same each time that the task is tried, or submitted again
    priority        0 to 9, 9 first: 4 minus the priority that a Scheduler knows
    delivery_mode   2: survives a restart of the broker
    reply_to, correlation_id    where a result goes; none if nobody asks
    headers:
        timerwheel-due          when it is to run, in milliseconds since 1970
        timerwheel-failures     how many tries have failed
        timerwheel-reason       of a message in the poison queue: why it is there
        timerwheel-unreadable   instead of all properties and headers, if pika cannot decode them

Only the body's `function` is required. Other keys in it are an error. Other properties and headers
stay unchanged, unless a moved message's headers would not fit into a frame of RabbitMQ's: then it
loses the other headers.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from math import inf
from typing import Any, NamedTuple

from pika import BasicProperties
from pika.data import encode_table
from pika.exceptions import UnsupportedAMQPFieldException

from timerwheel.tasks.amqp._queues import MAX_PRIORITY

DUE = "timerwheel-due"
FAILURES = "timerwheel-failures"
REASON = "timerwheel-reason"
UNREADABLE = "timerwheel-unreadable"

LARGEST_NUMBER = 2**53  # of a header: what a double can tell from the next one
LONGEST_TEXT = 1000  # bytes of a header
LARGEST_HEADERS = 131_072 - 4096  # RabbitMQ's limit for a frame, less the other properties
SPARE_LEVELS = 50  # by which a header that is sent could be nested more deeply
LONGEST_DELAY = 1e12  # seconds, whose DUE is below that

NORMAL = 4  # the priority of AMQP's that is 0 for a scheduler
PERSISTENT = 2

# In a published message these would also send it elsewhere.
ROUTES = ("CC", "BCC")

_raw_decode = json.JSONDecoder().raw_decode


class BadMessageError(ValueError):
    """A message that no worker can run."""


class Message(NamedTuple):
    """The first argument of a worker's function: the task's message."""

    function: str
    """The name by which the worker knows the function."""
    args: tuple[Any, ...]
    """Its arguments, of JSON's types."""
    id: str | None
    """The id, the same in each try: use it for effects that must happen once."""
    priority: int = 0
    """-5 to 4; the lowest runs first."""
    failures: int = 0
    """How many tries have failed before this one."""
    due: float = 0
    """The time to run it, in seconds since 1970; 0 means at once."""


def encode_body(function: str, args: Iterable[Any]) -> bytes:
    """The body for a function and its arguments. Raises TypeError or ValueError if not JSON."""
    if not isinstance(function, str):
        raise TypeError(f"the name of a function must be a string, not {function!r}")
    args = list(args)
    body = {"function": function, "args": args}
    encoded = json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
    refuse_other_keys(args)
    return encoded


def refuse_other_keys(value: Any) -> None:
    """Raise TypeError if a dict has a key that is no string, which json.dumps() makes one."""
    values = [value]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, str):
                    raise TypeError(f"not JSON serializable: the key {key!r}, which is no string")
            values += value.values()
        elif isinstance(value, list | tuple):
            values += value


def encode_priority(priority: int) -> int:
    """The AMQP priority for a scheduler's. Raises ValueError if that is not from -5 to 4."""
    encoded = NORMAL - priority
    if encoded not in range(MAX_PRIORITY + 1):
        raise ValueError(f"the priority of a message must be from -5 to 4, not {priority!r}")
    return int(encoded)


def decode(body: bytes, properties: BasicProperties) -> Message:
    """Decode a message. Raises BadMessageError if it is malformed."""
    try:
        content = parse(body)
    except (ValueError, RecursionError) as error:
        raise BadMessageError(f"not JSON: {error}") from error
    if not isinstance(content, dict):
        raise BadMessageError("the body is not a JSON object")
    function, args = content.pop("function", None), content.pop("args", [])
    if not isinstance(function, str):
        raise BadMessageError("the body has no function that is a string")
    if not isinstance(args, list):
        raise BadMessageError("the body's args are not a list")
    if content:
        raise BadMessageError(as_text(f"unknown keys: {', '.join(sorted(content))}"))
    priority = NORMAL - min(properties.priority or 0, MAX_PRIORITY)
    headers = properties.headers
    if headers and UNREADABLE in headers:
        raise BadMessageError(f"its headers cannot be decoded: {headers[UNREADABLE]}")
    failures = max(int(number(headers, FAILURES)), 0) if headers else 0
    due = number(headers, DUE) / 1000 if headers else 0
    return Message(function, tuple(args), properties.message_id, priority, failures, due)


def parse(body: bytes) -> Any:
    """As json.loads(), in half the time if no white space is around the value."""
    try:
        text = body.decode()
        content, end = _raw_decode(text)
    except ValueError:
        return json.loads(body)
    return content if end == len(text) else json.loads(body)


def number(headers: dict[str, Any], name: str) -> float:
    """A header that is a number, 0 if there is none."""
    value = headers.get(name, 0)
    if not isinstance(value, int | float) or not abs(value) <= LARGEST_NUMBER:
        raise BadMessageError(f"the header {name} is not a number from -2**53 to 2**53")
    return value


def as_text(text: str) -> str:
    """What a header can have of a text: so many bytes, and no lone surrogates."""
    encoded = text[:LONGEST_TEXT].encode(errors="backslashreplace")
    return encoded[:LONGEST_TEXT].decode(errors="ignore")


def as_due(when: float) -> int:
    """The header for a time in seconds since 1970."""
    return round(when * 1000)


def encoded_size(headers: dict[str, Any]) -> float:
    """The bytes of headers; inf if pika cannot send what it has received.

    It cannot send floats, integers over 64 bits, and what is nested too deeply for Python's stack.
    """
    try:
        return int(encode_table([], headers))
    except (UnsupportedAMQPFieldException, struct.error, RecursionError):
        return inf


def is_encodable(value: Any) -> bool:
    """Whether pika can send a header, also from a somewhat deeper stack, as publish() does."""
    if isinstance(value, dict | list):
        for _ in range(SPARE_LEVELS):
            value = [value]
    return encoded_size({"": value}) < inf


def moved(properties: BasicProperties, **headers: Any) -> BasicProperties:
    """The properties of a message that goes to another queue, with more headers.

    If the headers are too large for a frame then, those of other programs are dropped. (Those that
    pika has decoded may take more bytes than they took.)
    """
    kept = {
        name: value
        for name, value in (properties.headers or {}).items()
        if name not in ROUTES and is_encodable(value)
    }
    if encoded_size({**kept, **headers}) > LARGEST_HEADERS:
        kept = {name: kept[name] for name in (DUE, FAILURES) if isinstance(kept.get(name), int)}
    return BasicProperties(
        content_type=properties.content_type,
        content_encoding=properties.content_encoding,
        correlation_id=properties.correlation_id,
        delivery_mode=PERSISTENT,
        headers={**kept, **headers},
        message_id=properties.message_id,
        priority=properties.priority,
        reply_to=properties.reply_to,
        timestamp=properties.timestamp,
        type=properties.type,
        app_id=properties.app_id,
    )
