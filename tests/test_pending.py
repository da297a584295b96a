"""timerwheel.pending() and dump(): what is pending, in groups, and all of it as text."""

from __future__ import annotations

import gc
import io
import os
import signal
import subprocess
import sys
import textwrap
import weakref
from pathlib import Path
from typing import Any

import pytest
from helpers import PATIENCE, WARNINGS, FakeClock, StockReactor, make_reactor
from twisted.internet.task import LoopingCall

import timerwheel
from timerwheel.observe import PendingGroup


def first() -> None:
    """A function."""


def second() -> None:
    """Another."""


def name_of(function: Any) -> str:
    return f"{__name__}.{function.__name__} ({__file__}:{function.__code__.co_firstlineno})"


# In groups


def test_nothing_is_pending(reactor: Any) -> None:
    for by in ("function", "origin", "time"):
        assert timerwheel.pending(reactor, by=by) == []


def test_by_function_the_largest_group_first(reactor: Any, clock: FakeClock) -> None:
    for delay in (30, 10, 20):
        reactor.callLater(delay, second)
    reactor.callLater(5, first)
    reactor.callLater(6, first).cancel()
    clock.advance(12)
    assert timerwheel.pending(reactor) == [
        PendingGroup(name_of(second), 3, soonest=-2.0, latest=18.0),
        PendingGroup(name_of(first), 1, soonest=-7.0, latest=-7.0),
    ]


def test_equal_counts_are_in_the_order_of_their_names(reactor: Any) -> None:
    reactor.callLater(1, second)
    reactor.callLater(1, first)
    assert [group.name for group in timerwheel.pending(reactor)] == sorted(
        [name_of(first), name_of(second)]
    )


def test_the_function_in_a_looping_call_is_the_group(reactor: Any) -> None:
    for _ in range(2):
        looping = LoopingCall(first)
        looping.clock = reactor
        looping.start(1, now=False)
    (group,) = timerwheel.pending(reactor)
    assert (group.name, group.count) == (name_of(first), 2)


def test_builtins_of_the_same_name_are_one_group_and_others_are_not(reactor: Any) -> None:
    for _ in range(3):
        reactor.callLater(1, [].append, 1)
        reactor.callLater(1, {}.update)
    assert [(group.name, group.count) for group in timerwheel.pending(reactor)] == [
        ("dict.update", 3),
        ("list.append", 3),
    ]


def test_a_call_whose_function_the_program_has_deleted(reactor: Any) -> None:
    call = reactor.callLater(1, first)
    del call.func
    assert [(group.name, group.count) for group in timerwheel.pending(reactor)] == [("(others)", 1)]
    call.func = first


def test_stock_calls_are_in_the_groups(clock: FakeClock) -> None:
    reactor: Any = StockReactor()
    reactor.seconds = clock
    reactor.callLater(1, first)
    timerwheel.accelerate(reactor)
    reactor.callLater(2, first)
    (group,) = timerwheel.pending(reactor)
    assert (group.count, group.soonest, group.latest) == (2, 1.0, 2.0)


@pytest.mark.parametrize(
    ("delay", "name"),
    [
        (0.0, "due"),
        (0.0005, "under 1 ms"),
        (0.005, "1 to 10 ms"),
        (0.05, "10 to 100 ms"),
        (0.1, "0.1 to 1 s"),
        (1, "1 to 10 s"),
        (10, "10 s to 1 min"),
        (60, "1 to 10 min"),
        (600, "10 min to 1 h"),
        (3600, "1 h to 1 day"),
        (86400, "1 day and more"),
        (float("inf"), "1 day and more"),
    ],
)
def test_by_time_to_go(delay: float, name: str) -> None:
    reactor = make_reactor(FakeClock(0.0))
    reactor.callLater(delay, first)
    (group,) = timerwheel.pending(reactor, by="time")
    assert group == PendingGroup(name, 1, delay, delay)


def test_by_time_what_is_overdue(reactor: Any, clock: FakeClock) -> None:
    reactor.callLater(1, first)
    clock.advance(5)
    assert [group.name for group in timerwheel.pending(reactor, by="time")] == ["due"]


def test_by_origin_equal_lines_are_one_group(reactor: Any) -> None:
    with timerwheel.watch(reactor, origins=True):
        for _ in range(3):
            reactor.callLater(1, first), reactor.callLater(2, first)
    (group,) = timerwheel.pending(reactor, by="origin")
    assert (group.count, group.soonest, group.latest) == (6, 1.0, 2.0)


@pytest.mark.parametrize("by", ["colour", "", None])
def test_by_something_else_is_an_error(reactor: Any, by: Any) -> None:
    with pytest.raises(ValueError, match="by must be one of 'function', 'origin', 'time', not"):
        timerwheel.pending(reactor, by=by)


# As text


def dumped(reactor: Any) -> str:
    file = io.StringIO()
    timerwheel.dump(reactor, file)
    return file.getvalue()


def test_a_dump_has_all_that_is_known(reactor: Any, clock: FakeClock) -> None:
    with timerwheel.watch(reactor, origins=True):
        reactor.callLater(0, second)
        reactor.callLater(5, first)
        clock.advance(1)
        reactor.runUntilCurrent()
        text = dumped(reactor)
    lines = text.splitlines()
    assert lines[0] == repr(timerwheel.status(reactor))
    assert "  pending           1" in lines
    assert "  next_deadline     in 4.000000 s" in lines
    assert any(line.startswith("  lateness          50 % 1, ") for line in lines)
    for title in ("Pending by function:", "Pending by origin:", "Pending by time:"):
        assert title in lines
    assert f"          1  due in 4.000 to 4.000 s  {name_of(first)}" in lines
    table = lines[lines.index("Times since the watch began:") + 1]
    assert table.startswith("          1 calls, ")
    assert table.endswith(name_of(second))


