"""What a side is made of: the reactors, and what programs have calls hold and call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from helpers import FakeClock, StockReactor
from twisted.internet.base import ReactorBase
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor

if TYPE_CHECKING:
    from hostile.world import World

# More than any program's loop needs that ends.
MOST_TURNS = 300


class PlainReactor(StockReactor):
    """A stock reactor that does no I/O. Its waits take no time: they move the clock."""

    clock: FakeClock | None = None
    turns = 0
    endless = False

    def doIteration(self, delay: float | None) -> None:
        if delay and self.clock is not None:
            self.clock.now += delay

    # Twisted's main loop asks this at each turn. What programs patch may never end it.

    @property
    def _started(self) -> bool:
        self.turns += 1
        self.endless = self.turns > MOST_TURNS
        return self._runs and not self.endless

    @_started.setter
    def _started(self, runs: bool) -> None:
        self._runs = runs


REACTORS: dict[str, type[ReactorBase]] = {
    "plain": PlainReactor,
    "select": SelectReactor,
    "poll": PollReactor,
    "epoll": EPollReactor,
}


def make_class(base: type[ReactorBase], kept: dict[str, str]) -> type[ReactorBase]:
    """A class of a program's own, that keeps attributes in a "property" or in a "slot"."""
    namespace: dict[str, Any] = {
        name: kept_elsewhere(f"_kept{name}") for name, way in kept.items() if way == "property"
    }
    slots = [name for name, way in kept.items() if way == "slot"]
    if slots:
        namespace["__slots__"] = slots
    return type("Reactor", (base,), namespace)


def kept_elsewhere(place: str) -> property:
    """A property that keeps its value under another name."""
    return property(
        lambda self: getattr(self, place), lambda self, value: setattr(self, place, value)
    )


class Token:
    """What calls hold. Its end is noted, if there is a note to make."""

    def __init__(self, end: Callable[[], object] | None = None) -> None:
        self.end = end
        self.held: Any = None

    def nothing(self) -> None:
        """What may be called."""

    def __del__(self) -> None:
        if self.end is not None:
            self.end()


class Receiver:
    """Is called by a call: itself, or its method."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number

    def __call__(self, *args: object, **kw: object) -> None:
        self.world.fire(self.number)

    def method(self, *args: object, **kw: object) -> None:
        self.world.fire(self.number)
