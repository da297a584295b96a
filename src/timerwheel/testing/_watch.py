"""Watch the timers that a test schedules, and find those that it leaves pending."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from inspect import getattr_static
from typing import Any
from weakref import WeakKeyDictionary

from timerwheel.testing._origins import Frame, find_origin


@dataclass(frozen=True)
class PendingTimer:
    """A timer that a test has left.

    @ivar call: its handle.
    @ivar name: what it would call.
    @ivar due_in: seconds until it would.
    @ivar owner: the name of the class of its reactor or clock.
    @ivar origin: who scheduled it.
    """

    call: Any
    name: str
    due_in: float
    owner: str
    origin: Sequence[Frame]

    def __str__(self) -> str:
        lines = [f"{self.name}, due in {self.due_in:.4g} s, on {self.owner}"]
        words = ["scheduled at", *["called from"] * (len(self.origin) - 1)]
        lines += [f"  {word} {frame}" for word, frame in zip(words, self.origin, strict=True)]
        return "\n".join(lines)


class TimerWatch:
    """Notes the timers of all reactors and clocks from begin() to end().

    From hook() to unhook(), it replaces `callLater` in Twisted's ReactorBase and in both Clock
    classes with a function that notes the timer and calls the original. Each `callLater()` then
    takes some microseconds more.
    """

    def __init__(self) -> None:
        self._originals: list[tuple[type, Any]] = []
        self._owners: dict[int, Any] = {}
        self._origins: WeakKeyDictionary[Any, Sequence[Frame]] = WeakKeyDictionary()
        self._watching = False

    def hook(self) -> None:
        """Start to note all timers. Imports Twisted, and installs no reactor."""
        from twisted.internet.base import ReactorBase
        from twisted.internet.task import Clock as StockClock

        from timerwheel import Clock

        for owner_class in (ReactorBase, StockClock, Clock):
            self._originals.append((owner_class, owner_class.__dict__.get("callLater")))
            hooked = self._hooked(getattr_static(owner_class, "callLater"))
            setattr(owner_class, "callLater", hooked)  # noqa: B010 - mypy knows no such attribute

    def unhook(self) -> None:
        """Restore the original functions."""
        while self._originals:
            owner_class, original = self._originals.pop()
            if original is None:
                delattr(owner_class, "callLater")
            else:
                setattr(owner_class, "callLater", original)  # noqa: B010

    def begin(self) -> None:
        """From now on, new timers are the test's."""
        self._owners.clear()
        self._origins.clear()
        self._watching = True

    def pause(self) -> Callable[[], None]:
        """From now on, new timers are not the test's. Call the result to end this."""
        watching, self._watching = self._watching, False
        return partial(setattr, self, "_watching", watching)

    def end(self) -> list[PendingTimer]:
        """The test's pending timers, by deadline. Takes O(n) steps."""
        self._watching = False
        found = [
            PendingTimer(
                call,
                name_of(call.func),
                call.getTime() - owner.seconds(),
                f"{type(owner).__module__}.{type(owner).__qualname__}",
                self._origins[call],
            )
            for owner in self._owners.values()
            for call in owner.getDelayedCalls()
            if call in self._origins
        ]
        self._owners.clear()
        self._origins.clear()
        return sorted(found, key=lambda timer: timer.due_in)

    def _hooked(self, original: Any) -> Callable[..., Any]:
        @wraps(original)
        def callLater(owner: Any, *args: Any, **kw: Any) -> Any:
            call = original.__get__(owner, type(owner))(*args, **kw)
            if self._watching and (origin := find_origin()):
                # This holds the owners until the end. Whether the test's clock still exists must
                # not matter.
                self._owners[id(owner)] = owner
                self._origins[call] = origin
            return call

        return callLater


def name_of(function: Any) -> str:
    """The name of the function that a timer calls. Never its arguments."""
    from twisted.internet.task import LoopingCall

    try:
        if isinstance(function, partial):
            return name_of(function.func)
        named = function if hasattr(function, "__qualname__") else type(function)
        looping = isinstance(function, LoopingCall)
    except Exception:  # a callable may raise anything here
        named, looping = type(function), False
    module = getattr(named, "__module__", None)
    name = f"{module}.{named.__qualname__}" if module else named.__qualname__
    return f"{name} of {name_of(function.f)}" if looping else name


def check_allowed(allowed: Iterable[object]) -> None:
    """Raise TypeError unless all are numbers or names."""
    for one in allowed:
        if isinstance(one, bool) or not isinstance(one, (int, str)):
            raise TypeError(f"pending timers are allowed by number or by name, not by {one!r}")


def not_allowed(timers: Sequence[PendingTimer], allowed: Iterable[object]) -> list[PendingTimer]:
    """The timers that are not allowed.

    A name allows all timers that call that function: its whole name, or the end of it after a dot.
    A number allows so many more.
    """
    names = [one for one in allowed if isinstance(one, str)]
    others = [timer for timer in timers if not any(_matches(timer.name, name) for name in names)]
    number = sum(one for one in allowed if isinstance(one, int))
    return others if len(others) > number else []


def _matches(name: str, allowed: str) -> bool:
    return name == allowed or name.endswith(f".{allowed}")


def report(timers: Sequence[PendingTimer]) -> str:
    """The error for the test that left them."""
    first = "1 timer is" if len(timers) == 1 else f"{len(timers):,} timers are"
    return "\n".join([f"{first} still pending:", *map(str, timers)])