def test_a_dump_of_an_empty_reactor_without_a_watch(reactor: Any) -> None:
    lines = dumped(reactor).splitlines()
    assert "Pending by function: none" in lines
    assert "  next_deadline     None" in lines
    assert not any("watch" in line for line in lines)


def test_a_long_table_is_cut_and_says_so(reactor: Any) -> None:
    for number in range(30):
        namespace: dict[str, Any] = {}
        exec(f"def made_{number}(): pass", namespace)
        reactor.callLater(1, namespace[f"made_{number}"])
    assert "  and 10 more" in dumped(reactor).splitlines()


def test_a_dump_goes_to_stderr(reactor: Any, capsys: pytest.CaptureFixture[str]) -> None:
    timerwheel.dump(reactor)
    assert capsys.readouterr().err.startswith("<timerwheel ")


# On a signal


@pytest.fixture
def signum() -> Any:
    """A signal whose handler the end of the test puts back."""
    number = signal.SIGUSR2
    before = signal.getsignal(number)
    yield number
    signal.signal(number, before)


def test_a_signal_has_the_stack_and_the_dump_written(
    reactor: Any, signum: int, tmp_path: Path
) -> None:
    reactor.callLater(5, first)
    with (tmp_path / "dump").open("w") as file:
        timerwheel.dump_on_signal(reactor, signum, file)
        os.kill(os.getpid(), signum)
        timerwheel.restore(reactor)
        os.kill(os.getpid(), signum)
        timerwheel.accelerate(reactor)
    both = (tmp_path / "dump").read_text()
    text, _, without = both.rpartition(f"Signal {int(signum)}, at:\n")
    assert text.startswith(f"Signal {int(signum)}, at:\n")
    assert "in test_a_signal_has_the_stack_and_the_dump_written" in text
    assert name_of(first) in text
    assert "<timerwheel " in without
    assert " off: " in without
    assert "Pending" not in without


def test_a_dump_that_fails_does_not_raise_in_the_program(
    reactor: Any, signum: int, tmp_path: Path
) -> None:
    def broken() -> float:
        raise RuntimeError("the clock is broken")

    reactor.callLater(5, first)
    with (tmp_path / "dump").open("w") as file:
        timerwheel.dump_on_signal(reactor, signum, file)
        working, reactor.seconds = reactor.seconds, broken
        os.kill(os.getpid(), signum)
        reactor.seconds = working
    text = (tmp_path / "dump").read_text()
    assert text.startswith(f"No dump of timers after signal {int(signum)}:\n")
    assert "the clock is broken" in text


def test_a_file_that_is_closed_does_not_raise_in_the_program(
    reactor: Any, signum: int, tmp_path: Path
) -> None:
    with (tmp_path / "dump").open("w") as file:
        timerwheel.dump_on_signal(reactor, signum, file)
    os.kill(os.getpid(), signum)


def test_a_file_that_nobody_else_holds_stays_open(
    reactor: Any, signum: int, tmp_path: Path
) -> None:
    file = (tmp_path / "dump").open("w")
    kept = weakref.ref(file)
    timerwheel.dump_on_signal(reactor, signum, file)
    del file
    gc.collect()
    os.kill(os.getpid(), signum)
    found = kept()
    assert found is not None
    found.close()
    assert (tmp_path / "dump").read_text().startswith("Signal ")


def test_what_has_the_descriptor_of_a_closed_file_is_not_written_to(
    reactor: Any, signum: int, tmp_path: Path
) -> None:
    with (tmp_path / "dump").open("w") as file:
        descriptor = file.fileno()
        timerwheel.dump_on_signal(reactor, signum, file)
    with (tmp_path / "other").open("w") as other:
        assert other.fileno() == descriptor
        os.kill(os.getpid(), signum)
    assert (tmp_path / "other").read_text() == ""


def test_what_cannot_be_done_is_refused(reactor: Any, signum: int) -> None:
    before = signal.getsignal(signum)
    with pytest.raises(ValueError, match="has no wheel"):
        timerwheel.dump_on_signal(StockReactor(), signum, sys.__stderr__)
    with pytest.raises(OSError, match="fileno"):
        timerwheel.dump_on_signal(reactor, signum, io.StringIO())
    with pytest.raises(OSError, match="Invalid argument"):
        timerwheel.dump_on_signal(reactor, signal.SIGKILL, sys.__stderr__)
    assert signal.getsignal(signum) is before


def test_a_program_that_is_stuck_in_a_call_tells_of_it() -> None:
    program = """
        import os, signal
        import timerwheel
        timerwheel.install("select")
        from twisted.internet import reactor

        def be_stuck():
            os.kill(os.getpid(), signal.SIGUSR1)
            reactor.stop()

        timerwheel.dump_on_signal(reactor, signal.SIGUSR1)
        reactor.callLater(0, be_stuck)
        reactor.callLater(77, print)
        reactor.run()
    """
    result = subprocess.run(
        [sys.executable, *WARNINGS, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, result.stderr
    assert ", in be_stuck\n" in result.stderr
    assert "  pending           1\n" in result.stderr
    assert " print\n" in result.stderr
