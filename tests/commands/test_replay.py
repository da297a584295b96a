"""`python -m timerwheel replay`: that what is played is what was recorded, and what is reported."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import pytest
from helpers import PATIENCE, FakeClock, StockReactor, make_reactor
from recordings import write_events

from timerwheel import accelerate, record
from timerwheel.__main__ import main
from timerwheel.commands.replay import runner
from timerwheel.commands.replay.plan import MOST_EVENTS, Plan, make_plan
from timerwheel.commands.replay.player import SLICES, Player, ReplayError, _quantile
from timerwheel.commands.replay.runner import Measured, compare
from timerwheel.commands.report import bars
from timerwheel.commands.sides import SideError
from timerwheel.recording import Event, Header, Operation, RecordingError, read
from timerwheel.recording._recorder import LIMIT
from timerwheel.recording._writer import Writer

RECORDINGS = Path(__file__).parents[2] / "bench/recordings"


class UnsteadyClock:
    """A clock that goes on a little each time that it is read, and is moved by hand."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        self.now += self.chance.choice([0, 0, 1e-7, 1e-6, 5e-6])
        return self.now


class Program:
    """A random program: timers that schedule, cancel and move others, loops within loops."""

    def __init__(self, reactor: Any, seed: int) -> None:
        self.reactor = reactor
        self.chance = Random(seed)
        self.calls: list[Any] = []
        self.depth = 0

    def delay(self) -> float:
        return self.chance.choice([0, 0, 1e-8, 1e-6, 1e-5, self.chance.random() * 0.02, 30, 1e300])

    def act(self) -> None:
        """Do one thing."""
        pending = [call for call in self.calls[-30:] if call.active()]
        what = self.chance.randrange(8)
        if what < 3 or not pending:
            self.calls.append(self.reactor.callLater(self.delay(), self.expired))
            return
        call = self.chance.choice(pending)
        if what < 5:
            call.cancel()
        elif what < 7:
            call.reset(self.delay())
        else:
            call.delay(self.chance.uniform(-0.01, 0.01))

    def expired(self) -> None:
        for _ in range(self.chance.choice([0, 0, 1, 1, 2, 3])):
            self.act()
        if self.depth < 2 and self.chance.random() < 0.05:
            self.depth += 1
            self.reactor.runUntilCurrent()
            self.act()
            self.depth -= 1

    def run(self, clock: UnsteadyClock, passes: int) -> None:
        for _ in range(passes):
            for _ in range(self.chance.choice([0, 0, 0, 1, 2])):
                self.act()
            clock.now += self.chance.choice([0, 0, 1e-6, 1e-4, 0.003])
            if self.chance.random() < 0.02:
                clock.now -= 0.01  # the system's time was set
            self.reactor.runUntilCurrent()


def record_program(path: Path, seed: int, *, wheel: bool) -> None:
    clock = UnsteadyClock(seed)
    reactor: Any = StockReactor()
    reactor.seconds = clock
    if wheel:
        accelerate(reactor)
    program = Program(reactor, seed)
    program.run(clock, 20)
    with record(reactor, path):
        program.run(clock, 300)


def players(plan: Plan) -> list[Player]:
    """On a stock reactor, and on one with the wheel."""
    return [Player(StockReactor(), plan), Player(make_reactor(FakeClock(5.0)), plan)]


@pytest.mark.parametrize("wheel", [False, True], ids=["stock", "ours"])
@pytest.mark.parametrize("seed", range(15))
def test_each_timer_expires_in_its_pass_on_both(seed: int, wheel: bool, tmp_path: Path) -> None:
    record_program(tmp_path / "file", seed, wheel=wheel)
    plan = make_plan(tmp_path / "file")
    assert plan.operations > 100
    for player in players(plan):
        player.probe()  # raises ReplayError if not
        player.time()
        player.probe()


