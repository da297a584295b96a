"""Log that the wheel is on, and which functions of the program bypass it."""

from __future__ import annotations

from typing import Any
from weakref import ref

from twisted.internet.base import ReactorBase
from twisted.logger import Logger

from timerwheel._core import CallQueue, find_origin, find_queue
from timerwheel.observe._status import status

_log = Logger(namespace="timerwheel")


def announce_when_running(reactor: Any, queue: CallQueue) -> None:
    """Log the status of a reactor when it starts to run; at once if it runs.

    Each method that is not the wheel's gets a warning of its own.
    """
    # (By the class: a subclass may have a method of this name that is not ready yet. This makes no
    # function: without memory for one, Python 3.12 and 3.13 crash.)
    ReactorBase.callWhenRunning(reactor, _announce, reactor, ref(queue))


def _announce(reactor: Any, put_in: ref[CallQueue]) -> None:
    queue = put_in()
    if queue is None or find_queue(reactor) is not queue:
        return  # it was taken out meanwhile
    current = status(reactor)
    _log.info("{status!r}", status=current)
    for method in current.overridden:
        _log.warn(
            "reactor.{method}() is {function}. That function runs first, and the wheel gets only "
            "the calls that it passes on",
            method=method.name,
            function=method.function,
        )


def warn_of_bypass() -> None:
    """Log who calls Twisted's own callLater(). That function calls this one."""
    _log.warn(
        "{origin} calls Twisted's own callLater(), kept from before the wheel was put in. Such "
        "calls reach the wheel, but take 1.1 times as long as without it. Put the wheel in before "
        "the hook. timerwheel.stats(reactor).bypassed counts them",
        origin=find_origin(),
    )
