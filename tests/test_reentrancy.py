"""Python code that the engine runs by the way, and that uses it: nothing is lost or called twice.

Destructors and the callbacks of weak references run wherever the engine lets go of a reference,
clocks, numbers and hooks wherever it asks them. Each place is tried with each thing to do.
"""

from __future__ import annotations

import gc
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from helpers import CallQueue, FakeClock, make_reactor, queue_of, run_python

import timerwheel
from timerwheel._core import CallsInOrder

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


# Where Python code is run by the way, on a reactor or a clock.


def cancelled_function(world: ReactorWorld, act: Act) -> None:
    world.reactor.callLater(5, Trigger(act)).cancel()


def cancelled_argument(world: ReactorWorld, act: Act) -> None:
    world.reactor.callLater(5, int, Trigger(act)).cancel()


def cancelled_keyword(world: ReactorWorld, act: Act) -> None:
    world.reactor.callLater(5, int, key=Trigger(act)).cancel()


def handle_after_firing(world: ReactorWorld, act: Act) -> None:
    world.reactor.callLater(0, Trigger(act), key=1)
    world.iterate()


def kept_handle_after_firing(world: ReactorWorld, act: Act) -> None:
    call = world.reactor.callLater(0, Trigger(act))
    world.iterate()
    assert not world.acted
    del call


def replaced_function(world: ReactorWorld, act: Act) -> None:
    world.reactor.callLater(0, Trigger(act)).func = int


def replaced_arguments(world: ReactorWorld, act: Act) -> None:
    world.reactor.callLater(0, int, Trigger(act)).args = (1,)


def replaced_keywords(world: ReactorWorld, act: Act) -> None:
    world.reactor.callLater(0, int, key=Trigger(act)).kw = {}


def attribute(world: ReactorWorld, act: Act) -> None:
    call = world.reactor.callLater(5, int)
    call.own = Trigger(act)
    call.cancel()
    del call


def clock_of_a_handle(world: ReactorWorld, act: Act) -> None:
    world.set_clock(Trigger(act))
    call = world.reactor.callLater(5, int)
    world.set_clock(None)
    call.cancel()
    assert not world.acted
    del call


def weak_reference(world: ReactorWorld, act: Act) -> None:
    call = world.reactor.callLater(5, int)
    reference = weakref.ref(call, lambda _: act())
    call.cancel()
    del call
    assert reference() is None


def cycle(world: ReactorWorld, act: Act) -> None:
    call = world.reactor.callLater(5, int)
    call.own = [call, Trigger(act)]
    call.cancel()
    del call
    gc.collect()


def callback(world: ReactorWorld, act: Act) -> None:
    world.reactor.callLater(0, act)
    world.iterate()


def delay_to_call_later(world: ReactorWorld, act: Act) -> None:
    world.reactor.callLater(Number(act, 5.0), int)


def delay_to_reset(world: ReactorWorld, act: Act) -> None:
    world.timers[7].reset(Number(act, 2.0))


def delay_to_delay(world: ReactorWorld, act: Act) -> None:
    world.timers[7].delay(Number(act, 2.0))


def clock_asked_by_call_later(world: ReactorWorld, act: Act) -> None:
    world.set_clock(lambda: act() or 100.0)
    world.reactor.callLater(5, int)
    if not world.is_dropped():
        world.set_clock(None)


def clock_asked_by_reset(world: ReactorWorld, act: Act) -> None:
    armed: list[bool] = []
    world.set_clock(lambda: (act() if armed else None) or 100.0)
    call = world.reactor.callLater(5, int)
    world.set_clock(None)
    armed.append(True)
    call.reset(1)


IN_CALLS = [
    cancelled_function,
    cancelled_argument,
    cancelled_keyword,
    handle_after_firing,
    kept_handle_after_firing,
    replaced_function,
    replaced_arguments,
    replaced_keywords,
    attribute,
    clock_of_a_handle,
    weak_reference,
    cycle,
    callback,
    delay_to_call_later,
    delay_to_reset,
    delay_to_delay,
    clock_asked_by_call_later,
    clock_asked_by_reset,
]


@pytest.mark.parametrize("action", [*ReactorWorld.ACTIONS, "all"])
@pytest.mark.parametrize("place", IN_CALLS)
@pytest.mark.parametrize("kind", [ReactorWorld, ClockWorld])
def test_by_calls(
    kind: type[ReactorWorld], place: Callable[[ReactorWorld, Act], None], action: str
) -> None:
    world = kind()
    place(world, world.only_once(action))
    world.check()


