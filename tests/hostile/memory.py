"""Steps that drop, collect and resurrect."""

from __future__ import annotations

import functools
import gc
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hostile.parts import Token
from hostile.steps import Step

if TYPE_CHECKING:
    from hostile.world import World


@dataclass(frozen=True)
class Drop(Step):
    """Let go of a handle: only the reactor has it from then on."""

    which: int

    def perform(self, world: World) -> None:
        number = world.find(self.which)
        if number is not None:
            world.handles.pop(number)


@dataclass(frozen=True)
class Cycle(Step):
    """Make a handle refer to itself; drop: and let go of it."""

    which: int
    drop: bool = False

    def perform(self, world: World) -> None:
        number = world.find(self.which)
        if number is not None:
            world.handles[number].me = world.handles[number]
            if self.drop:
                world.handles.pop(number)


@dataclass(frozen=True)
class Forget(Step):
    """Let go of the handles that destructors reached. cycle: which refer to themselves."""

    cycle: bool

    def perform(self, world: World) -> Any:
        count = len(world.kept)
        while world.kept:
            handle = world.kept.pop()
            if self.cycle:
                handle.me = handle
        return count


@dataclass(frozen=True)
class Collect(Step):
    """Collect garbage."""

    def perform(self, world: World) -> None:
        world.collecting = True
        try:
            gc.collect()
        finally:
            world.collecting = False


@dataclass(frozen=True)
class Chain(Step):
    """Make a chain of calls, each of which holds the one before; let go of all at once.

    kind: how a call holds the other.
    """

    kind: str
    length: int

    def perform(self, world: World) -> None:
        last: Any = None
        for _ in range(self.length):
            func, args = self.link(last)
            last = world.reactor.callLater(world.fraction(), func, *args)
        del func, args
        world.clock.now += 1
        world.reactor.runUntilCurrent()  # which leaves the calls what they hold
        del last

    def link(self, last: Any) -> tuple[Any, tuple[Any, ...]]:
        if last is None or self.kind == "argument":
            return nothing, (last,)
        if self.kind == "method":
            return types.MethodType(nothing, last), ()
        if self.kind == "partial":
            return functools.partial(nothing, last), ()
        if self.kind == "closure":
            return lambda: nothing(last), ()
        if self.kind == "own method":
            return last.active, ()
        token = Token()
        token.held = last
        return token.nothing, ()


def nothing(*args: object) -> None:
    """What the calls of a chain call."""
