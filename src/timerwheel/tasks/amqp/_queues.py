"""The queues of a broker, by the name of the one that holds the tasks.

    images             tasks that may run, a classic queue with priorities 0 to 9
    images.delay.64    tasks that wait for 64 seconds: then the broker moves them to images
    images.poison      messages that nobody can run, with the reason in a header

A wait is made of powers of two, the longest first, so that any wait needs few queues.
What is left of it when a message comes out is counted from the time at which the
task is due, so that time spent in queues is no delay more. The delay queues
are quorum queues: only those hand messages over to the next queue with a confirm.

Each message in a delay queue has the time to live of the queue, too. For a moment after one
connection has made a quorum queue, RabbitMQ 3.10 gives the messages of others none: these would
wait there for good, and so would all that come after them.
"""

from __future__ import annotations

from typing import Any

MAX_PRIORITY = 9  # of AMQP: the highest comes first
LONGEST_DELAY = 22  # 2**22 seconds: AMQP's times to live end at 2**32 ms


def main_queue(queue: str) -> dict[str, Any]:
    """How to declare the queue of the tasks that may run."""
    return {"queue": queue, "durable": True, "arguments": {"x-max-priority": MAX_PRIORITY}}


def poison_queue(queue: str) -> dict[str, Any]:
    """How to declare the queue of the messages that nobody can run."""
    return {"queue": f"{queue}.poison", "durable": True}


def expiration(queue: dict[str, Any]) -> str | None:
    """The property of that name of a message that goes to a queue."""
    time_to_live = queue.get("arguments", {}).get("x-message-ttl")
    return None if time_to_live is None else str(time_to_live)


def delay_queue(queue: str, remaining: float) -> dict[str, Any]:
    """How to declare the queue for a task that has so many seconds to wait, one at least."""
    seconds = 1 << min(int(min(remaining, 1e9)).bit_length() - 1, LONGEST_DELAY)
    return {
        "queue": f"{queue}.delay.{seconds}",
        "durable": True,
        "arguments": {
            "x-queue-type": "quorum",
            "x-message-ttl": seconds * 1000,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": queue,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",  # which that strategy asks for
        },
    }
