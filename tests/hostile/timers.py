"""Steps that are fair: they schedule, cancel and move calls, and run the reactor."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hostile.parts import Token
from hostile.steps import Script, Step
from hostile.world import STOCK_CALL_LATER, CallbackError, stop

if TYPE_CHECKING:
    from hostile.world import World


# More than any call is away, seconds.
LONGEST_RUN = 2.0**20


@dataclass(frozen=True)
class CallLater(Step):
    """Schedule a call that carries out a script.

    kind: what is called, see World.receiver(). argument: what it is called with, see argument().
    """

    delay: int
    kind: str = "function"
    argument: str = ""
    script: Script = ()

    def perform(self, world: World) -> Any:
        number = len(world.scripts)
        destroyed = self.argument in ("destructor", "watched", "reaches")
        world.scripts[number] = () if destroyed else self.script
        arguments, reach = self.arguments(world, number)
        handle = world.schedule(self.delay, number, world.receiver(self.kind, number), *arguments)
        if number not in world.handles:
            return world.label_of(handle)
        if reach is not None:
            reach.append(weakref.ref(handle))
        if self.argument == "cycle":
            arguments[0].held = handle
        return None

    def arguments(self, world: World, number: int) -> tuple[tuple[Any, ...], Any]:
        """What the call is called with, and the list in which it is to be reached.

        "token" is an object, "cycle" one that leads back to the call. "destructor" carries
        the script out when it is destroyed; so does what watches "watched". The destructor of
        "reaches" finds the call by a weak reference, and keeps it, too.
        """
        if not self.argument:
            return (), None
        token = Token()
        reach: list[Any] = []
        script = self.script
        if self.argument == "destructor":
            token.end = lambda: world.end_of(f"token {number}", script)
        elif self.argument == "watched":
            # The reference is in the watcher: it has to live until then.
            watcher = weakref.ref(token, lambda ref: world.end_of(f"watched {number}", script))
            world.labels[id(watcher)] = (watcher, "")
        elif self.argument == "reaches":

            def end() -> None:
                world.kept += [call for ref in reach if (call := ref()) is not None]
                world.end_of(f"reaching {number}", script)

            token.end = end
        world.witness.note(self.argument, token)
        return (token,), reach


@dataclass(frozen=True)
class Cancel(Step):
    """Cancel a call. drop: whose handle only this holds, and drops at once."""

    which: int
    drop: bool = False

    def perform(self, world: World) -> Any:
        number = world.find(self.which)
        if number is None:
            return "none"
        if self.drop:
            if not world.handles[number].active():
                return "over"  # Twisted's frame would keep it as long as what it raises
            return world.handles.pop(number).cancel()
        return world.handles[number].cancel()


@dataclass(frozen=True)
class Reset(Step):
    """Move a call to so many seconds from now."""

    which: int
    delay: int

    def perform(self, world: World) -> Any:
        number = world.find(self.which)
        if number is None:
            return "none"
        world.move(number, world.handles[number].reset, world.seconds(self.delay))
        return None


@dataclass(frozen=True)
class Delay(Step):
    """Move a call to so many seconds from now, by saying how much later or sooner that is."""

    which: int
    delay: int

    def perform(self, world: World) -> Any:
        number = world.find(self.which)
        if number is None:
            return "none"
        call = world.handles[number]
        due = world.now() + world.seconds(self.delay)
        world.move(number, call.delay, due - call.getTime())
        return None


@dataclass(frozen=True)
class Look(Step):
    """Look at all that a handle tells."""

    which: int

    def perform(self, world: World) -> Any:
        number = world.find(self.which)
        return None if number is None else world.look(world.handles[number])


@dataclass(frozen=True)
class Move(Step):
    """The clock moves."""

    seconds: int

    def perform(self, world: World) -> None:
        if world.setting.clock != "wall":
            world.clock.now += self.seconds


@dataclass(frozen=True)
class Pass(Step):
    """The clock moves, and what is due is made."""

    seconds: int

    def perform(self, world: World) -> None:
        if world.setting.clock != "wall":
            world.clock.now += self.seconds
        world.run_pass()


@dataclass(frozen=True)
class Iterate(Step):
    """Run the event loop once, as a nested loop does."""

    seconds: int

    def perform(self, world: World) -> None:
        world.iterating += 1
        try:
            world.reactor.iterate(self.seconds if world.setting.reactor == "plain" else 0)
        finally:
            world.iterating -= 1


@dataclass(frozen=True)
class Timeout(Step):
    """Ask how long the reactor may sleep: not longer than until the earliest call.

    Twisted's may be shorter, because of calls that were cancelled.
    """

    def perform(self, world: World) -> Any:
        timeout = world.reactor.timeout()
        if timeout is not None and not isinstance(timeout, int | float):
            return world.label_of(timeout)
        calls = world.reactor.getDelayedCalls()
        if not isinstance(calls, list) or not calls:
            return None
        due = min(call.getTime() for call in calls) - world.reactor.seconds()
        spare = 0 if world.setting.clock != "wall" else 1  # it ticks
        return timeout is not None and timeout <= max(due, 0) + spare


@dataclass(frozen=True)
class FromThread(Step):
    """A thread has a script carried out by the reactor."""

    script: Script

    def perform(self, world: World) -> None:
        call = world.reactor.callFromThread
        thread = threading.Thread(target=call, args=(world.carry_out, self.script))
        thread.start()
        thread.join()


@dataclass(frozen=True)
class Run(Step):
    """Run the reactor, which a timed call stops. (Once: it cannot be restarted.)"""

    seconds: int

    def perform(self, world: World) -> Any:
        reactor = world.reactor
        if world.setting.reactor != "plain" or world.setting.clock == "wall":
            return None
        STOCK_CALL_LATER(reactor, world.seconds(self.seconds), stop, reactor)
        reactor.turns = 0
        end = world.clock.now + LONGEST_RUN
        world.iterating += 1
        try:
            reactor.run(installSignalHandlers=False)
        finally:
            world.iterating -= 1
            # Calls that were cancelled wake Twisted's, if it does not end.
            world.clock.now = end
        return "does not end" if reactor.endless else None


@dataclass(frozen=True)
class Stop(Step):
    """Stop the reactor, if it runs."""

    def perform(self, world: World) -> None:
        world.reactor.stop()


@dataclass(frozen=True)
class Fail(Step):
    """Raise an exception, which ends the script. kind: see failure()."""

    kind: str

    def perform(self, world: World) -> None:
        raise failure(self.kind)


class NoTracebackError(Exception):
    """Refuses what re-raising code calls."""

    def with_traceback(self, traceback: Any) -> Any:
        raise RuntimeError("with_traceback")


class OtherTracebackError(Exception):
    """Gives something else back than itself."""

    def with_traceback(self, traceback: Any) -> Any:
        return ValueError("with_traceback")


class NoTextError(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("str")

    __repr__ = __str__


class FrozenError(Exception):
    """Takes no attributes, but those that Python itself sets."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(name)


def failure(kind: str) -> BaseException:
    """An exception: a usual one, one that interrupts, or one of a class that is odd."""
    kinds: dict[str, type[BaseException]] = {
        "usual": CallbackError,
        "interrupt": KeyboardInterrupt,
        "exit": SystemExit,
        "no traceback": NoTracebackError,
        "other traceback": OtherTracebackError,
        "no text": NoTextError,
        "frozen": FrozenError,
    }
    return kinds[kind]("a callback's")


@dataclass(frozen=True)
class Afterwards(Step):
    """Whether a call that is made now is made in time."""

    def perform(self, world: World) -> Any:
        made: list[bool] = []
        call = world.reactor.callLater(world.fraction(), made.append, True)
        if world.setting.clock == "wall":
            call.reset(-1)
        else:
            world.clock.now += 1
        world.run_pass()
        return made
