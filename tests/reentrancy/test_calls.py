"""Python code that the engine runs by the way, and that uses it: nothing is lost or called twice.

Destructors and the callbacks of weak references run wherever the engine lets go of a reference,
clocks, numbers and hooks wherever it asks them. Each place is tried with each thing to do.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
from helpers import queue_of
from worlds import Act, ClockWorld, Number, ReactorWorld, Trigger


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
