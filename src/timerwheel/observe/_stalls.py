"""The thread that finds a stuck call, while it is stuck."""

from __future__ import annotations

import sys
from threading import Thread
from time import sleep
from traceback import format_stack
from typing import Protocol
from weakref import ref

from timerwheel._core import CallWatch


class Owner(Protocol):
    """The receiver of stalls: a Watch."""

    @property
    def active(self) -> bool:
        """Whether the thread should go on."""

    def call_stuck(self, call: object, seconds: float, stack: str) -> None:
        """A call is stuck. Called once for each."""


class StallThread(Thread):
    """Looks for a stuck call every pause seconds, while its owner exists and is active.

    It has only weak references to the reactor's objects, which may become garbage.
    """

    def __init__(self, owner: Owner, calls: CallWatch, pause: float) -> None:
        super().__init__(name="timerwheel stalls", daemon=True)
        self._owner = ref(owner)
        self._calls = ref(calls)
        self._pause = pause

    def run(self) -> None:
        while self.look():
            sleep(self._pause)

    def look(self) -> bool:
        """Report the current call if it is stuck. Returns whether to go on."""
        owner, calls = self._owner(), self._calls()
        if owner is None or calls is None or not owner.active:
            return False
        stuck = calls.find_stall()
        if stuck is not None:
            call, seconds, thread = stuck
            frame = sys._current_frames().get(thread)
            stack = "".join(format_stack(frame)) if frame is not None else "(no Python code)\n"
            # (A file name that is not UTF-8 has surrogates, which no log can write.)
            owner.call_stuck(call, seconds, stack.encode(errors="backslashreplace").decode())
        return True