# On a reactor alone.


def clock_asked_by_a_pass(world: ReactorWorld, act: Act) -> None:
    world.set_clock(lambda: act() or 100.0)
    world.reactor.runUntilCurrent()


def clock_asked_by_timeout(world: ReactorWorld, act: Act) -> None:
    world.set_clock(lambda: act() or 100.0)
    world.reactor.timeout()


def hook_of_call_later(world: ReactorWorld, act: Act) -> None:
    queue_of(world.reactor).hook = act
    world.reactor.callLater(0, int)


def hook_of_reset(world: ReactorWorld, act: Act) -> None:
    calls = [world.reactor.callLater(50, int)]
    queue_of(world.reactor).hook = lambda: act() if calls[0].getTime() < 120 else None
    calls[0].reset(0)


def failing_hook(world: ReactorWorld, act: Act) -> None:
    def fail() -> None:
        act()
        raise RuntimeError("the event loop is closed")

    queue_of(world.reactor).hook = fail
    with pytest.raises(RuntimeError, match="closed"):
        world.reactor.callLater(0, int)
    if not world.is_dropped():
        queue_of(world.reactor).hook = None


IN_A_REACTOR = [
    clock_asked_by_a_pass,
    clock_asked_by_timeout,
    hook_of_call_later,
    hook_of_reset,
    failing_hook,
]


@pytest.mark.parametrize("action", [*ReactorWorld.ACTIONS, "all"])
@pytest.mark.parametrize("place", IN_A_REACTOR)
def test_by_a_reactor(place: Callable[[ReactorWorld, Act], None], action: str) -> None:
    world = ReactorWorld()
    place(world, world.only_once(action))
    if not world.is_dropped():
        queue_of(world.reactor).hook = None
        world.set_clock(None)
    world.check()


# On a wheel.


def cancelled_timers_function(world: WheelWorld, act: Act) -> None:
    world.wheel.schedule(105.0, Trigger(act)).cancel()


def cancelled_timers_argument(world: WheelWorld, act: Act) -> None:
    world.wheel.schedule(105.0, int, Trigger(act)).cancel()


def cancelled_timers_keyword(world: WheelWorld, act: Act) -> None:
    world.wheel.schedule(105.0, int, key=Trigger(act)).cancel()


def timer_after_firing(world: WheelWorld, act: Act) -> None:
    world.wheel.schedule(100.0, Trigger(act), key=1)
    world.iterate()


def kept_timer_after_firing(world: WheelWorld, act: Act) -> None:
    timer = world.wheel.schedule(100.0, Trigger(act))
    world.iterate()
    assert not world.acted
    del timer


def replaced_function_of_a_timer(world: WheelWorld, act: Act) -> None:
    world.wheel.schedule(105.0, Trigger(act)).func = int


def weak_reference_to_a_timer(world: WheelWorld, act: Act) -> None:
    timer = world.wheel.schedule(105.0, int)
    reference = weakref.ref(timer, lambda _: act())
    timer.cancel()
    del timer
    assert reference() is None


def timers_callback(world: WheelWorld, act: Act) -> None:
    world.wheel.schedule(100.0, act)
    world.iterate()


def traceback_of_a_timers_callback(world: WheelWorld, act: Act) -> None:
    """The frame in it holds the timer and the trigger."""

    def fail(holder: list[Any]) -> None:
        timer, trigger = holder
        holder.clear()
        raise RuntimeError(f"{timer} {trigger}")

    holder: list[Any] = []
    holder += world.wheel.schedule(100.0, fail, holder), Trigger(act)
    with pytest.raises(RuntimeError):
        world.iterate()
    gc.collect()


def time_to_schedule(world: WheelWorld, act: Act) -> None:
    world.wheel.schedule(Number(act, 105.0), int)


def time_to_reschedule(world: WheelWorld, act: Act) -> None:
    try:
        world.timers[7].reschedule(Number(act, 102.0))
    except ValueError:
        assert world.is_dropped()


def time_to_advance(world: WheelWorld, act: Act) -> None:
    world.wheel.advance(Number(act, 100.5))


