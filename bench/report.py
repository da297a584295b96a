"""Run all benchmarks and write the report.

    python bench/report.py [--quick] [--out docs/benchmarks] [--from results.json]

Runs the suite (`pytest bench/test_timers.py`), costs/pending.py, lateness and servers/end_to_end.py
one after another, and writes results.json, report.md and a chart for each workload to the
folder; and, when that is the project's own, a part of the table to the README.
`--quick` leaves out a million pending timers and takes each party's turn
once. `--from` writes report and charts anew from the results of an earlier run.
Takes about a quarter of an hour; nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

from operations.runs import Workload
from operations.workloads import WORKLOADS
from reporting.charts import draw
from reporting.suite import BENCH, Cells, by_side, cells_of, machine, ratio, run, run_suite

ROOT = BENCH.parent
OUT = ROOT / "docs" / "benchmarks"

CAVEAT = """\
What this does not show: how much faster a program gets. A program spends most of its time
elsewhere. The last section, whole servers under load, shows how little is left there. One machine
was measured, once, with one Python. The loops around the timers are Python too, and all parties pay
for them. Callbacks do next to nothing, and the timers of most workloads have no arguments. Compare
within a row, not between reports.

**ours** is timerwheel's epoll reactor as `timerwheel.install()` makes it. **stock** is Twisted's
own. **floor** is the least that a timer in C can do (`bench/operations/floor.pyx`): it keeps no
order. It is no floor where timers are kept: there **ours / floor** is below 1, because the garbage
collector walks the floor's timers and not ours. asyncio and uvloop are their event loops' own
`call_later()`.
Parties take turns in one process, with the garbage collector on. A time is that of the best round
of all turns, in nanoseconds an operation. A ratio is the median of the turns' own ratios, with the
least and the greatest behind it.
"""


def measure(quick: bool) -> dict[str, Any]:
    """Run everything."""
    sizes = "1000,100000" if quick else "1000,10000,100000,1000000"
    return {
        "with": machine(),
        "suite": run_suite(sizes, 1 if quick else 3),
        "costs": run("costs/pending.py", *(["--timers", "100000"] if quick else [])),
        "lateness": run("lateness"),
        "end to end": run("servers/end_to_end.py", *(["--seconds", "0.2"] if quick else [])),
    }


# The report


COLUMNS = ("pending", "ours", "stock", "floor", "asyncio", "uvloop", "stock / ours", "ours / floor")


def suite_table(
    suite: list[dict[str, Any]],
    workloads: Sequence[Workload] = WORKLOADS,
    sizes: Container[int] | None = None,
    columns: Sequence[str] = COLUMNS,
) -> str:
    """The suite, or these workloads, sizes and columns of it, as one Markdown table."""
    lines = ["| work | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for workload in workloads:
        for size, cells in sorted(cells_of(suite, workload.name).items()):
            if sizes is None or size in sizes:
                row = suite_row(size, cells)
                shown = [workload.title, *(row[column] for column in columns)]
                lines.append("| " + " | ".join(shown) + " |")
    return "\n".join(lines)


def suite_row(size: int, cells: Cells) -> dict[str, str]:
    """What a workload took with so many timers pending, by column."""
    ours, stock = by_side(cells, "ours"), by_side(cells, "stock")
    others = {party: cells.get(party) for party in ("floor", "asyncio", "uvloop")}
    floor = others["floor"]
    assert ours is not None
    times = {"ours": ours, "stock": stock, **others}
    row = {party: f"{min(of.values()):,.0f}" if of else "" for party, of in times.items()}
    row["pending"] = f"{size:,}"
    row["stock / ours"] = ratio(stock, ours) if stock else ""
    row["ours / floor"] = ratio(ours, floor) if floor else ""
    return row


def report(results: dict[str, Any], charts: dict[str, str]) -> str:
    """The report, in Markdown."""
    machine_line = ", ".join(f"{name} {value}" for name, value in results["with"].items())
    pictures = "\n".join(f"![{title}]({name})" for title, name in charts.items())
    return f"""\
# Benchmarks

Made by `python bench/report.py`. {machine_line}.

{CAVEAT}
## Operations

{suite_table(results["suite"])}

{pictures}

## What pending timers cost

A million of them; see `bench/costs/pending.py` for what each column is.

{results["costs"]}
## Lateness

```text
{results["lateness"]}```

## Whole servers

```text
{results["end to end"]}```
"""


def update_readme(results: dict[str, Any], path: Path) -> None:
    """Put the core workloads at 100,000 pending timers between the README's marks."""
    core = [workload for workload in WORKLOADS if workload.only is None]
    columns = ("ours", "stock", "asyncio", "uvloop", "stock / ours")
    table = suite_table(results["suite"], core, {100_000}, columns)
    made = ", ".join(f"{name} {value}" for name, value in results["with"].items())
    before, start, rest = path.read_text().partition("<!-- benchmarks -->\n")
    _, end, after = rest.partition("<!-- /benchmarks -->")
    path.write_text(f"{before}{start}{table}\n\n{made}.\n{end}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a short run, to try it")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--from", dest="source", type=Path, help="results.json of an earlier run")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.source:
        results = json.loads(options.source.read_text())
    else:
        results = measure(options.quick)
        (options.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    tables = {work.title: cells_of(results["suite"], work.name) for work in WORKLOADS}
    charts = draw(tables, options.out)
    (options.out / "report.md").write_text(report(results, charts))
    if options.out == OUT:
        update_readme(results, ROOT / "README.md")
    print("written to", options.out)


if __name__ == "__main__":
    main()
