"""Runs functions in child processes, which may crash or hang."""

from __future__ import annotations

import faulthandler
import os
import pickle
import resource
import select
import signal
from collections.abc import Callable, Iterator
from traceback import format_exc
from typing import Any

# Only a hang takes so long without a word, seconds.
LIMIT = 30.0
HANGS = "hangs"


class EndedError(Exception):
    """A child ended otherwise than by returning: it crashed, or hung and was killed."""


class Broken:
    """A child's last answer, when what it ran raised."""

    def __init__(self, text: str) -> None:
        self.text = text


def answers(function: Callable[[], Iterator[Any]], stack: int | None = None) -> Iterator[Any]:
    """Run a generator function in a child; yield what it yields, pickled in between.

    stack: of so many bytes at most. Raises EndedError.
    """
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(source)
        _answer(function, sink, stack)
    os.close(sink)
    hung = False
    with open(source, "rb", buffering=0) as pipe:
        try:
            received = b""
            while True:
                if not select.select([pipe], [], [], LIMIT)[0]:
                    hung = True
                    break
                chunk = pipe.read(65536)
                if not chunk:
                    break
                received += chunk
                while len(received) >= 8:
                    end = 8 + int.from_bytes(received[:8], "big")
                    if len(received) < end:
                        break
                    answer = pickle.loads(received[8:end])
                    received = received[end:]
                    if isinstance(answer, Broken):
                        raise EndedError(answer.text)
                    yield answer
        finally:
            os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
    if hung:
        raise EndedError(HANGS)
    code = os.waitstatus_to_exitcode(status)
    # It was killed after it had closed its end, so it may be too late for its own.
    if code not in (0, -signal.SIGKILL):
        raise EndedError(
            f"ends by {signal.Signals(-code).name}" if code < 0 else f"exits with {code}"
        )


def _answer(function: Callable[[], Iterator[Any]], sink: int, stack: int | None) -> None:
    code = 70
    try:
        faulthandler.disable()  # a crash is an answer
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        if stack is not None:
            resource.setrlimit(resource.RLIMIT_STACK, (stack, stack))
        try:
            for answer in function():
                _write(sink, pickle.dumps(answer))
        except BaseException:
            _write(sink, pickle.dumps(Broken(format_exc())))
        code = 0
    finally:
        os._exit(code)


def _write(sink: int, answer: bytes) -> None:
    message = len(answer).to_bytes(8, "big") + answer
    while message:
        message = message[os.write(sink, message) :]
