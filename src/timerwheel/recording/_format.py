"""What a recording is made of; docs/recordings.md describes the bytes.

    magic, version            8 bytes and a 16-bit number
    block: the header         JSON
    block: events             at most BLOCK bytes of them, before compression
    ...
    block: the end            JSON: why the recording ended, and how many events it has

A block is two 32-bit numbers (the length and the CRC-32 of what follows) and a zlib stream.
All numbers outside the events are little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

MAGIC = b"\x89TWR\r\n\x1a\n"
"""Like PNG's: shows at once when a transfer took the file for text."""

VERSION = 1

PREAMBLE = struct.Struct("<8sH")
FRAME = struct.Struct("<II")

BLOCK = 64 * 1024
"""The most bytes of a block before compression."""

LONGEST = 2**53
"""The longest time in a recording, in microseconds: 285 years. A longer one is cut to it."""

OPERATION_BITS = 4
"""An event's first number has the operation in so many of its low bits, and the time above."""


class Operation(IntEnum):
    """What an event says, and what its timer and its amount are. Times are in microseconds."""

    PENDING = 0  # was pending when the recording began: amount until its deadline
    SCHEDULE = 1  # callLater(): amount is the delay
    CANCEL = 2  # cancel() of timer
    RESET = 3  # reset() of timer: amount is the new delay
    DELAY = 4  # delay() of timer by amount, which may be negative
    PASSES = 5  # since the last event `amount` passes were made in which no timer expired
    PASS = 6  # a pass begins in which timers expire
    FIRE = 7  # timer expires: its call begins
    DONE = 8  # the call that began last ends


WITH_TIMER = frozenset({Operation.CANCEL, Operation.RESET, Operation.DELAY, Operation.FIRE})
"""Events that have the number of a timer: how many timers back from the newest."""

WITH_AMOUNT = frozenset(
    {Operation.PENDING, Operation.SCHEDULE, Operation.RESET, Operation.DELAY, Operation.PASSES}
)
"""Events that have an amount: microseconds, zigzag-encoded; for PASSES a count."""


class Event(NamedTuple):
    """One event: `operation`, `time`, `timer`, `amount`.

    `time` is in microseconds since the recording began, by the reactor's clock. Timers are numbered
    from 0, in the order of PENDING and SCHEDULE; `timer` is -1 in an event that has none.
    `Operation` says what the amount is.
    """

    operation: Operation
    time: int
    timer: int
    amount: int


@dataclass(frozen=True)
class Header:
    """What a recording says about the program: `clock`, `reactor`, `wheel`, `versions`.

    `clock` is the name of the reactor's `seconds`, `reactor` that of its class. `wheel` says
    whether its timers were on the wheel. `versions` has those of Python, Twisted and timerwheel.
    """

    clock: str
    reactor: str
    wheel: bool
    versions: dict[str, str]


class RecordingError(ValueError):
    """A file is not a recording, has another version, is cut or damaged. The message says where."""


def zigzag(number: int) -> int:
    """A number that is not negative for each whole number: small ones for those near 0."""
    return number << 1 if number >= 0 else (-number << 1) - 1


def unzigzag(number: int) -> int:
    """The inverse of zigzag()."""
    return -((number + 1) >> 1) if number & 1 else number >> 1


def microseconds(seconds: float) -> int:
    """The nearest whole number, at most LONGEST either way. A NaN counts as LONGEST."""
    try:
        return max(-LONGEST, min(round(seconds * 1e6), LONGEST))
    except (OverflowError, ValueError):
        return -LONGEST if seconds < 0 else LONGEST
