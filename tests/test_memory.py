"""What the collector knows, what deallocation takes, what is given back."""

from __future__ import annotations

import gc
import linecache
import tracemalloc
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from helpers import FREE_THREADED, CallQueue, FakeClock, make_reactor, queue_of, run_python
from twisted.internet.selectreactor import SelectReactor

import timerwheel
from timerwheel import PriorityQueue, TimerWheel

LONG = 100_000  # a chain in which a recursion for each link crashes the process


class Owner:
    """Whatever a call may hold, and be held by."""


@pytest.fixture
def immortal(queue: CallQueue) -> Iterator[CallQueue]:
    """The queue of a reactor, as that of the installed one."""
    queue.make_immortal()
    yield queue
    queue.make_mortal()


# A handle that has left its wheel is known to the collector.


def cancelled(reactor: Any, clock: FakeClock) -> Any:
    call = reactor.callLater(1, int)
    call.cancel()
    return call


def cancelled_by_another_name(reactor: Any, clock: FakeClock) -> Any:
    """The call's only holder is what calls cancel()."""
    calls = [reactor.callLater(1, int)]
    reached = weakref.ref(calls[0])
    cancel = calls.pop().cancel
    call = reached()
    cancel()
    return call


def reached_in_its_own_cancel(reactor: Any, clock: FakeClock) -> Any:
    reached: list[Any] = []

    class Argument:
        def __del__(self) -> None:
            reached.append(reference())

    calls = [reactor.callLater(1, int, Argument())]
    reference = weakref.ref(calls[0])
    calls.pop().cancel()
    return reached.pop()


def reached_while_it_is_made(reactor: Any, clock: FakeClock) -> Any:
    reached: list[Any] = []
    call = reactor.callLater(1, lambda: reached.append(reference()))
    reference = weakref.ref(call)
    del call
    clock.advance(1)
    reactor.runUntilCurrent()
    return reached.pop()


def made(reactor: Any, clock: FakeClock) -> Any:
    call = reactor.callLater(1, int)
    clock.advance(1)
    reactor.runUntilCurrent()
    return call


def released_with_all_others(reactor: Any, clock: FakeClock) -> Any:
    call = reactor.callLater(1, int)
    timerwheel.restore(reactor)
    reactor._pendingTimedCalls = []
    timerwheel.accelerate(reactor)
    return call


@pytest.mark.parametrize(
    "leave",
    [
        cancelled,
        cancelled_by_another_name,
        reached_in_its_own_cancel,
        reached_while_it_is_made,
        made,
        released_with_all_others,
    ],
)
def test_what_has_left_an_immortal_wheel_is_collected(
    leave: Callable[[Any, FakeClock], Any], reactor: Any, clock: FakeClock, immortal: CallQueue
) -> None:
    call = leave(reactor, clock)
    assert gc.is_tracked(call)
    call.itself = call
    gone = weakref.ref(call)
    del call
    gc.collect()
    assert gone() is None


# Immortal while installed, no longer.

REPLACED = """
    import gc, json, sys, weakref
    import twisted.internet
    from twisted.internet.main import installReactor
    from twisted.internet.selectreactor import SelectReactor
    import timerwheel
    if sys.argv[1] == "install":
        timerwheel.install("select")
    else:
        installReactor(SelectReactor())
        timerwheel.accelerate(sys.modules["twisted.internet.reactor"])
    reactor = sys.modules["twisted.internet.reactor"]

    class Client:
        def __init__(self):
            self.reactor = reactor
            self.idle = reactor.callLater(3600, self.timed_out)

        def timed_out(self): pass

    clients = [weakref.ref(Client()) for _ in range(100)]
    untracked = not gc.is_tracked(clients[0]().idle)
    reference = weakref.ref(reactor)
    del sys.modules["twisted.internet.reactor"], twisted.internet.reactor
    installReactor(SelectReactor())
    if sys.argv[2] == "wheel":
        timerwheel.accelerate(sys.modules["twisted.internet.reactor"])
    del reactor
    gc.collect()
    print(json.dumps([untracked, reference() is None, sum(c() is not None for c in clients)]))
"""


