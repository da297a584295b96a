"""What programs run on: reactors, clocks and wheels; ours, Twisted's and the oracles' alike."""

from __future__ import annotations

import asyncio
import gc
import math
import re
from collections.abc import Callable
from typing import Any

from helpers import CallQueue, FakeClock, StockReactor, make_reactor, queue_of
from twisted.internet import task
from twisted.internet.base import DelayedCall

import timerwheel
from model.draw import GRAIN
from timerwheel._accelerate import KEY
from timerwheel.observe import SlowCall
from timerwheel.reactors.asyncioreactor import AsyncioSelectorReactor

# With more calls our timeout() may be early: it looks at 256, twice at those that were moved later.
EXACT_UP_TO = 128


class Wait:
    """What there is to wait: exactly so long, or, when it is a bound, so long or longer."""

    def __init__(self, seconds: float | None, exact: bool = True) -> None:
        self.seconds = seconds
        self.exact = exact

    def __eq__(self, other: object) -> bool:
        """Whether both can be true. One of them is exact."""
        if not isinstance(other, Wait):
            return NotImplemented
        if self.exact and other.exact:
            return self.seconds == other.seconds
        bound, exact = (self, other) if other.exact else (other, self)
        if exact.seconds is None or bound.seconds is None:
            return exact.seconds is None
        return bound.seconds <= exact.seconds

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{self.seconds}" if self.exact else f">= {self.seconds}"


class ReactorSubject:
    """A reactor on a fake clock, or an oracle."""

    def __init__(self, reactor: Any, clock: FakeClock) -> None:
        self.reactor = reactor
        self.clock = clock

    @property
    def now(self) -> float:
        return self.clock.now

    @now.setter
    def now(self, now: float) -> None:
        self.clock.now = now

    def schedule(self, delay: Any, func: Callable[[int], object], number: int) -> Any:
        return self.reactor.callLater(delay, func, number)

    def cancel(self, call: Any) -> Any:
        return call.cancel()

    def reset(self, call: Any, seconds: Any) -> None:
        call.reset(seconds)

    def delay(self, call: Any, seconds: Any) -> None:
        call.delay(seconds)

    def due(self, call: Any) -> float:
        """When a call is due."""
        when: float = call.getTime()
        return when

    def is_active(self, call: Any) -> bool:
        return bool(call.active())

    def state(self, call: Any) -> tuple[Any, ...]:
        """What a call tells that asking does not change."""
        return call.getTime(), call.active(), call.called, call.cancelled

    def look(self, call: Any) -> tuple[Any, ...]:
        """All else that it tells."""
        return call.time, call.delayed_time, re.sub("0x[0-9a-f]+", "0x", repr(call))

    def from_thread(self, func: Callable[..., object], *args: Any) -> None:
        """Have func called by the next pass, as for another thread."""
        self.reactor.callFromThread(func, *args)

    def advance(self, seconds: float) -> Any:
        """Have the clock move, and make what is due."""
        self.now += seconds
        self.reactor.runUntilCurrent()

    def earliest(self) -> Wait:
        """How long there is to wait for the earliest call."""
        return Wait(self.reactor.timeout())

    def pending(self) -> Any:
        """Which calls are pending."""
        return sorted(call.args[0] for call in self.reactor.getDelayedCalls())

    def turn(self) -> None:
        """Put the wheel in, or take it out."""
        self.reactor.turn()

    def follow(self, order: list[int]) -> None:
        """Make calls for the same instant in this order."""
        self.reactor.follow(order)

    def check(self) -> None:
        """Raise AssertionError if anything inside is not sound."""

    def close(self) -> None:
        """Let go of what the system gave."""


class Ours(ReactorSubject):
    """A stock reactor that has the wheel."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(make_reactor(clock), clock)

    def earliest(self) -> Wait:
        few = len(queue_of(self.reactor)) <= EXACT_UP_TO
        return Wait(self.reactor.timeout(), few)

    def check(self) -> None:
        queue_of(self.reactor).check_invariants()
        figures = timerwheel.stats(self.reactor)
        left = figures.fired + figures.cancelled
        assert figures.scheduled == figures.pending + left
        assert figures.fired == figures.lateness.count == figures.calls_per_pass.total
        assert figures.passes == figures.idle_passes + figures.calls_per_pass.count


class Watched(Ours):
    """The same, while somebody watches."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.watch = timerwheel.watch(self.reactor, slow=0, on_slow=self.told, origins=2)
        self.slow: list[str] = []

    def told(self, slow: SlowCall) -> None:
        self.slow.append(slow.function.name)

    def check(self) -> None:
        super().check()
        fired = timerwheel.stats(self.reactor).fired
        assert fired == len(self.slow) == sum(one.count for one in self.watch.times())

    def close(self) -> None:
        self.watch.stop()


class Stock(ReactorSubject):
    """Twisted's own reactor."""

    def __init__(self, clock: FakeClock) -> None:
        reactor: Any = StockReactor()
        reactor.seconds = clock
        super().__init__(reactor, clock)

    def earliest(self) -> Wait:
        """Twisted's timeout() counts to calls that were cancelled or moved later, too."""
        seconds = self.reactor.timeout()
        exact = not any(call.cancelled or call.delayed_time for call in self.heap())
        return Wait(seconds, exact)

    def heap(self) -> list[Any]:
        calls: list[Any] = self.reactor._pendingTimedCalls
        return calls


class OrderedCall(DelayedCall):
    """Twisted's, that tells its heap which of two calls for the same instant comes first."""

    number: int

    def __lt__(self, other: Any) -> bool:
        return (self.time, self.number) < (other.time, other.number)

    def __le__(self, other: Any) -> bool:
        return (self.time, self.number) <= (other.time, other.number)


