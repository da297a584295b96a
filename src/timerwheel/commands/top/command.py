"""The `top` command."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from timerwheel.commands.address import NoAnswerError, ask
from timerwheel.commands.common import add_command, count, lacks_rich, seconds_between
from timerwheel.commands.report.text import clean
from timerwheel.commands.top.history import History

if TYPE_CHECKING:
    from timerwheel.commands.common import Commands


def add_parser(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = add_command(
        commands,
        "top",
        run,
        help="show the timers of a running program, live, in this terminal",
        description="""\
Shows the same as the page of timerwheel.web: pending calls, rates, lateness, passes, slow
calls, top functions. The program must have mounted the page. Ctrl-C ends it.
Needs `pip install timerwheel[top]`.""",
        epilog="""\
examples:
  %(prog)s http://127.0.0.1:8080/timers/
  %(prog)s /run/synapse/timerwheel.sock
  %(prog)s /run/synapse/timerwheel.sock --count 2 | cat

exit codes: 0 all is well, 2 nothing answers there, or the answer is not the page's""",
    )
    parser.add_argument(
        "address", metavar="ADDRESS", help="URL of the page, or the path of its UNIX socket"
    )
    parser.add_argument(
        "--interval",
        type=seconds_between(0.1, 3600),
        default=1.0,
        metavar="S",
        help="seconds between two looks (default: 1)",
    )
    parser.add_argument(
        "--count", type=count, metavar="N", help="look so many times, then end (default: forever)"
    )


def run(options: argparse.Namespace) -> int:
    """Show it until it is interrupted.

    @return: the exit code.
    """
    if lacks_rich("top", "top"):
        return 2
    try:
        first = ask(options.address)
    except NoAnswerError as error:
        print(clean(str(error)), file=sys.stderr)
        return 2
    history = History()
    history.add(first)
    _show(history, options)
    return 0


def _show(history: History, options: argparse.Namespace) -> None:
    from timerwheel.commands.top.screen import opened

    looks = 1
    with opened(history, options.address) as draw:
        while options.count is None or looks < options.count:
            time.sleep(options.interval)
            looks += 1
            try:
                history.add(ask(options.address))
                draw(None)
            except NoAnswerError as error:
                draw(str(error))
