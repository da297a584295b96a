"""`aiohttp_server.py` and the example `aio_server.py`, small: right answers on each event loop."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp_load import Seen, WebSocket
from aiohttp_server import PARTIES

BENCH = Path(__file__).parent
EXAMPLE = BENCH.parents[1] / "examples" / "aio_server.py"

PATIENCE = 60.0
"""Seconds after which a process is taken to hang."""


def test_the_benchmark() -> None:
    command = [sys.executable, str(BENCH / "aiohttp_server.py"), "--json", "--rounds=1"]
    command += ["--connections=60", "--rate=100", "--seconds=1.5", "--heartbeat=1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=4 * PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
    runs = json.loads(done.stdout)["runs"]
    assert list(runs) == list(PARTIES)
    for (run,) in runs.values():
        assert run["messages"] > 20
        assert run["cpu"] > 0
        assert run["heartbeats"] > 0


@contextmanager
def example(loop: str) -> Iterator[int]:
    """Run the example on one of its loops, until the block ends. Yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLE), f"--port={port}", f"--loop={loop}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(port)
        yield port
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        assert (process.returncode, errors) == (0, "")
    finally:
        process.kill()
        process.communicate()


def wait_for(port: int) -> None:
    """Wait until somebody listens on a port."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop", "ours", "uvloop+ours"])
def test_the_example(loop: str) -> None:
    with example(loop) as port:
        client = WebSocket(1, port, Seen())
        client.begin()
        client.begun()
        for _ in range(3):
            client.send()
            while not client.receive():
                pass
        address = f"http://127.0.0.1:{port}/timers"
        timers = urllib.request.urlopen(address, timeout=PATIENCE).read().decode()
        client.socket.close()
    assert ("scheduled: " in timers) == loop.endswith("ours")