class OrderedStock(Stock):
    """Twisted's own reactor, that makes calls for the same instant in the order of scheduling."""

    def schedule(self, delay: Any, func: Callable[[int], object], number: int) -> Any:
        call = super().schedule(delay, func, number)
        call.__class__ = OrderedCall
        call.number = number
        return call


class Turning(Stock):
    """Twisted's own reactor, in which the wheel is at times."""

    def turn(self) -> None:
        if KEY in vars(self.reactor):
            timerwheel.restore(self.reactor)
        else:
            timerwheel.accelerate(self.reactor)

    def earliest(self) -> Wait:
        few = len(self.reactor.getDelayedCalls()) <= EXACT_UP_TO
        wait = super().earliest()
        return Wait(wait.seconds, wait.exact and few)

    def heap(self) -> list[Any]:
        """Twisted's, and what is on the wheel: it does not hear that stock calls were delayed."""
        return [*super().heap(), *self.reactor.getDelayedCalls()]

    def check(self) -> None:
        if KEY in vars(self.reactor):
            queue_of(self.reactor).check_invariants()


class SteadyClock(FakeClock):
    """It does not go back: the event loop's does not."""

    def __init__(self, now: float) -> None:
        self.latest = now

    @property
    def now(self) -> float:  # type: ignore[override]
        return self.latest

    @now.setter
    def now(self, now: float) -> None:
        self.latest = max(now, self.latest)


class Loop(asyncio.SelectorEventLoop):
    """An event loop with a fake clock, which moves in grains. It never sleeps."""

    def __init__(self, clock: FakeClock) -> None:
        self.time = clock  # type: ignore[method-assign]
        super().__init__()
        self._clock_resolution = GRAIN / 2

    def turn(self) -> None:
        """Make what is ready, or due, once."""
        self.call_soon(self.stop)
        self.run_forever()


class LoopReactor(AsyncioSelectorReactor):
    """Our asyncio reactor, without what wakes it from other threads."""

    def installWaker(self) -> None:
        """There are no other threads."""


class Asyncio(Ours):
    """Our asyncio reactor: the event loop has to make the passes."""

    def __init__(self, clock: FakeClock) -> None:
        self.loop = Loop(clock)
        reactor: Any = LoopReactor(self.loop)
        reactor.seconds = clock
        ReactorSubject.__init__(self, reactor, clock)

    def advance(self, seconds: float) -> Any:
        self.now += seconds
        if self.loop.is_running():
            self.reactor.runUntilCurrent()
        else:
            self.loop.turn()

    def check(self) -> None:
        super().check()
        due = min((call.getTime() for call in self.reactor.getDelayedCalls()), default=math.inf)
        handle = self.reactor._timerHandle
        armed = math.inf if handle is None or handle.cancelled() else handle.when()
        if armed > max(self.now, due):
            raise AssertionError(f"the loop is armed for {armed}, and a call is due at {due}")

    def close(self) -> None:
        self.loop.close()


class ClockSubject(ReactorSubject):
    """A clock that is moved by hand."""

    def __init__(self, clock: Any, now: float) -> None:
        clock.rightNow = now
        super().__init__(clock, clock)

    @property
    def now(self) -> float:
        now: float = self.clock.rightNow
        return now

    @now.setter
    def now(self, now: float) -> None:
        self.clock.rightNow = now

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def earliest(self) -> Wait:
        return Wait(self.clock.calls[0].getTime() if self.clock.calls else None)

    def pending(self) -> Any:
        """In order: here it shows."""
        return [call.args[0] for call in self.clock.calls]

    def check(self) -> None:
        for queue in gc.get_referents(self.clock):
            if isinstance(queue, CallQueue):
                queue.check_invariants()


class OrderedClock(task.Clock):
    """Twisted's, but that calls for the same instant are in the order of scheduling, always."""

    def _sortCalls(self) -> None:
        self.calls.sort(key=lambda call: (call.getTime(), call.args[0]))


class StockClock(ClockSubject):
    """Twisted's own clock. It sorts its calls now and then: here whenever it is asked."""

    def earliest(self) -> Wait:
        self.clock._sortCalls()
        return super().earliest()

    def pending(self) -> Any:
        self.clock._sortCalls()
        return super().pending()


class WheelSubject:
    """A wheel by itself, which is told the time."""

    def __init__(self, wheel: Any, now: float) -> None:
        self.wheel = wheel
        self.now = now

    def schedule(self, delay: Any, func: Callable[[int], object], number: int) -> Any:
        return self.wheel.schedule(self.now + delay, func, number)

    def cancel(self, timer: Any) -> Any:
        return timer.cancel()

    def reset(self, timer: Any, seconds: Any) -> None:
        timer.reschedule(self.now + seconds)

    def delay(self, timer: Any, seconds: Any) -> None:
        timer.reschedule(timer.when + seconds)

    def due(self, timer: Any) -> float:
        when: float = timer.when
        return when

    def is_active(self, timer: Any) -> bool:
        return bool(timer.active)

    def state(self, timer: Any) -> tuple[Any, ...]:
        return timer.when, timer.active

    def look(self, timer: Any) -> tuple[Any, ...]:
        return ()

    def advance(self, seconds: float) -> Any:
        self.now += seconds
        return self.wheel.advance(self.now)

    def earliest(self) -> Wait:
        return Wait(self.wheel.next_expiry())

    def pending(self) -> Any:
        return len(self.wheel)

    def turn(self) -> None:
        """There is nothing to turn."""

    def check(self) -> None:
        if isinstance(self.wheel, timerwheel.TimerWheel):
            self.wheel.check_invariants()

    def close(self) -> None:
        """There is nothing to let go of."""


Subject = ReactorSubject | WheelSubject
