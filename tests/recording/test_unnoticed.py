"""No program notices that it is recorded; nor does one that forks."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import REAL, FakeClock, StockReactor, run_on, run_python
from recordings import nothing, recorded
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.logger import globalLogPublisher

from timerwheel import accelerate, record, restore


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
    tests = str(Path(__file__).parents[1])
    run_python(FORK, side, str(tmp_path / "file"), kind, tests)
