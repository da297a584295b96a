"""`timerwheel demo`: what its rounds say, how it is drawn, and that the work is the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from helpers import PATIENCE, FakeClock

from timerwheel.__main__ import main
from timerwheel.commands.demo import load
from timerwheel.commands.demo.figures import figures, heading, notes, verdict
from timerwheel.commands.demo.html_report import html_report
from timerwheel.commands.demo.plan import Plan
from timerwheel.commands.demo.report import chart
from timerwheel.commands.demo.result import LoadResult, ServerResult, SideResult
from timerwheel.commands.demo.rounds import Round
from timerwheel.commands.report.bars import bar

PLAN = Plan(seconds=2, connections=10, timers=1000, churn=300, messages=100)


def side(**values: Any) -> SideResult:
    server = ServerResult(
        reactor="a.Reactor",
        seconds=2.0,
        messages=200,
        messages_in_all=200,
        cpu=0.1,
        timers=0.0,
        stopwatch=0.0,
        collecting=0.0,
        lateness_p50=0.001,
        lateness_p99=0.002,
        lateness_max=0.003,
        longest_pass=0.005,
        resident=1 << 20,
        resident_extra=0,
        churned=600,
        fired=10,
        probes=10,
    )
    return SideResult(replace(server, **values), LoadResult(200, 200, 0.1, 2.0))


def rounds(stalls: list[float], **ours: Any) -> list[Round]:
    """Rounds in which ours stalls for a tenth."""
    return [
        Round(side(longest_pass=stall), side(longest_pass=stall / 10, **ours)) for stall in stalls
    ]


@pytest.mark.parametrize(
    ("stock", "ours", "said"),
    [
        ([10, 11, 12], [5, 5, 5], "2.2 x less"),
        ([10, 10, 10], [15, 15, 15], "1.50 x more"),
        ([10, 11, 12], [5, 5, 13], "no difference"),  # the rounds do not agree
        ([100, 101, 100], [99, 100, 99], "no difference"),  # they do, but for a trifle
        ([10, 10, 10], [10, 10, 10], "no difference"),
        ([20, 20, 20], [0, 0, 0], "gone"),
        ([0, 0, 0], [20, 20, 20], "new"),
        ([10, 10], [1, 1], "too few rounds to say: 3 are needed"),
        ([5000, 5000, 5000], [1, 1, 1], "gone"),
        ([500, 500, 500], [1, 1, 1], "500 x less"),
    ],
)
def test_what_the_rounds_say(stock: list[float], ours: list[float], said: str) -> None:
    assert verdict(stock, ours) == said


def test_what_users_feel_comes_first_with_its_spread() -> None:
    first, *_ = figures(rounds([0.3, 0.1, 0.2]), PLAN)
    assert first.kind.label == "longest stall"
    assert (first.stock.middle, first.stock.least, first.stock.most) == (200.0, 100.0, 300.0)
    assert first.verdict == "10 x less"


def test_the_notes_are_two_and_say_whether_the_work_was_the_same() -> None:
    _, work = notes(rounds([0.1] * 3), PLAN)
    assert "The same work on both sides. No timer was early, none was lost." in work
    _, work = notes(rounds([0.1] * 3, messages=100), PLAN)
    assert "Not the same work on both sides: of the messages ours echoed 50%." in work
    _, work = notes(rounds([0.1] * 3, problems=["1 timers were due and never fired"]), PLAN)
    assert "none was lost" not in work


def test_what_a_message_costs_is_compared_for_the_same_work_alone() -> None:
    said = {one.kind.label: one.verdict for one in figures(rounds([0.1] * 3, cpu=0.01), PLAN)}
    assert said["CPU a message"] == "10 x less"
    behind = rounds([0.1] * 3, cpu=0.01, messages=100)
    said = {one.kind.label: one.verdict for one in figures(behind, PLAN)}
    assert said["CPU a message"] == "not compared, see below"
    assert said["longest stall"] == "10 x less"


@pytest.mark.parametrize(
    ("share", "drawn"), [(0, ""), (0.001, "▏"), (0.5, "██"), (0.53, "██▏"), (1, "████")]
)
def test_a_bar(share: float, drawn: str) -> None:
    assert bar(share, 4) == drawn


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_the_chart_fits_the_terminal_and_cuts_no_word(width: int) -> None:
    played = rounds([0.3, 0.1, 0.2])
    report = heading(played), figures(played, PLAN), notes(played, PLAN)
    drawn = chart(*report, width)
    assert all(len(line) <= width or " " not in line.strip() for line in drawn.splitlines())
    words = [word for word in drawn.split() if not set(word) <= set("█▏▎▍▌▋▊▉")]
    wide = [word for word in chart(*report, 1000).split() if not set(word) <= set("█▏▎▍▌▋▊▉")]
    assert words == wide


class Tags(HTMLParser):
    """The tags that are opened, with what they load."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data.split()


