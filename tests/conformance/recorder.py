"""Records what becomes of each test: a line of JSON when it begins and one when it ends."""

from __future__ import annotations

import faulthandler
import gc
import json
from time import perf_counter, process_time
from typing import Any, TextIO

from twisted.python.reflect import qual
from twisted.trial.reporter import TestResult
from twisted.trial.runner import ErrorHolder


class Recorder(TestResult):
    """A reporter for trial.

    Each line is out before the next test begins, so that after a crash the last
    line names the test. One that takes longer than `test_limit` seconds ends the
    process, with the stacks of its threads printed on `stacks`.
    """

    def __init__(self, out: TextIO, stacks: TextIO, test_limit: float) -> None:
        super().__init__()
        self._out = out
        self._stacks = stacks
        self._test_limit = test_limit
        self._began = 0.0
        self._outcomes: list[tuple[str, str]] = []
        self._tracebacks: list[str] = []
        self._not_made: list[str] = []
        self._foreign = False
        self._module = ""

    def write(self, **line: Any) -> None:
        """Write a line. Line buffered: a process that a test forks has nothing to write again."""
        self._out.write(json.dumps(line) + "\n")

    def reactor_made(self, is_ours: bool) -> None:
        """Hear that the running test has built a reactor."""
        self._foreign |= not is_ours

    def observe(self, event: dict[str, Any]) -> None:
        """A log observer: hear that the running test could not build its reactor."""
        if event.get("why") == "Failed to install reactor":
            self._not_made.append(event["failure"].getTraceback())

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self._collect_garbage(type(test).__module__)
        self._outcomes = []
        self._tracebacks = []
        self._not_made = []
        self._foreign = False
        self.write(began=test.id())
        faulthandler.dump_traceback_later(self._test_limit, exit=True, file=self._stacks)
        self._began = perf_counter()

    def _collect_garbage(self, module: str) -> None:
        """When a module's first test begins, collect what the module before has left.

        Twisted's tests leave sockets and event loops open, in cycles. If these were
        collected in a later test that counts its warnings, they would fail that: on
        which side would be chance. (Collecting before each test takes too long.)
        """
        if module != self._module:
            self._module = module
            gc.collect()

    def stopTest(self, test: Any) -> None:
        seconds = perf_counter() - self._began
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)
        # (One of Twisted's tests has an inner test that cannot make its reactor, and succeeds.)
        lacks_reactor = bool(self._not_made) and any(kind == "skip" for kind, _ in self._outcomes)
        self.write(
            test=test.id(),
            outcomes=sorted(self._outcomes),
            tracebacks=self._tracebacks + (self._not_made if lacks_reactor else []),
            lacks_reactor=lacks_reactor,
            foreign=self._foreign,
            seconds=round(seconds, 3),
        )

    def addSuccess(self, test: Any) -> None:
        self._outcomes.append(("success", ""))

    def addFailure(self, test: Any, fail: Any) -> None:
        self._failed("failure", fail)

    def addError(self, test: Any, error: Any) -> None:
        # An ErrorHolder stands for a module that could not be imported.
        self._failed("import error" if isinstance(test, ErrorHolder) else "error", error)

    def addSkip(self, test: Any, reason: Any) -> None:
        self._outcomes.append(("skip", str(reason)))

    def addExpectedFailure(self, test: Any, error: Any, todo: Any = None) -> None:
        self._outcomes.append(("todo", _reason(todo)))

    def addUnexpectedSuccess(self, test: Any, todo: Any = None) -> None:
        self._outcomes.append(("unexpected success", _reason(todo)))

    def done(self) -> None:
        """Write that all tests were run: without this line, the process died."""
        self.write(finished=True, cpu_seconds=process_time())

    def _failed(self, kind: str, error: Any) -> None:
        failure = self._getFailure(error)
        self._outcomes.append((kind, qual(failure.type)))
        self._tracebacks.append(failure.getTraceback(elideFrameworkCode=True))


def _reason(todo: Any) -> str:
    """The reason of a trial Todo; unittest's expectedFailure gives none."""
    return "" if todo is None else str(todo.reason)
