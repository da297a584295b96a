"""Ask a program's page of `timerwheel.web`, at a UNIX socket, for everything about its timers."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timerwheel.commands.address import NoAnswerError, ask
from timerwheel.commands.buckets import bound, difference, percentile
from timerwheel.commands.report.text import amount, clean, seconds

NAME = "timerwheel"
"""This asks only sockets with this in their file name, so it disturbs no other."""

PATIENCE = 10.0
"""Seconds to wait for the pending calls: the page counts them only when somebody asks."""

_PAUSE = 0.2
_ROWS = 20
_LISTENS = 0x10000  # include/uapi/linux/net.h: __SO_ACCEPTCON


@dataclass(frozen=True)
class Page:
    """The answer of a page.

    @ivar address: of its socket.
    @ivar data: as `timerwheel.web.snapshot` makes it; `None` if there was no answer.
    @ivar trouble: why there was none.
    """

    address: str
    data: dict[str, Any] | None
    trouble: str | None

    def lines(self) -> Iterator[tuple[str, str]]:
        """@return: names and sentences, for a person."""
        yield "  page", self.trouble or self.address
        if self.data is not None:
            yield from _status(self.data["status"])
            yield from _figures(self.data["stats"])
            if self.data["survey"] is not None:
                yield from _survey(self.data["survey"])
            if self.data["watch"] is not None:
                yield from _watch(self.data["watch"])


def find_page(folder: Path) -> Page | None:
    """Ask the page of a process.

    @param folder: of the process in /proc.

    @return: `None` if it has no socket whose name says that it is for this.
    """
    for path in _listening(folder):
        if NAME in Path(path).name:
            try:
                return Page(path, _ask_patiently(path), None)
            except NoAnswerError as error:
                return Page(path, None, str(error))
    return None


def _listening(folder: Path) -> Iterator[str]:
    """The paths of the UNIX sockets at which a process listens."""
    try:
        table = (folder / "net/unix").read_text(errors="surrogateescape").splitlines()[1:]
        links = [os.readlink(link) for link in (folder / "fd").iterdir()]
        start = os.readlink(folder / "cwd")
    except OSError:
        return
    own = {match[1] for link in links if (match := re.fullmatch(r"socket:\[(\d+)\]", link))}
    for line in table:
        _, _, _, flags, _, _, inode, *path = line.split(maxsplit=7)
        if path and inode in own and int(flags, 16) & _LISTENS and not path[0].startswith("@"):
            yield os.path.join(start, path[0])


def _ask_patiently(address: str) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    while True:
        data = ask(f"unix:{address}")
        if data["survey"] is not None or time.monotonic() > end:
            return data
        time.sleep(_PAUSE)


def _status(status: dict[str, Any]) -> Iterator[tuple[str, str]]:
    versions = ", ".join(f"{name} {version}" for name, version in status["versions"].items())
    yield "  reactor", f"{status['reactor']}, {status['clock']} clock, wakes: {status['precision']}"
    yield "  versions", versions
    for name, function in status["overridden"].items():
        yield "  not the wheel's", clean(f"{name} is {function}")


def _figures(stats: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in stats.items():
        if name in ("lateness", "calls_per_pass"):
            show = seconds if name == "lateness" else _whole
            buckets, largest = difference([], value["buckets"]), bound(value["largest"])
            points = [
                f"{percent} % {show(min(percentile(buckets, percent), largest))}"
                for percent in (50, 99, 99.9)
            ]
            text = f"{', '.join(points)}, largest {show(largest)}"
        elif name in ("seconds_in_passes", "longest_pass", "until_deadline", "elapsed"):
            text = seconds(value)
        else:
            text = f"{value:,}{' bytes' if name == 'memory' else ''}"
        yield f"  {name.removeprefix('seconds_').replace('_', ' ')}", text


def _whole(bound: float) -> str:
    """The largest whole number that a bucket with this bound can have."""
    return amount(math.floor(bound)) if bound < math.inf else seconds(bound)


def _survey(survey: dict[str, Any]) -> Iterator[tuple[str, str]]:
    about = "" if survey["every"] == 1 else "about "
    for by, groups in survey["by"].items():
        for group in groups[:_ROWS]:
            last = "never" if group["latest"] is None else seconds(group["latest"])
            yield (
                f"  by {by}",
                f"{about}{group['count']:,} due in {seconds(group['soonest'])} to {last}: "
                f"{clean(group['name'])}",
            )
    for one in survey["times"]:
        yield (
            "  took",
            f"{seconds(one['total'])} in {one['count']:,} calls, 99 % {seconds(one['p99'])}, "
            f"longest {seconds(one['longest'])}: {clean(one['function'])}",
        )


def _watch(watch: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "  slow calls", f"{watch['slow_calls']:,}, and {watch['stalls']:,} stalls"
    for call in watch["latest_slow"]:
        origin = "" if call["origin"] is None else f", scheduled at {call['origin']}"
        yield "  slow", clean(f"{call['function']} took {seconds(call['seconds'])}{origin}")
