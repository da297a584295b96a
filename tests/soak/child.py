"""The process that is tested: one reactor, its load, and the judge.

Started by `process.py`; the argument is a plan as JSON. It obeys commands.
"""

from __future__ import annotations

import faulthandler
import sys
from importlib import import_module
from typing import Any

from plan import Plan


def main(argument: str) -> None:
    """Install the reactor, and run it until a command ends it."""
    faulthandler.enable()
    plan = Plan.from_json(argument)
    import timerwheel

    timerwheel.install(plan.reactor, clock=plan.clock)
    reactor: Any = import_module("twisted.internet.reactor")
    from commands import Commands
    from soak import Soak
    from twisted.internet.stdio import StandardIO

    StandardIO(Commands(Soak(reactor, plan)), reactor=reactor)  # type: ignore[no-untyped-call]
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1])
