"""Twisted's private names that this package uses, and a check that Twisted still has them.

A private name may go in any release of Twisted. `accelerate()` asks here first: a
reactor that lacks one keeps Twisted's own timers, and a warning says what it lacks.
"""

from __future__ import annotations

from typing import Any

from timerwheel._core import find_attribute
from timerwheel._wakers import needs_of

# On ReactorBase itself, not on a base of it: there the wheel's methods take their place.
_METHODS = ("callLater", "getDelayedCalls", "runUntilCurrent", "timeout")

# Of each reactor: its heap, and what calls on it.
_ATTRIBUTES = (
    "_cancelCallLater",
    "_cancellations",
    "_insertNewDelayedCalls",
    "_justStopped",
    "_moveCallLaterSooner",
    "_newTimedCalls",
    "_pendingTimedCalls",
    "threadCallQueue",
)

# Of twisted.internet.base.DelayedCall: what moves a call between the heap and the wheel.
_CALL_ATTRIBUTES = (
    "activate_delay",
    "args",
    "cancelled",
    "canceller",
    "creator",
    "delayed_time",
    "func",
    "kw",
    "resetter",
    "time",
)

_NOTHING = object()


def missing_in(reactor: Any) -> list[str]:
    """The private names that this package uses and that Twisted does not have for this reactor.

    Empty for each Twisted that this package supports. Calls nothing of the reactor's.
    Takes a few microseconds.
    """
    from twisted.internet import base

    # (Plain loops: where there is no memory to make the function of a comprehension, a Python 3.11
    # that is built for debugging aborts.)
    missing: list[str] = []
    for name in _METHODS:
        if name not in vars(base.ReactorBase):
            missing.append(f"ReactorBase.{name}")
    # (Not by hasattr(): that calls a property, or a __getattr__, of the program's.)
    in_classes = set().union(*map(vars, type(reactor).__mro__))
    for name in (*_ATTRIBUTES, *needs_of(reactor)):
        if name not in in_classes and find_attribute(reactor, name, _NOTHING) is _NOTHING:
            missing.append(f"{type(reactor).__name__}.{name}")
    if not hasattr(base, "runtimeSeconds"):
        missing.append("twisted.internet.base.runtimeSeconds")
    return missing + _missing_in_calls(base.DelayedCall)


def _missing_in_calls(call_class: Any) -> list[str]:
    missing: list[str] = []
    try:
        call = call_class(0.0, int, (), {}, int, int, float)
    except TypeError as error:
        return [f"DelayedCall(time, func, args, kw, cancel, reset, seconds): {error}"]
    for name in _CALL_ATTRIBUTES:
        if not hasattr(call, name):
            missing.append(f"DelayedCall.{name}")
    return missing
