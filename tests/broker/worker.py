"""A worker for tests, which notes what it does: python tests/broker/worker.py URL QUEUE FOLDER

In the folder, `PID.log` gets a line when a run of `count` begins and when it has ended, and one
more if a try has failed before; `effects.db` gets an effect for each id, once. SIGTERM drains.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from itertools import cycle
from pathlib import Path

import pika
from twisted.logger import globalLogBeginner, textFileLogObserver

import timerwheel

timerwheel.install()

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater

from timerwheel.tasks import Scheduler
from timerwheel.tasks.amqp import Connection, Message, Worker

GRACE = 20  # seconds


class Notes:
    """What has been done, in files that outlive the process."""

    def __init__(self, folder: Path) -> None:
        self._log = os.open(folder / f"{os.getpid()}.log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self._effects = sqlite3.connect(folder / "effects.db", timeout=60, isolation_level=None)
        self._effects.execute("pragma synchronous = off")

    def write(self, event: str, id: str) -> None:
        os.write(self._log, f"{event} {id}\n".encode())

    def take_effect(self, id: str) -> None:
        """Have an effect, unless it is there."""
        cursor = self._effects.execute("insert or ignore into effects values (?)", (id,))
        if not cursor.rowcount:
            self._effects.execute("insert into repeats values (?)", (id,))


def main(url: str, queue: str, folder: str) -> None:
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    notes = Notes(Path(folder))
    connection = Connection(reactor, pika.URLParameters(url))
    scheduler = Scheduler(reactor, max_running=50)
    worker = Worker(scheduler, connection, queue)

    async def count(message: Message, seconds: float) -> None:
        assert message.id is not None
        if message.failures:
            notes.write("again", message.id)
        notes.write("begin", message.id)
        if seconds:
            await deferLater(reactor, seconds)
        notes.take_effect(message.id)
        notes.write("end", message.id)

    def die(message: Message) -> None:
        notes.write("begin", str(message.id))
        os._exit(3)

    def waver(message: Message) -> None:
        """From now on, change the limit all the time."""
        limits = cycle([40, 50])
        wavering = LoopingCall(lambda: setattr(scheduler, "max_running", next(limits)))
        wavering.start(0.02)

    async def drain() -> None:
        left = await worker.close(GRACE)
        print("left", len(left), flush=True)
        await connection.close()

    worker.register("count", count)
    worker.register("die", die)
    worker.register("waver", waver)
    worker.start()
    reactor.callWhenRunning(print, "started", flush=True)
    reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(drain()))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
