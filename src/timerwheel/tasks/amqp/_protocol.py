"""pika's protocol, for messages whose headers pika cannot decode, too.

RabbitMQ takes headers for which pika's decoder raises: a timestamp beyond the year 9999, a NaN,
very deep nesting. The exception ends the connection, and the broker delivers the message again. So
from then on `Connection` makes careful ones. They decode each message's headers before pika does.
If that fails, pika gets one header instead, which says why, and the message can go to the poison
queue.
"""

from __future__ import annotations

import struct
from typing import Any

from pika import BasicProperties
from pika.adapters.twisted_connection import TwistedProtocolConnection
from pika.connection import Parameters
from pika.frame import Header, decode_frame
from pika.spec import FRAME_END_SIZE, FRAME_HEADER

from timerwheel.tasks.amqp._envelope import UNREADABLE

_FRAME = struct.Struct(">BHI")  # its type, its channel and the size of what follows
_HEADER = struct.Struct(">HHQ")  # of a message: its class, its weight and the size of its body


class Protocol(TwistedProtocolConnection):  # type: ignore[misc]
    """A connection of pika's. `is_careful` says whether the next one should be careful."""

    def __init__(self, parameters: Parameters, reactor: Any, is_careful: bool) -> None:
        super().__init__(parameters, reactor)
        self._frames = Frames() if is_careful else None
        self.is_careful = is_careful

    def dataReceived(self, data: bytes) -> None:
        """Take data from the broker. An exception ends the connection."""
        if self._frames is not None:
            data = self._frames.readable(data)
        try:
            super().dataReceived(data)
        except Exception:
            self.is_careful = True
            raise


class Frames:
    """Splits data into AMQP's frames, and replaces those that pika cannot decode."""

    def __init__(self) -> None:
        self._rest = b""

    def readable(self, data: bytes) -> bytes:
        """The frames that are complete now. It keeps the rest for the next call."""
        data = self._rest + data
        frames = []
        start = 0
        while start + _FRAME.size <= len(data):
            kind, channel, size = _FRAME.unpack_from(data, start)
            end = start + _FRAME.size + size + FRAME_END_SIZE
            if end > len(data):
                break
            frame = data[start:end]
            frames.append(readable_header(frame, channel) if kind == FRAME_HEADER else frame)
            start = end
        self._rest = data[start:]
        return b"".join(frames)


def readable_header(frame: bytes, channel: int) -> bytes:
    """The frame of a message's properties, or of a header that says why it cannot be decoded."""
    try:
        check(frame)
    except Exception as error:
        _, _, body_size = _HEADER.unpack_from(frame, _FRAME.size)
        properties = BasicProperties(headers={UNREADABLE: repr(error)})
        frame = Header(channel, body_size, properties).marshal()
    return frame


def check(frame: bytes, spare: int = 10) -> None:
    """Decode a frame, from a deeper stack than pika does: nesting may be too deep there."""
    if spare:
        check(frame, spare - 1)
    else:
        decode_frame(frame)
