"""Runs tests of event loops on these and on ours, and compares test by test.

    python tests/asyncio_exam                          CPython's, of asyncio: all modules
    python tests/asyncio_exam test_base_events ...     some of them
    python tests/asyncio_exam --uvloop                 uvloop's own, which pip fetches

On our side each loop that the tests make has the wheel. Each module is run in a process of its own.
Tests that differ are run again by themselves, three times. Exits with 1 if one differs each time,
or most often, and is not among those that look into asyncio's own heap (suites.py).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from suites import Suite, cpythons, uvloops

# How often a test that differs is run again on each side.
REPEATS = 3

# How long one process may take, seconds.
LIMIT = 600

Outcomes = dict[str, list[str]]


@dataclass
class Side:
    """What one side gave."""

    outcomes: Outcomes = field(default_factory=dict)
    loops: int = 0


def main() -> int:
    """Compare, and print what there is to say. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python tests/asyncio_exam", description=__doc__)
    parser.add_argument("modules", nargs="*", help="of the tests (default: all)")
    parser.add_argument("--uvloop", action="store_true", help="run uvloop's tests, on its loop")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once (default: 2)")
    options = parser.parse_args()
    # Where it is ignored, as in a background job, tests that send it would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with TemporaryDirectory() as folder:
        suite = uvloops(Path(folder)) if options.uvloop else cpythons()
        return examine(suite, options.modules or suite.modules, options.jobs)


def examine(suite: Suite, modules: list[str], jobs: int) -> int:
    """Compare, and print what there is to say. Returns the exit status."""
    began = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        stock = join(pool.map(lambda module: run("stock", suite, [suite.full(module)]), modules))
        ours = join(pool.map(lambda module: run("ours", suite, [suite.full(module)]), modules))
    print(f"{suite.title}, {len(modules)} modules")
    for name, side in (("stock", stock), ("ours", ours)):
        print(f"  {name}: {len(side.outcomes)} tests: {counts(side.outcomes)}")
    print(f"  loops with the wheel: {ours.loops}; {time.monotonic() - began:.0f} s")
    names = differing(stock.outcomes, ours.outcomes)
    real = [name for name in names if not is_settled(suite, name)]
    print(f"FAILED: {len(real)} differ" if real else "No difference.")
    if not ours.loops:
        print("FAILED: no loop had the wheel")
    return 1 if real or not ours.loops else 0


def run(side: str, suite: Suite, names: list[str]) -> Side:
    """Run tests on one side, in a process of its own. A process that dies is one outcome more."""
    with TemporaryDirectory() as folder:
        results = Path(folder, "results.json")
        child = str(Path(__file__).with_name("child.py"))
        path = os.pathsep.join(filter(None, [suite.path, os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": path}
        try:
            process = subprocess.run(
                [sys.executable, child, side, suite.loops, str(results), *names],
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


def is_settled(suite: Suite, name: str) -> bool:
    """Run a test that differs again, and say what it gave. Returns whether it may differ."""
    stock_seen: Counter[str] = Counter()
    ours_seen: Counter[str] = Counter()
    for _ in range(REPEATS):
        for seen, side in ((stock_seen, "stock"), (ours_seen, "ours")):
            outcomes = run(side, suite, [name]).outcomes.get(name, ["not run"])
            seen["; ".join(outcomes)] += 1
    same = stock_seen.most_common(1)[0][0] == ours_seen.most_common(1)[0][0]
    reason = next((why for end, why in suite.expected.items() if name.endswith(end)), None)
    title = "not repeated" if same else "DIFFERENCE" if reason is None else f"expected ({reason})"
    print(f"  {title}: {name}")
    print(f"    stock: {dict(stock_seen)}\n    ours: {dict(ours_seen)}", flush=True)
    return same or reason is not None


if __name__ == "__main__":
    sys.exit(main())
