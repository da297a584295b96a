"""Submits tasks for tests: python tests/broker/submitter.py URL QUEUE COUNT SECONDS DELAY

Each has its number as its id, and one of the priorities. Ends when the broker has all of them safe.
"""

from __future__ import annotations

import sys
from typing import Any

import pika

import timerwheel

timerwheel.install()

from twisted.internet.defer import gatherResults
from twisted.internet.task import react

from timerwheel.tasks.amqp import Connection, submit

CONNECTIONS = 5  # which declare the same queues at the same time


async def main(reactor: Any, url: str, queue: str, count: str, seconds: str, delay: str) -> None:
    parameters = pika.URLParameters(url)
    connections = [Connection(reactor, parameters) for _ in range(CONNECTIONS)]
    ids = await gatherResults(
        [
            submit(
                connections[number % CONNECTIONS],
                queue,
                "count",
                float(seconds),
                id=str(number),
                priority=number % 10 - 5,
                delay=float(delay),
            )
            for number in range(int(count))
        ],
        consumeErrors=True,
    )
    print(len(ids))
    for connection in connections:
        await connection.close()


if __name__ == "__main__":
    react(main, sys.argv[1:])
