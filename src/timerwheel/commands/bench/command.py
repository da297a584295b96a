"""The `bench` command."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from timerwheel.commands.bench.runner import Comparison, compare
from timerwheel.commands.bench.workloads import WORKLOADS
from timerwheel.commands.common import add_command, add_json, lacks_rich
from timerwheel.commands.sides import SideError, told
from timerwheel.commands.versions import versions

if TYPE_CHECKING:
    from timerwheel.commands.common import Commands

SIZES = (1_000, 100_000)
"""The numbers of pending timers."""

ROUNDS = 9
"""How often each side runs each workload: in all about a minute."""


def add_parser(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = add_command(
        commands,
        "bench",
        run,
        help="compare the timers of the stock reactor and of ours",
        description="""\
Measures operations on timers on Twisted's default reactor and on the same reactor with the
wheel, with few and with many timers pending. Both sides run in a process of their own, and
take turns. After each run the command checks that no timer was lost, and that timers fired
in order. Takes about a minute; on a busy machine the ratios scatter.
Needs `pip install timerwheel[demo]`.""",
        epilog="""\
examples:
  %(prog)s
  %(prog)s --json > figures.json      every round's figures

exit codes: 0 all is well, 1 a timer was lost or out of order, or a side ended early, 2 it
could not run""",
    )
    add_json(parser, "table")


def run(options: argparse.Namespace) -> int:
    """Measure both sides and print the result.

    @return: the exit code.
    """
    if lacks_rich("bench"):
        return 2
    from timerwheel.commands.bench.report import print_report
    from timerwheel.commands.report.progress import progress

    try:
        with progress(len(WORKLOADS) * len(SIZES) * ROUNDS) as shown:
            comparison = compare(SIZES, ROUNDS, shown.begin)
    except SideError as error:
        return told(error)
    if options.json:
        print(json.dumps(_figures(comparison), indent=2))
    else:
        print_report(comparison)
    return 0


def _figures(comparison: Comparison) -> dict[str, object]:
    return {
        "versions": versions(),
        "reactors": {"stock": comparison.stock, "ours": comparison.ours},
        "results": [{**asdict(result), "ratio": result.ratio} for result in comparison.results],
    }
