"""timerwheel.aio beside Twisted: status of a loop, and a reactor on a loop that has a wheel."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator

import pytest

import timerwheel
from timerwheel import aio


@pytest.fixture
def loop() -> Iterator[aio.EventLoop]:
    """A loop with the wheel."""
    loop = aio.new_event_loop()
    yield loop
    loop.close()


def test_status_tells_of_a_loop(loop: aio.EventLoop) -> None:
    status = timerwheel.status(loop)
    assert status.accelerated
    assert [method.name for method in status.overridden] == []
    assert {method.name for method in status.methods} == {
        "call_later",
        "call_at",
        "_process_events",
    }
    assert status.clock == "monotonic"
    assert "timerwheel.aio" in repr(status)
    loop.call_later = print  # type: ignore[assignment, method-assign]
    assert [method.name for method in timerwheel.status(loop).overridden] == ["call_later"]


def test_pending_and_dump_take_a_loop(loop: aio.EventLoop) -> None:
    loop.call_later(10, print)
    loop.call_later(20, print)
    (group,) = timerwheel.pending(loop)
    assert (group.name, group.count) == ("print", 2)
    assert 9 < group.soonest <= 10
    text = io.StringIO()
    timerwheel.dump(loop, text)
    assert "print" in text.getvalue()


def test_a_watch_needs_a_reactor(loop: aio.EventLoop) -> None:
    with pytest.raises(TypeError, match="this needs a reactor"):
        timerwheel.watch(loop)


def test_a_reactor_on_such_a_loop_has_no_alarm_of_its_own() -> None:
    """Both worlds wake by the loop's wheel, in order, and end."""
    program = """
import asyncio, sys, time
from timerwheel import aio
loop = aio.new_event_loop()
asyncio.set_event_loop(loop)
import timerwheel
from timerwheel.reactors import asyncioreactor
asyncioreactor.install(loop)
from twisted.internet import reactor
made = []
def note(name, due):
    made.append(name)
    assert time.monotonic() >= due - 1e-8, name
    if name == "c":
        reactor.stop()
def timed(schedule, delay, name):
    schedule(delay, note, name, time.monotonic() + delay)
def schedule():
    timed(reactor.callLater, 0.02, "b")
    timed(loop.call_later, 0.01, "a")
    timed(loop.call_later, 0.03, "c")
reactor.callWhenRunning(schedule)
reactor.callLater(3600, print)
assert timerwheel.status(reactor).precision == "microseconds, by the event loop's wheel"
reactor.run()
assert made == ["a", "b", "c"], made
waker = vars(reactor)["_timerwheel"].waker
assert waker._alarm.watching is None
stats = timerwheel.stats(reactor)
assert stats.passes < 20, stats.passes
"""
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


def test_twisted_is_not_imported() -> None:
    program = (
        "import sys; from timerwheel import aio; import asyncio; aio.run(asyncio.sleep(0.001));"
        "sys.exit(any(name.partition('.')[0] == 'twisted' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
