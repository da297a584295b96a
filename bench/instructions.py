"""Count the instructions of the core workloads: a yardstick without noise.

    python bench/instructions.py [--keep] [--check] [--stock] [--twisted]

Runs them under valgrind's callgrind and prints the instructions of one operation: all of them,
including the interpreter's and the loop's, and those in the extension alone.

- `--keep` writes them to instructions.json.
- `--check` exits with 1 if one has grown by more than a tenth over the kept count. It compares the
  counts of all instructions only on the same Python, because another interpreter takes other
  instructions.
- `--stock` also counts the stock reactor, and prints its ratio to ours: the gain on this Python,
  without noise.
- `--twisted` counts Twisted's own users of delayed calls instead, on the stock reactor and on ours.
  The instructions outside the extension are Twisted's and Python's.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

BENCH = Path(__file__).parent
KEPT = BENCH / "instructions.json"
COUNTED = (
    "schedule-cancel",
    "reset-later",
    "reset-sooner",
    "keep",
    "fire-spread",
    "fire-burst",
    "idle-pass",
    "task",
    "task-after",
)
TWISTEDS = ("looping-call", "defer-later", "add-timeout")
PENDING = 1000
MAY_GROW = 1.1

Counts = dict[str, dict[str, float]]  # workload -> "all" and "extension" -> instructions


def count_here(side: str, names: Collection[str]) -> None:
    """Run each workload once, counted, in this process, which runs under callgrind."""
    from operations.parties import Ours, Stock, build
    from operations.workloads import TASKS, WORKLOADS

    count = build("callgrind").count
    party = Ours() if side == "ours" else Stock()
    for workload in WORKLOADS + TASKS:
        if workload.name in names:
            workload.prepare(party, PENDING).timed()  # so that caches and code are warm
            run = workload.prepare(party, PENDING)
            gc.collect()  # so that collections fall where they fell last time
            count(run.timed, f"{workload.name} {run.operations}".encode())
            run.check()


def count(side: str, names: Collection[str]) -> Counts:
    """Count in a process under callgrind."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--quiet"]
        command += [f"--callgrind-out-file={folder}/out", sys.executable, __file__, "--here", side]
        command += names
        # The same layout of dicts each time.
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})
        return dict(map(read_dump, sorted(Path(folder).glob("out.*"))))


def read_dump(path: Path) -> tuple[str, dict[str, float]]:
    """The workload of a dump of callgrind's, and the instructions of an operation.

    Lines "ob=(1) path" name the object file to which the costs that follow
    belong, "cob=" that of a called function; the line after "calls=" has the cost
    of the called function, which is counted where that one stands.
    """
    text = path.read_text()
    trigger = re.search(r"^desc: Trigger: Client Request: (\S+) (\d+)$", text, re.MULTILINE)
    assert trigger, f"{path} is of no workload"
    objects: dict[str, str] = {}
    total = extension = 0
    current, skip = "", False
    for line in text.splitlines():
        if line.startswith(("ob=", "cob=")):
            key, _, value = line.partition("=")
            number, _, name = value.partition(" ")
            objects.setdefault(number, name)
            current = objects[number] if key == "ob" else current
        elif line.startswith("calls="):
            skip = True
        elif re.match(r"[+\-*\d]\S* \d+$", line):
            cost = 0 if skip else int(line.split()[1])
            total += cost
            extension += cost if re.search(r"/timerwheel/_(core|tasks)\.", current) else 0
            skip = False
    operations = int(trigger[2])
    return trigger[1], {"all": total / operations, "extension": extension / operations}


def grown(counts: Counts, kept: dict[str, Any]) -> list[str]:
    """A sentence for each count that has grown too much."""
    kinds = ["extension"] + ["all"] * (kept["python"] == platform.python_version())
    return [
        f"{name}: {counts[name][kind]:.0f} instructions ({kind}), {kept[kind][name]:.0f} are kept"
        for kind in kinds
        for name in COUNTED
        if counts[name][kind] > MAY_GROW * kept[kind][name]
    ]


def as_kept(counts: Counts) -> dict[str, Any]:
    """What instructions.json holds."""
    kinds = {kind: {name: round(counts[name][kind]) for name in COUNTED} for kind in counts["keep"]}
    return {"python": platform.python_version(), **kinds}


def print_twisteds() -> None:
    """Count what Twisted builds upon delayed calls, on both sides."""
    stock, ours = count("stock", TWISTEDS), count("ours", TWISTEDS)
    print(f"Instructions an operation, Python {platform.python_version()}")
    print(f"{'':<18}{'stock':>8}{'ours':>8}{'of these, the extension':>26}")
    for name in TWISTEDS:
        figures = stock[name]["all"], ours[name]["all"], ours[name]["extension"]
        print(f"{name:<18}{figures[0]:>8,.0f}{figures[1]:>8,.0f}{figures[2]:>26,.0f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="write the counts to instructions.json")
    parser.add_argument("--check", action="store_true", help="compare them with those kept")
    parser.add_argument("--stock", action="store_true", help="count the stock reactor's, too")
    parser.add_argument("--twisted", action="store_true", help="count what Twisted builds upon")
    parser.add_argument("--here", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        count_here(options.here[0], options.here[1:])
        return 0
    if options.twisted:
        print_twisteds()
        return 0
    counts = count("ours", COUNTED)
    print(f"Instructions an operation, {PENDING:,} pending, Python {platform.python_version()}")
    print(
        f"{'':<18}{'all':>8}{'extension':>12}" + f"{'stock':>10}{'stock / all':>13}" * options.stock
    )
    stock = count("stock", COUNTED) if options.stock else {}
    for name in COUNTED:
        ours = counts[name]
        row = f"{name:<18}{ours['all']:>8,.0f}{ours['extension']:>12,.0f}"
        if options.stock:
            row += f"{stock[name]['all']:>10,.0f}{stock[name]['all'] / ours['all']:>13.2f}"
        print(row)
    if options.keep:
        KEPT.write_text(json.dumps(as_kept(counts), indent=1) + "\n")
    faults = grown(counts, json.loads(KEPT.read_text())) if options.check else []
    print("\n".join(faults) or "None has grown." * options.check)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