@pytest.mark.parametrize("name", ["crawl", "irc", "wamp"])
def test_recordings_of_real_programs(name: str) -> None:
    plan = make_plan(RECORDINGS / f"{name}.twr")
    assert plan.operations > 1000
    for player in players(plan):
        timing = player.time()
        assert len(timing.slices) == SLICES
        assert sum(timing.slices) > 0
        probe = player.probe()
        assert 0 < probe.late_p50 <= probe.late_p99
        assert probe.stall > 0
        assert probe.collection > 0
        assert player.memory() > 0


def plan_of(events: list[tuple[Operation, int, int, int]], path: Path) -> Plan:
    file = io.BytesIO()
    write_events(file, [Event(*event) for event in events])
    (path / "file").write_bytes(file.getvalue())
    return make_plan(path / "file")


SCHEDULE, CANCEL, RESET, PASS, FIRE, DONE = (
    Operation.SCHEDULE,
    Operation.CANCEL,
    Operation.RESET,
    Operation.PASS,
    Operation.FIRE,
    Operation.DONE,
)

SMALL = [
    (Operation.PENDING, 0, 0, 9_000_000),
    (SCHEDULE, 1_000_000, 1, 1_000_000),
    (Operation.PASSES, 1_500_000, -1, 2),
    (PASS, 2_100_000, -1, 0),
    (FIRE, 2_100_000, 1, 0),
    (SCHEDULE, 2_200_000, 2, 0),
    (DONE, 2_350_000, -1, 0),
    (CANCEL, 2_400_000, 0, 0),
]


def test_a_plan_says_what_there_is(tmp_path: Path) -> None:
    plan = plan_of(SMALL, tmp_path)
    assert plan.counts == {"schedule": 2, "expire": 1, "cancel": 1}
    assert (plan.timers, plan.operations, plan.passes) == (3, 4, 3)
    assert (plan.peak, plan.pending) == (2, {2})
    assert plan.seconds == 2.4
    assert plan.busy == pytest.approx(0.25)
    assert list(plan.lateness) == pytest.approx([0.1])
    assert plan.before == [(0, 0, pytest.approx(9.0))]
    first, second = plan.steps
    assert first.now == pytest.approx(1.0)
    assert first.actions == [(0, 1, pytest.approx(1.0))]
    assert (first.idle, first.pass_at, first.expire) == (2, pytest.approx(2.1), [1])
    assert first.replies == [[(0, 2, pytest.approx(0.1, abs=1e-6))]]
    assert second.actions == [(1, 0, 0.0)]
    assert plan.pending_in(4) == [1, 2, 2, 2]


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ((CANCEL, 2_500_000, 1, 0), "timer 1 is cancelled, which is not pending"),
        ((RESET, 2_500_000, 0, 5), "timer 0 is moved, which is not pending"),
        ((FIRE, 2_500_000, 1, 0), "timer 1 expires, which is not pending"),
        ((DONE, 2_500_000, -1, 0), "ends a call that did not begin"),
        ((Operation.PASSES, 2_500_000, -1, 0), "less than one pass was made"),
    ],
)
def test_what_cannot_have_been(
    event: tuple[Operation, int, int, int], message: str, tmp_path: Path
) -> None:
    with pytest.raises(
        RecordingError, match=rf"^damaged: event 8, 2.500000 s from the start, .*{message}$"
    ):
        plan_of([*SMALL, event], tmp_path)


def test_delays_without_end(tmp_path: Path) -> None:
    longest = [(Operation.DELAY, 5, 0, 2**53)] * 2000
    plan = plan_of([(SCHEDULE, 0, 0, 2**53), *longest], tmp_path)
    for player in players(plan):
        player.time()


class Forgets(StockReactor):
    """Loses every timer for a second."""

    def callLater(self, delay: float, *args: Any, **kw: Any) -> Any:
        return super().callLater(delay if delay != pytest.approx(1.0) else 50, *args, **kw)


