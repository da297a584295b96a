"""Runs the suite, and what its results say."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

BENCH = Path(__file__).parents[1]


def run(*command: str) -> str:
    """What a benchmark's command prints."""
    print("running", *command, flush=True)
    done = subprocess.run(
        [sys.executable, *command], cwd=BENCH, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def run_suite(sizes: str, repeats: int) -> list[dict[str, Any]]:
    """The suite's results: for each test workload, size, party, turn, and ns an operation."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "suite.json")
        run(
            *("-m", "pytest", "-q", "--benchmark-quiet", f"--benchmark-json={path}"),
            *(f"--sizes={sizes}", f"--repeats={repeats}", str(BENCH / "test_timers.py")),
        )
        return read_suite(path)


def read_suite(path: Path) -> list[dict[str, Any]]:
    """The suite's results, from what pytest-benchmark wrote."""
    results = []
    for test in json.loads(path.read_text())["benchmarks"]:
        result = dict(test["extra_info"])
        result["ns"] = test["stats"]["min"] / result.pop("operations") * 1e9
        results.append(result)
    return results


def machine() -> dict[str, str]:
    """What was measured on, and with."""
    found = {"Python": platform.python_version(), "machine": processor()}
    for package in ("twisted", "uvloop", "cython", "timerwheel"):
        found[package] = version(package)
    return found


def processor() -> str:
    """The processor's name, and how many there are."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.machine()


Cells = dict[str, dict[int, float]]  # party -> turn -> ns


def cells_of(suite: list[dict[str, Any]], workload: str) -> dict[int, Cells]:
    """The results of a workload by size, party and turn."""
    table: dict[int, Cells] = {}
    for result in suite:
        if result["workload"] == workload:
            parties = table.setdefault(result["size"], {})
            parties.setdefault(result["party"], {})[result["turn"]] = result["ns"]
    return table


def ratio(over: dict[int, float], under: dict[int, float]) -> str:
    """The median of the ratios of the turns, and their spread."""
    ratios = [over[turn] / under[turn] for turn in under]
    middle = statistics.median(ratios)
    digits = 2 if middle < 10 else 1 if middle < 100 else 0
    spread = f" ({min(ratios):,.{digits}f}-{max(ratios):,.{digits}f})" if len(ratios) > 1 else ""
    return f"{middle:,.{digits}f}{spread}"


def by_side(cells: Cells, side: str) -> dict[int, float] | None:
    """The turns of ours or of stock, on whatever reactor."""
    return next((turns for party, turns in cells.items() if party.startswith(side)), None)
