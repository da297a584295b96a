"""Ask the kernel about a running process: whether the wheel is on, without code in the process.

Only on Linux: this reads /proc. Facts that only the program knows, such as which methods are the
wheel's, come from its page of `timerwheel.web`, if it has one at a UNIX socket (`page.py`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from timerwheel.commands.info.page import Page, find_page

_PROC = Path("/proc")

_CORE = re.compile(r"\s(/.*/timerwheel/_core\.[^/]*\.(?:so|pyd))(?: \(deleted\))?$", re.MULTILINE)
_TIMERFD = "anon_inode:[timerfd]"
_EPOLL = "anon_inode:[eventpoll]"


@dataclass(frozen=True)
class Alarm:
    """A timerfd of a process.

    @ivar descriptor: its number.
    @ivar seconds: until it goes off; `None` when it is not set.
    @ivar epolls: the numbers of the epolls that watch it.
    """

    descriptor: int
    seconds: float | None
    epolls: tuple[int, ...]


@dataclass(frozen=True)
class Process:
    """The facts about a process.

    @ivar pid: its number.
    @ivar command: its command line.
    @ivar extension: the file of the extension that is loaded; `None` when it is not.
    @ivar version: of the package that the file belongs to, by the name of its metadata's folder.
    @ivar alarms: its timerfds.
    @ivar page: what its page told; `None` if it has none at a UNIX socket.
    """

    pid: int
    command: str
    extension: str | None
    version: str | None
    alarms: tuple[Alarm, ...]
    page: Page | None

    @property
    def wheel(self) -> bool:
        """Whether a reactor has the wheel: its timerfd exists, or its page says so."""
        told = self.page is not None and self.page.data is not None
        return told or (self.extension is not None and bool(self.alarms))

    def facts(self) -> dict[str, Any]:
        """@return: all of it, for JSON."""
        return {**asdict(self), "wheel": self.wheel}

    def lines(self) -> Iterator[tuple[str, str]]:
        """@return: names and sentences, for a person."""
        yield f"process {self.pid}", self.command
        if self.extension is None:
            yield "  extension", "not loaded: no timer of this process is on the wheel"
            return
        yield "  extension", f"loaded: {self.extension}"
        yield "  version", self.version or "unknown: the package has no metadata"
        for alarm in self.alarms:
            yield "  timerfd", _sentence(alarm)
        if not self.alarms:
            yield (
                "  timerfd",
                "none. On epoll and poll the wheel has one after the reactor's first wait. On "
                "other reactors only the program can tell: timerwheel.status(reactor)",
            )
        if self.page is not None:
            yield from self.page.lines()


def _sentence(alarm: Alarm) -> str:
    watched = (
        f"watched by epoll {', '.join(map(str, alarm.epolls))}"
        if alarm.epolls
        else "watched by no epoll (the poll reactor has none)"
    )
    state = "not set" if alarm.seconds is None else f"goes off in {alarm.seconds:.6f} s"
    return f"descriptor {alarm.descriptor}, {watched}, {state}"


def find(who: str, proc: Path = _PROC) -> list[int]:
    """Find processes.

    @param who: a number, or part of a command line.

    @return: the numbers of the processes, without this one and those that it runs in. Empty where
        there is no /proc.
    """
    if who.isdecimal():
        return [int(who)]
    if not proc.exists():
        return []
    ancestors = set(_ancestors(os.getpid(), proc))
    numbers = sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal())
    return [pid for pid in numbers if pid not in ancestors and who in _command(proc / str(pid))]


def look(pid: int, proc: Path = _PROC) -> Process:
    """Look at a process.

    @raise OSError: there is no such process, or this one may not look at it.
    """
    folder = proc / str(pid)
    extension = _CORE.search((folder / "maps").read_text())
    return Process(
        pid=pid,
        command=_command(folder),
        extension=extension and extension[1],
        version=extension and _version(Path(extension[1])),
        alarms=tuple(_alarms(folder)),
        page=find_page(folder) if extension else None,
    )


def _ancestors(pid: int, proc: Path) -> Iterator[int]:
    while pid:
        yield pid
        try:
            # (The name before may have blanks and brackets.)
            pid = int((proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return


def _command(folder: Path) -> str:
    """@return: the command line; empty for a process of the kernel's, or one that is gone."""
    try:
        words = (folder / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return b" ".join(words).decode(errors="replace").strip()


def _version(extension: Path) -> str | None:
    """@return: the version in the name of the folder of metadata beside the package."""
    found = list(extension.parent.parent.glob("timerwheel-*.dist-info"))
    return found[0].name.removesuffix(".dist-info").partition("-")[2] if found else None


def _alarms(folder: Path) -> Iterator[Alarm]:
    kinds: dict[int, str] = {}
    for link in (folder / "fd").iterdir():
        try:
            kinds[int(link.name)] = os.readlink(link)
        except FileNotFoundError:
            continue  # closed meanwhile
    watched = {
        number: set(map(int, re.findall(r"^tfd:\s*(\d+)", _details(folder, number), re.MULTILINE)))
        for number, kind in kinds.items()
        if kind == _EPOLL
    }
    for number in sorted(number for number, kind in kinds.items() if kind == _TIMERFD):
        epolls = sorted(epoll for epoll, targets in watched.items() if number in targets)
        yield Alarm(number, _seconds_left(_details(folder, number)), tuple(epolls))


def _details(folder: Path, number: int) -> str:
    try:
        return (folder / "fdinfo" / str(number)).read_text()
    except FileNotFoundError:
        return ""  # closed meanwhile


def _seconds_left(details: str) -> float | None:
    value = re.search(r"^it_value: \((\d+), (\d+)\)", details, re.MULTILINE)
    seconds = int(value[1]) + int(value[2]) / 1e9 if value else 0.0
    return seconds or None
