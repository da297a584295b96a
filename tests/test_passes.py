"""A pass of a reactor: what runs in it and in which order, what fails, and what timeout() says."""

from __future__ import annotations

import linecache
import math
import random
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from helpers import CallQueue, FakeClock, StockReactor, make_reactor, run_python
from twisted.internet.base import DelayedCall as StockDelayedCall
from twisted.logger import LogEvent, globalLogPublisher

from timerwheel import accelerate


@pytest.fixture
def events() -> Any:
    """What is logged."""
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def failures_in(events: list[LogEvent]) -> list[Any]:
    """The failures that are logged, by whichever of its ways the installed Twisted does."""
    failures = [event.get("log_failure", event.get("failure")) for event in events]
    return [failure for failure in failures if failure is not None]


def test_never_early_however_little_is_missing(reactor: Any, clock: FakeClock) -> None:
    """libuv#4773, uvloop#739, uvloop#233, cpython#127859, cpython#145706."""
    for start in (100.0, 1.7e9, 2.0**33):
        clock.now = start
        fired: list[int] = []
        call = reactor.callLater(0.25, fired.append, 1)
        clock.now = math.nextafter(call.getTime(), 0.0)
        reactor.runUntilCurrent()
        assert fired == []
        clock.now = call.getTime()
        reactor.runUntilCurrent()
        assert fired == [1]


def test_a_call_made_in_a_pass_waits_for_the_next(reactor: Any) -> None:
    """twisted#4026, twisted#5962, libuv#4245, aiohttp#10149: zero delays under a clock that stands
    still."""
    fired: list[str] = []

    def again() -> None:
        fired.append("again")
        reactor.callLater(0, again)

    reactor.callLater(0, again)
    for passes in range(1, 5):
        reactor.runUntilCurrent()
        assert len(fired) == passes
        assert reactor.timeout() == 0


def test_a_call_that_stood_before_and_is_reset_to_now_runs_in_the_pass(
    reactor: Any, clock: FakeClock
) -> None:
    fired: list[str] = []
    later = reactor.callLater(50, fired.append, "reset")
    reactor.callLater(1, lambda: later.reset(0))
    clock.advance(1)
    reactor.runUntilCurrent()
    assert fired == ["reset"]


def test_a_call_made_and_reset_in_a_pass_waits(reactor: Any, clock: FakeClock) -> None:
    fired: list[str] = []

    def make() -> None:
        reactor.callLater(5, fired.append, "new").reset(0)

    reactor.callLater(0, make)
    reactor.runUntilCurrent()
    assert fired == []
    reactor.runUntilCurrent()
    assert fired == ["new"]


def test_cancelled_in_the_pass_does_not_run(reactor: Any) -> None:
    fired: list[int] = []
    calls: list[Any] = []
    calls.append(reactor.callLater(0, lambda: [call.cancel() for call in calls[1:]]))
    calls += [reactor.callLater(0, fired.append, number) for number in range(5)]
    reactor.callLater(0, fired.append, 5)
    reactor.runUntilCurrent()
    assert fired == [5]


def test_delayed_in_the_pass_does_not_run(reactor: Any, clock: FakeClock) -> None:
    """tokio#3270: expired, and not made yet."""
    fired: list[int] = []
    calls: list[Any] = []
    calls.append(reactor.callLater(0, lambda: calls[1].delay(5)))
    calls.append(reactor.callLater(0, fired.append, 1))
    reactor.runUntilCurrent()
    assert fired == []
    assert reactor.timeout() == 5.0
    clock.advance(5)
    reactor.runUntilCurrent()
    assert fired == [1]


def test_a_pass_within_a_pass(reactor: Any) -> None:
    fired: list[str] = []

    def outer() -> None:
        reactor.callLater(0, fired.append, "made in the outer")
        reactor.runUntilCurrent()
        fired.append("outer")

    reactor.callLater(0, outer)
    reactor.callLater(0, fired.append, "second")
    reactor.runUntilCurrent()
    assert fired == ["second", "made in the outer", "outer"]


