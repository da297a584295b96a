"""Runs a program on one side, from start to end, and notes what showed."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from twisted.internet import base
from twisted.internet.base import DelayedCall
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure

from hostile.memory import Collect
from hostile.parts import REACTORS
from hostile.patches import UnpatchAll
from hostile.steps import Script, Step
from hostile.timers import Afterwards
from hostile.world import MISSING, NAMES, Setting, World

# What comes after the steps of each program.
EPILOGUE: Script = (UnpatchAll(), Collect(), Afterwards())

# What Twisted's classes have, which programs and the wheel change.
ORIGINALS = [
    (owner, name, vars(owner).get(name, MISSING))
    for owner in (DelayedCall, *{base for kind in REACTORS.values() for base in kind.__mro__[:-1]})
    for name in (*NAMES, "debug")
]

# What showed after each step, by the kind of the step.
Trace = list[tuple[str, dict[str, Any]]]


class Witness:
    """Remembers by weak references all that a program made."""

    def __init__(self) -> None:
        self._made: list[tuple[str, weakref.ref[Any]]] = []

    def note(self, label: str, thing: Any) -> None:
        self._made.append((label, weakref.ref(thing)))

    def alive(self) -> list[str]:
        """The kinds of what is still there."""
        return sorted({label for label, ref in self._made if ref() is not None})


@contextmanager
def overheard(world: World) -> Iterator[None]:
    """Note what is logged, what nobody can catch, and what threads raise."""

    def observe(event: LogEvent) -> None:
        failure = event.get("log_failure") or event.get("failure")
        if failure is not None:
            world.logged.append(failure.type.__name__)
            forget_frames(failure)
            forget_failures()

    def unraisable(args: Any) -> None:
        world.note(("unraisable", args.exc_type.__name__))

    hooks = sys.unraisablehook, threading.excepthook
    sys.unraisablehook = threading.excepthook = unraisable
    globalLogPublisher.addObserver(observe)
    try:
        yield
    finally:
        globalLogPublisher.removeObserver(observe)
        sys.unraisablehook, threading.excepthook = hooks


def put_classes_back() -> None:
    """Put the attributes of Twisted's classes back as they were."""
    for owner, name, value in ORIGINALS:
        if vars(owner).get(name, MISSING) is value:
            continue
        if value is MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, value)


def run_side(setting: Setting, steps: Script, ours: bool) -> Trace:
    """Run a program on a side. Returns what showed after each step, and what was left then."""
    witness = Witness()
    world = World(setting, ours, witness)
    with overheard(world):
        trace = [(type(step).__name__, shown_by(world, step)) for step in (*steps, *EPILOGUE)]
        world.finish()
    del world
    put_classes_back()
    for _ in range(3):
        gc.collect()
    trace.append(("End", {"alive": witness.alive()}))
    return trace


def shown_by(world: World, step: Step) -> dict[str, Any]:
    """What shows after a step."""
    # (Not vars(), which on Python 3.13.0 may have what the attributes were at first.)
    shown = world.step(step)
    return {part.name: getattr(shown, part.name) for part in fields(shown)}


def forget_frames(failure: Failure) -> None:
    """Where DelayedCall.debug is on, a failure is in a cycle with its frames in Twisted.

    (cleanFailure() asks the exception, which need not allow it.)
    """
    failure.tb = None
    BaseException.with_traceback(failure.value, None)


def forget_failures() -> None:
    """Twisted's handlers of failures keep the last one, with all that its frames have."""
    for handler in vars(base).values():
        if isinstance(getattr(handler, "failure", None), Failure):
            handler.failure = None
