"""The tested process, as the one that tests it has it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from select import select
from time import monotonic, sleep
from typing import Any

from plan import Plan
from wall_clock import WallClock

CHILD = Path(__file__).with_name("child.py")

# Seconds in which a command is answered, and in which a process that is to end has ended.
LIMIT = 60.0


class ProcessError(Exception):
    """The process ended, or failed to answer."""


class Process:
    """Starts the process on a clock that can be stepped, and commands it."""

    def __init__(self, plan: Plan, clock: WallClock) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(CHILD), plan.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=clock.environment(),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._commands, self._answers = self._process.stdin, self._process.stdout

    def ask(self, name: str, *arguments: Any) -> Any:
        """Have a command carried out; return the answer."""
        try:
            self._commands.write(json.dumps([name, *arguments]).encode() + b"\n")
        except BrokenPipeError:
            raise self._ended(name) from None
        if not select([self._answers], [], [], LIMIT)[0]:
            raise self._hangs(name)
        line = self._answers.readline()
        if not line:
            raise self._ended(name)
        answer = json.loads(line)
        if "failed" in answer:
            raise ProcessError(f"the command {name} failed: {answer['failed']}")
        return answer["answer"]

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        self._process.send_signal(number)

    def finish(self) -> None:
        """Tell the process that no more commands will come, upon which it ends."""
        self._commands.close()
        if self._process.wait(LIMIT):
            raise self._ended("its end")

    def close(self) -> None:
        """End the process if it still runs."""
        self._process.kill()
        with self._process:
            pass

    def _ended(self, name: str) -> ProcessError:
        status = self._process.wait(LIMIT)
        return ProcessError(f"the process ended with status {status} when it came to {name}")

    def _hangs(self, name: str) -> ProcessError:
        """Have it print its stacks, and end."""
        self._process.send_signal(signal.SIGABRT)
        sleep(1)
        return ProcessError(f"no answer to {name} within {LIMIT:g} s")


def wait_for(condition: Any, seconds: float) -> bool:
    """Whether a condition comes to hold within so many seconds."""
    end = monotonic() + seconds
    while not condition():
        if monotonic() > end:
            return False
        sleep(0.05)
    return True