IN_A_WHEEL = [
    cancelled_timers_function,
    cancelled_timers_argument,
    cancelled_timers_keyword,
    timer_after_firing,
    kept_timer_after_firing,
    replaced_function_of_a_timer,
    weak_reference_to_a_timer,
    timers_callback,
    traceback_of_a_timers_callback,
    time_to_schedule,
    time_to_reschedule,
    time_to_advance,
]


@pytest.mark.parametrize("action", [*WheelWorld.ACTIONS, "all"])
@pytest.mark.parametrize("place", IN_A_WHEEL)
def test_by_a_wheel(place: Callable[[WheelWorld, Act], None], action: str) -> None:
    world = WheelWorld()
    place(world, world.only_once(action))
    world.check()


@pytest.mark.parametrize("action", ["cancel", "reschedule"])
@pytest.mark.parametrize("when", [99.0, 100.0, 101.0, 1e12])
def test_by_what_a_wheel_held_that_is_no_more(when: float, action: str) -> None:
    """Its timers can be reached still, it cannot."""
    world = WheelWorld()
    world.wheel.schedule(when, Trigger(world.only_once(action)))
    world.drop()
    assert world.pending() == []
    world.check()


@pytest.mark.parametrize("action", ["cancel", "reset", "delay"])
def test_by_what_a_reactor_held_that_is_no_more(action: str) -> None:
    world = ReactorWorld()
    world.reactor.callLater(5, Trigger(world.only_once(action)))
    world.drop()
    world.check()
    for call in world.pending():
        call.reset(5)
        call.cancel()


# In a priority queue.


class QueueWorld:
    """Items that bear numbers, what may be done to them, and how often each was taken out."""

    ACTIONS = ("push", "pop", "remove", "update", "clear", "look", "drop")

    def __init__(self) -> None:
        self.queue: Any = timerwheel.PriorityQueue()
        self.entries: list[Any] = []
        self.taken: Counter[int] = Counter()
        self.acted = 0
        for _ in range(10):
            self.push()

    only_once = World.only_once

    def push(self) -> None:
        for priority in (3.0, 1.0, 2.0):
            self.entries.append(self.queue.push(priority, len(self.entries)))

    def active(self) -> list[Any]:
        return [entry for entry in self.entries if entry.active]

    def take(self, item: Any) -> None:
        if isinstance(item, int):
            self.taken[item] += 1

    def pop(self) -> None:
        if self.queue:
            self.take(self.queue.pop())

    def remove(self) -> None:
        for entry in self.active()[::7]:
            self.take(self.queue.remove(entry))

    def update(self) -> None:
        for number, entry in enumerate(self.active()[::5]):
            self.queue.update(entry, number)

    def clear(self) -> None:
        active = self.active()
        self.queue.clear()
        for entry in active:
            self.take(entry.item)

    def look(self) -> None:
        assert len(list(self.queue)) == len(self.queue)
        self.queue.check_invariants()

    def drop(self) -> None:
        self.queue = None

    def check(self) -> None:
        assert self.acted
        if self.queue is not None:
            self.queue.check_invariants()
            order = sorted(self.active(), key=lambda entry: (entry.priority, entry.item))
            while order:
                item = self.queue.pop()
                self.take(item)
                if isinstance(item, int):
                    assert item == order.pop(0).item
            assert self.taken == Counter(range(len(self.entries)))
        assert set(self.taken.values()) <= {1}


def popped_item(world: QueueWorld, act: Act) -> None:
    world.queue.push(0.0, Trigger(act))
    world.queue.pop()


def removed_item(world: QueueWorld, act: Act) -> None:
    world.queue.remove(world.queue.push(0.0, Trigger(act)))


def dropped_entry(world: QueueWorld, act: Act) -> None:
    entry = world.queue.push(0.0, Trigger(act))
    world.queue.pop()
    assert not world.acted
    del entry


def weak_reference_to_an_entry(world: QueueWorld, act: Act) -> None:
    reference = weakref.ref(world.queue.push(0.0, None), lambda _: act())
    world.queue.pop()
    assert reference() is None


def priority_to_push(world: QueueWorld, act: Act) -> None:
    world.queue.push(Number(act, 2.0), None)


def priority_to_update(world: QueueWorld, act: Act) -> None:
    try:
        world.queue.update(world.entries[2], Number(act, 0.0))
    except (AttributeError, ValueError):
        assert world.queue is None or not world.entries[2].active


