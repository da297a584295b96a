"""The suite: `pytest bench`. Every workload, for every party, at every number of pending timers.

The parties take turns in one process: for each workload and number, all run one after another,
`--repeats` times over. So a noisy machine disturbs all of them alike. A test's time is that of
`extra_info["operations"]` operations; report.py prints it for one.
"""

from __future__ import annotations

import gc
from typing import Any

import pytest
from operations.runs import Workload
from operations.workloads import WORKLOADS
from pytest_benchmark.fixture import BenchmarkFixture

# Only these are measured with ten million timers.
ENDURING = ("ours", "floor")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    sizes = [int(size) for size in metafunc.config.getoption("--sizes").split(",")]
    cases = [
        pytest.param(workload, size, name, turn, id=f"{workload.name}-{size}-{name}-{turn}")
        for workload in WORKLOADS
        for size in ([workload.only] if workload.only else sizes)
        for turn in range(metafunc.config.getoption("--repeats"))
        for name in workload.parties
        if workload.measures(name, size) and (size <= 1_000_000 or name in ENDURING)
    ]
    metafunc.parametrize(("workload", "size", "name", "turn"), cases)


def rounds(size: int) -> int:
    return {1000: 10, 10_000: 5, 100_000: 3}.get(size, 1)


def test_timers(
    benchmark: BenchmarkFixture,
    parties: dict[str, Any],
    workload: Workload,
    size: int,
    name: str,
    turn: int,
) -> None:
    party = parties[name]
    runs = []

    def prepare() -> None:
        if runs:
            runs[-1].check()
        runs.append(workload.prepare(party, size))
        gc.collect()

    benchmark.group = f"{workload.title}, {size:,} pending"
    benchmark.pedantic(lambda: runs[-1].timed(), setup=prepare, rounds=rounds(size))
    runs[-1].check()
    benchmark.extra_info.update(
        workload=workload.name, size=size, party=name, turn=turn, operations=runs[-1].operations
    )
    party.keep = None
    party.start()
