"""What wakes a loop, and how often."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from typing import Any

import pytest
from aio_helpers import MAKERS, queue_of, run_for

import timerwheel


def test_a_timer_made_while_the_loop_waits_wakes_it(ours: Any) -> None:
    made: list[str] = []

    def schedule() -> None:
        ours.call_later(0.001, made.append, "timed")
        ours.call_later(0.01, ours.stop)

    ours.call_later(3600, made.append, "late")
    thread = threading.Timer(0.02, ours.call_soon_threadsafe, [schedule])
    thread.start()
    ours.run_forever()
    thread.join()
    assert made == ["timed"]


def test_an_idle_loop_sleeps(ours: Any) -> None:
    ours.call_later(3600, print)
    before = timerwheel.stats(ours).passes
    run_for(ours, 0.3)
    assert timerwheel.stats(ours).passes - before < 10


def test_a_timer_takes_about_one_pass(ours: Any) -> None:
    async def main() -> None:
        for _ in range(50):
            await asyncio.sleep(0.001)

    before = timerwheel.stats(ours).passes
    ours.run_until_complete(main())
    # asyncio takes two turns more for a task's wake-up. Who spins takes thousands.
    assert timerwheel.stats(ours).passes - before < 400


@pytest.mark.parametrize("name", ["ours", "uvloop with ours"])
def test_a_loop_without_descriptors_has_its_own_timers(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from timerwheel._wakers import _loop_alarm

    monkeypatch.setattr(_loop_alarm, "Alarm", None)
    made: list[int] = []
    loop = MAKERS[name]()
    try:
        loop.call_later(0.01, made.append, 1)
        run_for(loop, 0.03)
    finally:
        loop.close()
    assert made == [1]


def test_the_alarm_may_be_closed_by_a_program(ours: Any) -> None:
    ours.call_later(0.2, print)
    alarm = queue_of(ours).waker._alarm
    if alarm.watching is None:
        pytest.skip("there is no timerfd here")
    made: list[int] = []
    ours.call_later(0.01, made.append, 1)
    os.close(alarm.watching[1])
    try:
        run_for(ours, 0.02)
    finally:
        ours.remove_reader(alarm.watching[1] if alarm.watching else 0)
    assert made == [1]


@pytest.mark.parametrize("alarm", ["alarm", "no alarm"])
def test_an_interrupt_while_the_loop_is_set_loses_no_timer(
    ours: Any, alarm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a signal may come between any two steps."""
    if alarm == "no alarm":
        monkeypatch.setattr("timerwheel._wakers._loop_alarm.Alarm", None)
    waker = queue_of(ours).waker
    timeout = waker._timeout
    made: list[int] = []

    def interrupted() -> Any:
        timeout()
        waker._timeout = timeout
        raise KeyboardInterrupt

    def interrupt() -> None:
        waker._timeout = interrupted

    ours.call_later(0.001, interrupt)
    ours.call_later(0.03, lambda: (made.append(1), ours.stop()))
    with pytest.raises(KeyboardInterrupt):
        ours.run_forever()
    rescue = threading.Timer(10, ours.call_soon_threadsafe, [ours.stop])
    rescue.start()
    ours.run_forever()
    rescue.cancel()
    rescue.join()
    assert made == [1]


@pytest.mark.usefixtures("late_guard")
def test_timers_go_on_after_those_that_were_due_have_been_cancelled(asyncios: Any) -> None:
    """By what the loop found ready in the same turn."""
    made: list[str] = []
    ours, theirs = socket.socketpair()
    handles: list[Any] = []

    def readable() -> None:
        theirs.recv(1)
        for handle in handles:
            handle.cancel()

    def wait() -> None:
        handles.append(asyncios.call_later(0.001, made.append, "cancelled"))
        asyncios.call_later(0.002, made.append, "next")
        ours.send(b"x")
        time.sleep(0.0015)  # the first timer and the socket are ready in one turn

    asyncios.add_reader(theirs, readable)
    asyncios.call_soon(wait)
    began = time.monotonic()
    run_for(asyncios, 0.02)
    asyncios.remove_reader(theirs)
    ours.close()
    theirs.close()
    assert made == ["next"]
    assert time.monotonic() - began < 20