@pytest.mark.parametrize("wheel", [False, True])
def test_a_pass_within_a_pass_does_not_take_back_its_time(wheel: bool, clock: FakeClock) -> None:
    """An empty wheel follows a clock that is stepped back, but not while a pass needs it."""
    reactor: Any = StockReactor()
    reactor.seconds = clock
    if wheel:
        accelerate(reactor)
    fired: list[str] = []

    def outer() -> None:
        clock.advance(-50)
        reactor.runUntilCurrent()
        reactor.callLater(10, fired.append, "due by the outer pass")
        reactor.runUntilCurrent()

    reactor.callLater(0, outer)
    reactor.runUntilCurrent()
    assert fired == ["due by the outer pass"]


def test_failures_are_logged_as_twisted_logs_them(
    clock: FakeClock, events: list[LogEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    def described(reactor: Any) -> list[Any]:
        events.clear()
        reactor.seconds = clock
        fired: list[str] = []
        reactor.callLater(0, lambda: 1 / 0)
        reactor.callLater(0, fired.append, "went on")
        reactor.runUntilCurrent()
        assert fired == ["went on"]
        return [
            (
                event["log_namespace"],
                event["log_level"],
                event.get("log_format"),
                event["log_failure"].type if "log_failure" in event else None,
                event["previous"]().count("callLater") if "previous" in event else None,
            )
            for event in events
        ]

    ours, stock = make_reactor(clock), StockReactor()
    assert described(ours) == described(stock)
    monkeypatch.setattr(StockDelayedCall, "debug", True)
    assert described(ours) == described(stock)


def fails(*args: Any, **kw: Any) -> None:
    fails_within()


def fails_within() -> None:
    raise ValueError("within")


def takes_one(argument: Any) -> None:
    """Not called."""


FAILING: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = [
    (fails, (), {}),
    (fails, (1,), {}),
    (fails, (), {"key": 2}),
    (takes_one, (), {}),  # it fails before there is a frame of its own
    (len, (), {}),
    (int, ("x",), {}),
]


@pytest.mark.parametrize("kind", ["ours", "adopted"])
@pytest.mark.parametrize("failing", FAILING, ids=lambda failing: failing[0].__name__)
def test_a_traceback_is_as_long_as_twisteds_and_can_be_read(
    clock: FakeClock, events: list[LogEvent], failing: Any, kind: str
) -> None:
    """It begins where the pass has called the function, and leads from there to the main loop."""
    func, args, kw = failing

    def fail(reactor: Any, accelerated: bool = False) -> list[Any]:
        events.clear()
        reactor.seconds = clock
        reactor.callLater(0, func, *args, **kw)
        if accelerated:
            accelerate(reactor)
        reactor.runUntilCurrent()
        [failure] = failures_in(events)
        assert failure.value.__context__ is None
        entries = list(traceback.walk_tb(failure.getTracebackObject()))
        for frame, line in entries:
            assert linecache.getline(frame.f_code.co_filename, line).strip()
        caller = entries[0][0].f_back
        while caller is not None and caller.f_code is not fail.__code__:
            caller = caller.f_back
        assert caller is not None
        return [(frame.f_code.co_name, line) for frame, line in entries[1:]]

    ours = fail(StockReactor(), True) if kind == "adopted" else fail(make_reactor(clock))
    assert ours == fail(StockReactor())


def test_a_failure_that_was_logged_is_gone_without_a_collection() -> None:
    left = run_python(
        """
        import gc, json, weakref
        from twisted.internet import reactor
        from twisted.internet.base import DelayedCall
        from twisted.logger import globalLogBeginner
        from timerwheel import accelerate

        failures = []

        def observe(event):
            failure = event.get("log_failure", event.get("failure"))
            if failure is not None:
                failures.append(weakref.ref(failure.value))

        class Failing(Exception): pass

        def fail():
            raise Failing

        globalLogBeginner.beginLoggingTo([observe], redirectStandardIO=False)
        accelerate(reactor)
        gc.disable()
        for DelayedCall.debug in (False, True):
            for _ in range(3):
                reactor.callLater(0, fail)
        reactor.runUntilCurrent()
        print(json.dumps([len(failures), sum(failure() is not None for failure in failures)]))
        """
    )
    assert left[0] == 6
    assert left[1] <= 1  # Twisted's own handler may have the last


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_exceptions_that_are_no_errors_are_treated_alike(
    clock: FakeClock, events: list[LogEvent], raised: type[BaseException]
) -> None:
    def outcome(reactor: Any) -> tuple[list[str], int]:
        events.clear()
        reactor.seconds = clock
        fired: list[str] = []

        def fail() -> None:
            raise raised

        reactor.callLater(0, fail)
        reactor.callLater(0, fired.append, "went on")
        reactor.runUntilCurrent()
        failures = [event for event in events if "log_failure" in event or event.get("isError")]
        return fired, len(failures)

    assert outcome(make_reactor(clock)) == outcome(StockReactor()) == (["went on"], 1)


def test_timeout_is_exact(reactor: Any, clock: FakeClock) -> None:
    assert reactor.timeout() is None
    calls = [reactor.callLater(delay, int) for delay in (50, 10, 100)]
    assert reactor.timeout() == 10
    calls[1].cancel()
    assert reactor.timeout() == 50
    calls[0].reset(200)
    assert reactor.timeout() == 100
    calls[2].delay(-99.75)
    assert reactor.timeout() == 0.25
    clock.advance(5)
    assert reactor.timeout() == 0
    for call in calls[0], calls[2]:
        call.cancel()
    assert reactor.timeout() is None


def test_timeout_has_twisteds_ceiling(reactor: Any) -> None:
    reactor.callLater(2**128 + 1, int)
    assert reactor.timeout() == 2147483
    reactor.callLater(2147482.5, int)
    assert reactor.timeout() == 2147482.5


@pytest.mark.parametrize("seed", range(8))
def test_timeout_is_exact_for_any_program(seed: int, clock: FakeClock) -> None:
    chance = random.Random(seed)
    reactor = make_reactor(clock)
    calls: list[Any] = []
    for _ in range(600):
        action = chance.randrange(6)
        calls = [call for call in calls if call.active()]
        delay = chance.random() * 10 ** chance.randrange(-3, 5)
        if action < 2 or not calls:
            calls.append(reactor.callLater(delay, int))
        elif action == 2:
            calls.pop(chance.randrange(len(calls))).cancel()
        elif action == 3:
            chance.choice(calls).reset(delay)
        elif action == 4:
            chance.choice(calls).delay(chance.choice([-delay, delay]))
        else:
            clock.advance(chance.random() * chance.choice([0.001, 1, 100]))
            reactor.runUntilCurrent()
        times = [call.getTime() for call in calls if call.active()]
        expected = max(0, min(2147483, min(times) - clock.now)) if times else None
        assert reactor.timeout() == expected


@pytest.mark.parametrize("now", [100.0, 2.0**26 - 500, 2.0**50])
def test_timeout_is_never_late_with_very_many_calls_in_a_slot(now: float) -> None:
    """Beyond a number of calls that is looked at, it may be early; then each pass comes nearer.

    Also for calls that lie beyond the wheel's levels until its next turn, after 2**26 s.
    """
    clock = FakeClock(now)
    reactor = make_reactor(clock)
    fired: list[float] = []
    calls = [
        reactor.callLater(1000 + number / 1000, lambda: fired.append(clock.now))
        for number in range(5000)
    ]
    for call in calls[:50]:
        call.cancel()
    passes = 0
    while not fired:
        timeout = reactor.timeout()
        assert 0 < timeout <= calls[50].getTime() - clock.now
        clock.advance(timeout)
        reactor.runUntilCurrent()
        passes += 1
    assert clock.now == calls[50].getTime()
    assert passes <= 6


def test_get_delayed_calls_is_a_snapshot(reactor: Any) -> None:
    calls = [reactor.callLater(delay, int) for delay in (0, 1, 100, 1e6, 1e12, float("inf"))]
    snapshot = reactor.getDelayedCalls()
    assert set(snapshot) == set(calls)
    for call in snapshot:
        call.cancel()
    assert reactor.getDelayedCalls() == []
    assert len(snapshot) == 6


def test_calls_from_threads_come_first_and_may_schedule(reactor: Any) -> None:
    order: list[str] = []
    reactor.callLater(0, order.append, "timed")

    def from_thread() -> None:
        order.append("thread")
        reactor.callFromThread(order.append, "next pass")
        reactor.callLater(0, order.append, "scheduled by thread")

    reactor.callFromThread(from_thread)
    reactor.runUntilCurrent()
    assert order == ["thread", "timed", "scheduled by thread"]
    reactor.runUntilCurrent()
    assert order[3:] == ["next pass"]


def test_stop_fires_shutdown_after_the_timed_calls(reactor: Any) -> None:
    order: list[str] = []
    reactor.addSystemEventTrigger("before", "shutdown", order.append, "shutdown")
    reactor.startRunning(installSignalHandlers=False)
    reactor.callLater(0, reactor.stop)
    reactor.callLater(0, order.append, "timed")
    reactor.runUntilCurrent()
    assert order == ["timed", "shutdown"]


def test_a_clock_step_back_neither_loses_nor_hastens(reactor: Any, clock: FakeClock) -> None:
    """twisted#2424, tokio#3619."""
    fired: list[str] = []
    clock.now = 10_000.0
    reactor.callLater(10, fired.append, "before")
    reactor.runUntilCurrent()
    clock.now = 5000.0
    reactor.callLater(10, fired.append, "after")
    reactor.runUntilCurrent()
    assert reactor.timeout() == 10
    clock.now = 5010.0
    reactor.runUntilCurrent()
    assert fired == ["after"]
    assert reactor.timeout() == 5000
    clock.now = 10_010.0
    reactor.runUntilCurrent()
    assert fired == ["after", "before"]


def test_a_clock_that_jumps_a_century(reactor: Any, clock: FakeClock) -> None:
    fired: list[int] = []
    for number in range(100):
        reactor.callLater(number * 1e6, fired.append, number)
    clock.advance(3.2e9)
    reactor.runUntilCurrent()
    assert fired == list(range(100))


def test_a_clock_of_another_epoch_may_replace_the_first(reactor: Any, clock: FakeClock) -> None:
    fired: list[str] = []
    reactor.callLater(5, fired.append, "first epoch")
    reactor.seconds = lambda: 1.7e9
    reactor.callLater(5, fired.append, "second epoch")
    reactor.runUntilCurrent()
    assert fired == ["first epoch"]
    assert reactor.timeout() == 5


def test_a_clock_that_is_ready_only_after_construction() -> None:
    """As in Twisted's own IterationTimeoutTests."""

    class Reactor(StockReactor):
        def __init__(self) -> None:
            super().__init__()
            accelerate(self)
            self.now = 100.0

        def seconds(self) -> float:
            return self.now

    reactor: Any = Reactor()
    assert reactor.timeout() is None
    reactor.callLater(100, int)
    assert reactor.timeout() == 100


def test_a_clock_that_says_nan_fires_nothing(reactor: Any) -> None:
    fired: list[int] = []
    reactor.callLater(0, fired.append, 1)
    good = reactor.seconds
    reactor.seconds = lambda: float("nan")
    reactor.runUntilCurrent()
    assert fired == []
    with pytest.raises(ValueError, match="NaN"):
        reactor.callLater(1, int)
    reactor.seconds = good
    reactor.runUntilCurrent()
    assert fired == [1]


def test_views_that_other_programs_look_into(reactor: Any) -> None:
    assert not reactor._pendingTimedCalls
    assert not reactor._newTimedCalls
    calls = {reactor.callLater(1, int), reactor.callLater(2, int)}
    assert len(reactor._newTimedCalls) == 2
    assert set(reactor._newTimedCalls) == calls
    assert len(reactor.threadCallQueue) == 0


def test_a_failing_hook_leaves_no_call_behind(reactor: Any, queue: CallQueue) -> None:
    def fail() -> None:
        raise RuntimeError("the event loop is closed")

    queue.hook = fail
    with pytest.raises(RuntimeError, match="closed"):
        reactor.callLater(1, int)
    assert reactor.getDelayedCalls() == []


def test_the_hook_hears_only_of_sooner(reactor: Any, queue: CallQueue) -> None:
    """tokio#849, tokio#854: a reset to sooner, a second and sooner call."""
    heard: list[float | None] = []
    queue.hook = lambda: heard.append(reactor.timeout())
    first = reactor.callLater(50, int)
    reactor.callLater(60, int)
    sooner = reactor.callLater(40, int)
    sooner.reset(45)
    first.reset(55)
    first.reset(30)
    sooner.cancel()
    reactor.callLater(30, int)
    assert heard == [50, 40, 30]


def test_the_hook_does_not_hear_in_a_pass_after_which_timeout_is_asked(
    reactor: Any, queue: CallQueue, clock: FakeClock
) -> None:
    heard: list[float | None] = []
    queue.hook = lambda: heard.append(reactor.timeout())
    reactor.callLater(5, lambda: reactor.callLater(1, int))
    clock.advance(5)
    heard.clear()
    reactor.runUntilCurrent()
    assert heard == []
    assert reactor.timeout() == 1
    reactor.callLater(0.5, int)
    assert heard == [0.5]


def test_the_hook_hears_in_a_pass_if_a_call_may_run_the_event_loop(
    reactor: Any, queue: CallQueue, clock: FakeClock
) -> None:
    """Once if more is due: then the event loop is to come back at once."""
    heard: list[float | None] = []
    queue.hook = lambda: heard.append(reactor.timeout())
    queue.nested_loops = True

    def run_the_loop() -> None:
        for _ in range(2):
            reactor.callLater(1, int)
        reactor.callLater(0.5, int)
        assert heard == [1, 0.5]
        clock.advance(0.5)
        queue.disarmed()
        reactor.runUntilCurrent()
        assert reactor.timeout() == 0.5

    reactor.callLater(5, run_the_loop)
    clock.advance(5)
    heard.clear()
    queue.disarmed()
    reactor.runUntilCurrent()
    assert heard == [1, 0.5]
    assert reactor.timeout() == 0.5

    for _ in range(2):
        reactor.callLater(0.25, reactor.callLater, 10, int)
    clock.advance(0.25)
    heard.clear()
    queue.disarmed()
    reactor.runUntilCurrent()
    assert heard == [0]


def test_the_hook_hears_once_of_calls_for_at_once(
    reactor: Any, queue: CallQueue, clock: FakeClock
) -> None:
    """twisted#9780: each time asyncio would keep a cancelled handle."""
    heard: list[float | None] = []
    queue.hook = lambda: heard.append(reactor.timeout())
    for _ in range(10):
        reactor.callLater(0, int)
        clock.advance(1)
    assert heard == [0]
    reactor.runUntilCurrent()
    assert reactor.timeout() is None
    reactor.callLater(5, int)
    assert heard == [0, 5]


@pytest.mark.parametrize("step", [3600, -3600, 1e9])
def test_the_hook_hears_when_the_clock_has_been_stepped(
    step: float, reactor: Any, queue: CallQueue, clock: FakeClock
) -> None:
    """Else the event loop would go on sleeping for what it was armed for before."""
    heard: list[float | None] = []
    queue.hook = lambda: heard.append(reactor.timeout())
    reactor.callLater(60, int)
    clock.advance(step)
    heard.clear()
    reactor.callLater(1, int)
    assert heard == [0 if step > 0 else 1]


def test_the_hook_hears_when_the_clock_was_replaced_for_a_while(
    reactor: Any, queue: CallQueue, clock: FakeClock
) -> None:
    """As Twisted's own TimeTests do on the running reactor."""
    heard: list[float | None] = []
    queue.hook = lambda: heard.append(reactor.timeout())
    reactor.callLater(60, int)
    reactor.seconds = lambda: 7.0
    reactor.callLater(5, int).cancel()
    reactor.seconds = clock
    heard.clear()
    reactor.callLater(0, int)
    assert heard == [0]
