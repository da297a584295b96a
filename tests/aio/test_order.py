"""In which order, and in which turn, a loop makes its calls."""

from __future__ import annotations

import socket
import time
from typing import Any

from aio_helpers import run_for


def test_calls_are_made_in_order_of_their_times(loop: Any) -> None:
    made: list[str] = []
    loop.call_later(0.01, made.append, "first")
    now = loop.time()  # once, because a busy machine may stop here
    loop.call_at(now + 0.03, made.append, "third")
    loop.call_at(now + 0.02, made.append, "second")
    run_for(loop, 0.06)
    assert made == ["first", "second", "third"]


def test_calls_for_one_time_are_made_in_order_of_scheduling(ours: Any) -> None:
    made: list[int] = []
    when = ours.time() + 0.01
    for number in range(20):
        ours.call_at(when, made.append, number)
    run_for(ours, 0.03)
    assert made == list(range(20))


def test_no_call_is_made_early(ours: Any) -> None:
    early: list[float] = []

    def check(when: float) -> None:
        early.append(time.monotonic() - when)

    for delay in range(60):
        when = time.monotonic() + delay / 1777
        ours.call_at(when, check, when)
    run_for(ours, 0.08)
    assert len(early) == 60
    assert min(early) > -1e-8  # asyncio's clock resolution


def test_what_is_scheduled_without_delay_waits_for_the_next_turn(asyncios: Any) -> None:
    made: list[str] = []

    def first() -> None:
        made.append("first")
        asyncios.call_later(0, made.append, "later")
        asyncios.call_soon(made.append, "soon")

    asyncios.call_soon(first)
    run_for(asyncios, 0.01)
    assert made == ["first", "soon", "later"]


def test_ready_calls_come_before_timed_ones(asyncios: Any) -> None:
    made: list[str] = []
    asyncios.call_at(asyncios.time() - 1, made.append, "timed")
    asyncios.call_soon(made.append, "ready")
    run_for(asyncios, 0)
    assert made == ["ready", "timed"]


def test_what_expires_during_a_turn_comes_after_io_and_ready_calls(asyncios: Any) -> None:
    made: list[str] = []
    ours, theirs = socket.socketpair()

    def readable() -> None:
        theirs.recv(1)
        made.append("I/O")

    def wait() -> None:
        ours.send(b"x")
        time.sleep(0.02)

    def schedule() -> None:
        asyncios.call_later(0.01, made.append, "timed")
        asyncios.call_soon(wait)
        asyncios.call_at(asyncios.time() - 1, made.append, "past")
        asyncios.call_soon(asyncios.call_soon, made.append, "ready")

    asyncios.add_reader(theirs, readable)
    asyncios.call_soon(schedule)
    run_for(asyncios, 0.05)
    asyncios.remove_reader(theirs)
    ours.close()
    theirs.close()
    assert made == ["past", "ready", "I/O", "timed"]
