"""Installs one reactor, and tells as a line of JSON what it is.

Runs in a process of its own: a process has one reactor.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, TypedDict, cast

import timerwheel
from timerwheel._internals import missing_in

if TYPE_CHECKING:
    from timerwheel._reactors import ReactorName

PATIENCE = 60.0
"""Seconds after which a reactor that cannot be had takes too long to say so."""

TWISTEDS_OWN = "twisted"
"""In place of a short name: what a program gets that chooses no reactor."""


class Finding(TypedDict):
    """What was found out about a reactor.

    @ivar reactor: its class; `None` when it is not available.
    @ivar wheel: whether its delayed calls are on the wheel.
    @ivar wakes: how precisely the wheel has it woken; `None` without the wheel.
    @ivar reason: why it is not available, or what the wheel lacks of Twisted; `None` when neither.
    """

    reactor: str | None
    wheel: bool
    wakes: str | None
    reason: str | None


def probe(name: str) -> Finding:
    """Find out about a reactor in a process of its own.

    @param name: a short name, as `timerwheel.install` takes them; or `TWISTEDS_OWN`.
    """
    # Some reactors are deprecated, and Python says so as it likes: that is no reason.
    command = [sys.executable, "-W", "ignore", "-m", __name__, name]
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
    call = reactor.callLater(0, int)
    wheel = isinstance(call, timerwheel.DelayedCall)
    call.cancel()
    kind = type(reactor)
    missing = missing_in(reactor)
    return Finding(
        reactor=f"{kind.__module__}.{kind.__qualname__}",
        wheel=wheel,
        wakes=timerwheel.status(reactor).precision,
        reason=f"Twisted lacks {', '.join(missing)}" if missing else None,
    )


def main() -> None:
    """Print what is found out about the reactor that the command line names."""
    try:
        finding = _look(_install(sys.argv[1]))
    except ImportError as error:
        finding = _not_available(str(error.__cause__ or error))
    print(json.dumps(finding))


if __name__ == "__main__":
    main()
