"""A worker in a container, as process 1: it takes tasks from RabbitMQ until a SIGTERM.

    BROKER=amqp://localhost/ python examples/container/worker.py

On SIGTERM it takes no more messages, waits for the running tasks, logs how many did not end, and
exits with 0. A second SIGTERM ends it at once. Set these environment variables:

    BROKER        the URL of the broker
    QUEUE         the queue; default "tasks"
    MAX_RUNNING   how many tasks run at once; default 20
    GRACE         seconds for running tasks to end; default 20, less than the orchestrator gives
    PORT          of /healthz, /readyz and /metrics, on all addresses; default 8080
    PAGE_PORT     of the page of timers, on loopback only; default 8081, 0 takes any free port
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any


def end_at_once(number: int, frame: object) -> None:
    """On SIGTERM during the start: end, because no task runs yet."""
    os._exit(0)


# Before anything else: process 1 has no default handlers, so the kernel would ignore the signals.
signal.signal(signal.SIGTERM, end_at_once)
signal.signal(signal.SIGINT, end_at_once)

import timerwheel

timerwheel.install()

import pika
from prometheus_client import REGISTRY, Gauge
from prometheus_client.twisted import MetricsResource
from twisted.internet import reactor
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import deferLater
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.web.resource import Resource
from twisted.web.server import Site

from timerwheel.prometheus import Collector
from timerwheel.tasks import Scheduler
from timerwheel.tasks.amqp import Connection, Message, Worker
from timerwheel.web import TimersPage

FORCED = 128 + signal.SIGTERM
LAST_WORDS = 5  # seconds for tasks that catch their cancellation and go on


async def pause(message: Message, seconds: float) -> None:
    """A task. Replace it with yours."""
    print("begin", message.id)
    await deferLater(reactor, seconds)
    print("done", message.id)


class Program:
    """The worker, and its health, readiness and metrics."""

    def __init__(self, settings: Any) -> None:
        self.grace = float(settings.get("GRACE", 20))
        self.scheduler = Scheduler(reactor, max_running=int(settings.get("MAX_RUNNING", 20)))
        self.connection = Connection(reactor, pika.URLParameters(settings["BROKER"]))
        self.worker = Worker(self.scheduler, self.connection, settings.get("QUEUE", "tasks"))
        self.worker.register("pause", pause)
        self.is_ending = False
        port = reactor.listenTCP(int(settings.get("PORT", 8080)), Site(self.resources()))
        page = Site(TimersPage(reactor))
        reactor.listenTCP(int(settings.get("PAGE_PORT", 8081)), page, interface="127.0.0.1")
        print("listening on port", port.getHost().port)

    def resources(self) -> Resource:
        REGISTRY.register(Collector(reactor))
        occupancy = Gauge("worker_occupancy", "Tasks that run, as a share of those that may")
        occupancy.set_function(lambda: self.scheduler.running / self.scheduler.max_running)
        root = Resource()
        root.putChild(b"healthz", Answer(lambda: True))  # the reactor turns
        root.putChild(b"readyz", Answer(lambda: self.worker.is_ready))
        root.putChild(b"metrics", MetricsResource())
        return root

    def start(self) -> None:
        self.worker.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.told_to_end)

    def told_to_end(self, number: int, frame: object) -> None:
        if self.is_ending:
            # (print() cannot be called from within itself, where the signal may have come.)
            os.write(1, f"ended at once, with {len(self.worker.messages)} messages\n".encode())
            os._exit(FORCED)  # the broker gives what it had to another worker
        self.is_ending = True
        reactor.callFromThread(reactor.stop)

    async def drain(self) -> None:
        """Wait for the running tasks, and log how many messages go back."""
        print("draining", len(self.worker.messages), "messages")
        try:
            closed = self.worker.close(self.grace)
            given_back = await closed.addTimeout(self.grace + LAST_WORDS, reactor)
            print("gave back", len(given_back), "messages")
        except TimeoutError:
            print("left", len(self.worker.messages), "messages, which do not end")
        await self.connection.close()


class Answer(Resource):
    """Answers 200 while a condition holds, else 503."""

    isLeaf = True

    def __init__(self, holds: Any) -> None:
        super().__init__()
        self.holds = holds

    def render_GET(self, request: Any) -> bytes:
        holds = self.holds()
        request.setResponseCode(200 if holds else 503)
        request.setHeader("content-type", "text/plain")
        return b"yes\n" if holds else b"no\n"


def main() -> None:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    observer = textFileLogObserver(sys.stderr)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    if "BROKER" not in os.environ:
        sys.exit("set BROKER=amqp://...")
    program = Program(os.environ)
    reactor.callWhenRunning(program.start)
    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: Deferred.fromCoroutine(program.drain())
    )
    reactor.run(installSignalHandlers=False)
    print("ended")


if __name__ == "__main__":
    main()
