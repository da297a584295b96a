"""Tasks a second that a worker takes from RabbitMQ, beside a bare consumer of pika's.

    python tests/broker/server.py python bench/tasks/broker.py

Both take the same messages on Twisted's reactor, with the same prefetch, and acknowledge each
message when its task has ended. They take turns. The ratio is that of the medians. Their processor
time is without the broker's.
TIMERWHEEL_BROKER is the broker's URL; `server.py` starts one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import Any

import pika

import timerwheel

timerwheel.install()

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from timerwheel.tasks import Scheduler
from timerwheel.tasks.amqp import Connection, Worker, submit

PREFETCH = 100
QUEUE = "bench"


class Count:
    """Counts tasks, and the time that they take from the first to the last."""

    def __init__(self, count: int, reactor: Any) -> None:
        self.count = self.left = count
        self.done: Deferred[None] = Deferred()
        self._reactor = reactor

    def __call__(self, *arguments: object) -> None:
        if self.left == self.count:
            self._start = time.perf_counter()
            self._processor_start = time.process_time()
        self.left -= 1
        if not self.left:
            self.seconds = time.perf_counter() - self._start
            self.processor_seconds = time.process_time() - self._processor_start
            self._reactor.callLater(0, self.done.callback, None)  # when it is acknowledged


async def bare(connection: Connection, count: Count) -> None:
    """What anybody would write with pika's Twisted adapter."""
    protocol = await connection._when_connected()
    channel = await protocol.channel()
    await channel.basic_qos(prefetch_count=PREFETCH)
    deliveries, _ = await channel.basic_consume(QUEUE)

    def received(delivery: Any) -> None:
        count()
        channel.basic_ack(delivery.method.delivery_tag)
        take()

    def take() -> None:
        deliveries.get().addCallbacks(received, lambda failure: None)

    take()
    await count.done
    channel.close()
    await channel.on_closed


async def ours(connection: Connection, count: Count) -> None:
    """A worker."""
    scheduler = Scheduler(connection.reactor, max_running=PREFETCH)
    worker = Worker(scheduler, connection, QUEUE)
    worker.register("count", count)
    worker.start()
    await count.done
    await worker.close()


async def measure(connection: Connection, consumer: Any, messages: int) -> tuple[float, float]:
    """Tasks a second, and the microseconds of processor time that each takes."""
    arguments = ["cat.png", 640]
    await gatherResults([submit(connection, QUEUE, "count", *arguments) for _ in range(messages)])
    count = Count(messages, connection.reactor)
    await consumer(connection, count)
    return messages / count.seconds, count.processor_seconds / messages * 1e6


async def main(reactor: Any) -> None:
    parser = argparse.ArgumentParser(description="tasks a second from a broker")
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--least", type=float, default=0.8, help="fail below this ratio")
    options = parser.parse_args()
    connection = Connection(reactor, pika.URLParameters(os.environ["TIMERWHEEL_BROKER"]))
    measured: dict[Any, list[tuple[float, float]]] = {bare: [], ours: []}
    for round in range(options.rounds + 1):
        for consumer, found in measured.items():
            rate_and_time = await measure(connection, consumer, options.messages)
            if round:  # the first warms up
                found.append(rate_and_time)
    await connection.close()
    medians = []
    for name, found in zip(("bare pika consumer", "worker"), measured.values(), strict=True):
        rates, times = zip(*found, strict=True)
        medians.append(statistics.median(rates))
        print(
            f"{name:>20}: {medians[-1]:6,.0f} tasks a second"
            f" ({min(rates):,.0f} to {max(rates):,.0f}),"
            f" {statistics.median(times):.1f} us of processor time each"
        )
    ratio = medians[1] / medians[0]
    print(f"{'ratio':>20}: {ratio:6.2f}")
    if ratio < options.least:
        raise SystemExit(f"a worker takes less than {options.least} x as many")


if __name__ == "__main__":
    react(main)
