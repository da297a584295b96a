"""Runs CPython's own tests of asyncio on its loops and on ours, and compares test by test.

    python tests/asyncio_exam                          all modules of test.test_asyncio
    python tests/asyncio_exam test_base_events ...     some of them

On our side each loop that the tests make has the wheel. Each module is run in a process of its own.
Tests that differ are run again by themselves, three times. Exits with 1 if one differs each time,
or most often, and is not among those that look into asyncio's own heap (EXPECTED).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import iter_modules
from tempfile import TemporaryDirectory

# How often a test that differs is run again on each side.
REPEATS = 3

# How long one process may take, seconds.
LIMIT = 600

# Tests of asyncio's inside, by the end of their name, and what they look at. They may differ.
_HEAP = "looks for its timer in loop._scheduled"
EXPECTED: dict[str, str] = {
    "BaseEventLoopTests.test_call_later": _HEAP,
    "BaseEventLoopTests.test__run_once_cancelled_event_cleanup": _HEAP,
}

Outcomes = dict[str, list[str]]


@dataclass
class Side:
    """What one side gave."""

    outcomes: Outcomes = field(default_factory=dict)
    loops: int = 0


def main() -> int:
    """Compare, and print what there is to say. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python tests/asyncio_exam", description=__doc__)
    parser.add_argument("modules", nargs="*", help="of test.test_asyncio (default: all)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once (default: 2)")
    options = parser.parse_args()
    modules = options.modules or all_modules()
    began = time.monotonic()
    with ThreadPoolExecutor(options.jobs) as pool:
        stock = join(pool.map(lambda module: run("stock", [full(module)]), modules))
        ours = join(pool.map(lambda module: run("ours", [full(module)]), modules))
    print(f"test.test_asyncio, Python {platform.python_version()}, {len(modules)} modules")
    for name, side in (("stock", stock), ("ours", ours)):
        print(f"  {name}: {len(side.outcomes)} tests: {counts(side.outcomes)}")
    print(f"  loops with the wheel: {ours.loops}; {time.monotonic() - began:.0f} s")
    real = [name for name in differing(stock.outcomes, ours.outcomes) if not is_settled(name)]
    print(f"FAILED: {len(real)} differ" if real else "No difference.")
    if not ours.loops:
        print("FAILED: no loop had the wheel")
    return 1 if real or not ours.loops else 0


def all_modules() -> list[str]:
    """The modules of test.test_asyncio that have tests."""
    from test import test_asyncio

    return sorted(
        module.name for module in iter_modules(test_asyncio.__path__) if module.name[:5] == "test_"
    )


def full(module: str) -> str:
    """The name of a module by which it is imported."""
    return f"test.test_asyncio.{module}"


def run(side: str, names: list[str]) -> Side:
    """Run tests on one side, in a process of its own. A process that dies is one outcome more."""
    with TemporaryDirectory() as folder:
        results = Path(folder, "results.json")
        child = str(Path(__file__).with_name("child.py"))
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        try:
            process = subprocess.run(
                [sys.executable, child, side, str(results), *names],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=LIMIT,
            )
            death = f"exit status {process.returncode}"
        except subprocess.TimeoutExpired:
            death = "took too long"
        if not results.exists():
            return Side({" ".join(names): [death]})
        found = json.loads(results.read_text())
        return Side(found["outcomes"], found["loops"])


def join(sides: object) -> Side:
    """What the processes of one side gave together."""
    whole = Side()
    for side in sides:  # type: ignore[attr-defined]
        whole.outcomes.update(side.outcomes)
        whole.loops += side.loops
    return whole


def counts(outcomes: Outcomes) -> str:
    """How many tests there are of each kind."""
    kinds = Counter(kind(seen) for seen in outcomes.values())
    return ", ".join(f"{number} {name}" for name, number in kinds.most_common())


def kind(seen: list[str]) -> str:
    """The first word of what went wrong, if anything did."""
    wrong = [outcome for outcome in seen if outcome != "passed"]
    return (wrong or seen)[0].partition(" ")[0].rstrip(":")


def differing(stock: Outcomes, ours: Outcomes) -> list[str]:
    """The tests whose outcomes differ."""
    return [
        name for name in sorted(stock.keys() | ours.keys()) if stock.get(name) != ours.get(name)
    ]


def is_settled(name: str) -> bool:
    """Run a test that differs again, and say what it gave. Returns whether it may differ."""
    stock_seen: Counter[str] = Counter()
    ours_seen: Counter[str] = Counter()
    for _ in range(REPEATS):
        for seen, side in ((stock_seen, "stock"), (ours_seen, "ours")):
            outcomes = run(side, [name]).outcomes.get(name, ["not run"])
            seen["; ".join(outcomes)] += 1
    same = stock_seen.most_common(1)[0][0] == ours_seen.most_common(1)[0][0]
    reason = next((why for end, why in EXPECTED.items() if name.endswith(end)), None)
    title = "not repeated" if same else "DIFFERENCE" if reason is None else f"expected ({reason})"
    print(f"  {title}: {name}")
    print(f"    stock: {dict(stock_seen)}\n    ours: {dict(ours_seen)}", flush=True)
    return same or reason is not None


if __name__ == "__main__":
    sys.exit(main())
