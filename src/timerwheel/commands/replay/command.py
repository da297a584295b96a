"""The `replay` command."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from timerwheel.commands.common import add_command, add_json, count, lacks_rich
from timerwheel.commands.sides import SideError, told
from timerwheel.commands.versions import versions

if TYPE_CHECKING:
    from timerwheel.commands.common import Commands
    from timerwheel.commands.replay.plan import Plan
    from timerwheel.commands.replay.runner import Comparison

ROUNDS = 5
"""How often each side plays by default."""


def add_parser(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = add_command(
        commands,
        "replay",
        run,
        help="play a program's recorded timer traffic on the stock reactor and on ours",
        description="""\
Plays a recording of a program's timers, which timerwheel.record() has made, on Twisted's
default reactor and on the same reactor with the wheel. It compares time in timers, pauses
of the garbage collector, lateness and memory. Both sides run in a process of their own,
take turns and do the same operations. The replay moves the clock by hand, so a recording
of hours takes seconds.
Needs `pip install timerwheel[demo]`.""",
        epilog="""\
examples:
  %(prog)s traffic.twr
  %(prog)s traffic.twr --json > figures.json      every round's figures

exit codes: 0 all is well, 1 a side did not do the work of the recording, 2 it could not
run: the file is no recording or damaged, or a side did not start""",
    )
    parser.add_argument("file", metavar="FILE", help="the recording")
    parser.add_argument(
        "--rounds",
        type=count,
        default=ROUNDS,
        metavar="N",
        help="how often each side plays it (default: %(default)s)",
    )
    add_json(parser, "table")


def run(options: argparse.Namespace) -> int:
    """Play on both sides and print the result.

    @return: the exit code.
    """
    from timerwheel.commands.replay.plan import make_plan
    from timerwheel.recording import RecordingError

    if lacks_rich("replay"):
        return 2
    try:
        plan = make_plan(options.file)
    except (OSError, RecordingError) as error:
        print(f"{options.file}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return 2
    if not plan.operations:
        print(f"{options.file}: nothing happened in this recording", file=sys.stderr)
        return 2
    try:
        comparison = _compare(options.file, plan, options.rounds)
    except SideError as error:
        return told(error)
    if options.json:
        print(json.dumps(_figures(plan, comparison), indent=2))
    else:
        from timerwheel.commands.replay.report import print_report

        print_report(plan, comparison)
    return 0


def _compare(path: str, plan: Plan, rounds: int) -> Comparison:
    from timerwheel.commands.replay.runner import STAGES, compare
    from timerwheel.commands.report.progress import progress

    with progress(rounds * len(STAGES)) as shown:
        return compare(path, plan, rounds, shown.begin)


def _figures(plan: Plan, comparison: Comparison) -> dict[str, object]:
    return {
        "versions": versions(),
        "recording": {
            **asdict(plan.recording.header),
            "seconds": plan.seconds,
            "end": plan.recording.end,
        },
        "work": {
            "before": len(plan.before),
            **plan.counts,
            "passes": plan.passes,
            "peak": plan.peak,
        },
        "plays": comparison.plays,
        "stock": asdict(comparison.stock),
        "ours": asdict(comparison.ours),
    }
