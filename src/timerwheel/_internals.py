"""Twisted's private names that this package uses, and a check that Twisted still has them.

Any release of Twisted may remove a private name. `accelerate()` asks here first. If a name is
missing, the reactor keeps Twisted's own timers, and a warning gives the name.
"""

from __future__ import annotations

from typing import Any

from timerwheel._core import find_attribute
from timerwheel._wakers import needs_of

# On ReactorBase itself, not on a base of it, because the wheel's methods replace them there.
_METHODS = ("callLater", "getDelayedCalls", "runUntilCurrent", "timeout")

# Of each reactor: its heap, and the functions that use it.
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

# Of twisted.internet.base.DelayedCall: used to move a call between the heap and the wheel.
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

    Empty for each Twisted that this package supports. Calls no code of the reactor's. Takes a few
    microseconds.
    """
    from twisted.internet import base

    # (Plain loops: if there is no memory for a comprehension's function, a debug build of Python
    # 3.11 aborts.)
    missing: list[str] = []
    for name in _METHODS:
        if name not in vars(base.ReactorBase):
            missing.append(f"ReactorBase.{name}")
    # (Not hasattr(), which would call the program's properties and __getattr__.)
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