def test_the_page_says_the_same_and_loads_nothing() -> None:
    played = rounds([0.3, 0.1, 0.2])
    report = "<script>", figures(played, PLAN), notes(played, PLAN)
    tags = Tags()
    page = html_report(*report, "timerwheel & Twisted")
    tags.feed(page)
    assert tags.loaded == []
    assert "<script>" not in page
    assert " ".join(tags.text).count("(100 to 300)") == 1
    assert "10 x less" in " ".join(tags.text)


def test_a_file_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    assert main(["demo", "--html", str(tmp_path)]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_more_connections_than_open_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1000, 1000))
    assert main(["demo", "--connections", "1000"]) == 2
    assert "1,000 files open" in capsys.readouterr().err


class Peer:
    """A client whose echo is there `delay` after it has sent."""

    def __init__(self, clock: FakeClock, delay: float) -> None:
        self._clock = clock
        self._delay = delay
        self.sent: list[float] = []
        self.waits = False

    def send(self) -> None:
        assert not self.waits
        self.sent.append(self._clock.now)
        self.waits = True

    def receive(self) -> bool:
        self.waits = False
        return True

    def ready(self) -> bool:
        return self.waits and self._clock.now >= self.sent[-1] + self._delay


class FakeSelector:
    """Until a second of the fake clock has passed. A wait takes what it may, at least 1 ms."""

    def __init__(self, clock: FakeClock, peers: list[Peer], stands_until: float) -> None:
        self._clock = clock
        self._peers = peers
        self._end = clock.now + 1.0
        self._stands_until = stands_until

    def get_map(self) -> bool:
        return self._clock.now < self._end

    def select(self, timeout: float) -> list[Any]:
        self._clock.advance(max(0.001, min(timeout, 0.01)))
        if self._clock.now < self._stands_until:
            return []
        return [(Key(peer), 1) for peer in self._peers if peer.ready()]


class Key:
    def __init__(self, peer: Peer) -> None:
        self.data = peer


def play(monkeypatch: pytest.MonkeyPatch, pace: float, stands: float = 0.0) -> list[float]:
    """Two clients for a second: when each message was sent, the first at 0."""
    clock = FakeClock(0.0)
    peers = [Peer(clock, 0.0005) for _ in range(2)]
    monkeypatch.setattr(load.time, "monotonic", clock)
    selector: Any = FakeSelector(clock, peers, stands)
    clients: Any = deque(peers)
    load._exchange(selector, clients, pace, 100.0)
    return sorted(moment for peer in peers for moment in peer.sent)


def test_the_clients_keep_their_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = play(monkeypatch, 100)
    assert len(sent) == pytest.approx(100, abs=2)
    assert all(moment >= number / 100 - 1e-9 for number, moment in enumerate(sent))


def test_what_a_server_that_stands_still_has_missed_does_not_flood_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half a second of what was due is made up for, no more."""
    assert len(play(monkeypatch, 100, stands=0.8)) <= 2 + 50 + 20 + 2


def test_piped_it_says_what_it_does() -> None:
    options = (
        "--rounds=1 --seconds=1 --timers=100 --connections=2 --churn=30 --messages=20 "
        "--reactor=timerwheel-select"
    )
    result = subprocess.run(
        [sys.executable, "-m", "timerwheel", "demo", "--json", *options.split()],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.splitlines() == [
        f"Round 1 of 1, {side}: schedules 100 timers, then 1 s under load"
        for side in ("stock", "ours")
    ]
    data = json.loads(result.stdout)
    assert data["plan"]["messages"] == 20
    (played,) = data["rounds"]
    assert played["ours"]["server"]["reactor"] == "timerwheel.reactors.selectreactor.SelectReactor"
    assert played["stock"]["server"]["churned"] == played["ours"]["server"]["churned"] == 30
