"""The two sides of a comparison, stock and ours: each a process, which answers questions.

A side is a module that is run with its side's name as first argument. It writes a line of JSON when
it is ready, and then one for each that it reads.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


class SideError(Exception):
    """A side did not do its work. The message says why."""


class NotStartedError(SideError):
    """A side could not even start."""


class Side:
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
            self.end()
            raise NotStartedError(f"the {name} side did not start")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

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

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.communicate()


def install(side: str) -> Any:
    """In the process of a side: install its default reactor, and return it.

    @param side: `"stock"` or `"ours"`.
    """
    # Whoever started this ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if side == "ours":
        import timerwheel

        timerwheel.install()
    from twisted.internet import reactor

    return reactor


def class_name(reactor: Any) -> str:
    """The full name of a reactor's class."""
    kind = type(reactor)
    return f"{kind.__module__}.{kind.__qualname__}"


def serve(greeting: object, answer: Callable[[Any], dict[str, Any]]) -> None:
    """In the process of a side: say that it is ready, and answer until the input ends."""
    print(json.dumps(greeting), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
