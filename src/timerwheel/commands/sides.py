"""The two sides of a comparison, stock and ours: each a process, which answers questions.

A side is a module that is run with its side's name as first argument. It writes a line of JSON when
it is ready, and then one for each that it reads; `side_process.py` does that.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from typing import Any

from timerwheel._stoppable import Stoppable


class SideError(Exception):
    """A side did not do its work. The message says why."""


class NotStartedError(SideError):
    """A side could not even start."""


def told(error: SideError) -> int:
    """Tell the user why there is no comparison.

    @return: the exit code.
    """
    print(f"FAILED: {error}", file=sys.stderr)
    return 2 if isinstance(error, NotStartedError) else 1


class Side(Stoppable):
    """The process of a side. It ends when the block is left that it manages.

    @ivar name: `"stock"` or `"ours"`.
    @ivar greeting: what it said when it was ready.
    """

    def __init__(self, module: str, name: str, *arguments: str) -> None:
        """Start it and wait until it is ready. Raises NotStartedError if it ends before."""
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, name, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.greeting: Any = self._read()
        if self.greeting is None:
            self.stop()
            raise NotStartedError(f"the {name} side did not start")

    def ask(self, question: object, about: str) -> dict[str, Any]:
        """Ask, and wait for the answer.

        @param about: what it is about, for errors.

        @raise SideError: the answer names a problem, or the process has ended.
        """
        assert self._process.stdin is not None
        # Who has ended does not read: that shows when it does not answer.
        with suppress(BrokenPipeError):
            print(json.dumps(question), file=self._process.stdin, flush=True)
        answer: dict[str, Any] | None = self._read()
        if answer is None:
            raise SideError(
                f"{self.name}, {about}: the process ended with code {self._process.wait()}"
            )
        if answer["problem"] is not None:
            raise SideError(f"{self.name}, {about}: {answer['problem']}")
        return answer

    def _read(self) -> Any:
        """What the process says; `None` when it has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else None

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.communicate()
