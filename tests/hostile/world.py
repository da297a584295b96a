"""A side: a reactor, the calls of a program, and all that shows of them after each step."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from helpers import FakeClock
from twisted.internet.base import DelayedCall, ReactorBase
from twisted.internet.error import ReactorNotRunning

from hostile.parts import REACTORS, Receiver, make_class

if TYPE_CHECKING:
    from hostile.sides import Witness
    from hostile.steps import Step

# Deadlines are multiples of this: sums are exact, by the wall clock too.
GRAIN = 2.0**-20
START = 100.0
MOST_DEPTH = 3
# Later than now, and before all that programs travel to: 2036.
TRAVELLED = 2.085e9
MISSING = object()
# Whatever a program patches.
STOCK_PASS = ReactorBase.runUntilCurrent
STOCK_CALL_LATER = ReactorBase.callLater
STOCK_CALLS = ReactorBase.getDelayedCalls

# What programs patch on reactors, and what shows after each step: whose it is.
NAMES = (
    "callLater",
    "timeout",
    "runUntilCurrent",
    "getDelayedCalls",
    "seconds",
    "threadCallQueue",
    "_justStopped",
    "doIteration",
    "spawnProcess",
)
# Of these, what stands on a reactor that has the wheel.
OURS = (
    "callLater",
    "timeout",
    "runUntilCurrent",
    "getDelayedCalls",
    "doIteration",
)


class CallbackError(Exception):
    """What callbacks raise."""


@dataclass(frozen=True)
class Setting:
    """On what a program runs.

    reactor: "plain" (no I/O), "select", "poll" or "epoll".
    clock: where the clock comes from: "instance", "class" or "wall".
    kept: attributes that the reactor's class keeps in a "property" or a "slot".
    wheel: the wheel is in from the start.
    installed: the reactor is the installed one.
    looks: everything is looked at after each step, which shows the calls to the program.
    travelled: timerwheel is first used while time-machine travels.
    """

    reactor: str = "plain"
    clock: str = "instance"
    kept: tuple[tuple[str, str], ...] = ()
    wheel: bool = True
    installed: bool = False
    looks: bool = True
    travelled: bool = False


@dataclass
class Shown:
    """What shows of a side after a step."""

    outcome: Any
    events: list[Any] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)
    calls: dict[int, Any] = field(default_factory=dict)
    pending: Any = None
    attributes: dict[str, str] = field(default_factory=dict)
    rest: Any = None


class World:
    """Runs a program on a reactor, stock or with the wheel."""

    def __init__(self, setting: Setting, ours: bool, witness: Witness) -> None:
        self.setting = setting
        self.ours = ours
        self.witness = witness
        self.clock = FakeClock(START)
        # Programs that travel do so by hours: what passes by itself does not show.
        self.unit = 3600.0 if setting.clock == "wall" else 1.0
        self.scripts: dict[int, tuple[Step, ...]] = {}
        self.handles: dict[int, Any] = {}
        self.eras: dict[int, bool] = {}  # in which each was scheduled or moved
        self.kept: list[Any] = []  # handles that destructors reached
        self.held: list[Any] = []  # handles that were patched
        self.patches: list[Any] = []
        self.journeys: list[Any] = []
        self.files: list[Any] = []
        self.labels: dict[int, tuple[Any, str]] = {}  # of the program's objects
        self.serial = 0
        self.depth = 0
        self.collecting = False  # or the program is over
        self.turned = False  # in a callback
        self.iterating = 0
        self.made = 0  # calls
        self.events: list[Any] = []
        self.logged: list[str] = []
        self.destroyed: list[str] = []
        self.shutdowns = 0
        self.others: list[Any] = []  # reactors that took the place of this
        self.reactor = self._make_reactor()
        self.known = [int(name) for name in os.listdir("/proc/self/fd")]  # descriptors
        if setting.installed:
            self.install(self.reactor)
        if setting.wheel:
            self.accelerate()

    def _make_reactor(self) -> Any:
        reactor_class = make_class(REACTORS[self.setting.reactor], dict(self.setting.kept))
        if self.setting.clock == "class":
            reactor_class.seconds = staticmethod(self.clock)  # type: ignore[assignment]
        self.witness.note("class", reactor_class)
        reactor = reactor_class()
        if self.setting.clock == "instance":
            reactor.seconds = self.clock
        if self.setting.reactor == "plain":
            reactor.clock = self.clock
        reactor.addSystemEventTrigger("during", "shutdown", self.shut_down)
        self.witness.note("reactor", reactor)
        return reactor

    # What steps use.

    def accelerate(self) -> None:
        """Put the wheel in, on the side that has one."""
        if self.ours:
            from timerwheel import accelerate

            accelerate(self.reactor)

    def restore(self) -> None:
        """Take it out."""
        if self.ours:
            from timerwheel import restore

            restore(self.reactor)

    def install(self, reactor: Any) -> None:
        """Make it the installed reactor, in place of another."""
        uninstall()
        from twisted.internet.main import installReactor

        installReactor(reactor)

    def run_pass(self) -> None:
        """Run a pass. If the wheel was turned in a callback, that ended it: run what is left."""
        self.reactor.runUntilCurrent()
        while self.turned:
            self.turned = False
            made = -1
            while made != self.made:
                made = self.made
                STOCK_PASS(self.reactor)

    def now(self) -> float:
        seconds: float = self.reactor.seconds() if self.setting.clock == "wall" else self.clock.now
        return seconds

    def seconds(self, delay: int) -> float:
        """So many seconds, or hours and a quarter; and a little more, so that no others are equal.

        A clock that ticks comes to no quarter of an hour by itself, but by a journey.
        """
        if self.setting.clock == "wall":
            return (delay + 0.25) * self.unit + self.fraction()
        return delay + self.fraction()

    def fraction(self) -> float:
        """A part of a second that no other deadline has."""
        self.serial += 1
        return self.serial * GRAIN

    def schedule(self, delay: int, number: int, func: Any, *args: Any, **kw: Any) -> Any:
        """Schedule a call; hold the handle under a number."""
        handle = self.reactor.callLater(self.seconds(delay), func, *args, **kw)
        if isinstance(handle, DelayedCall):
            self.witness.note("call", handle)
            self.handles[number] = handle
            self.eras[number] = self.era()
        return handle

    def move(self, number: int, move: Callable[[float], object], seconds: float) -> None:
        """Move a call by reset() or delay()."""
        move(seconds)
        self.eras[number] = self.era()

    def receiver(self, kind: str, number: int) -> Any:
        """What a call calls."""
        receiver = Receiver(self, number)
        self.witness.note("receiver", receiver)
        if kind == "function":
            return lambda *args, **kw: receiver()
        if kind == "method":
            return receiver.method
        if kind == "partial":
            return functools.partial(receiver.method, number=number)
        return receiver

    def fire(self, number: int) -> None:
        """What calls do: carry out their scripts."""
        self.made += 1
        self.events.append(("made", number, self.elapsed()))
        self.carry_out(self.scripts.get(number, ()))

    def elapsed(self) -> float:
        """When it is, as far as that is the same on all sides."""
        return 0.0 if self.setting.clock == "wall" else self.clock.now

    def carry_out(self, script: tuple[Step, ...]) -> None:
        """Do the steps of a script, up to the first that fails; not too deep in others."""
        if self.depth == MOST_DEPTH:
            return
        self.depth += 1
        try:
            for step in script:
                step.perform(self)
        finally:
            self.depth -= 1

    def end_of(self, label: str, script: tuple[Step, ...]) -> None:
        """A destructor: notes itself and, if no collection runs, carries out a script.

        The collector destroys in its own order, so that what scripts do would differ.
        """
        self.destroyed.append(label)
        if not self.collecting:
            try:
                self.carry_out(script)
            except BaseException as error:
                self.events.append(("destructor", type(error).__name__))

    def find(self, which: int) -> int | None:
        """The number of a call whose handle is held."""
        numbers = list(self.handles)
        return numbers[which % len(numbers)] if numbers else None

    def label(self, thing: Any, label: str) -> Any:
        """Name an object of the program's."""
        self.labels[id(thing)] = (thing, label)
        return thing

    def label_of(self, thing: Any) -> str:
        """Whose an attribute is."""
        for candidate in (thing, getattr(thing, "__func__", None)):
            known = self.labels.get(id(candidate))
            if known is not None:
                return known[1]
        return repr(thing) if isinstance(thing, bool | int | float) else "its own"

    def note(self, event: Any) -> None:
        self.events.append(event)

    def note_once(self, event: Any) -> None:
        """For what may happen more often on one side than on the other."""
        if event not in self.events:
            self.events.append(event)

    def shut_down(self) -> None:
        self.shutdowns += 1

    # What shows.

    def step(self, step: Step) -> Shown:
        """Do a step. Returns what shows then."""
        self.shutdowns = 0
        shown = Shown(attempt(step.perform, self))
        if self.setting.looks:
            shown.calls = {n: attempt(self.state, n, call) for n, call in self.handles.items()}
            shown.pending = attempt(self.pending)
        shown.attributes = {name: self.attribute(name) for name in NAMES}
        shown.rest = self.shutdowns, attempt(getattr, self.reactor, "running")
        shown.events, shown.logged = self.events, self.logged
        shown.destroyed = sorted(self.destroyed)
        self.events, self.logged, self.destroyed = [], [], []
        return shown

    def state(self, number: int, call: Any) -> Any:
        """What a handle tells."""
        left: Any = round((call.getTime() - self.now()) / self.unit, 2 if self.unit > 1 else 9)
        if self.eras.get(number) != self.era():
            left = "at another time"  # how far that is depends on when the side runs
        return left, call.active(), bool(call.called), bool(call.cancelled)

    def era(self) -> bool:
        """Whether the reactor's clock says that it is the time to which programs travel."""
        return self.now() > TRAVELLED

    def look(self, call: Any) -> Any:
        """All else that it tells."""
        if call.creator:
            return "debug"
        own = [attempt(getattr, call, name, MISSING) is MISSING for name in ("func", "args", "kw")]
        text = re.sub(r"0x[0-9a-f]+|id='\d+'|\[.*?s\]", "", repr(call))
        return own, text, attempt(lambda: self.label_of(call.func))

    def pending(self) -> Any:
        """Which calls are pending."""
        names = {id(call): number for number, call in self.handles.items()}
        calls = self.reactor.getDelayedCalls()
        if not isinstance(calls, list):
            return self.label_of(calls)
        return sorted(names.get(id(call), -1) for call in calls)

    def attribute(self, name: str) -> str:
        """Whose an attribute is: of the reactor itself, if it is one that ours puts there.

        (Ours notices a patch of a class when the method is called next.)
        """
        if name in OURS:
            return self.label_of(vars(self.reactor).get(name))
        try:
            return self.label_of(getattr(self.reactor, name))
        except Exception as error:
            return type(error).__name__

    def finish(self) -> None:
        """Give back all that the system gave."""
        self.collecting = True
        for file in self.files:
            with suppress(OSError):
                file.close()
        for journey in reversed(self.journeys):
            journey.stop()
        reactor = self.reactor
        if self.setting.reactor != "plain":
            with suppress(AttributeError, OSError):
                reactor._internalReaders, readers = set(), reactor._internalReaders
                for reader in readers:
                    reactor.removeReader(reader)
                    reader.connectionLost(None)
            poller = getattr(reactor, "_poller", None)
            if hasattr(poller, "close"):
                poller.close()
        if self.setting.installed:
            uninstall()


def attempt(function: Callable[..., Any], *args: Any) -> Any:
    """What a function returns, or the name of what it raises."""
    try:
        return function(*args)
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        return type(error).__name__


def uninstall() -> None:
    """Have no reactor installed."""
    import twisted.internet

    sys.modules.pop("twisted.internet.reactor", None)
    vars(twisted.internet).pop("reactor", None)


def stop(reactor: Any) -> None:
    """Stop a reactor, if it runs."""
    with suppress(ReactorNotRunning):
        reactor.stop()
