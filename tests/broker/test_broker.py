"""Workers and a real RabbitMQ server, which die and come back. .ci/broker installs the server."""

from __future__ import annotations

import json
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pika
import pytest
from server import BrokerServer

HERE = Path(__file__).parent
PATIENCE = 1800  # seconds after which a test has failed, on a machine that is busy, too
COUNT = 50_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerServer]:
    with BrokerServer(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def farm(server: BrokerServer, tmp_path: Path) -> Iterator[Farm]:
    farm = Farm(server, f"farm{tmp_path.name}", tmp_path)
    yield farm
    farm.kill_all()


class Farm:
    """Workers of one queue, each a process, and the notes that they make."""

    def __init__(self, server: BrokerServer, queue: str, folder: Path) -> None:
        self.server = server
        self.url = server.url
        self.queue = queue
        self.folder = folder
        self.workers: list[subprocess.Popen[str]] = []
        self.ask("pragma journal_mode = wal")
        self.ask("create table effects (id text primary key)")
        self.ask("create table repeats (id text)")

    def start(self) -> subprocess.Popen[str]:
        with (self.folder / "errors.log").open("a") as errors:
            worker = subprocess.Popen(
                [sys.executable, HERE / "worker.py", self.url, self.queue, self.folder],
                stdout=subprocess.PIPE,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                text=True,
            )
        self.workers.append(worker)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "started\n"
        return worker

    def kill(self, worker: subprocess.Popen[str]) -> None:
        worker.kill()
        self.wait(worker)

    def wait(self, worker: subprocess.Popen[str]) -> None:
        """Wait until a worker has ended by itself."""
        self.workers.remove(worker)
        worker.communicate(timeout=PATIENCE)

    def drain(self, worker: subprocess.Popen[str]) -> str:
        """End a worker in order. Returns what it says of what it left."""
        self.workers.remove(worker)
        worker.send_signal(signal.SIGTERM)
        said, _ = worker.communicate(timeout=PATIENCE)
        assert worker.returncode == 0
        return said.strip()

    def kill_all(self) -> None:
        for worker in list(self.workers):
            self.kill(worker)

    def submit(self, count: int, seconds: float = 0, delay: float = 0) -> None:
        """Have tasks submitted, and wait until they are."""
        with self.submitting(count, seconds, delay) as submitter:
            assert submitter.wait(PATIENCE) == 0

    def submitting(self, count: int, seconds: float, delay: float = 0) -> subprocess.Popen[bytes]:
        """Have tasks submitted by a process of its own."""
        command = [sys.executable, HERE / "submitter.py", self.url, self.queue]
        return subprocess.Popen(
            [*command, str(count), str(seconds), str(delay)],
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )

    def publish(
        self,
        body: bytes,
        queue: str = "",
        properties: pika.BasicProperties | None = None,
        **named: Any,
    ) -> None:
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel = connection.channel()
            arguments = {"x-max-priority": 9}
            channel.queue_declare(self.queue, durable=True, arguments=arguments)
            properties = properties or pika.BasicProperties(**named)
            channel.basic_publish("", queue or self.queue, body, properties)

    def take(self, queue: str) -> tuple[bytes, dict[str, Any]] | None:
        """A message of a queue and its headers; None if there is none yet."""
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel = connection.channel()
            channel.queue_declare(queue, durable=True)
            _, properties, body = channel.basic_get(queue, auto_ack=True)
            return None if body is None else (body, properties.headers)

    def waiting(self, queue: str = "") -> int:
        """How many messages of a queue no worker has."""
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            declared = connection.channel().queue_declare(queue or self.queue, passive=True)
            return int(declared.method.message_count)

    def events(self, event: str) -> Counter[str]:
        """How often an event has been noted for each id."""
        counts: Counter[str] = Counter()
        for log in self.folder.glob("*.log"):
            for line in log.read_text().splitlines():
                if line.startswith(f"{event} "):
                    counts[line.partition(" ")[2]] += 1
        return counts

    def ask(self, statement: str) -> list[Any]:
        """The first column of what the database says."""
        with closing(sqlite3.connect(self.folder / "effects.db", timeout=60)) as effects:
            return [row[0] for row in effects.execute(statement)]

    def effects(self) -> int:
        """How many tasks have had their effect."""
        return int(self.ask("select count(*) from effects")[0])

    def repeats(self) -> int:
        """How often a task has come to an effect that was there."""
        return int(self.ask("select count(*) from repeats")[0])


def wait_until(condition: Callable[[], Any]) -> Any:
    """What it says, once that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, condition
        time.sleep(0.2)
    return result


def test_kills_of_a_worker_and_of_the_broker_lose_nothing(farm: Farm) -> None:
    """Each task runs at least once, and has its effect once, by its id."""
    for _ in range(3):
        farm.start()
    submitter = farm.submitting(COUNT, seconds=0.001)
    table = []
    for share, what in (
        (0.1, "kill -9 of a worker"),
        (0.3, "restart of the broker"),
        (0.6, "kill -9 of the broker"),
        (0.8, "kill -9 of a worker"),
    ):
        wait_until(lambda share=share: farm.effects() > COUNT * share)
        table.append((what, farm.effects(), farm.repeats()))
        if "worker" in what:
            farm.kill(farm.workers[0])
            farm.start()
        elif "restart" in what:
            farm.server.stop()
            farm.server.start()
        else:
            farm.server.kill()
            farm.server.start()
    assert submitter.wait(PATIENCE) == 0  # it was there when the broker went
    wait_until(lambda: farm.effects() == COUNT)
    wait_until(lambda: farm.waiting() == 0)
    for worker in list(farm.workers):
        assert farm.drain(worker) == "left 0"
    begun = farm.events("begin")
    print(f"\n{'at':>24}  effects  repeated")
    for what, effects, repeats in [*table, ("the end", farm.effects(), farm.repeats())]:
        print(f"{what:>24}  {effects:7}  {repeats:8}")
    print(f"runs {begun.total()}, of tasks {len(begun)}, of which repeated", end=" ")
    print(sum(count > 1 for count in begun.values()))
    expected = {str(number) for number in range(COUNT)}
    assert set(begun) == expected
    assert set(farm.ask("select id from effects")) == expected
    assert farm.waiting() == 0
    assert farm.take(f"{farm.queue}.poison") is None


def test_a_rolling_restart_repeats_none(farm: Farm) -> None:
    """What had not begun goes back, and runs elsewhere."""
    count = 10_000
    for _ in range(3):
        farm.start()
    farm.submit(count, seconds=0.02)
    for share in (0.1, 0.2, 0.3, 0.5, 0.6, 0.7):
        wait_until(lambda share=share: farm.effects() > count * share)
        print(farm.drain(farm.workers[0]))
        farm.start()
    wait_until(lambda: farm.effects() == count)
    for worker in list(farm.workers):
        farm.drain(worker)
    assert farm.events("begin") == farm.events("end")
    assert farm.events("begin") == Counter({str(number): 1 for number in range(count)})
    assert not farm.events("again")  # what was given back has not been tried


def test_a_limit_that_changes_all_the_time_repeats_none(farm: Farm) -> None:
    """What was on its way to a consumer that is replaced has not been tried either."""
    count = 20_000
    worker = farm.start()
    farm.publish(json.dumps({"function": "waver"}).encode())
    farm.submit(count, seconds=0.001)
    wait_until(lambda: farm.effects() == count)
    assert farm.drain(worker) == "left 0"
    assert farm.events("begin") == Counter({str(number): 1 for number in range(count)})
    assert not farm.events("again")


def test_who_submits_while_the_broker_restarts_submits_all(farm: Farm) -> None:
    farm.publish(b"{}")  # so that the queue is there
    with farm.submitting(COUNT, seconds=0) as submitter:
        wait_until(lambda: farm.waiting() > 1)
        farm.server.stop()
        assert submitter.poll() is None
        farm.server.start()
        assert submitter.wait(PATIENCE) == 0
    assert farm.waiting() >= COUNT


def test_a_worker_waits_for_a_broker_that_is_gone(farm: Farm) -> None:
    worker = farm.start()
    farm.submit(10)
    wait_until(lambda: farm.effects() == 10)
    farm.server.stop()
    unborn = farm.start()
    wait_until(lambda: "ConnectionRefused" in (farm.folder / "errors.log").read_text())
    assert worker.poll() is unborn.poll() is None
    farm.server.start()
    farm.submit(20)
    wait_until(lambda: farm.effects() == 20)
    assert {farm.drain(each) for each in list(farm.workers)} == {"left 0"}


def test_a_worker_that_waits_for_a_broker_ends_at_once_when_told(farm: Farm) -> None:
    farm.server.stop()
    worker = farm.start()
    wait_until(lambda: "ConnectionRefused" in (farm.folder / "errors.log").read_text())
    assert farm.drain(worker) == "left 0"
    farm.server.start()


def test_delay_queues_that_many_declare_at_once_let_all_messages_go(farm: Farm) -> None:
    """RabbitMQ may give the first no time to live by the queue, which would hold up all others."""
    worker = farm.start()
    for delay in (1.5, 3, 6, 12):
        farm.submit(10, delay=delay)
    wait_until(lambda: farm.events("end").total() == 40)
    assert farm.drain(worker) == "left 0"


def test_a_virtual_host_may_have_another_default_type_of_queues(farm: Farm) -> None:
    farm.url = farm.server.add_virtual_host("quorum")
    worker = farm.start()
    farm.submit(5, delay=1.5)
    wait_until(lambda: farm.effects() == 5)
    assert farm.drain(worker) == "left 0"


def test_a_delay_passes_in_the_broker_whoever_dies(farm: Farm) -> None:
    # A server that is killed forgets a quorum queue that it has made within the last second.
    farm.submit(1, delay=20)
    farm.server.stop()
    farm.server.start()
    before = time.time()
    farm.submit(3, delay=20)
    assert farm.waiting(f"{farm.queue}.delay.16") >= 3
    farm.server.kill()
    farm.server.start()
    farm.kill(farm.start())
    farm.start()
    wait_until(lambda: farm.events("begin")["1"])
    assert time.time() - before >= 20
    wait_until(lambda: farm.events("end").total() == 4)
    assert farm.drain(farm.workers[0]) == "left 0"
    assert farm.events("begin") == Counter({"0": 2, "1": 1, "2": 1})


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (b"{", {}, "not JSON: "),
        (b"\xff", {}, "not JSON: "),
        (b"[" * 100_000, {}, "not JSON: "),
        (b"[]", {}, "the body is not a JSON object"),
        (b"{}", {}, "the body has no function"),
        (b'{"function": "count", "args": 1}', {}, "the body's args are not a list"),
        (b'{"function": "nope"}', {}, "unknown function 'nope'"),
        (b'{"function": "count", "args": [1, 2]}', {}, "wrong arguments: "),
        (b'{"function": "count"}', {"timerwheel-due": "x"}, "the header timerwheel-due "),
    ],
)
def test_what_cannot_be_run_goes_to_the_poison_queue(
    farm: Farm, body: bytes, headers: dict[str, Any], reason: str
) -> None:
    farm.publish(body, headers={"kept": 1, "CC": [farm.queue], **headers})
    farm.start()
    took, headers = wait_until(lambda: farm.take(f"{farm.queue}.poison"))
    assert took == body
    assert headers["timerwheel-reason"].startswith(reason)
    assert headers["kept"] == 1
    assert farm.drain(farm.workers[0]) == "left 0"
    assert (farm.waiting(), farm.waiting(f"{farm.queue}.poison")) == (0, 0)


class Raw(pika.BasicProperties):
    """Properties of nothing but headers, which are encoded already."""

    def __init__(self, table: bytes) -> None:
        super().__init__()
        self.table = table

    def encode(self) -> list[bytes]:
        return [struct.pack(">HI", self.FLAG_HEADERS, len(self.table)), self.table]


def test_headers_that_pika_cannot_decode_hold_nobody_up(farm: Farm) -> None:
    body = b'{"function": "count", "args": [0]}'
    farm.publish(body, properties=Raw(b"\x01aT" + struct.pack(">Q", 1_732_600_000_000)))
    farm.submit(5)
    farm.start()
    took, headers = wait_until(lambda: farm.take(f"{farm.queue}.poison"))
    assert took == body
    assert "cannot be decoded" in headers["timerwheel-reason"]
    wait_until(lambda: farm.effects() == 5)
    assert farm.drain(farm.workers[0]) == "left 0"


def test_headers_that_fill_a_frame_hold_nobody_up(farm: Farm) -> None:
    farm.publish(b"{}", headers={"mine": "x" * 130_939})
    farm.start()
    _, headers = wait_until(lambda: farm.take(f"{farm.queue}.poison"))
    assert list(headers) == ["timerwheel-reason"]
    assert farm.drain(farm.workers[0]) == "left 0"


def test_a_task_that_kills_its_workers_goes_to_the_poison_queue(farm: Farm) -> None:
    farm.publish(json.dumps({"function": "die"}).encode(), message_id="killer", delivery_mode=2)
    for tries in range(1, 6):
        worker = farm.start()
        farm.wait(worker)
        assert (worker.returncode, farm.events("begin")["killer"]) == (3, tries)
    farm.start()
    _, headers = wait_until(lambda: farm.take(f"{farm.queue}.poison"))
    assert headers["timerwheel-failures"] == 5
    assert "failed 5 times" in headers["timerwheel-reason"]
