"""Count the instructions of asyncio's timers on each event loop: those of `aio.py`, without noise.

    python bench/operations/aio_instructions.py [--json]

Runs call_later() + cancel() and expired timers under valgrind's callgrind, with 1,000 timers
pending beside them, and prints the instructions of one: all, and those in timerwheel's extension
alone. What is not the extension's is Python's, the loop's and the benchmark's own `for`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from math import ceil
from pathlib import Path
from time import sleep
from typing import Any

# What the folders of bench share is found from there.
sys.path.insert(0, str(Path(__file__).parents[1]))

from aio import PARTIES, fill, new_loop, nothing
from instructions import read_dump

PENDING = 1000
OPERATIONS = 2000


def cancel(loop: Any) -> Callable[[], None]:
    """call_later() and cancel(): a timeout that never fires."""

    def run() -> None:
        for _ in range(OPERATIONS):
            loop.call_later(60, nothing).cancel()

    return run


def fire(loop: Any) -> Callable[[], None]:
    """Timers that are all due, within one tick of the wheel, until the last was called."""
    when = ceil((loop.time() + 0.002) * 1024) / 1024
    for index in range(OPERATIONS - 1):
        loop.call_at(when + index * 1e-8, nothing)
    loop.call_at(when + OPERATIONS * 1e-8, loop.stop)
    sleep(0.01)
    return loop.run_forever  # type: ignore[no-any-return]


def copy_context(loop: Any) -> Callable[[], None]:
    """contextvars.copy_context() alone, which each call_later() has to do."""
    from contextvars import copy_context

    def run() -> None:
        for _ in range(OPERATIONS):
            copy_context()

    return run


WORKLOADS = {function.__name__: function for function in (cancel, fire, copy_context)}


def count_here(party: str) -> None:
    """Count each workload in this process, which runs under callgrind."""
    from parties import build

    count = build("callgrind").count
    loop = new_loop(party)
    asyncio.set_event_loop(loop)
    kept = fill(loop, PENDING)
    for name, prepare in WORKLOADS.items():
        prepare(loop)()  # so that caches and code are warm
        run = prepare(loop)
        gc.collect()
        gc.disable()
        count(run, f"{name} {OPERATIONS}".encode())
        gc.enable()
    del kept
    loop.close()


def count(party: str) -> dict[str, dict[str, float]]:
    """Count in a process under callgrind."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--quiet"]
        command += [f"--callgrind-out-file={folder}/out", sys.executable, __file__, "--here", party]
        # The same layout of dicts each time.
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})
        return dict(map(read_dump, sorted(Path(folder).glob("out.*"))))


def main() -> int:
    """Count as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parties", nargs="+", choices=PARTIES, default=list(PARTIES))
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument("--here", choices=PARTIES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        count_here(options.here)
        return 0
    counts = {party: count(party) for party in options.parties}
    if options.json:
        print(json.dumps(counts, indent=1))
        return 0
    print(f"Instructions an operation, {PENDING:,} pending, Python {platform.python_version()}")
    for name in WORKLOADS:
        print(f"{name:<18}{'all':>10}{'extension':>12}")
        for party, found in counts.items():
            print(f"  {party:<16}{found[name]['all']:>10,.0f}{found[name]['extension']:>12,.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
