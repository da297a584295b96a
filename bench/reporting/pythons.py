"""Write the page that has the suite's ratios to stock on several Pythons side by side.

    python bench/reporting/pythons.py SUITE.json ...

Each file is what `pytest bench/test_timers.py --benchmark-json=SUITE.json` wrote on one
Python. `.ci/benchmark-pythons` makes them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

# What the folders of bench share is found from there.
sys.path.insert(0, str(Path(__file__).parents[1]))

from operations.workloads import WORKLOADS
from reporting.suite import BENCH, by_side, cells_of, processor, ratio, read_suite

PAGE = BENCH.parent / "docs" / "benchmarks" / "pythons.md"

TEXT = """\
# The gain on each Python

Made by `bash .ci/benchmark-pythons`. {machine}.

How many times as long stock takes as ours, for the same work in one process: the median of the
turns' own ratios, with the least and the greatest behind it. Stock and ours take turns. Each
column was measured after the one before it: compare a ratio with another, but no times. CPython
3.11 was built from source, 3.14 and 3.15 are Debian's builds.

{table}

See [the report](report.md) for what is timed, and for what such figures do not show.
"""


def python_of(path: Path) -> str:
    """The version of the Python that wrote a suite's results."""
    version: str = json.loads(path.read_text())["machine_info"]["python_version"]
    return version


def table(suites: dict[str, list[dict[str, Any]]]) -> str:
    """A row for each workload and number of pending timers, a column for each Python."""
    lines = [
        "| work | pending | " + " | ".join(suites) + " |",
        "|---|" + "---:|" * (len(suites) + 1),
    ]
    for workload in WORKLOADS:
        of_pythons = [cells_of(suite, workload.name) for suite in suites.values()]
        for size in sorted(of_pythons[0]):
            row = [workload.title, f"{size:,}"]
            for sizes in of_pythons:
                ours, stock = by_side(sizes[size], "ours"), by_side(sizes[size], "stock")
                assert ours is not None
                assert stock is not None
                row.append(ratio(stock, ours))
            lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("suites", nargs="+", type=Path, metavar="SUITE.json")
    options = parser.parse_args()
    suites = {python_of(path): read_suite(path) for path in options.suites}
    PAGE.write_text(TEXT.format(machine=processor(), table=table(suites)))
    print("written to", PAGE)


if __name__ == "__main__":
    main()
