"""Everything about a reactor's timers, as text to read: `timerwheel.dump()`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from traceback import format_exc, format_stack
from types import FrameType
from typing import Any, TextIO

from timerwheel._core import find_queue
from timerwheel.observe._histogram import Histogram
from timerwheel.observe._pending import pending
from timerwheel.observe._stats import Stats, stats
from timerwheel.observe._status import status
from timerwheel.observe._watch import FunctionTimes
from timerwheel.observe._wheel import require_queue, time_of

# The most lines of each table.
_MOST = 20


def dump(reactor: Any, file: TextIO | None = None) -> None:
    """Write the status and figures of a reactor, its pending calls, and the times of a watch.

    file is a text file; None is sys.stderr. Holds up the reactor for some microseconds a pending
    call. Raises ValueError if the reactor has no wheel.
    """
    require_queue(reactor)
    print(_text(reactor), end="", file=sys.stderr if file is None else file, flush=True)


def dump_on_signal(reactor: Any, signum: int, file: TextIO | None = None) -> None:
    """Write the stack and a dump() whenever the process receives a signal, such as SIGUSR1.

    Python handles signals in the main thread between two instructions, so this also works while a
    call is stuck in Python code. file needs a descriptor; None is sys.stderr. Once you close it,
    this writes nothing. This replaces the signal's previous handler. To stop, call
    `signal.signal(signum, signal.SIG_DFL)`.

    Raises ValueError if the reactor has no wheel, or outside the main thread; OSError for a signal
    that cannot be handled or a file without a descriptor.
    """
    require_queue(reactor)
    output = sys.stderr if file is None else file
    output.fileno()

    def on_signal(number: int, frame: FrameType | None) -> None:
        # (To the descriptor, because the signal may arrive while Python writes the file's buffer.)
        try:
            text = f"Signal {number}, at:\n{''.join(format_stack(frame))}{_text(reactor)}"
        except Exception:  # which would be raised in the middle of the program
            text = f"No dump of timers after signal {number}:\n{format_exc()}"
        _write(output, text.encode(errors="backslashreplace"))

    signal.signal(signum, on_signal)


def _write(file: TextIO, data: bytes) -> None:
    try:
        while data:
            # (Asked each time, because a closed file's number may be another file's by now.)
            data = data[os.write(file.fileno(), data) :]
    except (OSError, ValueError):
        return  # full or closed: there is nowhere to report it


def _text(reactor: Any) -> str:
    lines = [f"{status(reactor)!r}"]
    queue = find_queue(reactor)
    if queue is not None:
        lines += _figures(stats(reactor), time_of(reactor))
        for by in ("function", "origin", "time"):
            lines += _pending(reactor, by)
        watch = None if queue.watch is None else queue.watch.owner
        lines += [] if watch is None else _times(watch.times())
    return "".join(f"{line}\n" for line in lines)


def _figures(figures: Stats, now: float) -> Iterator[str]:
    yield "Figures since the wheel was put in:"
    for name in Stats.__dataclass_fields__:
        value = getattr(figures, name)
        if isinstance(value, Histogram):
            value = _summary(value)
        elif name == "next_deadline" and value is not None:
            value = f"in {value - now:.6f} s"
        elif isinstance(value, float):
            value = f"{value:.6f} s"
        yield f"  {name:18}{value}"


def _summary(histogram: Histogram) -> str:
    points = [f"{percent} % {histogram.percentile(percent):.6g}" for percent in (50, 90, 99, 99.9)]
    return f"{', '.join(points)}, largest {histogram.largest:.6g}"


def _pending(reactor: Any, by: str) -> Iterator[str]:
    groups = pending(reactor, by=by)
    yield f"Pending by {by}:{'' if groups else ' none'}"
    for group in groups[:_MOST]:
        yield (
            f"  {group.count:>9,}  due in {group.soonest:.3f} to {group.latest:.3f} s  {group.name}"
        )
    yield from _rest(len(groups))


def _times(functions: list[FunctionTimes]) -> Iterator[str]:
    yield f"Times since the watch began:{'' if functions else ' none'}"
    for one in functions[:_MOST]:
        yield (
            f"  {one.count:>9,} calls, {one.total:.3f} s in all, 99 % {one.p99:.6f} s, "
            f"longest {one.longest:.6f} s  {one.function}"
        )
    yield from _rest(len(functions))


def _rest(count: int) -> Iterator[str]:
    if count > _MOST:
        yield f"  and {count - _MOST:,} more"
