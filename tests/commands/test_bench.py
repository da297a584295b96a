"""`timerwheel bench`."""

from __future__ import annotations

import json
import re
import shutil
import sys
from typing import Any

import pytest
from helpers import StockReactor

from timerwheel.__main__ import main
from timerwheel.commands.bench import command as bench
from timerwheel.commands.bench.runner import MODULE, compare
from timerwheel.commands.bench.runner import measure as ask
from timerwheel.commands.bench.side import measure
from timerwheel.commands.bench.workloads import WORKLOADS
from timerwheel.commands.sides import NotStartedError, Side, SideError


def test_both_sides_are_measured_in_turn() -> None:
    told: list[tuple[str, int]] = []
    comparison = compare((100, 200), 2, lambda work, done: told.append((work, done)))
    assert comparison.stock.startswith("twisted.internet.")
    assert comparison.ours == comparison.stock.replace("twisted.internet", "timerwheel.reactors")
    assert [(result.work, result.pending) for result in comparison.results] == [
        (work, pending) for work in WORKLOADS for pending in (100, 200)
    ]
    works = [work for work in WORKLOADS for _ in range(4)]
    assert told == list(zip(works, range(len(works)), strict=True))
    for result in comparison.results:
        assert len(result.stock) == len(result.ours) == 2
        assert min(result.stock + result.ours) > 0
        assert min(result.ratios) <= result.ratio <= max(result.ratios)


class Loses(StockReactor):
    """One call in seven."""

    made = 0

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> Any:
        call = super().callLater(delay, callable, *args, **kw)
        self.made += 1
        if self.made % 7 == 0:
            self._newTimedCalls.remove(call)
        return call


class TurnsRound(StockReactor):
    """What should be first is last."""

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> Any:
        return super().callLater(60 - delay, callable, *args, **kw)


@pytest.mark.parametrize("work", WORKLOADS)
def test_a_workload_finds_that_timers_were_lost(work: str) -> None:
    assert measure(StockReactor(), work, 100)["problem"] is None
    assert measure(Loses(), work, 100)["problem"] is not None


def test_a_workload_finds_that_timers_fired_out_of_order() -> None:
    assert "not in order" in measure(TurnsRound(), "fire", 1000)["problem"]


@pytest.mark.parametrize("work", WORKLOADS)
def test_a_workload_leaves_nothing_behind(work: str) -> None:
    reactor = StockReactor()
    measure(reactor, work, 100)
    assert reactor.getDelayedCalls() == []
    assert "seconds" not in vars(reactor)


def test_a_side_that_breaks_off(capfd: pytest.CaptureFixture[str]) -> None:
    with Side(MODULE, "ours") as side:
        for _ in range(2):
            with pytest.raises(
                SideError, match="ours, sing with 7 pending: the process ended with code 1"
            ):
                ask(side, "sing", 7)
    assert "KeyError: 'sing'" in capfd.readouterr().err


def test_a_side_that_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(NotStartedError, match="the stock side did not start"):
        compare((1,), 1, lambda work, done: None)
    assert main(["bench"]) == 2
    assert "FAILED: the stock side did not start" in capsys.readouterr().err


@pytest.mark.parametrize("columns", [30, 60, 100])
def test_a_table_cuts_no_word_in_a_narrow_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    from timerwheel.commands.report.sheet import print_sheet

    monkeypatch.setenv("COLUMNS", str(columns))
    rows = [["schedule, timers kept", "12,345 [ns]", "123", "100.4", "98.2 - 101"]]
    print_sheet(["pending stock", "ours", "ratio", "from - to"], rows, ["one two " * 20, ""])
    printed = capsys.readouterr().out
    for words in ["schedule, timers kept", "12,345 [ns]", "98.2 - 101", "pending stock"]:
        assert words in " ".join(printed.split())
    assert all(len(line) <= columns or " " not in line.strip() for line in printed.splitlines())
    assert ("─" in printed) == (columns == 100)


def test_the_table_and_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(bench, "SIZES", (1_000,))
    monkeypatch.setattr(bench, "ROUNDS", 1)
    assert main(["bench"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for work in WORKLOADS:
        assert any(re.match(rf"{re.escape(work)} +1,000 +[\d,]+ ", line) for line in lines)
    assert main(["bench", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert set(figures) == {"versions", "reactors", "results"}
    assert [result["work"] for result in figures["results"]] == list(WORKLOADS)
    for result in figures["results"]:
        assert result["ratio"] == pytest.approx(result["stock"][0] / result["ours"][0])
