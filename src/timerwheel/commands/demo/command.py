"""The `demo` command."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from timerwheel.commands.common import (
    add_command,
    add_json,
    lacks_rich,
    reactor_name,
    whole_number,
)
from timerwheel.commands.demo.figures import figures, heading, notes
from timerwheel.commands.demo.html_report import html_report
from timerwheel.commands.demo.plan import Plan
from timerwheel.commands.demo.report import chart
from timerwheel.commands.demo.rounds import Round, run_rounds
from timerwheel.commands.sides import SideError, told
from timerwheel.commands.versions import versions_in_a_line

if TYPE_CHECKING:
    from timerwheel.commands.common import Commands


OTHER_FILES = 50
"""What the server has open beside its connections, and some to spare."""


def add_parser(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = add_command(
        commands,
        "demo",
        run,
        help="run an echo server under load on the stock reactor and on ours, and compare",
        description="""\
Runs an echo server under load, with the timers of a busy router, on the stock reactor and
on ours in turn. It shows what users would feel. Each round runs in a process of its own.
Takes about a minute and a half.

Needs `pip install timerwheel[demo]`.""",
        epilog="""\
examples:
  %(prog)s
  %(prog)s --reactor asyncio --seconds 30 --timers 1,000,000
  %(prog)s --html demo.html
  %(prog)s --page --seconds 60

exit codes: 0 all is well, 1 a timer was early or lost or a run failed, 2 it could not run""",
    )

    def add_number(option: str, default: int, most: int, what: str) -> None:
        parser.add_argument(
            option,
            type=whole_number(most),
            default=default,
            metavar="N",
            help=f"{what}, at most {most:,} (default: {default:,})",
        )

    add_number("--rounds", 5, 100, "how many rounds each side runs")
    add_number("--seconds", 4, 3600, "how long to measure in a round")
    add_number("--messages", 5_000, 1_000_000, "messages a second")
    add_number("--connections", 200, 10_000, "how many clients")
    add_number("--timers", 300_000, 10_000_000, "how many extra timers")
    churn = "timer operations a second in the background: schedule, push back, cancel"
    add_number("--churn", 30_000, 1_000_000, churn)
    parser.add_argument(
        "--reactor",
        type=reactor_name,
        default="default",
        metavar="NAME",
        help="short name of the reactor (default: Twisted's choice here)",
    )
    add_json(parser, "chart")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="also write the chart as a page for a browser"
    )
    parser.add_argument(
        "--page",
        type=_port,
        nargs="?",
        const=0,
        metavar="PORT",
        help="while our side runs, serve a page of its timers on 127.0.0.1, at any port or at this "
        "one; the figures then include the page's own work",
    )


def run(options: argparse.Namespace) -> int:
    """Run both sides in turn and print the results.

    @return: the exit code.
    """
    if lacks_rich("demo"):
        return 2
    lacking = _too_many(options.connections) or _cannot_write(options.html)
    if lacking is not None:
        print(lacking, file=sys.stderr)
        return 2
    from timerwheel.commands.demo.progress import shown

    plan = Plan(
        options.seconds, options.connections, options.timers, options.churn, options.messages
    )
    try:
        with shown(plan, options.rounds) as audience:
            rounds = run_rounds(options.reactor, plan, options.rounds, audience, options.page)
    except SideError as error:
        return told(error)
    _show(plan, rounds, options)
    problems = [problem for one in rounds for problem in one.problems]
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _too_many(connections: int) -> str | None:
    """The error if the server may not have so many sockets, else None."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and connections + OTHER_FILES > limit:
        return (
            f"{connections:,} connections are too many: a process may have {limit:,} files open "
            "here. Raise the limit (ulimit -n), or take fewer: --connections"
        )
    return None


def _cannot_write(path: Path | None) -> str | None:
    """The error if this cannot write the file, else None. Tried before the work."""
    if path is not None:
        try:
            path.open("a").close()
        except OSError as error:
            return f"cannot write {path}: {error.strerror}"
    return None


def _show(plan: Plan, rounds: Sequence[Round], options: argparse.Namespace) -> None:
    report = heading(rounds), figures(rounds, plan), notes(rounds, plan)
    if options.html is not None:
        options.html.write_text(html_report(*report, versions_in_a_line()), encoding="utf-8")
    if options.json:
        data = {"plan": asdict(plan), "rounds": [asdict(one) for one in rounds]}
        print(json.dumps(data, indent=2))
    else:
        print(chart(*report, get_terminal_size().columns))


def _port(text: str) -> int:
    """@raise argparse.ArgumentTypeError: `text` is not the number of a port."""
    if not (text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a port, up to 65535")
    return int(text)
