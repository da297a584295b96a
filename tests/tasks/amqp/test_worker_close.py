"""How a worker ends: close(), its scheduler, its connection."""

from __future__ import annotations

from typing import Any

import pytest
from amqp_helpers import Bench, FakeConnection

from timerwheel import Clock
from timerwheel.tasks import Scheduler
from timerwheel.tasks.amqp import Worker


def test_close_waits_for_what_runs_and_gives_back_what_has_not_begun(bench: Bench) -> None:
    bench.scheduler.max_running = 1
    channel = bench.channel
    for name in "abc":
        bench.deliver(name, headers={"mine": name})
    closed = bench.worker.close()
    assert not bench.worker.is_ready
    assert channel.received is None
    assert channel.acknowledged == [2, 3]
    assert bench.moves() == [("jobs", {"mine": "b"}), ("jobs", {"mine": "c"})]
    assert not closed.called
    bench.running["a"].callback(None)
    assert channel.acknowledged == [2, 3, 1]
    assert [message.args for message in closed.result] == [("b",), ("c",)]
    assert not channel.is_open
    assert list(bench.running) == ["a"]


def test_close_gives_back_what_still_runs_after_the_timeout(bench: Bench) -> None:
    bench.deliver("a", headers={"timerwheel-failures": 2})
    closed = bench.worker.close(5)
    bench.clock.advance(4.9)
    assert not closed.called
    bench.clock.advance(0.1)
    assert bench.moves() == [("jobs", {"timerwheel-failures": 2})]
    assert len(closed.result) == 1


def test_close_has_no_timer_left_when_all_has_ended(bench: Bench) -> None:
    bench.deliver("a")
    closed = bench.worker.close(5)
    bench.running["a"].callback(None)
    assert closed.result == []
    assert bench.clock.getDelayedCalls() == []


def test_close_is_at_once_without_a_connection() -> None:
    bench = Bench()
    bench.connection.is_gone = True
    bench.channel.lose()
    bench.clock.advance(2)
    assert bench.worker.close().result == []


def test_close_is_at_once_while_a_worker_waits_to_connect_again(bench: Bench) -> None:
    bench.channel.lose()
    assert bench.worker.close().result == []
    assert bench.clock.getDelayedCalls() == []


def test_a_worker_ends_with_its_scheduler(bench: Bench) -> None:
    bench.scheduler.close()
    bench.deliver("a")
    assert bench.moves() == [("jobs", {})]
    assert not bench.worker.is_ready


def test_a_worker_ends_with_its_connection(bench: Bench) -> None:
    bench.deliver("a")
    bench.connection.is_closed = True
    bench.channel.lose()
    bench.clock.advance(2)
    closed = bench.worker.close()
    assert not closed.called
    bench.running["a"].callback(None)
    assert (closed.result, bench.worker.close().result) == ([], [])


def test_close_of_a_worker_that_was_not_started() -> None:
    connection: Any = FakeConnection()
    worker = Worker(Scheduler(Clock()), connection, "jobs")
    assert worker.close().result == []
    with pytest.raises(RuntimeError, match="started or closed before"):
        worker.start()
