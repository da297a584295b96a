"""One side of the exam, in a process of its own: modules or tests of test.test_asyncio.

    python tests/asyncio_exam/child.py stock|ours RESULTS NAME...

A name is a module's or a test's. What becomes of each test is written to RESULTS as JSON.
"""

from __future__ import annotations

import functools
import json
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


def accelerate_all() -> list[int]:
    """Have asyncio's event loops get the wheel when they are made. Returns a list of one a loop."""
    from timerwheel import aio

    made: list[int] = []
    stock_init = base_events.BaseEventLoop.__init__

    @functools.wraps(stock_init)
    def init(self: Any) -> None:
        stock_init(self)
        aio.accelerate(self)
        made.append(1)

    base_events.BaseEventLoop.__init__ = init  # type: ignore[method-assign]
    return made


def main(side: str, results: str, *names: str) -> None:
    """Run the tests of these names and write what became of each."""
    made = accelerate_all() if side == "ours" else []
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    runner = unittest.TextTestRunner(resultclass=Recorder, verbosity=2)
    result: Any = runner.run(suite)
    with open(results, "w") as out:
        json.dump({"outcomes": result.outcomes, "loops": len(made)}, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
