"""Who scheduled a timer: the nearest frames of the program itself."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

FRAMES = 3
"""The number of frames of an origin."""

BETWEEN = frozenset({"pytest_timerwheel", "timerwheel", "twisted"})
"""Packages between a program and its reactor: an origin leaves their frames out."""

RUNNERS = ("_pytest.", "pluggy.", "twisted.trial.", "unittest.case.")
"""Test runners: their frames, and the frames below, are not the program's."""


class Frame(NamedTuple):
    """A place in a program. (Frames themselves would keep all their variables alive.)"""

    code: CodeType
    line: int

    def __str__(self) -> str:
        path = Path(self.code.co_filename)
        with suppress(OSError, ValueError):  # the test may have removed the directory it is in
            path = path.relative_to(Path.cwd())
        name = getattr(self.code, "co_qualname", self.code.co_name)  # Python 3.11 and later
        return f"{path}:{self.line} in {name}"


def find_origin() -> tuple[Frame, ...]:
    """The program's nearest frames, innermost first; if there are none, Twisted's.

    Call it within a `callLater`. It returns no frames if the test runner itself scheduled the
    timer, as trial does for its timeouts. Takes a step for each frame.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name == "callLater":
        frame = frame.f_back
    return _frames(frame, BETWEEN) or _frames(frame, frozenset())


def _frames(frame: FrameType | None, left_out: frozenset[str]) -> tuple[Frame, ...]:
    found: list[Frame] = []
    while frame is not None and len(found) < FRAMES:
        module: str = frame.f_globals.get("__name__") or ""
        if f"{module}.".startswith(RUNNERS):
            break
        if module.partition(".")[0] not in left_out:
            found.append(Frame(frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return tuple(found)
