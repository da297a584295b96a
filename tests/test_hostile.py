"""Random programs that do what no reactor expects; see hostile/__init__.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import WARNINGS

if sys.platform != "linux":
    pytest.skip("they fork, and look into /proc", allow_module_level=True)

from hostile import children, runner
from hostile.children import EndedError, answers
from hostile.patches import Turn
from hostile.profiles import PROFILES, Profile, Program
from hostile.timers import CallLater, Move, Pass
from hostile.world import Setting, World

# Other tests may have left threads.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")

HOSTILE = Path(__file__).parent / "hostile"

# Always the same ones. `python tests/hostile` runs others, and more.
SEEDS = ["1", "2"]
PROGRAMS = "400"

PATCHES = PROFILES[0]
FAIR = Program("patches", Setting(), (CallLater(1), Turn(True), Move(1), CallLater(2), Pass(3)))


@pytest.mark.parametrize("seed", SEEDS)
def test_programs_do_what_they_do_on_a_stock_reactor(seed: str) -> None:
    result = subprocess.run(
        [sys.executable, *WARNINGS, str(HOSTILE), "--programs", PROGRAMS, "--seed", seed],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def lose_calls(world: World) -> None:
    """What a wheel would do that makes no call."""
    if world.ours:
        world.reactor.runUntilCurrent = lambda: None


def crash(world: World) -> None:
    if world.ours:
        os.kill(os.getpid(), signal.SIGABRT)  # which no sanitizer catches


def hang(world: World) -> None:
    if world.ours:
        signal.pause()


def test_a_difference_is_found_and_its_program_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "accelerate", lose_calls)
    monkeypatch.setattr(Profile, "program", lambda profile, seed: FAIR)
    difference = runner.alone(PATCHES, FAIR)
    assert difference is not None
    shrunk = runner.smallest(PATCHES, "a seed", [], difference)
    assert [type(step) for step in shrunk.program.steps] == [CallLater, Pass]


def test_a_fair_program_shows_no_difference() -> None:
    assert runner.alone(PATCHES, FAIR) is None


def test_a_crash_of_a_side_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "accelerate", crash)
    difference = runner.alone(PATCHES, FAIR)
    assert difference is not None
    assert difference.ours == "ends by SIGABRT"


def test_the_programs_after_one_that_hangs_are_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "accelerate", hang)
    monkeypatch.setattr(children, "LIMIT", 0.1)
    result = runner.Result()
    runner.run_batch(PATCHES, ["1", "2", "3"], result)
    assert result.programs == 3
    assert [failure.difference.ours for failure in result.failures.values()] == ["hangs"]


def test_what_a_child_raises_is_told() -> None:
    def fail() -> Iterator[Any]:
        yield 1
        raise ValueError("of a child")

    told = answers(fail)
    assert next(told) == 1
    with pytest.raises(EndedError, match="of a child"):
        next(told)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_seed_draws_the_same_program_always(profile: Profile) -> None:
    assert profile.program("a seed") == profile.program("a seed")
