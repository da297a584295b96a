"""Starts the processes of one side, server and clients, and collects what they found."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from threading import Timer
from typing import IO, Any

from timerwheel.commands.demo.plan import Plan
from timerwheel.commands.demo.result import LoadResult, ServerResult, SideResult
from timerwheel.commands.sides import NotStartedError, SideError

PATIENCE = 60.0
"""Seconds beyond those planned after which a process is taken to hang, and killed."""


class Child:
    """A process of the demonstration: writes lines of JSON to its standard output."""

    def __init__(self, module: str, arguments: list[str], errors: IO[str]) -> None:
        self._errors = errors
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"timerwheel.commands.demo.{module}", *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )

    def lines(self) -> Iterator[dict[str, Any]]:
        """Wait for what the process writes, line by line, until it ends."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield json.loads(line)

    def kill(self) -> None:
        """End the process if it has not ended by itself."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process, and read no more of what it wrote."""
        self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def reason(self) -> str:
        """@return: the last line the process wrote to its standard error, or its exit code."""
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else f"exit code {code}"


@contextmanager
def started(module: str, arguments: list[str], seconds: float) -> Iterator[Child]:
    """Start a process, and see to it that it has ended when the block is left.

    @param seconds: when to kill it.
    """
    with tempfile.TemporaryFile("w+") as errors:
        child = Child(module, arguments, errors)
        guard = Timer(seconds, child.kill)
        guard.start()
        try:
            yield child
        finally:
            guard.cancel()
            child.close()


@dataclass(frozen=True)
class Page:
    """The page that a side is to have.

    @ivar port: where; 0 is any port that is free.
    @ivar announce: is told its URL.
    """

    port: int
    announce: Callable[[str], None]


def run_side(
    side: str,
    reactor: str,
    plan: Plan,
    progress: Callable[[float], None],
    page: Page | None = None,
) -> SideResult:
    """Run one side from beginning to end.

    @param side: `"stock"` or `"ours"`.
    @param reactor: the short name of the reactor.
    @param progress: is told how many of the `plan.lead + plan.seconds` seconds have passed.
    @param page: for our side alone; `None` for no page.

    @raise NotStartedError: the server did not start.
    @raise SideError: a process ended without a result.
    """
    limit = PATIENCE + 2 * (plan.lead + plan.seconds)
    arguments = ["--side", side, "--reactor", reactor, "--plan", json.dumps(asdict(plan))]
    if page is not None:
        arguments.append(f"--page={page.port}")
    with started("server", arguments, limit) as server:
        lines = server.lines()
        opening = next(lines, None)
        if opening is None:
            raise NotStartedError(f"the {side} server did not start: {server.reason()}")
        if page is not None:
            page.announce(opening["page"])
        arguments = [f"--port={opening['port']}", f"--connections={plan.connections}"]
        arguments += [f"--pace={plan.messages}", f"--seconds={limit}"]
        with started("load", arguments, limit + PATIENCE) as load:
            result = _await_result(lines, progress)
            if result is None:
                raise SideError(f"the {side} server gave no result: {server.reason()}")
            seen = next(load.lines(), None)
            if seen is None:
                raise SideError(f"the clients gave no result: {load.reason()}")
    return SideResult(ServerResult(**result), LoadResult(**seen))


def _await_result(
    lines: Iterator[dict[str, Any]], progress: Callable[[float], None]
) -> dict[str, Any] | None:
    """@return: the server's result; `None` when it ended without one."""
    for line in lines:
        if line.pop("event") == "result":
            return line
        progress(line["seconds"])
    return None
