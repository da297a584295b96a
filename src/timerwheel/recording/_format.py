"""The format of a recording; docs/recordings.md describes the bytes.

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
"""Like PNG's: a transfer in text mode damages it visibly."""

VERSION = 1

PREAMBLE = struct.Struct("<8sH")
FRAME = struct.Struct("<II")

BLOCK = 64 * 1024
"""The most bytes of a block, before compression."""

LONGEST = 2**53
"""The longest time in a recording, in microseconds: 285 years. Longer times are cut to it."""

OPERATION_BITS = 4
"""The operation is in so many low bits of an event's first number; the time is above."""


class Operation(IntEnum):
    """The kinds of events, with their timer and amount. Times are in microseconds."""

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
"""Events with the number of a timer: how many timers back from the newest."""

WITH_AMOUNT = frozenset(
    {Operation.PENDING, Operation.SCHEDULE, Operation.RESET, Operation.DELAY, Operation.PASSES}
)
"""Events with an amount: microseconds, zigzag-encoded; for PASSES a count."""


class Event(NamedTuple):
    """One event: `operation`, `time`, `timer`, `amount`.

    `time` is in microseconds since the recording began, by the reactor's clock. PENDING and
    SCHEDULE number the timers from 0, in order; `timer` is -1 in an event without one. `Operation`
    explains the amount.
    """

    operation: Operation
    time: int
    timer: int
    amount: int


@dataclass(frozen=True)
class Header:
    """The program of a recording: `clock`, `reactor`, `wheel`, `versions`.

    `clock` is the name of the reactor's `seconds`, `reactor` the name of its class. `wheel` says
    whether its timers were on the wheel. `versions` has those of Python, Twisted and timerwheel.
    """

    clock: str
    reactor: str
    wheel: bool
    versions: dict[str, str]


class RecordingError(ValueError):
    """The file is no recording, has another version, is cut or damaged. The message says where."""


def zigzag(number: int) -> int:
    """Map whole numbers to non-negative ones: numbers near 0 become small ones."""
    return number << 1 if number >= 0 else (-number << 1) - 1


def unzigzag(number: int) -> int:
    """The inverse of zigzag()."""
    return -((number + 1) >> 1) if number & 1 else number >> 1


def microseconds(seconds: float) -> int:
    """The nearest whole number, from -LONGEST to LONGEST. A NaN counts as LONGEST."""
    try:
        return max(-LONGEST, min(round(seconds * 1e6), LONGEST))
    except (OverflowError, ValueError):
        return -LONGEST if seconds < 0 else LONGEST
