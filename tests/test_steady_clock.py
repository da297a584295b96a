"""clock="steady": timers fire when their duration has passed, whatever the wall clock does."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from helpers import run_python

from timerwheel._core import SteadyClock


def test_reads_as_wall_time_and_goes_with_the_monotonic_clock() -> None:
    clock = SteadyClock()
    assert abs(clock() - time.time()) < 60
    before, offset = clock(), clock() - time.monotonic()
    assert clock() >= before
    assert abs(clock() - time.monotonic() - offset) < 60


PROGRAM = """
    import json, os, struct, sys, time
    if sys.argv[2] == "stock":
        from twisted.application.reactors import installReactor
        installReactor(sys.argv[1])
    else:
        import timerwheel
        timerwheel.install(sys.argv[1], clock=sys.argv[2])
    from twisted.internet import reactor
    path = os.environ["WALL_CLOCK_OFFSET"]
    def step(seconds):
        with open(path, "r+b") as file:
            file.write(struct.pack("l", seconds))
    began = time.time()
    step(3600)
    assert 3590 < time.time() - began < 3660, "the shim is not in place"
    step(0)
    start = time.monotonic()
    fired, wall = [], []
    def fire(delay):
        fired.append((delay, time.monotonic() - start - delay))
        wall.append(reactor.seconds() - began)
    calls = [reactor.callLater(n / 20, fire, n / 20) for n in range(1, 31)]
    reactor.callLater(0.22, step, int(sys.argv[3]))
    reactor.callLater(0.62, step, -int(sys.argv[3]))
    reactor.callLater(1.02, step, 0)
    reactor.callLater(1.6, reactor.stop)
    reactor.run()
    print(json.dumps({
        "order": [delay for delay, _ in fired], "early": min(late for _, late in fired),
        "late": max(late for _, late in fired), "wall": [min(wall), max(wall)],
    }))
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that steps the wall clock of the process that preloads it."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler, for the library that steps the clock")
    library = tmp_path_factory.mktemp("shim") / "wall_clock_shim.so"
    source = Path(__file__).with_name("wall_clock_shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def step_under(shim: Path, tmp_path: Path, name: str, step: int, clock: str = "steady") -> Any:
    offset = tmp_path / "offset"
    offset.write_bytes(struct.pack("l", 0))
    # After what is preloaded already: sanitizers have to be the first.
    libraries = f"{os.environ.get('LD_PRELOAD', '')} {shim}"
    return run_python(
        PROGRAM, name, clock, str(step), LD_PRELOAD=libraries, WALL_CLOCK_OFFSET=str(offset)
    )


@pytest.mark.parametrize("step", [3600, -3600])
@pytest.mark.parametrize("name", ["epoll", "poll", "select", "asyncio"])
def test_steps_of_an_hour_both_ways(shim: Path, tmp_path: Path, name: str, step: int) -> None:
    """twisted#2424, twisted#3899, twisted#5552, tokio#3619."""
    result = step_under(shim, tmp_path, name, step)
    assert result["order"] == [number / 20 for number in range(1, 31)]
    assert result["early"] >= -1e-6
    # A timer that followed the wall clock would be an hour late, or early.
    assert result["late"] < 60
    assert result["wall"][0] > 0
    assert result["wall"][1] < 60


@pytest.mark.parametrize("clock", ["stock", "wall"])
def test_other_clocks_flood_when_the_wall_clock_steps(
    shim: Path, tmp_path: Path, clock: str
) -> None:
    """twisted#2424, twisted#3899, twisted#5552: what "steady" is for. "wall" does as stock does."""
    result = step_under(shim, tmp_path, "epoll", 3600, clock)
    assert result["order"] == [number / 20 for number in range(1, 31)]
    # The last was to be made after 1.5 s, and the clock stepped after 0.22.
    assert result["early"] < -0.1
