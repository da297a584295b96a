"""`timerwheel.record()`: what it writes, that no program notices, and files that are damaged."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from helpers import REAL, FakeClock, StockReactor, run_on, run_python
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import task
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.logger import globalLogPublisher

import timerwheel
from timerwheel import accelerate, record, restore
from timerwheel.observe._functions import describe
from timerwheel.recording import Event, Header, Operation, RecordingError, read
from timerwheel.recording._format import (
    BLOCK,
    FRAME,
    LONGEST,
    PREAMBLE,
    WITH_AMOUNT,
    WITH_TIMER,
    microseconds,
)
from timerwheel.recording._writer import Writer

LIMIT = 128 * 1024
HEADER = Header("clock", "reactor", True, {"python": "3"})
MADE = (Operation.PENDING, Operation.SCHEDULE)


@pytest.fixture(params=["stock", "ours"])
def reactor(request: pytest.FixtureRequest, clock: FakeClock) -> Any:
    """A reactor without I/O on the fake clock, without and with the wheel."""
    made: Any = StockReactor()
    made.seconds = clock
    if request.param == "ours":
        accelerate(made)
    return made


def nothing() -> None:
    """A callback."""


def write_events(file: Any, events: list[Event], limit: int = 10**9) -> None:
    writer = Writer(file, limit, HEADER)
    for operation, time, timer, amount in events:
        if operation in MADE:
            assert writer.new_timer() == timer
        writer.event(operation, time, timer, amount)
    writer.end("stopped")


# What the file holds


@st.composite
def event_lists(draw: st.DrawFn) -> list[Event]:
    events, timers = [], 0
    times = st.integers(-LONGEST, LONGEST)
    for operation in draw(st.lists(st.sampled_from(Operation), max_size=200)):
        timer = -1
        if operation in MADE:
            timer, timers = timers, timers + 1
        elif operation in WITH_TIMER:
            if not timers:
                continue
            timer = draw(st.integers(0, timers - 1))
        amount = draw(times) if operation in WITH_AMOUNT else 0
        events.append(Event(operation, draw(times), timer, amount))
    return events


@given(events=event_lists())
def test_what_is_written_is_read(
    events: list[Event], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("recording") / "file"
    with path.open("wb") as file:
        write_events(file, events)
    recording = read(path)
    assert list(recording.events()) == events
    assert (recording.header, recording.end, recording.count) == (HEADER, "stopped", len(events))


def test_several_blocks(tmp_path: Path) -> None:
    events = [Event(Operation.SCHEDULE, n * 1009, n, n * n) for n in range(50_000)]
    with (tmp_path / "file").open("wb") as file:
        write_events(file, events)
    assert list(read(tmp_path / "file").events()) == events
    assert len(frames((tmp_path / "file").read_bytes())) > 5


@pytest.mark.parametrize(
    ("seconds", "number"),
    [
        (0, 0),
        (1.5, 1_500_000),
        (1e-8, 0),
        (-0.25, -250_000),
        (float("inf"), LONGEST),
        (float("-inf"), -LONGEST),
        (float("nan"), LONGEST),
        (2**128 + 1, LONGEST),
        (10**400, LONGEST),
    ],
)
def test_any_delay_is_a_number_of_microseconds(seconds: float, number: int) -> None:
    assert microseconds(seconds) == number


def recorded(path: Path, **kind: Any) -> list[tuple[str, int, int, int]]:
    return [(event.operation.name, *event[1:]) for event in read(path).events()]


def test_all_that_a_program_does(reactor: Any, clock: FakeClock, tmp_path: Path) -> None:
    def reply() -> None:
        clock.advance(0.25)
        reactor.callLater(0, nothing)

    reactor.callLater(60, nothing)
    with record(reactor, tmp_path / "file"):
        first = reactor.callLater(1, reply)
        second = reactor.callLater(delay=2, callable=nothing)
        clock.advance(0.5)
        second.reset(10)
        second.delay(-3)
        second.delay(secondsLater=1)
        reactor.runUntilCurrent()
        reactor.runUntilCurrent()
        clock.advance(1)
        reactor.runUntilCurrent()
        second.cancel()
        assert first.called
        reactor.runUntilCurrent()
    assert recorded(tmp_path / "file") == [
        ("PENDING", 0, 0, 60_000_000),
        ("SCHEDULE", 0, 1, 1_000_000),
        ("SCHEDULE", 0, 2, 2_000_000),
        ("RESET", 500_000, 2, 10_000_000),
        ("DELAY", 500_000, 2, -3_000_000),
        ("DELAY", 500_000, 2, 1_000_000),
        ("PASSES", 1_500_000, -1, 2),
        ("PASS", 1_500_000, -1, 0),
        ("FIRE", 1_500_000, 1, 0),
        ("SCHEDULE", 1_750_000, 3, 0),
        ("DONE", 1_750_000, -1, 0),
        ("CANCEL", 1_750_000, 2, 0),
        ("PASS", 1_750_000, -1, 0),
        ("FIRE", 1_750_000, 3, 0),
        ("DONE", 1_750_000, -1, 0),
    ]


def test_the_header(reactor: Any, tmp_path: Path) -> None:
    record(reactor, tmp_path / "file").stop()
    header = read(tmp_path / "file").header
    assert header.clock == "helpers.FakeClock"
    assert header.reactor == "helpers.StockReactor"
    assert header.wheel == hasattr(reactor, "_timerwheel")
    assert set(header.versions) == {"python", "twisted", "timerwheel"}


def test_no_functions_and_no_arguments_are_in_the_file(reactor: Any, tmp_path: Path) -> None:
    with record(reactor, tmp_path / "file"):
        reactor.callLater(0, print, "password", file=io.StringIO())
        reactor.runUntilCurrent()
    content = b"".join(frames((tmp_path / "file").read_bytes()))
    assert b"password" not in content
    assert b"print" not in content


def test_a_file_object_stays_open(reactor: Any) -> None:
    file = io.BytesIO()
    record(reactor, file).stop()
    assert not file.closed
    assert len(frames(file.getvalue())) == 2


# That the program does not notice


def test_a_call_is_what_it_is_without_a_recording(reactor: Any, tmp_path: Path) -> None:
    bound = [].append
    plain = reactor.callLater(5, bound, 1)
    recorder = record(reactor, tmp_path / "file")
    call = reactor.callLater(5, bound, 1)
    assert call.func == plain.func == bound
    assert hash(call.func) == hash(bound)
    assert repr(call.func) == repr(bound)
    assert isinstance(call.func, type(bound))
    assert call.func.__self__ is bound.__self__
    assert call.func.__name__ == "append"
    assert str(call).partition("[")[2] == str(plain).partition("[")[2]
    assert type(call) is type(plain)
    recorder.stop()
    for one in (plain, call):
        assert one.func is bound
        assert one.active()
        assert not {"cancel", "reset", "delay"} & set(one.__dict__)


def test_calls_end_as_they_do_without_a_recording(
    reactor: Any, clock: FakeClock, tmp_path: Path
) -> None:
    seen: list[Any] = []

    def look(expected: object) -> None:
        seen.append((called.func, called.called, called.args, called.__dict__.keys() & {"cancel"}))

    with record(reactor, tmp_path / "file"):
        called = reactor.callLater(1, look, 7)
        cancelled = reactor.callLater(1, nothing)
        kept = called.cancel, cancelled.cancel, called.reset
        cancelled.cancel()
        with pytest.raises(AlreadyCancelled):
            cancelled.cancel()
        with pytest.raises(AlreadyCancelled):
            kept[1]()
        clock.advance(1)
        reactor.runUntilCurrent()
        assert seen == [(look, 1, (7,), set())]
        for again in (called.cancel, kept[0], lambda: kept[2](1)):
            with pytest.raises(AlreadyCalled):
                again()
    names = [name for name, *_ in recorded(tmp_path / "file")]
    assert names == ["SCHEDULE", "SCHEDULE", "CANCEL", "PASS", "FIRE", "DONE"]


def test_what_a_program_calls_itself_is_no_expiry(reactor: Any, tmp_path: Path) -> None:
    made: list[int] = []
    with record(reactor, tmp_path / "file"):
        call = reactor.callLater(1, made.append, 1)
        call.func(2)
        call.cancel()
    assert made == [2]
    assert [name for name, *_ in recorded(tmp_path / "file")] == ["SCHEDULE", "CANCEL"]


def test_errors_are_those_of_the_reactor(reactor: Any, tmp_path: Path) -> None:
    with record(reactor, tmp_path / "file"):
        with pytest.raises(AssertionError):
            reactor.callLater(-1, nothing)
        with pytest.raises(TypeError):
            reactor.callLater("soon", nothing)
        with pytest.raises(TypeError):
            reactor.callLater()
        call = reactor.callLater(1, nothing)
        with pytest.raises(TypeError):
            call.reset("later")
        with pytest.raises(TypeError):
            call.cancel("now")
        assert call.active()
        assert len(reactor.getDelayedCalls()) == 1
    assert [name for name, *_ in recorded(tmp_path / "file")] == ["SCHEDULE"]


def test_a_call_that_fails_is_logged_and_ends(
    reactor: Any, clock: FakeClock, tmp_path: Path
) -> None:
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    try:
        with record(reactor, tmp_path / "file"):
            reactor.callLater(0, lambda: 1 / 0)
            reactor.runUntilCurrent()
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert [event["log_failure"].type for event in events] == [ZeroDivisionError]
    assert recorded(tmp_path / "file")[-1][0] == "DONE"


def test_the_reactor_is_as_it_was(reactor: Any, tmp_path: Path) -> None:
    before = dict(reactor.__dict__)
    record(reactor, tmp_path / "file").stop()
    after = dict(reactor.__dict__)
    # Twisted's own note of what is to be done at the end is not kept as it was.
    for one in (before, after):
        one.pop("_eventTriggers")
    assert after == before


def test_a_program_s_own_call_later_is_called_and_comes_back(reactor: Any, tmp_path: Path) -> None:
    delays: list[float] = []
    original = reactor.callLater

    def noted(delay: float, *args: Any) -> Any:
        delays.append(delay)
        return original(delay, *args)

    reactor.callLater = noted
    with record(reactor, tmp_path / "file"):
        reactor.callLater(3, nothing)
    assert delays == [3]
    assert reactor.callLater is noted
    assert recorded(tmp_path / "file") == [("SCHEDULE", 0, 0, 3_000_000)]


def test_what_a_program_puts_before_it_stays(reactor: Any, tmp_path: Path) -> None:
    recorder = record(reactor, tmp_path / "file")
    recorders = reactor.callLater

    def later(delay: float, *args: Any) -> Any:
        return recorders(2 * delay, *args)

    reactor.callLater = later
    reactor.callLater(1, nothing)
    recorder.stop()
    assert reactor.callLater is later
    assert reactor.callLater(1, nothing).active()
    assert recorded(tmp_path / "file") == [("SCHEDULE", 0, 0, 2_000_000)]


def test_what_a_program_has_put_on_a_call_stays(reactor: Any, tmp_path: Path) -> None:
    call = reactor.callLater(1, nothing)
    original = call.cancel
    call.cancel = lambda: original()
    with record(reactor, tmp_path / "file"):
        call.cancel()
    assert "cancel" in call.__dict__
    # The recorder was not asked; it finds out at the end.
    assert [name for name, *_ in recorded(tmp_path / "file")] == ["PENDING", "CANCEL"]


@pytest.mark.parametrize("change", [accelerate, restore])
def test_the_wheel_comes_and_goes_meanwhile(
    change: Callable[[Any], None], clock: FakeClock, tmp_path: Path
) -> None:
    reactor: Any = StockReactor()
    reactor.seconds = clock
    if change is restore:
        accelerate(reactor)
    with record(reactor, tmp_path / "file"):
        before = reactor.callLater(1, nothing)
        change(reactor)
        after = reactor.callLater(1, nothing)
        before.reset(0.5)
        after.delay(0.5)
        clock.advance(2)
        reactor.runUntilCurrent()
    assert before.called
    assert after.called
    names = [name for name, *_ in recorded(tmp_path / "file")]
    assert names == ["SCHEDULE", "SCHEDULE", "RESET", "DELAY", "PASS", *["FIRE", "DONE"] * 2]


@pytest.mark.parametrize("name", REAL)
def test_each_reactor_until_it_stops(name: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    counts = run_on(
        name,
        f"""
    from collections import Counter
    from timerwheel.recording import read
    left = 20
    def again():
        global left
        left -= 1
        if left:
            reactor.callLater(0.001, again)
            reactor.callLater(60, again).cancel()
        else:
            reactor.stop()
    reactor.callLater(0, again)
    pushed = reactor.callLater(30, again)
    reactor.callLater(0.005, lambda: pushed.reset(40))
    timerwheel.record(reactor, {str(path)!r})
    reactor.run()
    recording = read({str(path)!r})
    counts = Counter(event.operation.name for event in recording.events())
    print(json.dumps([recording.end, counts]))
        """,
    )
    assert counts[0] == "stopped"
    counts[1].pop("PASSES", None)
    assert 2 <= counts[1].pop("PASS") <= counts[1]["FIRE"]
    # (What a reactor schedules for itself as it starts and stops is recorded too.)
    own = counts[1]["FIRE"] - 21
    assert own >= 0
    assert counts[1]["DONE"] == counts[1]["FIRE"]
    assert counts[1]["CANCEL"] >= 19
    assert counts[1]["RESET"] == 1
    assert counts[1]["PENDING"] == 3


def test_importing_timerwheel_does_not_import_the_recorder() -> None:
    assert run_python(
        """
        import json, sys, timerwheel
        before = "timerwheel.recording" in sys.modules
        timerwheel.record
        print(json.dumps([before, "timerwheel.recording" in sys.modules]))
        """
    ) == [False, True]


# Limits and errors


def test_the_limit_ends_the_recording_and_the_program_goes_on(
    reactor: Any, clock: FakeClock, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    recorder = record(reactor, path, limit=LIMIT)
    chance, calls = Random(1), []
    for _ in range(40_000):
        clock.advance(chance.random())
        calls.append(reactor.callLater(3600 * chance.random(), nothing))
    assert not recorder.recording
    assert "callLater" not in reactor.__dict__
    assert len(reactor.getDelayedCalls()) == 40_000
    assert all(call.func is nothing for call in calls)
    recorder.stop()
    assert LIMIT / 2 < path.stat().st_size <= LIMIT
    recording = read(path)
    assert recording.end == "limit"
    assert 0 < recording.count < 40_000
    assert recording.count == len(list(recording.events()))


def test_the_limit_is_reached_by_what_is_pending(reactor: Any, tmp_path: Path) -> None:
    chance = Random(1)
    calls = [reactor.callLater(1e9 * chance.random(), nothing) for _ in range(40_000)]
    recorder = record(reactor, tmp_path / "file", limit=LIMIT)
    assert not recorder.recording
    assert read(tmp_path / "file").end == "limit"
    assert not any("cancel" in call.__dict__ for call in calls)
    assert "callLater" not in reactor.__dict__


@pytest.mark.parametrize("what", [object(), None, task.Clock(), timerwheel.Clock(), StockReactor])
def test_what_is_no_reactor(what: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"record\(\) needs a reactor built on Twisted's"):
        record(what, tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_a_limit_that_is_too_small(reactor: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="limit must be at least 131,072 bytes, not 100"):
        record(reactor, tmp_path / "file", limit=100)


def test_a_reactor_that_is_recorded_already(reactor: Any, tmp_path: Path) -> None:
    with record(reactor, tmp_path / "file") as recorder:
        with pytest.raises(RuntimeError, match="being recorded already"):
            record(reactor, tmp_path / "other")
        assert recorder.recording
    record(reactor, tmp_path / "other").stop()


def test_a_reactor_that_is_recorded_behind_a_hook(reactor: Any, tmp_path: Path) -> None:
    with record(reactor, tmp_path / "file"):
        original = reactor.callLater
        reactor.callLater = lambda *args, **kw: original(*args, **kw)
        with pytest.raises(RuntimeError, match="is being recorded already"):
            record(reactor, tmp_path / "other")
    assert not (tmp_path / "other").exists()
    record(reactor, tmp_path / "other").stop()


def test_a_file_that_cannot_be_opened(reactor: Any, tmp_path: Path) -> None:
    before = dict(reactor.__dict__)
    with pytest.raises(FileNotFoundError):
        record(reactor, tmp_path / "no" / "file")
    assert reactor.__dict__ == before


class FullDisk(io.BytesIO):
    """Takes so many writes."""

    writes = 0
    takes = 2

    def write(self, data: Any) -> int:
        self.writes += 1
        if self.writes > self.takes:
            raise OSError("no space")
        return super().write(data)


def test_a_file_that_takes_not_even_the_header(reactor: Any) -> None:
    before = dict(reactor.__dict__)
    disk = FullDisk()
    disk.takes = 0
    with pytest.raises(OSError, match="no space"):
        record(reactor, disk)
    assert reactor.__dict__ == before


def changes(reactor: Any, count: int = 30_000) -> None:
    for _ in range(count):
        reactor.callLater(1, nothing).cancel()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_disk_that_is_full_refuses_the_recording(reactor: Any, logged: list[Any]) -> None:
    before = dict(reactor.__dict__)
    with pytest.raises(OSError, match="No space left"):
        record(reactor, "/dev/full")
    assert reactor.__dict__ == before
    assert not logged


@pytest.mark.parametrize("count", [1, 30_000])
def test_a_disk_that_fills_up_ends_the_recording_and_the_program_goes_on(
    reactor: Any, logged: list[Any], count: int
) -> None:
    recorder = record(reactor, FullDisk())
    changes(reactor, count)
    recorder.stop()
    assert not recorder.recording
    assert [event["log_failure"].type for event in logged] == [OSError]
    assert "callLater" not in reactor.__dict__


@pytest.mark.parametrize("count", [1, 30_000])
def test_a_file_that_the_program_closes_ends_the_recording_and_the_program_goes_on(
    reactor: Any, logged: list[Any], count: int, tmp_path: Path
) -> None:
    with (tmp_path / "file").open("wb") as file:
        recorder = record(reactor, file)
    changes(reactor, count)
    recorder.stop()
    assert not recorder.recording
    assert [event["log_failure"].type for event in logged] == [ValueError]
    assert "callLater" not in reactor.__dict__


def test_a_file_that_takes_a_part_at_a_time_has_all(reactor: Any, tmp_path: Path) -> None:
    class Raw(io.FileIO):
        def write(self, data: Any) -> int:
            return super().write(data[:7])

    with Raw(tmp_path / "file", "wb") as file, record(reactor, file):
        changes(reactor, 10)
    assert read(tmp_path / "file").count == 20


# Files that are damaged


def frames(data: bytes) -> list[bytes]:
    """What the blocks of a recording hold."""
    contents, start = [], PREAMBLE.size
    while start < len(data):
        length, _ = FRAME.unpack_from(data, start)
        start += FRAME.size
        contents.append(zlib.decompress(data[start : start + length]))
        start += length
    return contents


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


# Processes that are forked

FORK = """
import os, sys
sys.path.insert(0, sys.argv[4])
from helpers import FakeClock, StockReactor
from timerwheel import accelerate, record
from timerwheel.recording import read

