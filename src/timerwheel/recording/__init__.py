"""Recordings of a program's timer traffic: `record()` writes one, `read()` reads it.

docs/recordings.md describes the file, byte by byte.
"""

from timerwheel.recording._format import Event, Header, Operation, RecordingError
from timerwheel.recording._reader import Recording, read
from timerwheel.recording._recorder import Recorder, record

__all__ = [
    "Event",
    "Header",
    "Operation",
    "Recorder",
    "Recording",
    "RecordingError",
    "read",
    "record",
]
