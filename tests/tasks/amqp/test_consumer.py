"""How a worker consumes: its prefetch, and again after it has lost its channel."""

from __future__ import annotations

from typing import Any

from amqp_helpers import Bench, FakeConnection
from pika.exceptions import ChannelWrongStateError

from timerwheel import Clock
from timerwheel.tasks import Scheduler
from timerwheel.tasks.amqp import Worker


def test_prefetch_follows_max_running(bench: Bench) -> None:
    bench.scheduler.max_running = 5
    bench.scheduler.max_running = 5
    bench.scheduler.max_running = None
    assert bench.channel.prefetches == [3, 5, 1000]
    assert bench.worker.is_ready


def test_prefetch_is_no_more_than_amqp_can_say(bench: Bench) -> None:
    bench.scheduler.max_running = 100_000
    assert bench.channel.prefetches == [3, 65_535]


def test_prefetch_follows_the_limit_of_the_group() -> None:
    clock = Clock()
    scheduler = Scheduler(clock, max_running=3)
    connection: Any = FakeConnection()
    group = scheduler.group(max_running=2)
    Worker(scheduler, connection, "jobs", group=group).start()
    group.max_running = 1
    scheduler.max_running = 4
    group.max_running = None
    assert connection.channels[0].prefetches == [2, 1, 4]


def test_a_worker_consumes_again_on_another_channel(bench: Bench) -> None:
    bench.deliver("a")
    lost = bench.channel
    lost.lose()
    assert not bench.worker.is_ready
    bench.clock.advance(2)
    assert bench.worker.is_ready
    assert bench.channel is not lost
    bench.running["a"].callback(None)  # acknowledged nowhere: the broker delivers it again
    assert (lost.acknowledged, bench.channel.acknowledged) == ([], [])
    assert bench.worker.messages == []


def test_a_consumer_that_the_broker_ends_is_begun_anew(bench: Bench) -> None:
    bench.channel.ended.callback(ChannelWrongStateError())  # the queue was deleted
    assert bench.channel.prefetches == [3, 3]
    bench.deliver("a")
    assert list(bench.running) == ["a"]
