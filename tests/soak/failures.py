"""Exceptions that calls raise, and what of them Twisted logs."""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, globalLogBeginner
from zope.interface import implementer


class PlannedError(Exception):
    """Raised by calls to find out whether the others go on."""


@implementer(ILogObserver)
class Failures:
    """Counts the planned failures that are logged, and keeps the first few of all others."""

    KEPT = 5

    def __init__(self) -> None:
        self.planned = 0
        self.others: list[str] = []
        # Nothing else may keep or print what is logged.
        globalLogBeginner.beginLoggingTo([self], redirectStandardIO=False)

    def __call__(self, event: LogEvent) -> None:
        # Old Twisted has log.err() put it under its old name.
        failure = event.get("log_failure") or event.get("failure")
        if failure is None:
            return
        if failure.check(PlannedError):
            self.planned += 1
        elif len(self.others) < self.KEPT:
            self.others.append(failure.getTraceback())
