"""Write a recording, block by block."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict
from typing import IO

from timerwheel.recording._format import (
    BLOCK,
    FRAME,
    MAGIC,
    OPERATION_BITS,
    PREAMBLE,
    VERSION,
    WITH_AMOUNT,
    WITH_TIMER,
    Header,
    Operation,
    zigzag,
)

END_ROOM = 128
"""The bytes to keep free for the last block."""

LONGEST_EVENT = 32
"""No event takes more bytes: three numbers of at most 10."""


class Writer:
    """Encodes events and writes them to a binary file. Writing an event takes about 1.5 us.

    @ivar full: whether the next block would have made the file longer than its limit. The writer
        drops all events after that.
    """

    def __init__(self, file: IO[bytes], limit: int, header: Header) -> None:
        self._file = file
        self._limit = limit
        self._size = 0
        self._events = 0  # in the written blocks
        self._pending_events = 0  # in the current block
        self._buffer = bytearray()
        self._time = 0
        self._timers = 0
        self.full = False
        self._write(PREAMBLE.pack(MAGIC, VERSION))
        self._write(_block(json.dumps(asdict(header)).encode()))

    def new_timer(self) -> int:
        """The number of the timer of the next PENDING or SCHEDULE."""
        self._timers += 1
        return self._timers - 1

    def event(self, operation: Operation, time: int, timer: int = -1, amount: int = 0) -> None:
        """Write one event; see `Event`. Raises OSError if the file refuses a block."""
        put = self._put
        put(zigzag(time - self._time) << OPERATION_BITS | operation)
        self._time = time
        if operation in WITH_TIMER:
            put(self._timers - 1 - timer)
        if operation in WITH_AMOUNT:
            put(zigzag(amount))
        self._pending_events += 1
        if len(self._buffer) > BLOCK - LONGEST_EVENT:
            self._flush()

    def end(self, reason: str) -> None:
        """Write the rest, and the last block. Raises OSError if the file refuses them."""
        self._flush()
        reason = "limit" if self.full else reason
        self._write(_block(json.dumps({"reason": reason, "events": self._events}).encode()))

    def _put(self, number: int) -> None:
        buffer = self._buffer
        while number > 0x7F:
            buffer.append(number & 0x7F | 0x80)
            number >>= 7
        buffer.append(number)

    def _flush(self) -> None:
        block = _block(self._buffer)
        if self._size + len(block) > self._limit - END_ROOM:
            self.full = True
        if self._buffer and not self.full:
            self._write(block)
            self._events += self._pending_events
        self._buffer.clear()
        self._pending_events = 0

    def _write(self, data: bytes) -> None:
        self._size += len(data)
        while data:  # a file without a buffer may take a part of it
            taken = self._file.write(data)
            data = data[taken:] if taken else b""  # a program's own file may not say
        self._file.flush()  # otherwise a forked child would write the buffer once more


def _block(content: bytes | bytearray) -> bytes:
    compressed = zlib.compress(content)
    return FRAME.pack(len(compressed), zlib.crc32(compressed)) + compressed
