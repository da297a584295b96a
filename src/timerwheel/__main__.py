"""The command line: `timerwheel COMMAND`, or `python -m timerwheel COMMAND`.

Each command is a module with `add_parser(commands)`, which declares its arguments and sets `run`
to a function that takes the parsed arguments and returns the exit code. To add a command, write
such a module and name it in `COMMANDS`.

Exit codes: 0 all is well, 1 the command found a fault, 2 it could not run (wrong arguments,
something is not installed), 130 interrupted, 141 the output pipe was closed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from timerwheel._core import VERSION
from timerwheel.commands.bench import command as bench
from timerwheel.commands.demo import command as demo
from timerwheel.commands.help import HelpFormatter
from timerwheel.commands.info import command as info
from timerwheel.commands.replay import command as replay
from timerwheel.commands.selftest import command as selftest
from timerwheel.commands.top import command as top

COMMANDS = (info, bench, replay, selftest, demo, top)


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line.

    @return: the parser. Its namespaces have `run`, which is `None` if no command was named.
    """
    parser = argparse.ArgumentParser(
        prog=_program(),
        description="Faster timers for Twisted's reactors.",
        epilog="""\
examples:
  %(prog)s info              does the wheel work with the reactors here?
  %(prog)s bench             how much faster is it on this machine?
  %(prog)s replay FILE       what would my program gain?
  %(prog)s selftest          is it correct on this machine?
  %(prog)s top ADDRESS       what do the timers of my program do now?
  %(prog)s COMMAND --help    all options of a command

exit codes: 0 all is well, 1 the command found a fault, 2 it could not run (wrong arguments,
something is not installed), 130 interrupted, 141 the output pipe was closed""",
        formatter_class=HelpFormatter,
    )
    version = f"timerwheel {VERSION}"
    parser.add_argument("--version", action="version", version=version)
    parser.set_defaults(run=None, parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for module in COMMANDS:
        module.add_parser(commands)
    for command in commands.choices.values():
        command.set_defaults(parser=command)
    return parser


def _program() -> str:
    """The command that the user typed."""
    script = Path(sys.argv[0]).stem
    return script if script == "timerwheel" else "python -m timerwheel"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    @param arguments: the words after the program's name; by default those of the process.

    @return: the exit code.
    """
    parser = build_parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:  # argparse would print the usage of all commands
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    run = cast("Callable[[argparse.Namespace], int] | None", options.run)
    if run is None:
        parser.print_help()
        return 0
    try:
        code = run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # As in `selftest | head`. Python flushes once more as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


if __name__ == "__main__":
    sys.exit(main())
