"""`timerwheel.record()`: what it writes, its limits and errors."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random
from typing import Any

import pytest
from helpers import FakeClock, StockReactor
from hypothesis import given
from hypothesis import strategies as st
from recordings import HEADER, LIMIT, MADE, frames, nothing, recorded, write_events
from twisted.internet import task

import timerwheel
from timerwheel import record
from timerwheel.recording import Event, Operation, read
from timerwheel.recording._format import (
    LONGEST,
    WITH_AMOUNT,
    WITH_TIMER,
    microseconds,
)

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
