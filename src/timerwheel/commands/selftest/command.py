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
        help="check here that the wheel does what Twisted's own reactor does",
        description="""\
Runs the same random operations on a reactor of Twisted's own and on one with the wheel,
and compares them at each step: which calls are made, in what order, when the others are
due, and how long the reactor may sleep; checks the inner structure of the wheel at each
step too, the order of calls for the same instant, the priority queue, and that the
default reactor wakes for its calls and is never early. Takes a few seconds. What it
prints is fit for a bug report.""",
        epilog="""\
examples:
  %(prog)s
  %(prog)s --steps 1,000,000
  %(prog)s --seed 4711       do again what a run did that failed

exit codes: 0 all is well, 1 a check failed, 2 wrong arguments""",
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="where the random numbers start (default: a new one each time; it is printed)",
    )
    parser.add_argument(
        "--steps",
        type=count,
        default=STEPS,
        metavar="N",
        help=f"how many operations (default: {STEPS:,})",
    )


def run(options: argparse.Namespace) -> int:
    """Run all checks and print what they found.

    @return: the exit code.
    """
    from twisted.logger import globalLogBeginner

    from timerwheel.commands.selftest.checks import CHECKS, run_checks

    # A crash in C says where.
    faulthandler.enable()
    # Calls that fail on purpose are logged, which the checks look at.
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    print(versions_in_a_line())
    print(f"python -m timerwheel selftest --seed {seed} --steps {options.steps}", flush=True)
    return 0 if run_checks(CHECKS, seed, options.steps) else 1
