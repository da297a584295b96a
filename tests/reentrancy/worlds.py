"""Timers that bear numbers, on what has them, and what Python code may do to them by the way."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from typing import Any

from helpers import CallQueue, FakeClock, make_reactor, queue_of

import timerwheel

# Due at once, within a tick, in several levels, and beyond them.
DELAYS = [0.0, 0.0, 0.0001, 0.0002, 0.01, 0.02, 1.0, 3.0, 100.0, 1e4, 1e6, 1e8, 1e10, 1e10]
END = 1e12

Act = Callable[[], None]


class Trigger:
    """Acts when it is destroyed. It can stand for a callback, an argument or a clock."""

    def __init__(self, act: Act) -> None:
        self.act = act

    def __call__(self, *args: object, **kw: object) -> float:
        return 100.0

    def __del__(self) -> None:
        self.act()


class Number:
    """A number that acts when it is asked for its value."""

    def __init__(self, act: Act, value: float) -> None:
        self.act = act
        self.value = value

    def __float__(self) -> float:
        self.act()
        return self.value


class World:
    """Timers that bear numbers, what may be done to them, and how often each has fired."""

    def __init__(self) -> None:
        self.timers: list[Any] = []
        self.fired: Counter[int] = Counter()
        self.acted = 0
        for delay in DELAYS:
            self.schedule(delay)

    def fire(self, number: int) -> None:
        self.fired[number] += 1

    def schedule_more(self) -> None:
        for delay in (0.0, 0.0001, 50.0, 1e9):
            self.schedule(delay)

    def pending(self) -> list[Any]:
        return [timer for timer in self.timers if self.is_pending(timer)]

    def ends(self) -> list[Any]:
        """A timer that is due soon and one that is due late."""
        pending = self.pending()
        return pending[:1] + pending[2:][-1:]

    def only_once(self, action: str) -> Act:
        """A function that does one of ACTIONS, or all, when it is called for the first time."""

        def act() -> None:
            self.acted += 1
            if self.acted == 1:
                for name in self.ACTIONS[:-1] if action == "all" else [action]:
                    getattr(self, name)()

        return act

    def check(self) -> None:
        """That something was done; and that of all that is left each fires once."""
        assert self.acted
        if self.is_dropped():
            assert set(self.fired.values()) <= {1}
            return
        self.check_invariants()
        expected = self.fired + Counter(self.timers.index(timer) for timer in self.pending())
        self.run_to_the_end()
        self.check_invariants()
        assert self.pending() == []
        assert self.fired == expected
        assert set(self.fired.values()) == {1}

    # What each kind of world has in its own words. The last action drops it.
    ACTIONS: tuple[str, ...]
    schedule: Callable[[float], None]
    is_pending: Callable[[Any], bool]
    is_dropped: Callable[[], bool]
    check_invariants: Act
    run_to_the_end: Act


class ReactorWorld(World):
    """Calls on a reactor."""

    ACTIONS = ("schedule_more", "cancel", "reset", "delay", "iterate", "look", "drop")

    def __init__(self) -> None:
        self.clock = FakeClock(100.0)
        self.reactor: Any = make_reactor(self.clock)
        super().__init__()

    def schedule(self, delay: float) -> None:
        self.timers.append(self.reactor.callLater(delay, self.fire, len(self.timers)))

    def is_pending(self, call: Any) -> bool:
        return bool(call.active())

    def cancel(self) -> None:
        for call in self.ends():
            call.cancel()

    def reset(self) -> None:
        for delay in (0.0, 1e9, 0.5):
            for call in self.ends():
                call.reset(delay)

    def delay(self) -> None:
        for delay in (-5.0, 1e9, -2e9):
            for call in self.ends():
                call.delay(delay)

    def iterate(self) -> None:
        self.clock.advance(0.0001)
        self.reactor.runUntilCurrent()

    def look(self) -> None:
        assert set(self.pending()) <= set(self.reactor.getDelayedCalls())
        assert self.reactor.timeout() is not None
        self.check_invariants()

    def drop(self) -> None:
        self.reactor = None
        gc.collect()

    def is_dropped(self) -> bool:
        return self.reactor is None

    def set_clock(self, clock: Callable[[], float] | None) -> None:
        self.reactor.seconds = clock or self.clock

    def check_invariants(self) -> None:
        queue_of(self.reactor).check_invariants()

    def run_to_the_end(self) -> None:
        self.clock.now = END
        for _ in range(2):
            self.reactor.runUntilCurrent()


class ClockWorld(ReactorWorld):
    """The same on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.reactor = timerwheel.Clock()
        self.reactor.advance(100.0)
        World.__init__(self)

    def iterate(self) -> None:
        self.reactor.advance(0.0001)

    def look(self) -> None:
        assert set(self.pending()) <= set(self.reactor.calls)
        assert self.reactor.calls[0].active()
        self.check_invariants()

    def set_clock(self, clock: Callable[[], float] | None) -> None:
        if clock is None:
            del self.reactor.seconds
        else:
            self.reactor.seconds = clock

    def check_invariants(self) -> None:
        [queue] = [held for held in gc.get_referents(self.reactor) if type(held) is CallQueue]
        queue.check_invariants()

    def run_to_the_end(self) -> None:
        self.reactor.advance(END)


class WheelWorld(World):
    """Timers on a wheel."""

    ACTIONS = ("schedule_more", "cancel", "reschedule", "iterate", "look", "drop")

    def __init__(self) -> None:
        self.now = 100.0
        self.wheel: Any = timerwheel.TimerWheel(self.now)
        super().__init__()

    def schedule(self, delay: float) -> None:
        self.timers.append(self.wheel.schedule(self.now + delay, self.fire, len(self.timers)))

    def is_pending(self, timer: Any) -> bool:
        return bool(timer.active)

    def cancel(self) -> None:
        for timer in self.ends():
            assert timer.cancel()

    def reschedule(self) -> None:
        for when in (-5.0, 1e9, 100.5):
            for timer in self.ends():
                timer.reschedule(when)

    def iterate(self) -> None:
        self.now += 0.0001
        self.wheel.advance(self.now)

    def look(self) -> None:
        assert len(self.wheel) >= len(self.pending())
        assert self.wheel.next_expiry() <= min(timer.when for timer in self.pending())
        self.check_invariants()

    def drop(self) -> None:
        self.wheel = None

    def is_dropped(self) -> bool:
        return self.wheel is None

    def check_invariants(self) -> None:
        self.wheel.check_invariants()

    def run_to_the_end(self) -> None:
        for _ in range(2):
            self.wheel.advance(END)
