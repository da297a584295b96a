"""The queues of a broker, by the name of the one that holds the tasks.

    images             tasks that may run, a classic queue with priorities 0 to 9
    images.delay.64    tasks that wait for 64 seconds: then the broker moves them to images
    images.poison      messages that nobody can run, with the reason in a header, a classic queue

Each declaration has the queue's type, because a virtual host may have another default. (Where the
default is classic, RabbitMQ takes a declaration without the type for the same queue.)

A wait is a sum of powers of two, the longest first, so that any wait needs few queues. When a
message comes out, the rest of its wait counts from the time at which the task should run. So time
spent in queues adds no delay. The delay queues are quorum queues, because only these pass messages
to the next queue with a confirm.

Each message in a delay queue has the time to live of the queue, too. For a moment after one
connection has made a quorum queue, RabbitMQ 3.10 gives the messages of others none. They would
stay there for good, and so would all messages behind them.
"""

from __future__ import annotations

from typing import Any

MAX_PRIORITY = 9  # of AMQP: the highest comes first
LONGEST_DELAY = 22  # 2**22 seconds: AMQP's times to live end at 2**32 ms
LONGEST_NAME = 255  # bytes of a queue's name, or of an id, in AMQP
LONGEST_SUFFIX = len(f".delay.{1 << LONGEST_DELAY}")


def check_name(what: str, name: str, longest: int = LONGEST_NAME) -> None:
    """Raise TypeError or ValueError for a name that AMQP cannot have."""
    if not isinstance(name, str):
        raise TypeError(f"{what} must be a string, not {name!r}")
    if len(name.encode()) > longest:
        raise ValueError(f"{what} must have at most {longest} bytes in UTF-8, not {name!r}")


def check_queue(queue: str) -> None:
    """Raise TypeError or ValueError if there cannot be the queues of this name."""
    check_name("the name of a queue", queue, LONGEST_NAME - LONGEST_SUFFIX)
    if not queue:
        raise ValueError("a queue must have a name")


def main_queue(queue: str) -> dict[str, Any]:
    """The declaration of the queue of tasks that may run."""
    arguments = {"x-queue-type": "classic", "x-max-priority": MAX_PRIORITY}
    return {"queue": queue, "durable": True, "arguments": arguments}


def poison_queue(queue: str) -> dict[str, Any]:
    """The declaration of the queue of messages that no worker can run."""
    arguments = {"x-queue-type": "classic"}
    return {"queue": f"{queue}.poison", "durable": True, "arguments": arguments}


def expiration(queue: dict[str, Any]) -> str | None:
    """The property of that name of a message that goes to a queue."""
    time_to_live = queue.get("arguments", {}).get("x-message-ttl")
    return None if time_to_live is None else str(time_to_live)


def delay_queue(queue: str, remaining: float) -> dict[str, Any]:
    """The declaration of the queue for a task that has to wait so many seconds, at least one."""
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
            "x-overflow": "reject-publish",  # which that strategy requires
        },
    }