IN_A_QUEUE = [
    popped_item,
    removed_item,
    dropped_entry,
    weak_reference_to_an_entry,
    priority_to_push,
    priority_to_update,
]


@pytest.mark.parametrize("action", [*QueueWorld.ACTIONS, "all"])
@pytest.mark.parametrize("place", IN_A_QUEUE)
def test_by_a_priority_queue(place: Callable[[QueueWorld, Act], None], action: str) -> None:
    world = QueueWorld()
    place(world, world.only_once(action))
    world.check()


@pytest.mark.parametrize("action", [*QueueWorld.ACTIONS, "all"])
def test_by_a_priority_queue_that_is_cleared(action: str) -> None:
    """All that stood before goes, and what is pushed meanwhile stays."""
    world = QueueWorld()
    queue, before = world.queue, len(world.queue)
    queue.push(2.5, Trigger(world.only_once(action)))
    queue.clear()
    assert world.acted
    assert not any(entry.active for entry in world.entries[:before])
    queue.check_invariants()


def test_by_a_priority_queue_that_is_no_more() -> None:
    world = QueueWorld()
    seen: list[int] = []
    world.queue.push(2.5, Trigger(lambda: seen.append(len(world.active()))))
    world.drop()
    assert seen
    assert world.active() == []


# Particular cases.


def test_a_hook_that_makes_the_call_and_fails(reactor: Any, queue: CallQueue) -> None:
    fired: list[int] = []

    def hook() -> None:
        reactor.runUntilCurrent()
        raise RuntimeError("the event loop is closed")

    queue.hook = hook
    with pytest.raises(RuntimeError, match="closed"):
        reactor.callLater(0, fired.append, 1)
    queue.hook = None
    reactor.runUntilCurrent()
    assert fired == [1]


def test_a_pending_call_is_not_constructed_anew(reactor: Any, queue: CallQueue) -> None:
    calls = [reactor.callLater(delay, int) for delay in (0, 5)]

    class Adopted:
        """A time that has the call taken into the queue."""

        def __float__(self) -> float:
            queue.adopt(outside)
            return 1.0

    outside = timerwheel.DelayedCall(107.0, int, (), {}, int, int)
    for call, time in [(calls[0], 1.0), (calls[1], 1.0), (outside, Adopted())]:
        with pytest.raises(ValueError, match="in a queue already"):
            call.__init__(time, int, (), {}, int, int)
    queue.check_invariants()
    assert [call.getTime() for call in (*calls, outside)] == [100.0, 105.0, 107.0]


def test_a_call_that_is_constructed_anew_has_nothing_of_the_old() -> None:
    call = timerwheel.DelayedCall(5.0, int, (), {}, lambda _: None, int)
    call.delay(3)
    call.cancel()
    call.__init__(7.0, int, (), {}, int, int)  # type: ignore[misc]
    assert (call.getTime(), call.delayed_time, call.active()) == (7.0, 0.0, True)


def test_a_pending_call_is_not_adopted_again(reactor: Any, queue: CallQueue) -> None:
    call = reactor.callLater(5, int)
    for owner in (reactor, make_reactor(FakeClock(0.0))):
        with pytest.raises(ValueError, match="in a queue already"):
            owner._newTimedCalls.append(call)
    queue.check_invariants()
    assert reactor.getDelayedCalls() == [call]


def test_a_call_whose_reactor_is_gone_can_be_adopted(reactor: Any, clock: FakeClock) -> None:
    fired: list[int] = []
    call = make_reactor(clock).callLater(5, fired.append, 1)
    gc.collect()
    reactor._newTimedCalls.append(call)
    clock.advance(5)
    reactor.runUntilCurrent()
    assert fired == [1]


def test_keywords_that_are_replaced_while_they_are_read(reactor: Any) -> None:
    got: list[dict[str, int]] = []
    call = reactor.callLater(0, lambda **kw: got.append(kw))

    class Keywords:
        def keys(self) -> Iterator[str]:
            call.kw = {}
            return iter(["first", "second"])

        def __getitem__(self, key: str) -> int:
            return len(key)

    call.kw = Keywords()
    reactor.runUntilCurrent()
    assert got == [{"first": 5, "second": 6}]


