"""No memory, at any allocation of any operation: MemoryError, and nothing is lost.

Each operation is done again and again, each time with another allocation failing: the first, the
second, and so on until it needs no more; that one alone, or all from there on.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from helpers import CallQueue, FakeClock, StockReactor, make_reactor, queue_of

import timerwheel
from timerwheel._core import CallWalk

pytestmark = pytest.mark.usefixtures("quick_collections")

TICK = 2.0**-10
# In the heap, which they fill; in the levels, in no order; beyond. They are more than the handles
# whose memory is kept.
DELAYS = [number * 1e-6 for number in range(16)]
DELAYS += [number * TICK / 7 for number in range(60, 10, -1)]
DELAYS += [1.5**exponent for exponent in range(60, -4, -3)]
NEW = len(DELAYS)
START, END = 100.0, 1e12

State = dict[int, object]


@pytest.fixture(scope="module")
def testcapi() -> Any:
    """Has allocations fail: those by PyMem_Malloc, PyObject_Malloc, PyMem_RawMalloc and kin."""
    return pytest.importorskip("_testcapi", reason="this Python has no _testcapi")


class World:
    """Timers that bear numbers, and need no memory to fire; and what may be done to them."""

    ROOM = 5000

    def __init__(self) -> None:
        # A list that takes as many again without memory.
        self.log: list[Any] = [None] * (2 * self.ROOM)
        del self.log[self.ROOM :]
        self.timers = [self.schedule(delay, number) for number, delay in enumerate(DELAYS)]
        self.timers.append(None)  # for one more

    def fired(self) -> list[int]:
        return self.log[self.ROOM :]

    def state(self) -> State:
        """What has become of each: when it is to fire, or True if it has; nothing if cancelled."""
        return {**self.pending(), **dict.fromkeys(self.fired(), True)}

    def check(self, initial: State, done: State) -> None:
        """That each is as it was or as the operation makes it, and that the rest fires in order."""
        self.check_invariants()
        state = self.state()
        assert state.items() <= initial.items() | done.items()
        assert state.keys() >= initial.keys() & done.keys()
        self.stir()
        pending, before = self.pending(), len(self.fired())
        self.run_to_the_end()
        assert self.fired()[before:] == sorted(pending, key=pending.__getitem__)
        assert len(set(self.fired())) == len(self.fired())
        self.check_invariants()

    def stir(self) -> None:
        """Move some of them."""

    # What each kind of world has in its own words.
    schedule: Callable[[float, int], Any]
    pending: Callable[[], dict[int, float]]
    check_invariants: Callable[[], None]
    run_to_the_end: Callable[[], None]


class CallsWorld(World):
    """Calls on a reactor or on a clock."""

    reactor: Any

    def schedule(self, delay: float, number: int) -> Any:
        return self.reactor.callLater(delay, self.log.append, number)

    def pending(self) -> dict[int, float]:
        return {
            call.args[0] if call.args else call.kw["number"]: call.getTime()
            for call in self.reactor.getDelayedCalls()
        }

    def run_to_the_end(self) -> None:
        self.make_calls_at(END)

    make_calls_at: Callable[[float], None]

    def note(self, number: int, *, key: int) -> None:
        self.log.append(number)


class CallOperations(CallsWorld):
    """What is done to them."""

    def do_schedule(self) -> None:
        self.reactor.callLater(5, self.log.append, NEW)

    def do_schedule_for_now(self) -> None:
        self.reactor.callLater(0, self.log.append, NEW)

    def do_schedule_for_long_after(self) -> None:
        self.reactor.callLater(1e11, self.log.append, NEW)

    def do_schedule_with_keywords(self) -> None:
        self.reactor.callLater(5, self.note, NEW, key=1)

    def do_schedule_with_the_delay_named(self) -> None:
        self.reactor.callLater(delay=5, callable=self.note, number=NEW, key=1)

    def do_cancel(self) -> None:
        self.timers[3].cancel()

    def do_cancel_late(self) -> None:
        self.timers[NEW - 1].cancel()

    def do_reset_later(self) -> None:
        self.timers[20].reset(60.0)

    def do_reset_sooner(self) -> None:
        self.timers[20].reset(0.001)

    def do_reset_to_now(self) -> None:
        self.timers[20].reset(0)

    def do_delay(self) -> None:
        self.timers[20].delay(5.0)

    def do_delay_below_zero(self) -> None:
        self.timers[20].delay(-5.0)

    def do_list_calls(self) -> None:
        self.reactor.getDelayedCalls()

    def do_make_calls(self) -> None:
        self.make_calls_at(START + 1e-4)

    def do_make_calls_of_a_tick(self) -> None:
        self.make_calls_at(START + 50 * TICK / 7)

    def do_make_calls_of_all_levels(self) -> None:
        self.make_calls_at(1e8)

    def do_make_all_calls(self) -> None:
        self.make_calls_at(END)


class ReactorWorld(CallOperations):
    """Calls on a reactor."""

    def __init__(self) -> None:
        self.clock = FakeClock(START)
        self.reactor = make_reactor(self.clock)
        super().__init__()

    def check_invariants(self) -> None:
        queue_of(self.reactor).check_invariants()

    def make_calls_at(self, time: float) -> None:
        self.clock.now = time
        self.reactor.runUntilCurrent()

    def do_timeout(self) -> None:
        assert self.reactor.timeout() == 0


class WatchedWorld(ReactorWorld):
    """The same, while somebody watches."""

    def __init__(self) -> None:
        super().__init__()
        timerwheel.watch(self.reactor, slow=3600, origins=True)

    def do_look_at_figures(self) -> None:
        timerwheel.stats(self.reactor)

    def do_look_at_what_is_pending(self) -> None:
        timerwheel.pending(self.reactor, by="origin")

    def do_meet_what_is_pending_in_slices(self) -> None:
        walk = CallWalk(queue_of(self.reactor))
        while not walk.over:
            walk.advance(7)


class BurstWorld(ReactorWorld):
    """Thousands of calls within a tick, in no order."""

    def schedule(self, delay: float, number: int) -> Any:
        if number == 0:
            for other in range(NEW + 1, NEW + 3000):
                super().schedule(50.0 + other * 7919 % 3000 * TICK / 4000, other)
        return super().schedule(delay, number)


class ClockWorld(CallOperations):
    """Calls on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.reactor = timerwheel.Clock()
        self.reactor.advance(START)
        super().__init__()

    def check_invariants(self) -> None:
        [queue] = [held for held in gc.get_referents(self.reactor) if type(held) is CallQueue]
        queue.check_invariants()

    def make_calls_at(self, time: float) -> None:
        self.reactor.advance(time - self.reactor.rightNow)

    def do_look_at_the_first(self) -> None:
        assert self.reactor.calls[0] is self.timers[0]

    def do_look_at_the_first_ahead(self) -> None:
        for number in range(16):
            self.timers[number].cancel()
        assert self.reactor.calls[0].active()

    def do_look_at_the_last(self) -> None:
        assert self.reactor.calls[-1].active()


