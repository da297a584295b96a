"""The process of a side, whatever it measures; `sides.py` starts it and asks it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from typing import Any


def install(side: str) -> Any:
    """In the process of a side: install its default reactor, and return it.

    @param side: `"stock"` or `"ours"`.
    """
    # The parent process ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if side == "ours":
        import timerwheel

        timerwheel.install()
    from twisted.internet import reactor

    return reactor


def class_name(reactor: Any) -> str:
    """The full name of a reactor's class."""
    kind = type(reactor)
    return f"{kind.__module__}.{kind.__qualname__}"


def serve(greeting: object, answer: Callable[[Any], dict[str, Any]]) -> None:
    """In the process of a side: say that it is ready, and answer until the input ends."""
    print(json.dumps(greeting), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
