"""Steps that patch reactors, their classes, and handles; and that take the wheel in and out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

from twisted.internet.base import DelayedCall, ReactorBase

from hostile.steps import Script, Step
from hostile.world import MISSING, OURS, STOCK_CALLS

if TYPE_CHECKING:
    from hostile.world import World

# What the program's own function returns, in place of Twisted's. The rest return None.
RESULTS = {"timeout": 0.5, "getDelayedCalls": []}
# What is called as often as it pleases the reactor: only whether it was called can be compared.
UNCOUNTED = ("timeout", "runUntilCurrent", "doIteration")
# Of these, not even that.
UNSEEN = ("seconds",)


class Undo:
    """How to undo a patch."""

    def __init__(self, undo: Callable[[], object], still: Callable[[], bool]) -> None:
        self._undo = undo
        self._still = still

    def __call__(self) -> Any:
        """Undo it. A patch that others have undone already is left alone: with mock.patch what
        happens then depends on what was there before."""
        return self._undo() if self._still() else "gone"


def leave(patcher: Any) -> Callable[[], object]:
    """Undoes what mock.patch did."""
    return lambda: bool(patcher.__exit__(None, None, None))


@dataclass(frozen=True)
class Patch(Step):
    """Patch an attribute of the reactor, of its class, of ReactorBase or of Twisted's DelayedCall.

    how: what is put there, see value(). by: "mock" is mock.patch.object(), "keep" puts back what
    it got, "delete" deletes the attribute in the end.
    """

    target: str
    name: str
    how: str
    by: str

    def perform(self, world: World) -> Any:
        owners = {"class": type(world.reactor), "base": ReactorBase, "call": DelayedCall}
        owner: Any = owners.get(self.target, world.reactor)
        label = f"{self.how} {len(world.patches)}"

        def still() -> bool:
            value = vars(owner).get(self.name, MISSING)
            return value is not MISSING and (
                self.name not in OURS or world.label_of(value) != "its own"
            )

        if self.by == "mock":
            patcher = self.patcher(world, owner, label)
            patcher.__enter__()
            if self.how in ("mock", "autospec"):
                world.label(vars(owner)[self.name], label)
            world.patches.append(Undo(leave(patcher), still))
            return None
        old = vars(owner).get(self.name, MISSING)
        if old is MISSING:
            old = getattr(owner, self.name, MISSING)
        setattr(owner, self.name, self.value(world, owner, label))
        if old is MISSING or self.by == "delete":
            undo: Callable[[], object] = lambda: delattr(owner, self.name)  # noqa: E731
        else:
            undo = lambda: setattr(owner, self.name, old)  # noqa: E731
        world.patches.append(Undo(undo, still))
        return None

    def patcher(self, world: World, owner: Any, label: str) -> Any:
        plain = world.label_of(getattr(owner, self.name, None)) == "its own"
        if self.how == "autospec" and plain:  # mock refuses to mock most mocks
            return mock.patch.object(owner, self.name, autospec=True, **self.returns(world))
        if self.how in ("mock", "autospec"):
            return mock.patch.object(owner, self.name, **self.returns(world))
        return mock.patch.object(owner, self.name, self.value(world, owner, label))

    def returns(self, world: World) -> dict[str, Any]:
        if self.name == "seconds":
            return {"return_value": world.now()}
        return {"return_value": RESULTS.get(self.name)}

    def value(self, world: World, owner: Any, label: str) -> Any:
        """What is put in place: "function" does something else, "hook" calls the original.

        A "property" gives what the instance had. Attributes that are no functions get a "value".
        """
        if self.target == "call":
            return True
        if self.how == "property":
            return world.label(self.property_for(owner), label)
        if self.name == "_justStopped":
            return True
        if self.name == "threadCallQueue":
            return world.label([], label)
        own = self.function(world, label)
        if self.how == "hook":
            own = self.hook(world, owner, label)
        world.label(own, label)
        return staticmethod(own) if self.name == "seconds" and owner is not world.reactor else own

    def function(self, world: World, label: str) -> Any:
        name, result = self.name, RESULTS.get(self.name)
        if name == "seconds":
            return lambda: world.now() + 2 * world.unit

        def function(*args: object, **kw: object) -> Any:
            self.tell(world, label)
            return result

        return function

    def hook(self, world: World, owner: Any, label: str) -> Any:
        original = getattr(owner, self.name)

        def hook(*args: Any, **kw: Any) -> Any:
            self.tell(world, label)
            return original(*args, **kw)

        return hook

    def tell(self, world: World, label: str) -> None:
        event = ("called", self.name, label)
        if self.name in UNCOUNTED:
            world.note_once(event)
        elif self.name not in UNSEEN:
            world.note(event)

    def property_for(self, owner: Any) -> property:
        name = self.name
        original = vars(owner).get(name, MISSING)
        if original is MISSING:
            original = getattr(owner, name, MISSING)

        def get(reactor: Any) -> Any:
            value = vars(reactor).get(name, original)
            return value.__get__(reactor) if hasattr(value, "__get__") else value

        def put(reactor: Any, value: Any) -> None:
            vars(reactor)[name] = value

        return property(get, put)


@dataclass(frozen=True)
class Unpatch(Step):
    """Undo a patch: the last, or another."""

    which: int

    def perform(self, world: World) -> Any:
        if not world.patches:
            return "none"
        return world.patches.pop(self.which % len(world.patches))()


@dataclass(frozen=True)
class UnpatchAll(Step):
    """Undo all patches, the last first."""

    def perform(self, world: World) -> Any:
        while world.patches:
            world.patches.pop()()


@dataclass(frozen=True)
class PatchHandle(Step):
    """Patch an attribute of a handle, as a test does that looks at what a call would call."""

    which: int
    name: str
    by: str

    def perform(self, world: World) -> Any:
        number = world.find(self.which)
        if number is None:
            return "none"
        handle = world.handles[number]
        if not handle.active():
            return "over"
        world.held.append(handle)  # as Twisted's heap may: what it gets back is not destroyed
        value = self.value(world, number)
        if self.by == "mock":
            patcher = mock.patch.object(handle, self.name, value, create=self.name == "own")
            patcher.__enter__()
            world.patches.append(Undo(leave(patcher), lambda: True))
        elif self.by == "delete":  # and put back at once
            old = getattr(handle, self.name, MISSING)
            if old is not MISSING:
                delattr(handle, self.name)
                setattr(handle, self.name, old)
        else:
            setattr(handle, self.name, value)
        return None

    def value(self, world: World, number: int) -> Any:
        values: dict[str, Callable[[], Any]] = {
            "func": lambda: lambda *args, **kw: world.note(("patched", number)),
            "args": lambda: ("other",),
            "kw": dict,
            "called": lambda: 1,
            "own": object,
        }
        return values[self.name]()


@dataclass(frozen=True)
class PatchDict(Step):
    """Put the reactor's __dict__ back after a while, with mock.patch.dict().

    Meanwhile the wheel is put in, if there are no calls, and a script is carried out, which
    leaves none. cycle: an object in a cycle keeps callLater(), and is dropped.
    """

    turn: bool
    cycle: bool
    script: Script = ()

    def perform(self, world: World) -> Any:
        reactor = world.reactor
        with mock.patch.dict(vars(reactor)):
            if self.turn and not STOCK_CALLS(reactor):
                world.accelerate()
            if self.cycle:
                holder: list[Any] = [reactor.callLater]
                holder.append(holder)
                del holder
            world.carry_out(self.script)


@dataclass(frozen=True)
class CallAndCancel(Step):
    """Schedule a call, and cancel it at once."""

    def perform(self, world: World) -> Any:
        call = world.reactor.callLater(world.seconds(1), world.note, "not to be made")
        if isinstance(call, DelayedCall):
            call.cancel()


@dataclass(frozen=True)
class Turn(Step):
    """Put the wheel into the reactor, or take it out.

    Not in iterate() or run(): what is left of the pass is made in the next, after the wait between.
    """

    inside: bool

    def perform(self, world: World) -> None:
        if world.iterating:
            return
        world.turned = world.depth > 0
        if self.inside:
            world.accelerate()
        else:
            world.restore()


@dataclass(frozen=True)
class Exhaust(Step):
    """Patch a class so often that Python gives it no more version tags."""

    target: str

    def perform(self, world: World) -> None:
        owner, name = {
            "class": (type(world.reactor), "spawnProcess"),
            "base": (ReactorBase, "spawnProcess"),
            "call": (DelayedCall, "debug"),
        }[self.target]
        for _ in range(1100):
            with mock.patch.object(owner, name, False, create=True):
                world.reactor.callLater(1, print).cancel()
