"""A side: a subject on which a program runs, and all that shows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.error import AlreadyCalled, AlreadyCancelled

from model.actions import Action, CallbackError, Raise
from model.subjects import Subject

# What actions may raise: it is noted as what came of them.
REFUSALS = (AlreadyCalled, AlreadyCancelled, AssertionError, TypeError, ValueError, OverflowError)

# Passes in passes in passes, no deeper: each call could hold one.
MOST_PASSES = 3

# What callbacks raised in this step, by what a side reported: a reactor to Twisted's log.
reported: list[str] = []


def report(error: type[BaseException]) -> None:
    """Note what a callback raised."""
    reported.append(error.__name__)


@dataclass(frozen=True)
class Shown:
    """What shows of a side after a step."""

    events: list[tuple[Any, ...]]  # in this step: calls that were made, and what came of actions
    calls: dict[int, tuple[Any, ...]]  # the state of each that was active before
    pending: Any
    now: float
    reported: list[str]


class Side:
    """Runs a program on a subject. Calls are known by the order in which they were scheduled."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.scripts: list[tuple[Action, ...]] = []
        self.handles: dict[int, Any] = {}
        self.live: dict[int, Any] = {}  # of these, those that were active after the last step
        self.events: list[tuple[Any, ...]] = []
        self.depth = 0  # of callbacks within callbacks

    def step(self, action: Action) -> Shown:
        """Do an action. Returns what shows then."""
        self.events = []
        reported.clear()
        self.do(action)
        calls = {number: self.subject.state(call) for number, call in self.live.items()}
        self.live = {n: call for n, call in self.live.items() if self.subject.is_active(call)}
        pending = self.subject.pending()
        return Shown(self.events, calls, pending, self.subject.now, list(reported))

    def made(self) -> list[int]:
        """The calls that were made in this step, in order."""
        return [event[1] for event in self.events if event[0] == "made"]

    def do(self, action: Action) -> None:
        """Do an action and note what comes of it."""
        outcome: Any
        try:
            outcome = action.perform(self)
        except (*REFUSALS, CallbackError) as error:
            if isinstance(action, Raise):
                raise
            outcome = type(error)
        self.events.append((type(action).__name__, outcome))

    def schedule(self, delay: Any, script: tuple[Action, ...]) -> None:
        """Schedule a call that will carry out the script."""
        number = len(self.scripts)
        self.handles[number] = self.live[number] = self.subject.schedule(delay, self.fire, number)
        self.scripts.append(script)

    def fire(self, number: int) -> None:
        """What is called."""
        self.events.append(("made", number, self.subject.now))
        self.depth += 1
        try:
            self.carry_out(self.scripts[number])
        finally:
            self.depth -= 1

    def carry_out(self, script: tuple[Action, ...]) -> None:
        """Do the actions of a script, up to the first that raises what is not noted."""
        for action in script:
            self.do(action)

    def advance(self, seconds: float) -> Any:
        """Have the clock move, and what is due made; but not in too many passes at once."""
        return self.subject.advance(seconds) if self.depth <= MOST_PASSES else "not done"

    def find(self, which: int) -> int | None:
        """The number of a call: of one that was active before this step; if negative, of any."""
        numbers = list(self.live if which >= 0 else self.handles)
        return numbers[which % len(numbers)] if numbers else None

    def on_call(self, which: int, function: Callable[..., Any], *args: Any) -> Any:
        """Call function with the handle of a call, if there is one."""
        number = self.find(which)
        return None if number is None else function(self.handles[number], *args)

    def live_calls(self) -> list[Any]:
        """The handles of all that are active."""
        return [call for call in self.live.values() if self.subject.is_active(call)]

    def drop(self, which: int) -> None:
        """Let go of the handle of a call."""
        number = self.find(which)
        if number is not None:
            del self.handles[number]
            self.live.pop(number, None)
