"""A stopwatch that adds up the time spent in timers, and nothing else."""

from __future__ import annotations

import gc
from collections.abc import Callable
from statistics import median
from time import perf_counter_ns
from typing import Any


class Stopwatch:
    """The total wall time between switching on and switching off.

    Sections nest: each switch remembers the state before, and switches back to it. So the pass of a
    reactor switches on, a callback in it off, and a `callLater` in that callback on again. The
    garbage collector may start anywhere, so its time is kept apart.

    @ivar spent: nanoseconds while on.
    @ivar sections: how often it went from on to off.
    @ivar collecting: nanoseconds in the garbage collector.
    """

    __slots__ = ("_before_collection", "_on", "_since", "collecting", "sections", "spent")

    def __init__(self) -> None:
        self._on = False
        self._before_collection = False
        self.restart()

    def restart(self) -> None:
        """Reset the total; stay on or off."""
        self.spent = self.sections = self.collecting = 0
        self._since = perf_counter_ns()

    def switch(self, on: bool) -> bool:
        """Switch on or off.

        @return: what it was before, to be switched back to.
        """
        now = perf_counter_ns()
        was = self._on
        if was:
            self.spent += now - self._since
            self.sections += not on
        self._since = now
        self._on = on
        return was

    def inside(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """@return: a function that calls `function` with the stopwatch on."""

        def timed(*args: object) -> Any:
            was = self.switch(True)
            try:
                return function(*args)
            finally:
                self.switch(was)

        return timed

    def outside(self, function: Callable[..., Any]) -> Callable[..., None]:
        """@return: a function that calls `function`, a callback, with the stopwatch off."""

        def paused(*args: object) -> None:
            was = self.switch(False)
            try:
                function(*args)
            finally:
                self.switch(was)

        return paused

    def watch_collector(self) -> None:
        """Keep the garbage collector's time apart from now on."""
        gc.callbacks.append(self._on_collection)

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._before_collection = self.switch(False)
        else:
            self.collecting += perf_counter_ns() - self._since
            self.switch(self._before_collection)


def section_cost() -> float:
    """
    @return: nanoseconds that the stopwatch shows for a section in which nothing happens: the median
        of many.
    """
    stopwatch = Stopwatch()
    readings = []
    for _ in range(10_000):
        stopwatch.restart()
        was = stopwatch.switch(True)
        stopwatch.switch(was)
        readings.append(stopwatch.spent)
    return median(readings)