class Hurries(StockReactor):
    """Has every timer expire at the next pass."""

    def callLater(self, delay: float, *args: Any, **kw: Any) -> Any:
        return super().callLater(0, *args, **kw)


class Swaps(StockReactor):
    """Has timers change places."""

    def callLater(self, delay: float, function: Any, number: int) -> Any:
        return super().callLater(delay, function, {1: 2, 2: 1}.get(number, number))


def test_a_reactor_that_does_other_work_is_found_out(tmp_path: Path) -> None:
    plan = plan_of(SMALL, tmp_path)
    with pytest.raises(ReplayError, match=r"at 2\.1000 s 0 timers expired; .* it is 1$"):
        Player(Forgets(), plan).time()
    with pytest.raises(ReplayError, match=r"at 1\.0000 s 2 timers expired; .* it is 0$"):
        Player(Hurries(), plan).time()
    swapped = plan_of(
        [
            (SCHEDULE, 0, 0, 5_000_000),
            (SCHEDULE, 0, 1, 1_000_000),
            (SCHEDULE, 0, 2, 2_000_000),
            *((Operation(kind), 1_000_000, timer, 0) for kind, timer in [(PASS, -1), (FIRE, 1)]),
            (DONE, 1_000_000, -1, 0),
            *((Operation(kind), 2_000_000, timer, 0) for kind, timer in [(PASS, -1), (FIRE, 2)]),
            (DONE, 2_000_000, -1, 0),
        ],
        tmp_path,
    )
    Player(StockReactor(), swapped).probe()
    with pytest.raises(ReplayError, match="other timers expired than in the recording"):
        Player(Swaps(), swapped).probe()


def test_a_play_leaves_the_reactor_as_it_was(tmp_path: Path) -> None:
    reactor: Any = StockReactor()
    player = Player(reactor, plan_of(SMALL, tmp_path))
    for play in (player.time, player.probe, player.memory):
        play()
        assert reactor.getDelayedCalls() == []
        assert "seconds" not in reactor.__dict__


# The command


def test_unlike_work_is_not_compared(tmp_path: Path) -> None:
    plan = plan_of(SMALL, tmp_path)
    with pytest.raises(SideError, match="stock: the recording is another than when this began"):
        compare(str(RECORDINGS / "wamp.twr"), plan, 1, lambda stage, done: None)


def test_a_side_that_does_other_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")

    def fails(*_: object) -> None:
        raise SideError("ours, play for time: in the pass at 2.1 s 0 timers expired")

    monkeypatch.setattr(runner, "_play", fails)
    plan_of(SMALL, tmp_path)
    assert main(["replay", str(tmp_path / "file")]) == 1
    assert "FAILED: ours, play for time: in the pass" in capsys.readouterr().err


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "timerwheel", "replay", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
    )


def test_the_table_and_the_chart() -> None:
    pytest.importorskip("rich")
    result = run(str(RECORDINGS / "wamp.twr"), "--rounds", "2")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for label in ("time in timers, ms", "collector, ms", "lateness p99, us", "memory, KiB"):
        assert any(line.startswith(label) for line in lines)
    bars = [line for line in lines if line[7:9] == " |"]
    assert [line[:7].strip() for line in bars] == ["stock", "ours", "pending"]
    assert [line[9 + SLICES] for line in bars] == ["|"] * 3
    assert "medians of 2 rounds" in result.stdout
    assert "Each timer expired in" in result.stdout


def test_a_header_does_nothing_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    from timerwheel.commands.replay.report import _notes

    plan = make_plan(RECORDINGS / "wamp.twr")
    header = Header("clock\x1b[2J", "reactor\udcff", True, {"\x1b]0;title\x07": "1"})
    recording = dataclasses.replace(plan.recording, header=header)
    print("\n".join(_notes(dataclasses.replace(plan, recording=recording))))
    assert not {"\x1b", "\x07", "\udcff"} & set(capsys.readouterr().out)


