"""Particular cases of Python code that runs by the way."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from helpers import CallQueue, FakeClock, make_reactor, queue_of, run_python

import timerwheel
from timerwheel._core import CallsInOrder


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
