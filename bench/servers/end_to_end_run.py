"""
One run of a server and its load, each in a process of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from threading import Timer
from typing import IO, Any

from end_to_end_load import BODY

PATIENCE = 30.0
"""Seconds that a process may take beyond the measurement; then it is taken to hang, and killed."""

HERE = Path(__file__).parent


class RunError(Exception):
    """A run gave no figures. The message says why."""


@dataclass
class Plan:
    """What all runs have in common."""

    seconds: float
    connections: int
    reactor: str
    pairs: int


@dataclass
class Run:
    """
    What one run found.

    @ivar measured: what the server measured.
    @ivar faults: what was wrong, a sentence each.
    """

    measured: dict[str, Any]
    faults: list[str] = field(default_factory=list)


class Child:
    """A process that writes lines of JSON, others perhaps among them."""

    def __init__(self, name: str, command: list[str], errors: IO[str]) -> None:
        self._name = name
        self._errors = errors
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)

    def next_line(self) -> dict[str, Any]:
        """
        @return: the next line of JSON, without what lies before it.

        @raise RunError: the process has ended.
        """
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                found: dict[str, Any] = json.loads(line)
                return found
        raise RunError(f"the {self._name} gave no result: {self.complaint()}")

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def complaint(self) -> str | None:
        """
        Wait for the end.

        @return: the last line of standard error or else the exit code; `None` after a clean end.
        """
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        if lines:
            return lines[-1]
        if code == -signal.SIGKILL:
            return "it hung, and was killed"
        return f"exit code {code}" if code else None

    def faults(self) -> list[str]:
        """
        Wait for the end.

        @return: one sentence when it was not clean.
        """
        complaint = self.complaint()
        return [f"the {self._name} did not end cleanly: {complaint}"] if complaint else []

    def kill(self) -> None:
        """End the process if it has not ended by itself."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def processors(name: str) -> set[int]:
    """
    A server and its load that came to share a processor would count as slow, whatever the timers.

    @return: where the process `name` is to run: one processor for the server, all others for the
        load; empty where there are no two, or the system does not let us choose.
    """
    if not hasattr(os, "sched_setaffinity"):
        return set()
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        return set()
    return {first} if name == "server" else set(others)


@contextmanager
def children_on(allowed: set[int]) -> Iterator[None]:
    """Have what is started in the block run on these processors; anywhere if there are none."""
    if not allowed:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, allowed)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def started(name: str, command: list[str], seconds: float) -> Iterator[Child]:
    """
    Start a process, and see to it that it has ended when the block is left.

    @param name: `"server"` or `"load"`.
    @param seconds: when to kill it.
    """
    with tempfile.TemporaryFile("w+") as errors:
        with children_on(processors(name)):
            child = Child(name, command, errors)
        guard = Timer(seconds, child.kill)
        guard.start()
        try:
            yield child
        finally:
            guard.cancel()
            child.kill()


def wrk_version(wrk: str) -> str:
    """
    @return: the name and version of wrk, the first two words it says of itself.
    """
    said = subprocess.run([wrk, "-v"], check=False, capture_output=True, text=True, timeout=10)
    return " ".join(said.stdout.split()[:2])


def server_command(side: str, workload: str, plan: Plan, *, instrument: bool) -> list[str]:
    """
    @return: the command of a server.
    """
    return [
        sys.executable,
        str(HERE / "end_to_end_server.py"),
        f"--side={side}",
        f"--workload={workload}",
        f"--reactor={plan.reactor}",
        f"--seconds={plan.seconds}",
        *(["--instrument"] if instrument else []),
    ]


def load_command(workload: str, port: int, plan: Plan, wrk: str | None, limit: float) -> list[str]:
    """
    @param wrk: where wrk is; `None` for our own clients.
    @param limit: seconds after which wrk, which wants to know, stops by itself.

    @return: the command of what loads the server until SIGINT.
    """
    if wrk is None:
        script = str(HERE / "end_to_end_load.py")
        arguments = [f"--workload={workload}", f"--port={port}"]
        return [sys.executable, script, *arguments, f"--connections={plan.connections}"]
    size = ["-t1", f"-c{plan.connections}", f"-d{ceil(limit)}s"]
    script = str(HERE / "end_to_end.lua")
    return [wrk, *size, "-s", script, f"http://127.0.0.1:{port}/", "--", BODY.decode()]


def run_once(side: str, workload: str, plan: Plan, wrk: str | None, *, instrument: bool) -> Run:
    """
    Run a server and its load from beginning to end.

    @raise RunError: one of them ended without a result, or no message came while it measured.
    """
    command = server_command(side, workload, plan, instrument=instrument)
    try:
        run = run_processes(command, workload, plan, wrk)
    except RunError as error:
        raise RunError(f"{workload}, {side}: {error}") from None
    return Run(run.measured, [f"{workload}, {side}: {fault}" for fault in run.faults])


def run_processes(command: list[str], workload: str, plan: Plan, wrk: str | None) -> Run:
    """
    As `run_once`, given the command of the server.
    """
    limit = PATIENCE + plan.seconds
    with started("server", command, limit) as server:
        port = server.next_line()["port"]
        with started("load", load_command(workload, port, plan, wrk, limit), limit) as load:
            measured = server.next_line()
            load.signal(signal.SIGINT)
            seen = load.next_line()
            faults = load.faults()
        server.signal(signal.SIGTERM)
        stopped = server.next_line()
        faults += server.faults() + stopped["problems"]
    faults += load_faults(seen, stopped["messages"], plan.connections)
    if not measured["rate"]:
        raise RunError("; ".join(faults))
    return Run(measured, faults)


def load_faults(seen: dict[str, Any], answered: int, connections: int) -> list[str]:
    """
    @param seen: what the load says.
    @param answered: messages that the server says it answered.

    @return: what is wrong, a sentence each.
    """
    received = seen["received"]
    if "sent" in seen:
        faults: list[str] = seen["problems"]
        agreed = seen["sent"] == received == answered
    else:
        counts = {"wrong responses": seen["wrong"], "socket errors": seen["errors"]}
        faults = [f"{count:,} {what}" for what, count in counts.items() if count]
        # wrk hangs up without waiting for the answers to its last requests, one a connection.
        agreed = received <= answered <= received + connections
    if not agreed and not faults:
        sent = seen.get("sent", "an unknown number of")
        faults.append(f"{sent} messages sent, {answered} answered, {received} answers received")
    return faults
