"""`python -m timerwheel info --pid`: what /proc tells of a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import PATIENCE, WARNINGS

from timerwheel.commands.info.process import Alarm, find, look

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this /proc")

EXTENSION = "/usr/lib/python3/timerwheel/_core.cpython-311-x86_64-linux-gnu.so"


class FakeProc:
    """A /proc with processes as a test needs them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(
        self,
        pid: int,
        command: str = "python server.py",
        *,
        mapped: str | None = EXTENSION,
        parent: int = 1,
        files: dict[int, tuple[str, str]] | None = None,
    ) -> None:
        """files: what each descriptor leads to, and its fdinfo."""
        process = self.folder / str(pid)
        for part in ("fd", "fdinfo"):
            (process / part).mkdir(parents=True)
        (process / "cmdline").write_bytes(command.replace(" ", "\0").encode() + b"\0")
        (process / "stat").write_text(f"{pid} (a (b) c) S {parent} 1 1")
        line = f"7f00-7f01 r-xp 00000000 08:01 42    {mapped}\n" if mapped else ""
        (process / "maps").write_text(f"5500-5501 r--p 00000000 08:01 7   /usr/bin/python3\n{line}")
        for number, (target, info) in (files or {}).items():
            (process / "fd" / str(number)).symlink_to(target)
            (process / "fdinfo" / str(number)).write_text(info)


ARMED = "pos:\t0\nclockid: 1\nticks: 0\nit_value: (2, 500000000)\nit_interval: (0, 0)\n"
NOT_SET = "clockid: 1\nit_value: (0, 0)\nit_interval: (0, 0)\n"
WATCHES_8 = "pos:\t0\ntfd:        5 events:       19 data: 5\ntfd:        8 events: 80000001\n"


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path)


def test_a_timerfd_that_an_epoll_watches(proc: FakeProc) -> None:
    proc.add(
        77,
        files={
            3: ("anon_inode:[eventpoll]", WATCHES_8),
            5: ("socket:[12345]", ""),
            8: ("anon_inode:[timerfd]", ARMED),
        },
    )
    process = look(77, proc.folder)
    assert process.wheel
    assert (process.pid, process.command, process.extension) == (77, "python server.py", EXTENSION)
    assert process.alarms == (Alarm(8, 2.5, (3,)),)
    told = dict(process.lines())["  timerfd"]
    assert told == "descriptor 8, watched by epoll 3, goes off in 2.500000 s"


def test_a_timerfd_that_is_not_set_and_that_nothing_watches(proc: FakeProc) -> None:
    proc.add(77, files={8: ("anon_inode:[timerfd]", NOT_SET)})
    process = look(77, proc.folder)
    assert process.wheel
    assert process.alarms == (Alarm(8, None, ()),)
    assert "watched by no epoll" in dict(process.lines())["  timerfd"]


def test_without_a_timerfd_the_kernel_cannot_tell(proc: FakeProc) -> None:
    proc.add(77)
    process = look(77, proc.folder)
    assert not process.wheel
    assert "only the program can tell" in dict(process.lines())["  timerfd"]


@pytest.mark.parametrize("mapped", [None, "/usr/lib/python3/other/_core.cpython-311.so"])
def test_without_the_extension_no_timerfd_is_ours(proc: FakeProc, mapped: str | None) -> None:
    proc.add(77, mapped=mapped, files={8: ("anon_inode:[timerfd]", ARMED)})
    process = look(77, proc.folder)
    assert not process.wheel
    assert process.extension is None
    assert "not loaded" in dict(process.lines())["  extension"]


def test_an_extension_that_was_replaced_since(proc: FakeProc) -> None:
    proc.add(77, mapped=f"{EXTENSION} (deleted)")
    assert look(77, proc.folder).extension == EXTENSION


def test_the_version_is_that_of_the_metadata_beside_it(proc: FakeProc, tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    (packages / "timerwheel-1.2.3.dist-info").mkdir(parents=True)
    proc.add(77, mapped=f"{packages}/timerwheel/_core.abi.so")
    proc.add(78)
    assert look(77, proc.folder).version == "1.2.3"
    assert look(78, proc.folder).version is None


def test_processes_are_found_by_a_part_of_their_command_line(proc: FakeProc) -> None:
    own = os.getpid()
    proc.add(1, "init", parent=0)
    proc.add(50, "bash -c info server.py", parent=1)
    proc.add(own, "python -m timerwheel info --pid server.py", parent=50)
    proc.add(77)
    proc.add(78, "python other.py")
    proc.add(79, "python -O server.py", parent=50)
    (proc.folder / "self").mkdir()
    (proc.folder / "60").mkdir()  # is gone already
    assert find("server.py", proc.folder) == [77, 79]
    assert find("nothing", proc.folder) == []
    assert find("77", proc.folder) == [77]
    assert find("server.py", proc.folder / "missing") == []


@pytest.fixture
def running() -> Iterator[Any]:
    """A program on the epoll reactor that waits for a timer."""
    program = """
        import timerwheel
        timerwheel.install("epoll")
        from twisted.internet import reactor
        reactor.callLater(3600, print)
        reactor.callLater(0, lambda: reactor.callLater(0, print, "started", flush=True))
        reactor.run()
    """
    process = subprocess.Popen(
        [sys.executable, *WARNINGS, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def info(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "timerwheel", "info", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )


def test_a_program_that_runs(running: Any) -> None:
    result = info("--pid", str(running.pid), "--json")
    assert (result.returncode, result.stderr) == (0, "")
    (found,) = json.loads(result.stdout)
    assert found["wheel"]
    assert found["pid"] == running.pid
    (alarm,) = found["alarms"]
    assert len(alarm["epolls"]) == 1
    result = info("--pid", str(running.pid))
    assert result.returncode == 0
    assert "watched by epoll" in result.stdout


def test_a_program_without_the_wheel() -> None:
    own = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        result = info("--pid", str(own.pid))
    finally:
        own.communicate(b"\n")
    assert result.returncode == 1
    assert "not loaded" in result.stdout


def test_a_process_that_is_not_there() -> None:
    result = info("--pid", "no such program runs here")
    assert (result.returncode, result.stdout) == (2, "")
    assert "found no process" in result.stderr
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    result = info("--pid", str(ended.pid))
    assert (result.returncode, result.stdout) == (2, "")
    assert f"cannot look at process {ended.pid}" in result.stderr


def test_a_command_line_does_nothing_to_the_terminal() -> None:
    words = [sys.executable, "-c", "input()", "\x1b]0;title\x07\n  timerfd          not set"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as own:
        try:
            result = info("--pid", str(own.pid))
        finally:
            own.communicate(b"\n")
    assert not {"\x1b", "\x07"} & set(result.stdout)
    assert not any(line.startswith("  timerfd") for line in result.stdout.splitlines())
