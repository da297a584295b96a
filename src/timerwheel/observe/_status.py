"""Proof that a reactor's timers are on the wheel: `timerwheel.status()`."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import getattr_static
from types import FunctionType
from typing import Any

from twisted.python.runtime import seconds as wall_clock

import twisted
from timerwheel._core import (
    VERSION,
    LoopClock,
    Method,
    SteadyClock,
    find_attribute,
    find_queue,
    target_of,
)
from timerwheel._wakers._waker import Waker
from timerwheel.observe._functions import FunctionName, describe
from timerwheel.observe._watch import Watch
from timerwheel.observe._wheel import is_event_loop


@dataclass(frozen=True, slots=True)
class MethodStatus:
    """Whether a method of a reactor is the wheel's or the program's."""

    name: str
    """The name of the method."""
    ours: bool
    """True if a call reaches the wheel's method first; False if it reaches `function` first."""
    function: FunctionName | None
    """The function that Python finds on the reactor or its class; None if it is the wheel's."""


@dataclass(frozen=True, slots=True, repr=False)
class Status:
    """Whether a reactor's timers are on the wheel, and how. Its repr is a line for a log."""

    accelerated: bool
    """Whether the wheel is on."""
    reactor: str
    """Module and name of the reactor's class."""
    methods: tuple[MethodStatus, ...]
    """A status for each method that the wheel replaces; empty if the wheel is off."""
    waker: str | None
    """The class name of the waker, which wakes the reactor on time; None if the wheel is off."""
    precision: str | None
    """How precisely the reactor wakes, in words; None if the wheel is off."""
    clock: str
    """"wall", "steady", an event loop's "monotonic", or the name of the program's own clock; "none"
    if there is none.
    """
    watch: Watch | None
    """The current Watch, or None."""
    versions: dict[str, str]
    """The versions of timerwheel, Twisted and Python."""

    @property
    def overridden(self) -> tuple[MethodStatus, ...]:
        """The methods that the program has replaced."""
        return tuple(method for method in self.methods if not method.ours)

    def __repr__(self) -> str:
        return f"<timerwheel {self.versions['timerwheel']} {'; '.join(self._parts())}>"

    def _parts(self) -> Iterator[str]:
        yield f"{'on' if self.accelerated else 'off'}: {self.reactor}"
        if self.accelerated:
            yield f"wakes: {self.precision}"
        yield f"clock: {self.clock}"
        for method in self.overridden:
            yield f"{method.name} is not ours but {method.function}"
        yield f"Twisted {self.versions['twisted']}, Python {self.versions['python']}"


def status(reactor: Any) -> Status:
    """Whether a reactor's timers are on the wheel, for which methods, and what wakes it.

    Takes any object; one without a wheel is not accelerated. Takes some microseconds.
    """
    queue = find_queue(reactor)
    waker = None if queue is None else queue.waker  # None, too, while it is being put in
    kind = type(reactor)
    return Status(
        accelerated=queue is not None,
        reactor=f"{kind.__module__}.{kind.__qualname__}",
        methods=() if waker is None else tuple(_methods(reactor, waker)),
        waker=None if waker is None else type(waker).__name__,
        precision=None if waker is None else waker.precision,
        clock=_clock(reactor),
        watch=None if queue is None or queue.watch is None else queue.watch.owner,
        versions={
            "timerwheel": VERSION,
            "twisted": twisted.__version__,
            "python": platform.python_version(),
        },
    )


def _methods(reactor: Any, waker: Waker) -> Iterator[MethodStatus]:
    for name in (*waker.standing, *waker.methods()):
        found = _found(reactor, name)
        ours = type(found) is Method
        yield MethodStatus(name, ours, None if ours else describe(found))


def _found(reactor: Any, name: str) -> Any:
    """The function, or callable instance, that Python finds under a name."""
    found = getattr_static(type(reactor), name, None)
    if type(found) in (FunctionType, Method, staticmethod, classmethod):
        # This runs no code of the program's. (getattr_static() would make the reactor's dict.)
        found = find_attribute(reactor, name)
    else:
        found = getattr_static(reactor, name, None)
    if isinstance(found, (staticmethod, classmethod)):
        found = found.__func__
    elif isinstance(found, property):
        found = found.fget
    return target_of(found)


def _clock(reactor: Any) -> str:
    found = _found(reactor, "time" if is_event_loop(reactor) else "seconds")
    if found is None:
        return "none"
    if found is wall_clock:
        return "wall"
    if type(found) in (LoopClock, Method):
        return "monotonic"
    return "steady" if type(found) is SteadyClock else str(describe(found))
