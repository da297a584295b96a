"""What the commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from timerwheel._install import unknown
from timerwheel._reactors import NAMES
from timerwheel.commands.help import HelpFormatter

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    help: str,
    description: str,
    epilog: str,
) -> argparse.ArgumentParser:
    """Declare a command.

    @param run: takes the parsed arguments and returns the exit code.
    @param help, description, epilog: as argparse takes them; the lines stay as they are.

    @return: its parser, for the arguments.
    """
    parser = commands.add_parser(
        name,
        help=help,
        description=description,
        epilog=epilog,
        formatter_class=HelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_json(parser: argparse.ArgumentParser, instead: str) -> None:
    """Declare `--json`.

    @param instead: what is printed without it.
    """
    parser.add_argument("--json", action="store_true", help=f"print JSON instead of the {instead}")


def whole_number(most: int | None = None) -> Callable[[str], int]:
    """
    @return: a function that takes a text, with commas or without, and raises
        `argparse.ArgumentTypeError` if it is not a whole number above zero, at most `most`.
    """
    bounds = "above zero" if most is None else f"from 1 to {most:,}"

    def parse(text: str) -> int:
        try:
            number = int(text.replace("_", "").replace(",", ""))
        except ValueError:
            number = 0
        if number < 1 or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {bounds}")
        return number

    return parse


count = whole_number()
"""Takes any number of something."""


def reactor_name(text: str) -> str:
    """A reactor's short name, as `timerwheel.install` takes it.

    @param text: that, or one that Twisted's commands take: `timerwheel`, `timerwheel-epoll`.

    @raise argparse.ArgumentTypeError: there is no such reactor. The message has the names.
    """
    name = "default" if text == "timerwheel" else text.removeprefix("timerwheel-")
    if name not in NAMES:
        raise argparse.ArgumentTypeError(unknown(text))
    return name


def seconds_between(least: float, most: float) -> Callable[[str], float]:
    """
    @return: a function that takes a text and raises `argparse.ArgumentTypeError` if it is not a
        number of seconds within the bounds.
    """

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a number of seconds from {least:g} to {most:g}"
            )
        return number

    return parse


def lacks_rich(command: str, extra: str = "demo") -> bool:
    """Whether rich, which a command draws with, is missing. Prints to standard error how to get it.

    @param extra: the name under which the package asks for rich.
    """
    if find_spec("rich") is not None:
        return False
    print(
        f"The {command} draws its table with rich: pip install timerwheel[{extra}]",
        file=sys.stderr,
    )
    return True
