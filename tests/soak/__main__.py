"""Runs a reactor with many timers for minutes while faults come, and judges each call.

    python tests/soak --minutes 10                       both clocks, one after the other
    python tests/soak --minutes 2 --clock wall --reactor asyncio --calls 1000

So many calls are pending all the time; each that is made arms another, and cancels
or moves one somewhere else. The faults: the wall clock steps by an hour both ways,
the process is stopped and continued, forks, holds the GIL for seconds, gets
signals by the thousand, calls raise exceptions, threads schedule calls, and
clients of a chat server push back and exceed their idle timeouts.

Exits with 1 if a call was lost, made twice, early, or out of order within a pass,
if memory grew, or if the wheel was found unsound. Needs Linux and a C compiler.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile

from plan import Plan
from process import ProcessError
from report import problems, progress_line, table
from run import run
from wall_clock import WallClock

CLOCKS = ["steady", "wall"]


def main() -> int:
    """Run on each clock in turn. Returns the exit status."""
    # So that the process is ended, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    options = parse()
    failed = [clock for clock in options.clock if not soak(clock, options)]
    if failed:
        print(f"FAILED with the {' and the '.join(failed)} clock")
        return 1
    print("All calls were made as they should be.")
    return 0


def parse() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python tests/soak",
        description="Run a reactor with many timers while faults come, and judge each call.",
    )
    parser.add_argument(
        "--minutes", type=float, default=10, help="with each clock (default: %(default)s)"
    )
    parser.add_argument(
        "--reactor",
        default="epoll",
        metavar="NAME",
        help="a short name of Twisted's (default: %(default)s)",
    )
    parser.add_argument(
        "--calls",
        type=int,
        default=100_000,
        metavar="NUMBER",
        help="how many are pending all the time (default: %(default)s)",
    )
    parser.add_argument(
        "--clock",
        action="append",
        choices=CLOCKS,
        help="may be given again (default: both)",
    )
    options = parser.parse_args()
    options.clock = options.clock or CLOCKS
    return options


def soak(clock: str, options: argparse.Namespace) -> bool:
    """Run on one clock and print what there is to say. Returns whether all is well."""
    print(f"{options.reactor}, {clock} clock, {options.calls:,} calls pending", flush=True)
    with tempfile.TemporaryDirectory(prefix="tw-") as folder:
        wall_clock = WallClock(folder)
        plan = Plan(options.reactor, clock, options.calls, 60 * options.minutes, wall_clock.path)
        try:
            result = run(plan, wall_clock, lambda *now: print(progress_line(*now), flush=True))
        except ProcessError as error:
            print(f"FAILED: {error}\n")
            return False
    print(f"  on {result.about['reactor']}, ", end="")
    print(f"Python {result.about['python']}, Twisted {result.about['twisted']}")
    for name, figure in table(result):
        print(f"  {name:<30}{figure:>14}")
    found = problems(result)
    for problem in found:
        print(f"  WRONG: {problem}")
    print(flush=True)
    return not found


if __name__ == "__main__":
    sys.exit(main())
