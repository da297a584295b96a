"""The `selftest` command."""

from __future__ import annotations

import argparse
import faulthandler
import random
from typing import TYPE_CHECKING

from timerwheel.commands.common import add_command, count
from timerwheel.commands.versions import versions_in_a_line

if TYPE_CHECKING:
    from timerwheel.commands.common import Commands

STEPS = 20_000


def add_parser(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = add_command(
        commands,
        "selftest",
        run,
        help="check on this machine that the wheel does the same as Twisted's own reactor",
        description="""\
Runs the same random operations on Twisted's own reactor and on one with the wheel. At each
step it compares the calls made and their order, the deadlines of the others, and how long
the reactor may sleep. It also checks the inner structure of the wheel, the order of calls
for the same instant, and the priority queue. Last, it checks that the default reactor wakes
for its calls, and never early. Takes a few seconds. You can paste its output into a bug
report.""",
        epilog="""\
examples:
  %(prog)s
  %(prog)s --steps 1,000,000
  %(prog)s --seed 4711       repeat a run that failed

exit codes: 0 all is well, 1 a check failed, 2 wrong arguments""",
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="seed of the random numbers (default: a new one each time, which is printed)",
    )
    parser.add_argument(
        "--steps",
        type=count,
        default=STEPS,
        metavar="N",
        help=f"number of operations (default: {STEPS:,})",
    )


def run(options: argparse.Namespace) -> int:
    """Run all checks and print what they found.

    @return: the exit code.
    """
    from twisted.logger import globalLogBeginner

    from timerwheel.commands.selftest.checks import CHECKS, run_checks

    # A crash in C prints where.
    faulthandler.enable()
    # Calls fail on purpose. The checks read the log of these.
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    print(versions_in_a_line())
    print(f"python -m timerwheel selftest --seed {seed} --steps {options.steps}", flush=True)
    return 0 if run_checks(CHECKS, seed, options.steps) else 1
