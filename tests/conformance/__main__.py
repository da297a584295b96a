"""Runs Twisted's own tests on a stock reactor and on ours, and compares test by test.

    python tests/conformance                      the tests of time, on each reactor
    python tests/conformance --modules all        all of Twisted's tests
    python tests/conformance --reactor epoll --modules twisted.test.test_task

Needs timerwheel and the tests' own requirements, `twisted[all-non-platform]`,
in this interpreter, and a POSIX system. As many of Twisted's tests fail as the
machine makes fail: what counts is that both sides give the same outcomes, and
the same reasons for what they skip. Exits with 1 if they do not.
"""

from __future__ import annotations

import argparse
import select
import signal
import sys
from dataclasses import replace

from comparison import Difference, builder_counts, confirm, differing, on_foreign_reactors
from selection import names
from sides import Run, Task, run_both

# How many lines of a traceback are printed.
TRACEBACK_LINES = 20


def main() -> int:
    """Compare on each reactor in turn. Returns the exit status."""
    # So that the tests' processes are ended, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    options = parse()
    print(f"Twisted's tests ({options.modules}) on {', '.join(options.reactor)}", flush=True)
    failed = [reactor for reactor in options.reactor if not compare(reactor, options)]
    print()
    if failed:
        print(f"FAILED on {', '.join(failed)}")
        return 1
    print("No difference.")
    return 0


def parse() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python tests/conformance",
        description="Run Twisted's own tests on a stock reactor and on ours, and compare.",
    )
    parser.add_argument(
        "--reactor",
        action="append",
        metavar="NAME",
        help="a short name of Twisted's; may be given again (default: all this platform has)",
    )
    parser.add_argument(
        "--modules",
        default="time",
        metavar="WHICH",
        help='"time", "all", or modules parted by commas (default: %(default)s)',
    )
    parser.add_argument(
        "--parallel",
        action="store_true",
        help="run both sides at the same time: faster, and noisier",
    )
    parser.add_argument(
        "--limit",
        type=float,
        default=1800,
        metavar="SECONDS",
        help="for one side's run (default: %(default)s)",
    )
    parser.add_argument(
        "--test-limit",
        type=float,
        default=240,
        metavar="SECONDS",
        help="for one test (default: %(default)s; Twisted's own limit is 120)",
    )
    options = parser.parse_args()
    options.reactor = options.reactor or default_reactors()
    try:
        options.names = names(options.modules)
    except ModuleNotFoundError as error:
        parser.error(str(error))
    return options


def default_reactors() -> list[str]:
    """The short names of the reactors that are at hand without further packages."""
    polling = [name for name in ("epoll", "kqueue", "poll") if hasattr(select, name)]
    return [*polling, "asyncio", "select"]


def compare(reactor: str, options: argparse.Namespace) -> bool:
    """Run both sides on a reactor and print what there is to say. Returns whether they agree."""
    task = Task(reactor, options.names, options.limit, options.test_limit)
    stock, ours = run_both(task, options.parallel)
    print_counts(reactor, stock, ours)
    if print_deaths(stock, ours):
        return False

    def run_again(only: list[str] | None) -> tuple[Run, Run]:
        print(f"  running {'all' if only is None else 'these'} again", flush=True)
        again = replace(task, only=only)
        runs = run_both(again, parallel=options.parallel and only is None)
        print_deaths(*runs)
        return runs

    found = differing(stock, ours)
    for difference in found:
        print(f"  differs: {difference.name}")
    confirm(found, run_again)
    noise = [difference for difference in found if difference.is_noise()]
    real = [difference for difference in found if not difference.is_noise()]
    for difference in noise:
        print_difference("not repeated", difference)
    for difference in real:
        print_difference("DIFFERENCE", difference)
        print_tracebacks(difference)
    foreign = on_foreign_reactors(ours)
    for name in foreign:
        print(f"  NOT ON THE WHEEL: {name} made a reactor of Twisted's on our side")
    return not real and not foreign


def print_counts(reactor: str, stock: Run, ours: Run) -> None:
    """Print what was run: in all, and by the reactors that Twisted's builder tests make."""
    versions = " ".join(f"{name} {version}" for name, version in stock.versions.items())
    print(f"\n{reactor}, {versions}")
    for run in (stock, ours):
        counts = ", ".join(f"{number} {kind}" for kind, number in run.counts().most_common())
        times = f"{run.seconds:.0f} s ({run.cpu_seconds:.0f} s of work)"
        print(f"  {run.side}: {len(run.records)} tests in {times}: {counts}")
        print(f"    on {run.reactor}")
    of_stock, of_ours = builder_counts(stock), builder_counts(ours)
    if of_stock or of_ours:
        print("  builder tests, run + skipped:          stock           ours")
    for name in sorted(of_stock.keys() | of_ours.keys()):
        columns = [
            f"{counts[name][False]:>5} + {counts[name][True]:<4}" if name in counts else "none"
            for counts in (of_stock, of_ours)
        ]
        print(f"    {name:<30}{columns[0]:>15}{columns[1]:>15}")
    for name, why in stock.unavailable.items():
        print(f"  NOT EXAMINED: {name}, which is not available here: {why}")
    for name in stock.not_imported():
        print(f"  NOT EXAMINED: {name}, which cannot be imported: {stock.records[name]}")
    sys.stdout.flush()


def print_deaths(*runs: Run) -> bool:
    """Print which sides did not come to their end. Returns whether any."""
    dead = [run for run in runs if run.death]
    for run in dead:
        print(f"  The {run.side} side died: {run.death}", flush=True)
    return bool(dead)


def print_difference(title: str, difference: Difference) -> None:
    """Print a test with what each side's runs gave, and how often."""
    print(f"  {title}: {difference.name}")
    for side, seen in (("stock", difference.stock_seen), ("ours", difference.ours_seen)):
        outcomes = "; ".join(f"{count} x {outcome}" for outcome, count in seen.items())
        print(f"    {side}: {outcomes}")
    if difference.stalls:
        print(f"    stalled on ours: {difference.stalls} x")


def print_tracebacks(difference: Difference) -> None:
    """Print the ends of the tracebacks of a difference's first run."""
    for side, record in (("stock", difference.stock), ("ours", difference.ours)):
        for traceback in record.tracebacks:
            print(f"    {side}:")
            print("\n".join(f"      {line}" for line in traceback.splitlines()[-TRACEBACK_LINES:]))


if __name__ == "__main__":
    sys.exit(main())