class CrowdedClockWorld(ClockWorld):
    """All calls are for the same time, and the clock makes only so many of these."""

    def schedule(self, delay: float, number: int) -> Any:
        return super().schedule(50.0, number)

    def do_advance_to_the_limit(self) -> None:
        self.reactor.max_calls_at_once = 10
        with suppress(RuntimeError):
            self.reactor.advance(60)

    def run_to_the_end(self) -> None:
        self.reactor.max_calls_at_once = None
        super().run_to_the_end()


class StockWorld(CallsWorld):
    """Calls on a stock reactor: of ours and of its own, in its heap and new, some delayed."""

    make_calls_at = ReactorWorld.make_calls_at

    def __init__(self) -> None:
        self.clock = FakeClock(START)
        self.reactor = StockReactor()
        self.reactor.seconds = self.clock
        timerwheel.accelerate(self.reactor)
        super().__init__()
        timerwheel.restore(self.reactor)
        for number in range(1, NEW, 2):
            self.timers[number].cancel()
            self.timers[number] = self.schedule(DELAYS[number], number)
            if number == NEW // 2:
                self.reactor.timeout()
        for number in (30, 31, 80, 81):
            self.timers[number].delay(7)

    def check_invariants(self) -> None:
        if "_timerwheel" in vars(self.reactor):
            queue_of(self.reactor).check_invariants()
            assert not self.reactor._pendingTimedCalls
        else:
            assert vars(self.reactor).keys() == vars(StockReactor()).keys() | {"seconds"}

    def stir(self) -> None:
        """Each has to tell the one who has it, whose order it changes."""
        self.clock.now = START
        for number, timer in enumerate(self.timers[:NEW:3]):
            if timer.active():
                timer.reset(-1 - number)

    def do_accelerate(self) -> None:
        timerwheel.accelerate(self.reactor)


class AcceleratedWorld(StockWorld, CallOperations):
    """The same, accelerated."""

    def __init__(self) -> None:
        super().__init__()
        timerwheel.accelerate(self.reactor)

    do_accelerate = None  # type: ignore[assignment]

    def do_restore(self) -> None:
        timerwheel.restore(self.reactor)


