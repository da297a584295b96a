"""What call_later() and call_at() take: keywords, contexts, delays; and what they refuse."""

from __future__ import annotations

import contextvars
from typing import Any

import pytest
from aio_helpers import run_for

import timerwheel


def test_keywords_and_context_are_those_of_asyncio(asyncios: Any) -> None:
    made: list[int] = []
    number = contextvars.ContextVar("number", default=0)
    context = contextvars.copy_context()
    context.run(number.set, 7)
    asyncios.call_later(delay=0, callback=lambda: made.append(number.get()), context=context)
    asyncios.call_at(when=asyncios.time(), callback=lambda: made.append(number.get()))
    run_for(asyncios, 0.01)
    assert made == [7, 0]
    with pytest.raises(TypeError):
        asyncios.call_later(0, print, wrong=1)
    with pytest.raises(TypeError):
        asyncios.call_later(0)
    with pytest.raises(TypeError):
        asyncios.call_at(0, print, when=1)


def test_a_call_is_made_in_the_context_of_its_scheduling(loop: Any) -> None:
    seen: list[int] = []
    number = contextvars.ContextVar("number", default=0)

    def call() -> None:
        seen.append(number.get())
        number.set(99)

    for value in (1, 2):
        contextvars.copy_context().run(
            lambda value=value: (number.set(value), loop.call_later(0.001, call))
        )
    loop.call_later(0.002, call)
    run_for(loop, 0.02)
    assert seen == [1, 2, 0]
    assert number.get() == 0


def test_the_same_context_can_be_given_twice(loop: Any) -> None:
    context = contextvars.copy_context()
    made: list[int] = []
    for number in range(2):
        loop.call_later(0.001, made.append, number, context=context)
    run_for(loop, 0.01)
    assert made == [0, 1]


@pytest.mark.parametrize("bad", [None, "1", [], object()])
def test_a_delay_that_is_no_number_is_a_type_error(loop: Any, bad: Any) -> None:
    with pytest.raises(TypeError):
        loop.call_later(bad, print)


def test_nan_is_refused(ours: Any) -> None:
    for schedule in (ours.call_later, ours.call_at):
        with pytest.raises(ValueError, match="NaN"):
            schedule(float("nan"), print)
    assert timerwheel.stats(ours).pending == 0


def test_what_cannot_be_called_is_refused_at_once(ours: Any) -> None:
    with pytest.raises(TypeError, match=r"expected by call_later\(\), got 3"):
        ours.call_later(1, 3)


def test_infinity_and_large_numbers_are_delays(asyncios: Any) -> None:
    asyncios.call_later(float("inf"), print)
    asyncios.call_later(10**300, print)
    run_for(asyncios, 0.001)
