"""A server and its load, each in a process of its own, from beginning to end.

Both write lines of JSON. The server tells its port, then what it measured, and in the end what it
answered in all. The load tells what it saw.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import IO, Any, NoReturn

PATIENCE = 30.0
"""Seconds that a process may take beyond the measurement; then it is taken to hang, and killed."""

HERE = Path(__file__).parent


class RunError(Exception):
    """A run gave no figures. The message says why."""


class Child:
    """A process that writes lines of JSON, others perhaps among them."""

    def __init__(self, name: str, command: list[str], errors: IO[str]) -> None:
        self._name = name
        self._errors = errors
        self._is_given_up = False
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
        complaint = self.complaint() or "it ended too early, with exit code 0"
        raise RunError(f"the {self._name} gave no result: {complaint}")

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def complaint(self) -> str | None:
        """
        Wait for the end.

        @return: how it ended, and the last line of standard error; `None` after a clean end.
        """
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return ": ".join(self._how(code) + lines[-1:]) or None

    def _how(self, code: int) -> list[str]:
        if self._is_given_up:
            return ["it hung, and was killed"]
        if code < 0:
            return [f"ended by {signal.Signals(-code).name}"]
        return [f"exit code {code}"] if code else []

    def faults(self) -> list[str]:
        """
        Wait for the end.

        @return: one sentence when it was not clean.
        """
        complaint = self.complaint()
        return [f"the {self._name} did not end cleanly: {complaint}"] if complaint else []

    def give_up(self) -> None:
        """Kill the process, which has taken too long."""
        self._is_given_up = self._process.poll() is None
        self._process.kill()

    def close(self) -> None:
        """Kill the process if it has not ended by itself."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


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
        guard = Timer(seconds, child.give_up)
        guard.start()
        try:
            yield child
        finally:
            guard.cancel()
            child.close()


def run_both(
    server_command: list[str],
    load_command: Callable[[int], list[str]],
    limit: float,
    begin: Callable[[Child, Child], None] = lambda server, load: None,
) -> tuple[dict[str, Any], dict[str, Any], int, list[str]]:
    """
    Run a server and its load from beginning to end.

    @param load_command: returns the command of the load, given the server's port.
    @param limit: seconds after which each of them counts as hung.
    @param begin: is called with both when they have started.

    @return: what the server measured, what the load saw, how many messages the server answered,
        and what was wrong, a sentence each.

    @raise RunError: one of them ended without a result.
    """
    with started("server", server_command, limit) as server:
        port = server.next_line()["port"]
        try:
            with started("load", load_command(port), limit) as load:
                begin(server, load)
                measured = server.next_line()
                load.signal(signal.SIGINT)
                seen = load.next_line()
                faults = load.faults()
        except RunError as error:
            raise RunError("; ".join([str(error), *last_words(server)])) from None
        answered, problems = ended(server)
    return measured, seen, answered, faults + problems


def ended(server: Child) -> tuple[int, list[str]]:
    """
    End a server.

    @return: how many messages it answered, and what was wrong.
    """
    server.signal(signal.SIGTERM)
    stopped = server.next_line()
    return stopped["messages"], server.faults() + stopped["problems"]


def last_words(server: Child) -> list[str]:
    """
    @return: what was wrong with a server, if its load gave no result.
    """
    try:
        return ended(server)[1]
    except RunError as error:
        return [str(error)]


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


def say_what_ends() -> None:
    """Have this process say which signal ended it, and first end what it has started."""

    def end(number: int, _frame: object) -> NoReturn:
        sys.exit(f"FAILED: ended by {signal.Signals(number).name}")

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, end)