class WheelWorld(World):
    """Timers on a wheel."""

    def __init__(self) -> None:
        self.wheel = timerwheel.TimerWheel(START)
        super().__init__()

    def schedule(self, delay: float, number: int) -> Any:
        return self.wheel.schedule(START + delay, self.log.append, number)

    def pending(self) -> dict[int, float]:
        return {timer.args[0]: timer.when for timer in self.timers if timer and timer.active}

    def check_invariants(self) -> None:
        assert len(self.wheel) == len(self.pending())
        self.wheel.check_invariants()

    def run_to_the_end(self) -> None:
        self.wheel.advance(END)

    def do_schedule(self) -> None:
        self.timers[NEW] = self.wheel.schedule(105.0, self.log.append, NEW)

    def do_schedule_for_now(self) -> None:
        self.timers[NEW] = self.wheel.schedule(100.0, self.log.append, NEW)

    def do_cancel(self) -> None:
        self.timers[70].cancel()

    def do_reschedule_to_now(self) -> None:
        self.timers[70].reschedule(50.0)

    def do_next_expiry(self) -> None:
        assert self.wheel.next_expiry() == START

    def do_next_expiry_ahead(self) -> None:
        for number in range(16):
            self.timers[number].cancel()
        assert self.wheel.next_expiry() == min(self.pending().values())

    def do_advance(self) -> None:
        self.wheel.advance(START + 50 * TICK / 7)

    def do_advance_to_the_end(self) -> None:
        self.wheel.advance(END)


class QueueWorld(World):
    """Items in a priority queue."""

    def __init__(self) -> None:
        self.queue: Any = timerwheel.PriorityQueue()
        super().__init__()

    def schedule(self, delay: float, number: int) -> Any:
        return self.queue.push(delay, number)

    def pending(self) -> dict[int, float]:
        return {entry.item: entry.priority for entry in self.timers if entry and entry.active}

    def check_invariants(self) -> None:
        assert len(self.queue) == len(self.pending())
        self.queue.check_invariants()

    def run_to_the_end(self) -> None:
        while self.queue:
            self.log.append(self.queue.pop())

    def do_push(self) -> None:
        self.timers[NEW] = self.queue.push(1.0, NEW)

    def do_push_again_and_again(self) -> None:
        self.timers += [None] * 100
        for number in range(NEW, NEW + 100):
            self.timers[number] = self.queue.push(number, number)

    def do_pop(self) -> None:
        self.log.append(self.queue.pop())

    def do_remove(self) -> None:
        self.log.append(self.queue.remove(self.timers[70]))

    def do_update(self) -> None:
        self.queue.update(self.timers[70], 1e30)

    def do_iterate(self) -> None:
        for item in self.queue:
            assert item == 0
            break

    def do_clear(self) -> None:
        self.queue.clear()


def starve(testcapi: Any, operation: Callable[[], None], start: int, stop: int) -> bool:
    """Do it with the allocations from number start to stop, or all if that is 0, failing.

    Returns whether it ended with MemoryError.
    """
    gc.collect()
    trace = sys.gettrace()
    sys.settrace(None)  # what measures coverage would need memory, too
    testcapi.set_nomemory(start, stop)
    try:
        operation()
    except MemoryError:
        return True
    finally:
        testcapi.remove_mem_hooks()
        sys.settrace(trace)
    return False


def operations(kind: type[World]) -> list[str]:
    return [name for name in dir(kind) if name.startswith("do_") and getattr(kind, name)]


CASES = {kind: operations(kind) for kind in (ReactorWorld, ClockWorld, StockWorld)}
CASES |= {kind: operations(kind) for kind in (AcceleratedWorld, WheelWorld, QueueWorld)}
CASES[WatchedWorld] = operations(WatchedWorld)
CASES[BurstWorld] = ["do_list_calls", "do_make_all_calls"]
CASES[CrowdedClockWorld] = ["do_advance_to_the_limit"]


@pytest.mark.parametrize("failing", ["one", "all from there on"])
@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in CASES.items() for name in names]
)
def test_no_memory(kind: type[World], name: str, failing: str, testcapi: Any) -> None:
    world = kind()
    before = world.state()
    getattr(world, name)()
    done = world.state()
    # How often in a row it had what it needs: Python itself passes over some failures.
    fed = 0
    for start in count():
        world = kind()
        operation = getattr(world, name)
        hungry = starve(testcapi, operation, start, start + 1 if failing == "one" else 0)
        world.check(before, done)
        fed = 0 if hungry else fed + 1
        if fed == 3:
            break
