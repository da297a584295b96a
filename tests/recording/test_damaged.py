"""Recordings that are damaged."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import nothing, write_events

import timerwheel
from timerwheel import record
from timerwheel.observe._functions import describe
from timerwheel.recording import Event, Operation, RecordingError, read
from timerwheel.recording._format import (
    BLOCK,
    FRAME,
    PREAMBLE,
)


@pytest.fixture(scope="module")
def whole() -> bytes:
    """A recording of three blocks of events."""
    file = io.BytesIO()
    events = [Event(Operation.SCHEDULE, n * 1009, n, n * n) for n in range(30_000)]
    write_events(file, events)
    return file.getvalue()


def complaint(data: bytes, path: Path) -> str:
    (path / "file").write_bytes(data)
    with pytest.raises(RecordingError) as error:
        list(read(path / "file").events())
    return str(error.value)


def test_a_file_that_is_cut_says_where(whole: bytes, tmp_path: Path) -> None:
    assert "no recording of timerwheel" in complaint(b"", tmp_path)
    assert "no recording of timerwheel" in complaint(whole[:5], tmp_path)
    for length in [8, 9, 10, 12, 50, len(whole) // 2, len(whole) - 20, len(whole) - 1]:
        assert f"cut at byte {length:,}, in " in complaint(whole[:length], tmp_path)


def test_a_file_without_its_last_block_is_cut(whole: bytes, tmp_path: Path) -> None:
    starts, start = [], PREAMBLE.size
    while start < len(whole):
        starts.append(start)
        start += FRAME.size + FRAME.unpack_from(whole, start)[0]
    assert len(starts) > 4
    for number, start in enumerate(starts):
        assert f"cut at byte {start:,}, in block {number}," in complaint(whole[:start], tmp_path)
    for start, end in pairwise(starts):
        assert complaint(whole[:start] + whole[end:], tmp_path)


@given(data=st.data())
def test_any_byte_that_is_changed_is_found(
    data: st.DataObject, whole: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    message = complaint(bytes(changed), tmp_path_factory.mktemp("changed"))
    assert any(word in message for word in ("damaged", "cut at byte", "version", "no recording"))


def test_another_version(whole: bytes, tmp_path: Path) -> None:
    message = complaint(whole[:8] + struct.pack("<H", 7) + whole[10:], tmp_path)
    assert "version 7, at byte 8; this timerwheel reads version 1" in message


def damaged(*contents: bytes) -> bytes:
    """A file with these blocks, whose checksums are right."""
    data = PREAMBLE.pack(b"\x89TWR\r\n\x1a\n", 1)
    for content in contents:
        compressed = zlib.compress(content)
        data += FRAME.pack(len(compressed), zlib.crc32(compressed)) + compressed
    return data


GOOD_HEADER = b'{"clock": "c", "reactor": "r", "wheel": true, "versions": {}}'
END = b'{"reason": "stopped", "events": 1}'


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([b"{}", END], "damaged in block 0, at byte 10: it should be JSON with clock"),
        ([b"[]", END], "damaged in block 0, at byte 10: it should be JSON with clock"),
        ([GOOD_HEADER, b'{"reason": "stopped", "events": "no"}'], "JSON with reason, events"),
        ([GOOD_HEADER, b"\xf6" + b"\xff" * 8 + b"\x01", END], "event 0 makes no sense"),
        ([b"\xff", END], "damaged in block 0, at byte 10: it should be JSON"),
        ([GOOD_HEADER, b"\x0f", END], "event 0 makes no sense"),
        ([GOOD_HEADER, b"\x02\x00", END], "event 0 makes no sense"),
        ([GOOD_HEADER, b"\x80" * 20 + b"\x01", END], "a number has no end"),
        ([GOOD_HEADER, b"\x80", END], "its last number has no end"),
        ([GOOD_HEADER, b"\x01", END], "event 0 makes no sense"),
        ([GOOD_HEADER, bytes(BLOCK + 1), END], f"it is longer than {BLOCK:,}"),
        ([GOOD_HEADER, END], "the file says it has 1 events, and it has 0"),
        ([GOOD_HEADER, b"\x06" * BLOCK, END], "the file says it has 1 events, and it has more"),
        ([b"[" * BLOCK, END], "damaged in block 0, at byte 10: it should be JSON with clock"),
        ([GOOD_HEADER, b'{"reason":' * 6000], "it should be JSON with reason, events"),
    ],
)
def test_what_makes_no_sense(contents: list[bytes], message: str, tmp_path: Path) -> None:
    assert message in complaint(damaged(*contents), tmp_path)


def test_the_end_is_json_in_any_order(tmp_path: Path) -> None:
    end = b'{ "events": 1, "reason": "stopped" }'
    (tmp_path / "file").write_bytes(damaged(GOOD_HEADER, b"\x06", end))
    recording = read(tmp_path / "file")
    assert (recording.end, len(list(recording.events()))) == ("stopped", 1)


def test_a_file_takes_no_more_memory_than_it_is_long(tmp_path: Path) -> None:
    blocks = [bytes([Operation.PASS]) * BLOCK] * 500
    end = f'{{"reason": "stopped", "events": {500 * BLOCK}}}'.encode()
    data = damaged(GOOD_HEADER, *blocks, end)
    (tmp_path / "file").write_bytes(data)
    del blocks
    tracemalloc.start()
    try:
        recording = read(tmp_path / "file")
        next(recording.events())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert recording.count == 500 * BLOCK > 100 * len(data)
    assert peak < 4 * len(data) + 1_000_000


@pytest.mark.parametrize("reactor", ["ours"], indirect=True)
def test_what_is_pending_and_what_was_called_has_the_name_of_the_program_s_function(
    reactor: Any, tmp_path: Path
) -> None:
    with record(reactor, tmp_path / "file"), timerwheel.watch(reactor) as watch:
        reactor.callLater(0, nothing)
        reactor.callLater(0, partial(sorted, []))
        names = {group.name for group in timerwheel.pending(reactor)}
        reactor.runUntilCurrent()
    assert names == {str(describe(nothing)), "sorted"}
    assert {str(times.function) for times in watch.times()} == names
