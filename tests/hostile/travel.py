"""Steps that travel in time, with the libraries that tests use for it. The clock is the wall's."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hostile.steps import Step

try:
    import time_machine
except ImportError:
    time_machine = None  # type: ignore[assignment]
try:
    import freezegun
except ImportError:
    freezegun = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from hostile.world import World

DESTINATION = datetime.datetime(2037, 1, 1, tzinfo=datetime.timezone.utc)


class Machine:
    """A journey by time-machine."""

    def __init__(self, hours: int, ticks: bool) -> None:
        when = DESTINATION + datetime.timedelta(hours=hours)
        self._travel = time_machine.travel(when, tick=ticks)
        self._traveller = self._travel.start()

    def move(self, hours: int) -> None:
        self._traveller.shift(datetime.timedelta(hours=hours))

    def stop(self) -> None:
        self._travel.stop()


class Freezer:
    """A journey by freezegun."""

    def __init__(self, hours: int, ticks: bool) -> None:
        when = DESTINATION + datetime.timedelta(hours=hours)
        self._freezer = freezegun.freeze_time(when, tick=ticks)
        self._frozen = self._freezer.start()

    def move(self, hours: int) -> None:
        self._frozen.tick(datetime.timedelta(hours=hours))

    def stop(self) -> None:
        self._freezer.stop()


MAKERS: dict[str, Any] = {}
if time_machine is not None:
    MAKERS["time_machine"] = Machine
if freezegun is not None:
    MAKERS["freezegun"] = Freezer


@dataclass(frozen=True)
class Travel(Step):
    """Travel to another time. It ticks there, or stands. (The two libraries do not mix.)"""

    library: str
    hours: int
    ticks: bool

    def perform(self, world: World) -> Any:
        if self.library not in MAKERS:
            return "not installed"
        if any(type(journey) is not MAKERS[self.library] for journey in world.journeys):
            return "not now"
        world.journeys.append(MAKERS[self.library](self.hours, self.ticks))
        return None


@dataclass(frozen=True)
class Shift(Step):
    """Move on in a journey, and have made what is due."""

    hours: int

    def perform(self, world: World) -> Any:
        if world.journeys:
            world.journeys[-1].move(self.hours)
        world.run_pass()


@dataclass(frozen=True)
class Return(Step):
    """End a journey."""

    def perform(self, world: World) -> Any:
        if world.journeys:
            world.journeys.pop().stop()
        return abs(world.reactor.seconds() - time.time()) < 1
