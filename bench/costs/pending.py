"""The cost of pending timers apart from operations: memory, garbage collection, pauses.

    python bench/costs/pending.py [PARTY ...] [--timers 1000000] [--json]

Each party runs in a process of its own.

- `bytes a timer`: how much the process's resident memory grows for each scheduled timer, without
  arguments and without a list of the handles.
- `collection`: a full garbage collection while they are pending.
- `scheduling pause` and `firing pause`: the longest pause while they are scheduled, a thousand a
  pass, and while they fire in 600 passes. In a pause no callback runs, and the event loop can do
  nothing else.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

# What the folders of bench share is found from there.
sys.path.insert(0, str(Path(__file__).parents[1]))

from operations.parties import PARTIES, START, FloorParty
from operations.runs import SPREAD_PASSES, SPREAD_SECONDS, nothing

MEASURED = ("ours", "stock", "floor", "asyncio")
COLUMNS = {
    "bytes": "bytes a timer",
    "collection_ms": "collection ms",
    "arming_ms": "scheduling pause ms",
    "firing_ms": "firing pause ms",
}


def resident_bytes() -> int:
    """The resident memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def arm(party: Any, delays: list[float], callback: Any) -> float:
    """Arm timers, a thousand a pass; the seconds of the longest such step."""
    longest = 0.0
    for start in range(0, len(delays), 1000):
        began = time.perf_counter()
        party.arm(delays[start : start + 1000], callback)
        party.turn()
        longest = max(longest, time.perf_counter() - began)
    return longest


def memory_of(party: Any, timers: int) -> float:
    """Bytes a pending timer."""
    delays = [random.uniform(1000, 2000) for _ in range(timers)]
    party.start()
    arm(party, delays[:1000], nothing)
    party.start()
    gc.collect()
    before = resident_bytes()
    arm(party, delays, nothing)
    gc.collect()
    return (resident_bytes() - before) / timers


def collection_of(party: Any) -> float:
    """The seconds of a full collection with the timers pending, the best of three."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        gc.collect()
        times.append(time.perf_counter() - began)
    return min(times)


class Gaps:
    """The longest time between two callbacks of a pass, and before the first and after the last."""

    def __init__(self) -> None:
        self.last = 0.0
        self.longest = 0.0

    def mark(self) -> None:
        """The callback."""
        now = time.perf_counter()
        if now - self.last > self.longest:
            self.longest = now - self.last
        self.last = now


def pauses_of(party: Any, timers: int) -> tuple[float, float]:
    """The longest pauses while timers are armed and fired, in seconds."""
    gaps = Gaps()
    delays = [random.random() * SPREAD_SECONDS for _ in range(timers)]
    party.start(virtual=True)
    arming = arm(party, delays, gaps.mark)
    gc.collect()
    for number in range(1, SPREAD_PASSES + 1):
        now = START + number * SPREAD_SECONDS / SPREAD_PASSES
        gaps.last = time.perf_counter()
        party.pass_at([now], -(-timers // SPREAD_PASSES))
        gaps.mark()
    assert party.pending() == 0
    return arming, gaps.longest


def measure_here(name: str, timers: int) -> dict[str, Any]:
    """Measure one party in this process."""
    party = next(party for party in PARTIES if party.name == name)()
    figures: dict[str, Any] = {"party": name, "timers": timers}
    figures["bytes"] = memory_of(party, timers)
    figures["collection_ms"] = collection_of(party) * 1e3
    arming, firing = pauses_of(party, timers)
    if not isinstance(party, FloorParty):  # which has no pause, as it keeps no order
        figures |= {"arming_ms": arming * 1e3, "firing_ms": firing * 1e3}
    party.close()
    return figures


def measure(names: list[str], timers: int) -> list[dict[str, Any]]:
    """Measure each party in a process of its own."""
    return [
        json.loads(
            subprocess.run(
                [sys.executable, __file__, name, "--timers", str(timers), "--here"],
                check=True,
                stdout=subprocess.PIPE,
            ).stdout
        )
        for name in names
    ]


def table(results: list[dict[str, Any]]) -> str:
    """The figures as a Markdown table."""
    lines = ["| | " + " | ".join(COLUMNS.values()) + " |", "|---|" + "---:|" * len(COLUMNS)]
    for result in results:
        cells = [f"{result[key]:,.1f}" if key in result else "" for key in COLUMNS]
        lines.append(f"| {result['party']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("party", nargs="*", help=f"of {', '.join(MEASURED)} (default: all)")
    parser.add_argument("--timers", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure_here(options.party[0], options.timers)))
        return
    results = measure(options.party or list(MEASURED), options.timers)
    print(json.dumps(results) if options.json else table(results))


if __name__ == "__main__":
    main()
