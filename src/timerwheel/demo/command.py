"""The `demo` command."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from timerwheel.commands.common import count, obstacle
from timerwheel.commands.help import HelpFormatter
from timerwheel.demo.plan import Plan
from timerwheel.demo.result import SideResult
from timerwheel.demo.runner import DemoError, NotStartedError, Page, run_side

if TYPE_CHECKING:
    from timerwheel.commands.common import Commands


def add_parser(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "demo",
        help="run an echo server under load on the stock reactor and on ours, and compare",
        description="""\
Runs an echo server under load, with the timers of a busy router beside it, once on the
stock reactor and once on ours, each in a process of its own, and prints what both took.
Needs `pip install timerwheel[demo]`.""",
        epilog="""\
examples:
  %(prog)s
  %(prog)s --reactor asyncio --seconds 30 --timers 1,000,000
  %(prog)s --page --seconds 120

exit codes: 0 all well, 1 a timer was early or lost or a run failed, 2 it could not run""",
        formatter_class=HelpFormatter,
    )

    def add_number(
        option: str, letter: str, kind: Callable[[str], float], default: float, what: str
    ) -> None:
        parser.add_argument(
            option,
            type=kind,
            default=default,
            metavar=letter,
            help=f"{what} (default: {default:,})",
        )

    add_number("--seconds", "S", _seconds, 10.0, "how long to measure a side")
    add_number("--connections", "N", count, 200, "how many clients")
    add_number("--timers", "N", count, 300_000, "how many extra timers")
    churn = "timer operations a second in the background: arm, push back, cancel in equal parts"
    add_number("--churn", "N", count, 30_000, churn)
    reactor = "short name of the reactor (default: Twisted's choice here)"
    parser.add_argument("--reactor", default="default", metavar="NAME", help=reactor)
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument(
        "--page",
        type=_port,
        nargs="?",
        const=0,
        metavar="PORT",
        help="while our side runs, have a page of its timers on 127.0.0.1, at any port or this; "
        "the page's own work counts as time in timers",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run both sides and print what they found.

    @return: the exit code.
    """
    lacking = obstacle("demo")
    if lacking is not None:
        print(lacking, file=sys.stderr)
        return 2
    plan = Plan(options.seconds, options.connections, options.timers, options.churn)
    try:
        results = _run_sides(options.reactor, plan, options.page)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, NotStartedError) else 1
    _print_results(plan, results, as_json=options.json)
    problems = [
        f"{side}: {problem}" for side, result in results.items() for problem in result.problems
    ]
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _run_sides(reactor: str, plan: Plan, port: int | None) -> dict[str, SideResult]:
    from timerwheel.demo.report import SIDES, progress_bar

    results = {}
    with progress_bar(plan) as (advance, say):

        def announce(url: str) -> None:
            say(f"Our side's timers: {url} or: python -m timerwheel top {url}")

        for side in SIDES:

            def progress(passed: float, side: str = side) -> None:
                advance(side, passed)

            page = Page(port, announce) if side == "ours" and port is not None else None
            results[side] = run_side(side, reactor, plan, progress, page)
    return results


def _print_results(plan: Plan, results: dict[str, SideResult], *, as_json: bool) -> None:
    if as_json:
        sides = {side: asdict(result) for side, result in results.items()}
        print(json.dumps({"plan": asdict(plan), **sides}, indent=2))
        return
    from timerwheel.demo.report import print_report

    print_report(plan, results)


def _port(text: str) -> int:
    """@raise argparse.ArgumentTypeError: `text` is not the number of a port."""
    if not (text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a port, up to 65535")
    return int(text)


def _seconds(text: str) -> float:
    """@raise argparse.ArgumentTypeError: `text` is not a number of seconds from 1 to a day."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 1.0 <= number <= 86400.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to 86400")
    return number