side, path, kind = sys.argv[1:4]
clock = FakeClock(0.0)
reactor = StockReactor()
reactor.seconds = clock
if side == "ours":
    accelerate(reactor)


def play(count):
    for _ in range(count):
        reactor.callLater(1, int)
    clock.advance(2)
    reactor.runUntilCurrent()


file = path if kind == "path" else open(path, "wb")
recorder = record(reactor, file)
left = reactor.callLater(100, int)
play(30_000)  # so that there are blocks in the file, and a part of one in memory
child = 0


def fork():
    global child
    child = os.fork()


reactor.callLater(0, fork)
reactor.runUntilCurrent()
if not child:
    assert not recorder.recording
    assert "callLater" not in reactor.__dict__ and left.func is int
    play(30_000)
    left.cancel()
    recorder.stop()
    sys.exit()  # Python writes what files have buffered
assert os.waitpid(child, 0)[1] == 0
assert recorder.recording
play(10)
recorder.stop()
if kind != "path":
    file.close()
recording = read(path)
assert recording.end == "stopped"
events = list(recording.events())
assert sum(event.operation.name == "SCHEDULE" for event in events) == 30_012, len(events)
print(len(events))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("side", ["stock", "ours"])
@pytest.mark.parametrize("kind", ["path", "file"])
def test_a_child_that_is_forked_does_not_record(side: str, kind: str, tmp_path: Path) -> None:
    tests = str(Path(__file__).parent)
    run_python(FORK, side, str(tmp_path / "file"), kind, tests)