@pytest.mark.parametrize("successor", ["stock", "wheel"])
@pytest.mark.parametrize("how", ["install", "accelerate"])
def test_a_reactor_that_is_no_longer_installed_is_garbage(how: str, successor: str) -> None:
    assert run_python(REPLACED, how, successor) == [not FREE_THREADED, True, 0]


def test_a_reactor_that_is_installed_after_it_got_the_wheel_becomes_immortal() -> None:
    program = """
        import gc, json, sys
        from twisted.internet.main import installReactor
        from twisted.internet.selectreactor import SelectReactor
        import timerwheel
        reactor = SelectReactor()
        timerwheel.accelerate(reactor)
        call = reactor.callLater(3600, int)
        before = gc.is_tracked(call)
        installReactor(reactor)
        gc.collect()
        print(json.dumps([before, gc.is_tracked(call), reactor.getDelayedCalls() == [call]]))
    """
    assert run_python(program) == [True, FREE_THREADED, True]


# Nothing of somebody else's is emptied.


def test_a_reactor_keeps_its_attributes_when_its_queue_is_garbage(clock: FakeClock) -> None:
    """A test that puts the reactor's dict back takes the wheel out by that."""
    reactor: Any = SelectReactor()
    attributes = dict(vars(reactor))
    timerwheel.accelerate(reactor)

    class Client:
        """Part of a cycle that leads to the queue."""

    client: Any = Client()
    client.itself, client.queue = client, queue_of(reactor)
    del client
    vars(reactor).clear()
    vars(reactor).update(attributes)
    gc.collect()
    assert vars(reactor) == attributes
    call = reactor.callLater(5, int)
    assert type(call).__module__ == "twisted.internet.base"
    call.cancel()


# No deep recursion in deallocation.


class Callable_:  # noqa: N801
    __slots__ = ("previous",)

    def __init__(self, previous: object) -> None:
        self.previous = previous

    def __call__(self) -> None:
        """Nothing."""


def bound(previous: Any) -> Any:
    return types.MethodType(int, previous)


CHAINS: dict[str, Callable[[Any, Any], Any]] = {
    "function": lambda reactor, call: reactor.callLater(1e6, bound(call)),
    "object": lambda reactor, call: reactor.callLater(1e6, Callable_(call)),
    "own method": lambda reactor, call: reactor.callLater(1e6, getattr(call, "cancel", call)),
    "argument": lambda reactor, call: reactor.callLater(1e6, int, call),
    "keyword": lambda reactor, call: reactor.callLater(1e6, int, key=call),
}


@pytest.mark.parametrize("link", list(CHAINS.values()), ids=list(CHAINS))
def test_a_long_chain_of_calls_is_released(link: Callable[[Any, Any], Any]) -> None:
    reactor = make_reactor(FakeClock(100.0))
    call: Any = int
    for _ in range(LONG):
        call = link(reactor, call)
    gone = weakref.ref(call)
    timerwheel.restore(reactor)
    reactor._newTimedCalls = reactor._pendingTimedCalls = []
    del call
    assert gone() is None


def test_a_long_chain_by_attributes_and_clocks_is_released() -> None:
    call: Any = None
    for number in range(LONG):
        clock = bound(call) if number % 2 else int
        following = timerwheel.DelayedCall(1e6, int, (), {}, int, int, clock)
        following.previous = call
        call = following
    gone = weakref.ref(call)
    del call, following
    assert gone() is None


def test_a_long_chain_of_timers_is_released() -> None:
    wheel, timer = TimerWheel(0.0), None
    for _ in range(LONG):
        timer = wheel.schedule(1e6, bound(timer or int))
    del wheel
    assert not timer.active
    del timer


