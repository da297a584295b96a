"""The worker of examples/container, stopped in each phase. .ci/container makes the image.

What is counted is what the worker says that it did, and what the broker has left.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from broker.server import BrokerServer, free_ports

IMAGE = os.environ.get("TIMERWHEEL_IMAGE", "")
PATIENCE = 300  # seconds after which a test has failed
PODMAN = ["podman", "--storage-driver=vfs", "--runtime=runc"]
# What an orchestrator asks for, and what a container within a container needs.
OPTIONS = ["--rm", "--read-only", "--user=1000", "--cap-drop=all", "--memory=256m"]
OPTIONS += ["--network=host", "--cgroups=no-conmon"]
OPTIONS += ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]

TABLE: list[tuple[object, ...]] = []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerServer]:
    with BrokerServer(tmp_path_factory.mktemp("server")) as server:
        yield server
    print(f"\n{'stopped':<36} {'begun':>5} {'done':>5} {'back':>5} {'exit':>5}")
    for row in TABLE:
        print("{:<36} {:>5} {:>5} {:>5} {:>5}".format(*row))


class Queue:
    """A queue, and what a test does with it."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name

    def fill(self, count: int, seconds: float) -> None:
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel = connection.channel()
            channel.queue_declare(self.name, durable=True, arguments={"x-max-priority": 9})
            for number in range(count):
                body = json.dumps({"function": "pause", "args": [seconds]}).encode()
                about = pika.BasicProperties(message_id=str(number), delivery_mode=2)
                channel.basic_publish("", self.name, body, about)

    def drain(self) -> list[Any]:
        """The properties of all messages that no worker has."""
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel = connection.channel()
            channel.queue_declare(self.name, durable=True, arguments={"x-max-priority": 9})
            taken = []
            while (message := channel.basic_get(self.name, auto_ack=True))[0] is not None:
                taken.append(message[:2])
            return taken


class Container:
    """A container that runs the worker."""

    def __init__(self, queue: Queue, folder: Path, **settings: object) -> None:
        (self.port,) = free_ports(1)
        self.name = f"timerwheel-{self.port}"
        self.log = folder / "worker.log"
        environment = {"BROKER": queue.url, "QUEUE": queue.name, "PORT": self.port, "PAGE_PORT": 0}
        environment.update(settings)
        variables = [f"--env={name}={value}" for name, value in environment.items()]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*PODMAN, "run", "--name", self.name, *OPTIONS, *variables, IMAGE],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    def said(self, words: str) -> list[str]:
        """The lines that begin with some words."""
        return [line for line in self.log.read_text().splitlines() if line.startswith(words)]

    def signal(self, name: str) -> None:
        subprocess.run(
            [*PODMAN, "kill", f"--signal={name}", self.name],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def is_there(self) -> bool:
        command = [*PODMAN, "ps", "--quiet", "--filter", f"name={self.name}"]
        return bool(subprocess.run(command, capture_output=True, check=True).stdout)

    def ask(self, path: str) -> int:
        """The status of a page; 0 if nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as page:
                return int(page.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def end(self) -> int:
        return self.process.wait(PATIENCE)


@pytest.fixture
def queue(server: BrokerServer, tmp_path: Path) -> Queue:
    return Queue(server.url, f"queue-{tmp_path.name}")


@pytest.fixture
def start(queue: Queue, tmp_path: Path) -> Iterator[Callable[..., Container]]:
    """Starts a container, and removes it after the test."""
    containers: list[Container] = []

    def start(**settings: object) -> Container:
        containers.append(Container(queue, tmp_path, **settings))
        return containers[-1]

    yield start
    for container in containers:
        if container.process.poll() is None:
            container.signal("KILL")
            container.end()
        print(f"\n{container.log.read_text()}")


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.1)


def note(phase: str, container: Container, back: int, status: int) -> None:
    begun, done = len(container.said("begin")), len(container.said("done"))
    TABLE.append((phase, begun, done, back, status))


def test_while_it_starts(queue: Queue, start: Callable[..., Container]) -> None:
    container = start()
    wait_until(container.is_there)
    container.signal("TERM")
    status = container.end()
    note("while it starts", container, len(queue.drain()), status)
    assert status == 0


def test_while_it_waits_for_a_broker(queue: Queue, start: Callable[..., Container]) -> None:
    (nobody,) = free_ports(1)
    container = start(BROKER=f"amqp://127.0.0.1:{nobody}/")
    wait_until(lambda: container.ask("/healthz") == 200)
    assert container.ask("/readyz") == 503
    container.signal("TERM")
    status = container.end()
    note("while it waits for a broker", container, 0, status)
    assert status == 0


def test_while_it_is_idle(queue: Queue, start: Callable[..., Container]) -> None:
    container = start()
    wait_until(lambda: container.ask("/readyz") == 200)
    assert container.ask("/metrics") == 200
    container.signal("TERM")
    status = container.end()
    note("while it is idle", container, 0, status)
    assert (status, container.said("gave back")) == (0, ["gave back 0 messages"])


def test_while_tasks_run(queue: Queue, start: Callable[..., Container]) -> None:
    """What has begun ends, and nothing begins; it is not ready any more, and healthy."""
    queue.fill(30, seconds=10)
    container = start(MAX_RUNNING=10, GRACE=200)
    wait_until(lambda: len(container.said("begin")) == 10)
    container.signal("TERM")
    wait_until(lambda: container.said("draining"))
    answers = (container.ask("/readyz"), container.ask("/healthz"))
    status = container.end()
    back = queue.drain()
    note("while tasks run", container, len(back), status)
    assert len(container.said("begin")) == len(container.said("done"))
    assert len(container.said("done")) + len(back) == 30
    assert not any(method.redelivered for method, _ in back)
    assert (answers, status) == ((503, 200), 0)


def test_while_tasks_run_that_take_too_long(queue: Queue, start: Callable[..., Container]) -> None:
    queue.fill(20, seconds=1000)
    container = start(MAX_RUNNING=5, GRACE=1)
    wait_until(lambda: len(container.said("begin")) == 5)
    container.signal("TERM")
    status = container.end()
    back = queue.drain()
    note("while tasks run for too long", container, len(back), status)
    assert container.said("gave back") == ["gave back 5 messages"]
    assert sorted(int(about.message_id) for _, about in back) == list(range(20))
    assert not any("timerwheel-failures" in (about.headers or {}) for _, about in back)
    assert status == 0


def test_twice(queue: Queue, start: Callable[..., Container]) -> None:
    queue.fill(5, seconds=1000)
    container = start(MAX_RUNNING=5, GRACE=1000)
    wait_until(lambda: len(container.said("begin")) == 5)
    container.signal("TERM")
    wait_until(lambda: container.said("draining"))
    container.signal("TERM")
    status = container.end()
    back = queue.drain()
    note("twice, while tasks run", container, len(back), status)
    assert container.said("ended at once") == ["ended at once, with 5 messages"]
    assert sorted(int(about.message_id) for _, about in back) == list(range(5))
    assert status == 128 + signal.SIGTERM


def test_by_kill(queue: Queue, start: Callable[..., Container]) -> None:
    queue.fill(5, seconds=1000)
    container = start(MAX_RUNNING=5)
    wait_until(lambda: len(container.said("begin")) == 5)
    container.signal("KILL")
    status = container.end()
    back = queue.drain()
    note("by SIGKILL, while tasks run", container, len(back), status)
    assert sorted(int(about.message_id) for _, about in back) == list(range(5))
    assert all(method.redelivered for method, _ in back)
    assert status == 128 + signal.SIGKILL
