"""`timerwheel selftest`: that its checks can fail, too."""

from __future__ import annotations

from typing import Any

import pytest
from command_helpers import run

import timerwheel
from timerwheel.commands.selftest import model, priorities, wakes
from timerwheel.commands.selftest.checks import CHECKS, run_checks
from timerwheel.commands.selftest.failures import CheckFailedError


def test_selftest_repeats_what_a_seed_did() -> None:
    first, again = (run("selftest", "--seed", "4711", "--steps", "300") for _ in range(2))
    for result in first, again:
        assert result.returncode == 0, result.stdout + result.stderr
        assert result.stderr == ""
    lines = first.stdout.splitlines()
    assert lines[1] == "python -m timerwheel selftest --seed 4711 --steps 300"
    for name, line in zip(CHECKS, lines[2:], strict=False):
        assert line.startswith(f"ok      {name}: ")
    assert lines[-1] == "all is well"
    # But for lateness, which no seed decides.
    assert lines[:5] == again.stdout.splitlines()[:5]


@pytest.mark.parametrize("seed", range(5))
def test_the_wheel_does_what_twisted_does(seed: int) -> None:
    assert model.check_against_twisted(seed, 500).startswith("500 steps, ")


class SleepsTooLong(model.WheelSide):
    """By the shortest time there is."""

    def timeout(self) -> float | None:
        seconds = super().timeout()
        return seconds + model.GRAIN if seconds else seconds


class MakesNoCalls(model.WheelSide):
    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.reactor.runUntilCurrent = lambda: None


class Forgets(model.WheelSide):
    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        pending = self.reactor.getDelayedCalls
        self.reactor.getDelayedCalls = lambda: pending()[1:]


class StopsAtAFailure(model.WheelSide):
    """Of a timed call, and does not log it."""

    def _fire(self, number: int) -> None:
        try:
            super()._fire(number)
        except model.PlannedError:
            return


@pytest.mark.parametrize("broken", [SleepsTooLong, MakesNoCalls, Forgets, StopsAtAFailure])
def test_the_selftest_finds_a_reactor_that_differs(
    broken: type[model.WheelSide], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "WheelSide", broken)
    with pytest.raises(CheckFailedError, match=r"^at step \d+ Twisted's reactor has .*, the wheel"):
        model.check_against_twisted(1, 500)


def test_the_selftest_finds_calls_for_an_instant_out_of_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert model.check_same_instant(1, 100) == "100 calls for 4 instants"
    # Twisted's heap does not keep their order.
    monkeypatch.setattr(timerwheel, "accelerate", lambda reactor: None)
    with pytest.raises(CheckFailedError, match="out of order"):
        model.check_same_instant(1, 100)


class LastFirst:
    """A priority queue that has it the wrong way round."""

    def __init__(self) -> None:
        self._queue: timerwheel.PriorityQueue[int] = timerwheel.PriorityQueue()

    def push(self, priority: int, item: int) -> Any:
        return self._queue.push(-priority, item)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def __len__(self) -> int:
        return len(self._queue)


def test_the_selftest_finds_a_wrong_priority_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    assert priorities.check_priority_queue(1, 200).startswith("200 steps, ")
    monkeypatch.setattr(priorities, "PriorityQueue", LastFirst)
    with pytest.raises(CheckFailedError, match=r"^pop\(\) at step \d+ is not \d+$"):
        priorities.check_priority_queue(1, 200)


def test_the_selftest_finds_an_early_call() -> None:
    assert wakes.judge("EPollReactor", [0.0, 0.5]).startswith("EPollReactor, 2 calls, none early")
    with pytest.raises(CheckFailedError, match=r"EPollReactor made a call 1\.0 us early"):
        wakes.judge("EPollReactor", [0.5, -1e-6])


def test_the_selftest_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakes, "PATIENCE", 0.0)
    with pytest.raises(CheckFailedError, match="the reactor still slept after 0 seconds"):
        wakes.check_wakes(1, 1)


def test_all_checks_are_made_though_one_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def good(seed: int, steps: int) -> str:
        return f"seed {seed}, {steps} steps"

    def bad(seed: int, steps: int) -> str:
        raise CheckFailedError("two and two are five")

    def broken(seed: int, steps: int) -> str:
        raise ZeroDivisionError

    assert run_checks({"good": good}, 1, 2)
    assert capsys.readouterr().out == "ok      good: seed 1, 2 steps\nall is well\n"
    assert not run_checks({"bad": bad, "broken": broken, "good": good}, 1, 2)
    printed = capsys.readouterr().out
    assert printed.startswith("FAILED  bad: two and two are five\nFAILED  broken:\nTraceback")
    assert printed.endswith("\nok      good: seed 1, 2 steps\nFAILED: bad, broken\n")
