"""Installs one reactor, or makes one event loop, and tells as a line of JSON what it is.

Runs in a process of its own: a process has one reactor.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

import timerwheel
from timerwheel import aio
from timerwheel._internals import missing_in

if TYPE_CHECKING:
    from timerwheel._reactors import ReactorName

PATIENCE = 60.0
"""Seconds after which a reactor that cannot be had takes too long to say so."""

TWISTEDS_OWN = "twisted"
"""In place of a short name: what a program gets that chooses no reactor."""

LOOPS = ("timerwheel.aio", "asyncio", "uvloop")
"""The modules whose event loops can be tried with the wheel."""

FAR = 3600.0
"""Seconds until the deadline for which a loop is set when it is asked how precisely it wakes."""


class Finding(TypedDict):
    """What was found out about a reactor, or an event loop.

    @ivar reactor: its class; `None` when it is not available.
    @ivar wheel: whether its timers are on the wheel.
    @ivar wakes: how precisely the wheel has it woken; `None` without the wheel.
    @ivar reason: why it is not available, or what the wheel lacks of Twisted; `None` when neither.
    """

    reactor: str | None
    wheel: bool
    wakes: str | None
    reason: str | None


def probe(name: str, what: Literal["reactor", "loop"] = "reactor") -> Finding:
    """Find out about a reactor or an event loop in a process of its own.

    @param name: of a reactor a short name, as `timerwheel.install` takes them, or `TWISTEDS_OWN`;
        of a loop one of `LOOPS`.
    """
    # Some reactors are deprecated, and Python says so as it likes: that is no reason.
    command = [sys.executable, "-W", "ignore", "-m", __name__, what, name]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return _not_available(f"it was not there after {PATIENCE:g} seconds")
    if child.returncode != 0:
        lines = child.stderr.strip().splitlines() or [f"it ended with code {child.returncode}"]
        return _not_available(lines[-1])
    finding: Finding = json.loads(child.stdout.splitlines()[-1])
    return finding


def _not_available(reason: str) -> Finding:
    return Finding(reactor=None, wheel=False, wakes=None, reason=reason)


def _install(name: str) -> Any:
    """Install the reactor, and return it.

    @raise ImportError: it is not available.
    """
    if name != TWISTEDS_OWN:
        timerwheel.install(cast("ReactorName", name))
    from twisted.internet import reactor

    return reactor


def _look(reactor: Any) -> Finding:
    call = reactor.callLater(FAR, int)
    wheel = isinstance(call, timerwheel.DelayedCall)
    wakes = timerwheel.status(reactor).precision
    call.cancel()
    missing = missing_in(reactor)
    reason = f"Twisted lacks {', '.join(missing)}" if missing else None
    return Finding(reactor=_class_of(reactor), wheel=wheel, wakes=wakes, reason=reason)


def _class_of(instance: Any) -> str:
    kind = type(instance)
    return f"{kind.__module__}.{kind.__qualname__}"


def _new_loop(name: str) -> Any:
    """The event loop of one of LOOPS, with the wheel.

    @raise ImportError: it is not available.
    """
    if name == "timerwheel.aio":
        return aio.new_event_loop()
    loop = (
        asyncio.SelectorEventLoop() if name == "asyncio" else import_module(name).new_event_loop()
    )
    aio.accelerate(loop)
    return loop


def _look_at_loop(loop: Any) -> Finding:
    loop.call_later(FAR, int)
    status = timerwheel.status(loop)
    wheel = timerwheel.stats(loop).pending == 1
    loop.close()
    return Finding(reactor=_class_of(loop), wheel=wheel, wakes=status.precision, reason=None)


def main() -> None:
    """Print what is found out about the reactor, or the loop, that the command line names."""
    what, name = sys.argv[1:]
    try:
        finding = _look_at_loop(_new_loop(name)) if what == "loop" else _look(_install(name))
    except ImportError as error:
        finding = _not_available(str(error.__cause__ or error))
    print(json.dumps(finding))


if __name__ == "__main__":
    main()