def test_a_file_of_more_events_than_can_be_planned_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        Writer(file, LIMIT, Header("c", "r", True, {})).end("stopped")
    recording = dataclasses.replace(read(path), count=MOST_EVENTS + 1)
    with (
        mock.patch("timerwheel.commands.replay.plan.read", return_value=recording),
        pytest.raises(RecordingError, match="20,000,001 events, and at most 20,000,000"),
    ):
        make_plan(path)


def test_more_passes_than_anyone_waits_for_are_refused(tmp_path: Path) -> None:
    passes = (Operation.PASSES, 2_500_000, -1, 2**53)
    with pytest.raises(RecordingError, match="more than 100,000,000 passes"):
        plan_of([*SMALL, passes], tmp_path)


def test_json() -> None:
    pytest.importorskip("rich")
    result = run(str(RECORDINGS / "wamp.twr"), "--rounds", "2", "--json")
    figures = json.loads(result.stdout)
    assert figures["recording"]["reactor"].endswith("EPollReactor")
    assert figures["work"]["schedule"] > 0
    for side in ("stock", "ours"):
        assert len(figures[side]["time"]) == len(figures[side]["memory"]) == 2
    assert figures["ours"]["reactor"].startswith("timerwheel.reactors.")
    assert figures["stock"]["reactor"].startswith("twisted.internet.")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file"),
        (b"", "no recording of timerwheel"),
        (b"hello, world", "no recording of timerwheel"),
        ("cut", "cut at byte 1,000, in block 1"),
    ],
)
def test_what_cannot_be_played(
    content: bytes | str | None,
    complaint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("rich")
    path = tmp_path / "file"
    if content == "cut":
        path.write_bytes((RECORDINGS / "wamp.twr").read_bytes()[:1000])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    assert main(["replay", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"{path}: ")
    assert complaint in error


def test_a_recording_in_which_nothing_happened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    record(StockReactor(), tmp_path / "file").stop()
    assert main(["replay", str(tmp_path / "file")]) == 2
    assert "nothing happened in this recording" in capsys.readouterr().err


def test_a_command_without_rich(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    assert main(["replay", "file"]) == 2
    assert "The replay draws its table with rich: pip install" in capsys.readouterr().err


# What the report is made of


def test_bars() -> None:
    assert bars.bars([0, 0.001, 4, 8], 8, bars.BLOCKS) == " ▁▄█"
    assert bars.bars([0, 0], 0, bars.BLOCKS) == "  "
    assert bars.ramp_for("utf-8") == bars.BLOCKS
    assert bars.ramp_for("latin-1") == bars.ramp_for("unheard-of") == bars.ASCII


def test_quantiles() -> None:
    assert _quantile([], 0.5) == 0
    assert _quantile([1, 2, 3, 4], 0.5) == 2
    assert _quantile(list(range(1, 101)), 0.99) == 99


def test_a_round_is_the_mean_of_its_plays_and_the_longest_of_their_pauses() -> None:
    measured = Measured("reactor")
    measured.add(
        [
            {"slices": [1, 2], "collecting": 10, "pause": 7},
            {"slices": [3, 4], "collecting": 20, "pause": 5},
        ]
    )
    measured.add([{"memory": 9}])
    assert measured.slices == [[2, 3]]
    assert (measured.time, measured.collecting) == ([5], [15])
    assert (measured.pause, measured.memory) == ([7], [9])
    assert measured.chart() == [2, 3]


def test_a_ratio_is_none_where_the_rounds_do_not_agree() -> None:
    report = pytest.importorskip("timerwheel.commands.replay.report", exc_type=ImportError)
    assert report._ratio([2.0, 4.0, 3.0]) == "3 (2-4)"
    assert report._ratio([0.5, 4.0, 3.0]) == "none (0.5-4)"
    assert report._ratio([1.0, 1.0]) == "none (1-1)"
    assert report._ratio([]) == "-"
