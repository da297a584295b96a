"""What the commands share."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from typing import TYPE_CHECKING

from timerwheel._install import MODULES, unknown

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def count(text: str) -> int:
    """@raise argparse.ArgumentTypeError: `text` is not a whole number above zero."""
    try:
        number = int(text.replace("_", "").replace(",", ""))
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return number


def reactor_name(text: str) -> str:
    """A reactor's short name, as `timerwheel.install` takes it.

    @param text: that, or one that Twisted's commands take: `timerwheel`, `timerwheel-epoll`.

    @raise argparse.ArgumentTypeError: there is no such reactor. The message has the names.
    """
    name = "default" if text == "timerwheel" else text.removeprefix("timerwheel-")
    if name not in ("default", *MODULES):
        raise argparse.ArgumentTypeError(unknown(text))
    return name


def obstacle(command: str, extra: str = "demo") -> str | None:
    """
    @param extra: the name under which the package asks for rich.

    @return: one sentence that says what a command lacks which draws with rich; `None` when all is
        there.
    """
    if find_spec("rich") is None:
        return f"The {command} draws its table with rich: pip install timerwheel[{extra}]"
    return None