def test_arguments_that_are_replaced_while_they_are_read(reactor: Any) -> None:
    got: list[tuple[int, ...]] = []
    call = reactor.callLater(0, lambda *args: got.append(args))

    class Arguments:
        def __iter__(self) -> Iterator[int]:
            for number in range(3):
                call.args, call.func, call.kw = (), int, {}
                yield number

    call.args = Arguments()
    reactor.runUntilCurrent()
    assert got == [(0, 1, 2)]


def test_an_index_that_cancels_all_calls() -> None:
    clock = timerwheel.Clock()
    calls = [clock.callLater(delay, int) for delay in (1, 2)]

    class Index:
        __hash__ = None  # type: ignore[assignment]

        def __index__(self) -> int:
            return 0

        def __eq__(self, other: object) -> bool:
            for call in calls:
                call.cancel()
            return True

    with pytest.raises(IndexError):
        clock.calls[Index()]


def test_the_calls_of_a_clock_are_had_from_the_clock_alone() -> None:
    with pytest.raises(TypeError):
        CallsInOrder.__new__(CallsInOrder)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        CallsInOrder.__new__(CallsInOrder, None)  # type: ignore[arg-type]


def test_a_call_that_was_never_constructed_can_be_used() -> None:
    """In a process in which nothing has imported Twisted yet."""
    program = """
        import json
        from timerwheel._core import DelayedCall

        call = DelayedCall.__new__(DelayedCall)
        call.delay(1)
        call.cancel()
        print(json.dumps(["called=0 cancelled=1" in repr(call), call.active()]))
    """
    assert run_python(program) == [True, False]


def test_a_time_from_which_no_delay_leads_anywhere(
    reactor: Any, queue: CallQueue, clock: FakeClock
) -> None:
    """-inf + inf is NaN, by which nothing can be ordered."""
    fired: list[int] = []
    clock.now = float("-inf")
    calls = [reactor.callLater(5, fired.append, number) for number in range(3)]
    clock.now = 100.0
    calls[1].reset(5)
    assert calls[1].getTime() == 105.0
    with pytest.raises(ValueError, match="NaN"):
        calls[2].delay(float("inf"))
    queue.check_invariants()
    reactor.runUntilCurrent()
    assert fired == [0, 2]
    clock.now = 105.0
    reactor.runUntilCurrent()
    assert fired == [0, 2, 1]


def test_a_queue_whose_class_has_another_clear() -> None:
    """It is not called for what is no more: it could store that away."""
    cleared: list[Any] = []

    class Queue(timerwheel.PriorityQueue):  # type: ignore[type-arg]
        def clear(self) -> None:
            cleared.append(self)

    queue = Queue()
    entry = queue.push(1.0, "item")
    del queue
    assert not entry.active
    cycle: Any = Queue()
    cycle.push(1.0, cycle)
    gone = weakref.ref(cycle)
    del cycle
    gc.collect()
    assert gone() is None
    assert cleared == []


def test_what_is_garbage_already_can_still_be_used(clock: FakeClock) -> None:
    """Weak references that destructors make serve until the collector has taken all apart.

    Not since Python 3.14, whose collector clears them when the destructors have run.
    """
    reached: list[str] = []
    references: list[Any] = []

    class Token:
        """To be told of."""

    class Witness:
        def __init__(self, reactor: Any) -> None:
            self.token = Token()  # first: what is taken apart goes in this order
            names = "callLater", "timeout", "getDelayedCalls", "runUntilCurrent"
            self.methods = {name: getattr(reactor, name) for name in names}
            self.reactor = reactor
            self.itself = self  # which has it outlive the queue's calls

        def method(self) -> None:
            """Bound: a cycle."""

        def __del__(self) -> None:
            methods = {name: weakref.ref(method) for name, method in self.methods.items()}

            def use(_: Any) -> None:
                for name, method in methods.items():
                    if method() is not None:
                        reached.append(name)
                        with suppress(AttributeError):  # the reactor may have lost its own by now
                            method()(*((1, int) if name == "callLater" else ()))

            references.append(weakref.ref(self.token, use))

    reactor = make_reactor(clock)
    queue_of(reactor).hook = int
    for delay in (0, 1, 1e9):
        reactor.callLater(delay, Witness(reactor).method)
    del reactor
    gc.collect()
    assert bool(reached) == (sys.version_info < (3, 14))
    gc.collect()
    assert len(references) == 3
    assert not any(reference() for reference in references)
