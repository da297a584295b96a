"""Read a recording, and say where it is damaged."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timerwheel.recording._format import (
    BLOCK,
    FRAME,
    LONGEST,
    MAGIC,
    OPERATION_BITS,
    PREAMBLE,
    VERSION,
    WITH_AMOUNT,
    WITH_TIMER,
    Event,
    Header,
    Operation,
    RecordingError,
    unzigzag,
)

MOST_BITS = 70
"""The most bytes of a number in an event: more is damage."""

OPERATIONS = {int(operation): operation for operation in Operation}
HEADER = {"clock": str, "reactor": str, "wheel": bool, "versions": dict}
END = {"reason": str, "events": int}
MADE = frozenset({Operation.PENDING, Operation.SCHEDULE})


@dataclass(frozen=True)
class Recording:
    """A recording, as `read()` returns it: `header`, `end`, `count` and `crc`.

    `end` says why the recording ended: "stopped", "limit" if the file reached its limit, or "error"
    if the recorder could not write it. `count` is the number of events, `crc` the checksum of the
    file.
    """

    header: Header
    end: str
    crc: int
    count: int
    _blocks: list[_Block]

    def events(self) -> Iterator[Event]:
        """Decode the events, in order. Raises RecordingError at an event that makes no sense."""
        count = 0
        for event in _decode(self._blocks):
            count += 1
            if count > self.count:
                raise self._miscounted("more")
            yield event
        if count != self.count:
            raise self._miscounted(f"{count:,}")

    def _miscounted(self, found: str) -> RecordingError:
        return RecordingError(
            f"damaged: the file says it has {self.count:,} events, and it has {found}"
        )


@dataclass(frozen=True)
class _Block:
    """(It stays compressed, because a file may expand to a thousand times its length.)"""

    number: int
    start: int
    compressed: bytes

    @property
    def content(self) -> bytes:
        """The uncompressed bytes. Raises RecordingError if they are damaged or too long."""
        try:
            decompress = zlib.decompressobj()
            content = decompress.decompress(self.compressed, BLOCK)
        except zlib.error as error:
            raise RecordingError(f"damaged in {self}: {error}") from None
        if not decompress.eof:
            raise RecordingError(f"damaged in {self}: it is longer than {BLOCK:,}")
        return content

    def __str__(self) -> str:
        return f"block {self.number}, at byte {self.start:,}"


def read(path: str | Path) -> Recording:
    """Read a recording.

    Raises RecordingError if the file is no recording, is cut or is damaged, and OSError if it
    cannot be read. Takes as much memory as the file is long.
    """
    data = Path(path).read_bytes()
    blocks = list(_blocks(data))
    end = _end(blocks, len(data))
    header = Header(**_json(blocks[0], HEADER))
    return Recording(header, end["reason"], zlib.crc32(data), end["events"], blocks[1:-1])


def _blocks(data: bytes) -> Iterator[_Block]:
    """Each block, its checksum checked."""
    if data[: len(MAGIC)] != MAGIC:
        raise RecordingError("this is no recording of timerwheel: its first bytes differ")
    if len(data) < PREAMBLE.size:
        raise _cut(len(data), len(data), "the version")
    version = PREAMBLE.unpack_from(data)[1]
    if version != VERSION:
        raise RecordingError(
            f"this recording is of version {version}, at byte 8; this timerwheel reads version "
            f"{VERSION}"
        )
    start, number = PREAMBLE.size, 0
    while start < len(data):
        block = _block(data, start, number)
        yield block
        start += FRAME.size + FRAME.unpack_from(data, start)[0]
        number += 1


def _block(data: bytes, start: int, number: int) -> _Block:
    where = f"block {number}"
    if start + FRAME.size > len(data):
        raise _cut(len(data), start, where)
    length, crc = FRAME.unpack_from(data, start)
    if length > 2 * BLOCK:
        raise RecordingError(f"damaged at byte {start:,}: {where} says it has {length:,} bytes")
    compressed = data[start + FRAME.size : start + FRAME.size + length]
    if len(compressed) < length:
        raise _cut(len(data), start, where)
    if zlib.crc32(compressed) != crc:
        raise RecordingError(f"damaged in {where}, at byte {start:,}: its checksum differs")
    return _Block(number, start, compressed)


def _cut(length: int, start: int, where: str) -> RecordingError:
    return RecordingError(
        f"cut at byte {length:,}, in {where}, which begins at byte {start:,}: the program ended "
        "before the recording was stopped, or the file was not copied whole"
    )


def _end(blocks: list[_Block], length: int) -> dict[str, Any]:
    """The last block, if it is the end. (No event begins with a brace.)"""
    if len(blocks) < 2 or not blocks[-1].content.startswith(b"{"):
        raise _cut(length, length, f"block {len(blocks)}")
    return _json(blocks[-1], END)


def _json(block: _Block, types: dict[str, type]) -> dict[str, Any]:
    """The values of a JSON block under these keys."""
    try:
        content = json.loads(block.content)
        found = {key: content[key] for key in types}
    except (KeyError, TypeError, ValueError, RecursionError):
        found = {}
    if not found or not all(isinstance(found[key], kind) for key, kind in types.items()):
        raise RecordingError(f"damaged in {block}: it should be JSON with {', '.join(types)}")
    return found


def _decode(blocks: list[_Block]) -> Iterator[Event]:
    time = timers = count = 0
    for block in blocks:
        numbers = _numbers(block)
        for first in numbers:
            operation = OPERATIONS.get(first & ((1 << OPERATION_BITS) - 1))
            time += unzigzag(first >> OPERATION_BITS)
            timer = -1
            if operation in MADE:
                timer = timers
                timers += 1
            if operation in WITH_TIMER:
                timer = timers - 1 - next(numbers, timers)
            amount = next(numbers, -1) if operation in WITH_AMOUNT else 0
            lost = amount < 0 or (operation in WITH_TIMER and timer < 0)
            if operation is None or lost or abs(time) > LONGEST:
                raise RecordingError(f"damaged in {block}: event {count:,} makes no sense")
            yield Event(operation, time, timer, unzigzag(amount))
            count += 1


def _numbers(block: _Block) -> Iterator[int]:
    """The numbers of a block: seven bits a byte, the lowest first; the high bit means more."""
    number = shift = 0
    for byte in block.content:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift > MOST_BITS:
                raise RecordingError(f"damaged in {block}: a number has no end")
        else:
            yield number
            number = shift = 0
    if shift:
        raise RecordingError(f"damaged in {block}: its last number has no end")
