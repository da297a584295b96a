"""Tasks from a RabbitMQ broker, for many machines. Needs `pip install timerwheel[amqp]`.

    from timerwheel.tasks.amqp import Connection, Worker, submit

    connection = Connection(reactor, pika.URLParameters("amqp://localhost/"))

    # Submit work:
    # submit(connection, "images", "resize", "cat.png", 640, priority=2, delay=60)

    # Do it:
    worker = Worker(Scheduler(reactor, max_running=20), connection, "images")
    worker.register("resize", resize)
    worker.start()

A function gets the `Message`, then the arguments. It runs at least once: a worker may die after the
work is done and before it acknowledges the message. `message.id` is the same each time, for effects
that must happen once.
"""

try:
    import pika as _pika  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"timerwheel.tasks.amqp needs pika ({error}): pip install timerwheel[amqp]"
    ) from None

from timerwheel.tasks.amqp._connection import Connection
from timerwheel.tasks.amqp._envelope import Message
from timerwheel.tasks.amqp._functions import RejectError
from timerwheel.tasks.amqp._submit import RequestError, request, submit
from timerwheel.tasks.amqp._worker import Worker

__all__ = ["Connection", "Message", "RejectError", "RequestError", "Worker", "request", "submit"]