def test_a_long_chain_of_wheels_is_released() -> None:
    wheel = TimerWheel(0.0)
    for _ in range(LONG // 10):
        following = TimerWheel(0.0)
        following.schedule(1e6, wheel.advance)
        wheel = following
    gone = weakref.ref(wheel)
    del wheel, following
    assert gone() is None


def test_a_long_chain_of_priority_entries_is_released() -> None:
    queue: PriorityQueue[Any] = PriorityQueue()
    entry: Any = None
    for _ in range(LONG):
        entry = queue.push(1, entry)
        queue.remove(entry)
    gone = weakref.ref(entry)
    del entry
    assert gone() is None


def test_a_long_chain_of_priority_queues_is_released() -> None:
    queue: Any = None
    for _ in range(LONG // 10):
        following: PriorityQueue[Any] = PriorityQueue()
        following.push(1, queue)
        queue = following
    gone = weakref.ref(queue)
    del queue, following
    assert gone() is None


def test_a_long_chain_of_clocks_is_released() -> None:
    clock: Any = timerwheel.Clock()
    for _ in range(LONG // 10):
        following = timerwheel.Clock()
        following.callLater(1, bound(clock))
        clock = following
    gone = weakref.ref(clock)
    del clock, following
    gc.collect()
    assert gone() is None


# What a burst took is given back.

BURST = 300_000  # nodes of 24 bytes each: 7 MB in the run, or in the heap
KEPT = 500_000  # bytes


def taken() -> int:
    """The bytes that are taken of Python's allocators."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.fixture
def traced() -> Iterator[int]:
    tracemalloc.start()
    yield taken()
    tracemalloc.stop()


def stop() -> None:
    raise InterruptedError


def fill_run(wheel: TimerWheel) -> list[Any]:
    """Timers that lie in the run: one that fails before them ends the advance."""
    wheel.schedule(1.0, stop)
    timers = [wheel.schedule(1.0, int) for _ in range(BURST)]
    with pytest.raises(InterruptedError):
        wheel.advance(2.0)
    return timers


def fill_heap(wheel: TimerWheel) -> list[Any]:
    """Timers that were scheduled for what is past already."""
    wheel.advance(2.0)
    wheel.schedule(9.0, int)  # an empty wheel would go back
    return [wheel.schedule(1.0, int) for _ in range(BURST)]


@pytest.mark.parametrize("fill", [fill_run, fill_heap])
@pytest.mark.parametrize("last", [0, BURST // 2, -1])
def test_the_memory_of_a_burst_is_given_back_while_one_timer_is_left(
    fill: Callable[[TimerWheel], list[Any]], last: int, traced: int
) -> None:
    wheel = TimerWheel(0.0)
    timers = fill(wheel)
    left = timers.pop(last)
    assert taken() - traced > 7_000_000
    for timer in timers:
        timer.cancel()
    del timers, timer
    assert left.active
    assert taken() - traced < KEPT
    wheel.check_invariants()
    assert wheel.advance(2.0) == 1


def test_the_memory_of_a_priority_queue_is_given_back(traced: int) -> None:
    queue: PriorityQueue[int] = PriorityQueue()
    for number in range(BURST):
        queue.push(number, 0)
    for _ in range(BURST - 1):
        queue.pop()
    assert len(queue) == 1
    assert taken() - traced < KEPT


def test_tracemalloc_sees_calls_whose_memory_was_used_before(reactor: Any) -> None:
    tracemalloc.start()
    try:
        calls = [reactor.callLater(5, int) for _ in range(100)]  # all memory from before is used
        calls.pop().cancel()
        call = reactor.callLater(5, int)  # on this line
        traceback = tracemalloc.get_object_traceback(call)
    finally:
        tracemalloc.stop()
    assert traceback is not None
    assert "on this line" in linecache.getline(__file__, traceback[-1].lineno)
