"""One side of the exam, in a process of its own: modules of tests, or single tests.

    python tests/asyncio_exam/child.py stock|ours asyncio|uvloop RESULTS NAME...

The second is whose event loops get the wheel. A name is a module's or a test's. What becomes of
each test is written to RESULTS as JSON.
"""

from __future__ import annotations

import functools
import json
import signal
import sys
import unittest
from asyncio import base_events
from typing import Any


class Recorder(unittest.TextTestResult):
    """Notes the outcome of each test: a word, and the type of what it raised."""

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.outcomes: dict[str, list[str]] = {}

    def note(self, test: Any, outcome: str) -> None:
        """Add to what is known of a test. A subtest counts with its test."""
        self.outcomes.setdefault(test.id().partition(" ")[0], []).append(outcome)

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self.note(test, "passed")

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self.note(test, f"error {err[0].__name__}")

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self.note(test, f"failed {err[0].__name__}")

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self.note(test, f"skipped: {reason}")

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self.note(test, "failed as expected")

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self.note(test, "passed unexpectedly")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note(test, f"subtest failed {err[0].__name__}")


def accelerate_all(loop_class: Any) -> list[int]:
    """Have event loops get the wheel when they are made. Returns a list of one a loop."""
    from timerwheel import aio

    made: list[int] = []
    stock_init = loop_class.__init__

    @functools.wraps(stock_init)
    def init(self: Any, *args: Any, **kw: Any) -> None:
        stock_init(self, *args, **kw)
        aio.accelerate(self)
        made.append(1)

    loop_class.__init__ = init
    return made


def uvloop_class() -> Any:
    """The class of uvloop's event loops."""
    import uvloop

    return uvloop.Loop


def main(side: str, loops: str, results: str, *names: str) -> None:
    """Run the tests of these names and write what became of each."""
    # A shell ignores SIGINT in background jobs. Tests that interrupt a loop would then never end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    made = []
    if side == "ours":
        made = accelerate_all(base_events.BaseEventLoop if loops == "asyncio" else uvloop_class())
    try:
        suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    except unittest.SkipTest as skip:  # a module that is for another system
        outcomes = {name: [f"skipped: {skip}"] for name in names}
    else:
        runner = unittest.TextTestRunner(resultclass=Recorder, verbosity=2)
        result: Any = runner.run(suite)
        outcomes = result.outcomes
    with open(results, "w") as out:
        json.dump({"outcomes": outcomes, "loops": len(made)}, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
