"""Python code that a wheel runs by the way, and that uses the wheel."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from worlds import Act, Number, ReactorWorld, Trigger, WheelWorld


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
