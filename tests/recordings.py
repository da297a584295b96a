"""Recordings that are made of given events, and what is in one."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

from timerwheel.recording import Event, Header, Operation, read
from timerwheel.recording._format import FRAME, PREAMBLE
from timerwheel.recording._writer import Writer

LIMIT = 128 * 1024
HEADER = Header("clock", "reactor", True, {"python": "3"})
MADE = (Operation.PENDING, Operation.SCHEDULE)


def nothing() -> None:
    """A callback."""


def write_events(file: Any, events: list[Event], limit: int = 10**9) -> None:
    writer = Writer(file, limit, HEADER)
    for operation, time, timer, amount in events:
        if operation in MADE:
            assert writer.new_timer() == timer
        writer.event(operation, time, timer, amount)
    writer.end("stopped")


def recorded(path: Path, **kind: Any) -> list[tuple[str, int, int, int]]:
    return [(event.operation.name, *event[1:]) for event in read(path).events()]


def frames(data: bytes) -> list[bytes]:
    """What the blocks of a recording hold."""
    contents, start = [], PREAMBLE.size
    while start < len(data):
        length, _ = FRAME.unpack_from(data, start)
        start += FRAME.size
        contents.append(zlib.decompress(data[start : start + length]))
        start += length
    return contents
