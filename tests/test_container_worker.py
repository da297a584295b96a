"""The worker of examples/container, without a container and a broker. tests/container has both."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import WARNINGS

EXAMPLE = Path(__file__).parent.parent / "examples/container"
PATIENCE = 60  # seconds after which a test has failed
NOBODY = "amqp://127.0.0.1:1/"


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[str]]:
    settings = {"BROKER": NOBODY, "PORT": "0", "PAGE_PORT": "0"}
    with subprocess.Popen(
        [sys.executable, *WARNINGS, EXAMPLE / "worker.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **settings},
    ) as process:
        yield process
        process.kill()


def port_of(worker: subprocess.Popen[str]) -> int:
    assert worker.stdout is not None
    said, _, port = worker.stdout.readline().rpartition(" ")
    assert said == "listening on port"
    return int(port)


def status_of(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as page:
            return int(page.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_it_is_healthy_and_not_ready_without_a_broker(worker: subprocess.Popen[str]) -> None:
    port = port_of(worker)
    pages = ("/healthz", "/readyz", "/metrics")
    assert [status_of(port, page) for page in pages] == [200, 503, 200]


def test_without_the_url_of_a_broker_it_says_what_to_set() -> None:
    settings = {name: value for name, value in os.environ.items() if name != "BROKER"}
    ended = subprocess.run(
        [sys.executable, *WARNINGS, EXAMPLE / "worker.py"],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=settings,
        check=False,
        timeout=PATIENCE,
    )
    assert (ended.returncode, ended.stderr) == (1, "set BROKER=amqp://...\n")


def test_it_ends_when_told(worker: subprocess.Popen[str]) -> None:
    status_of(port_of(worker), "/healthz")
    worker.send_signal(signal.SIGTERM)
    said, _ = worker.communicate(timeout=PATIENCE)
    assert said.splitlines() == ["draining 0 messages", "gave back 0 messages", "ended"]
    assert worker.returncode == 0


def test_the_orchestrator_gives_it_more_time_than_it_takes() -> None:
    manifest = (EXAMPLE / "kubernetes/deployment.yaml").read_text()
    (given,) = re.findall(r"terminationGracePeriodSeconds: (\d+)", manifest)
    (grace,) = re.findall(r'name: GRACE, value: "(\d+)"', manifest)
    assert int(given) > int(grace) + 10
