"""Runs the two sides of the comparison, each in a fresh process and an environment of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

STOCK, OURS = "stock", "ours"

# What the tests see of the environment that this was started in.
KEPT = ("LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "VIRTUAL_ENV")

CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Task:
    """What both sides are to run, and for how many seconds at most."""

    reactor: str
    names: list[str]
    limit: float
    test_limit: float
    only: list[str] | None = None


@dataclass
class Record:
    """What became of one test."""

    # Each as its kind, and the reason of a skip or the class of an exception.
    outcomes: tuple[tuple[str, str], ...]
    tracebacks: list[str] = field(default_factory=list)
    # Whether it was skipped because its reactor could not be made.
    lacks_reactor: bool = False
    # Whether it made a reactor that is not ours.
    foreign: bool = False
    seconds: float = 0.0

    def __str__(self) -> str:
        texts = [f"{kind} ({what})" if what else kind for kind, what in self.outcomes]
        return ", ".join(["no reactor"] * self.lacks_reactor + texts)

    def kinds(self) -> set[str]:
        """The kinds of its outcomes: a test can fail and have an error, too."""
        return {kind for kind, _ in self.outcomes}


@dataclass
class Run:
    """What one side's process did."""

    side: str
    seconds: float = 0.0
    # Of these, how many the processor worked, not counting processes that the tests start.
    cpu_seconds: float = 0.0
    reactor: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    # Why the process did not come to the end of the tests, if so.
    death: str | None = None

    def counts(self) -> Counter[str]:
        """How many tests had each kind of outcome. One that failed twice counts as one failure."""
        return Counter(kind for record in self.records.values() for kind in record.kinds())

    def not_imported(self) -> list[str]:
        """The test modules that could not be imported."""
        return [name for name, record in self.records.items() if "import error" in record.kinds()]


class Side:
    """One side's process, from its start to its end."""

    def __init__(self, side: str, task: Task) -> None:
        self._run = Run(side)
        self._task = task
        self._directory = tempfile.TemporaryDirectory(prefix="tw-", ignore_cleanup_errors=True)
        self._base = Path(self._directory.name).resolve()
        self._results = self._base / "results"
        self._printed = self._base / "printed"
        for name in ("home", "tmp", "cwd"):
            (self._base / name).mkdir()
        self._null_mode = stat.S_IMODE(os.stat(os.devnull).st_mode)
        self._began = monotonic()
        with open(self._printed, "wb") as printed:
            self._process = subprocess.Popen(
                [sys.executable, str(CHILD), self._argument()],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                cwd=self._base / "cwd",
                env=self._environment(),
                start_new_session=True,
            )

    def finish(self) -> Run:
        """Wait for the process, and read what it recorded."""
        self._wait()
        self._run.seconds = monotonic() - self._began
        self._end()
        self._read()
        return self._run

    def close(self) -> None:
        """End the process if it still runs, remove its directory, and mend what it broke."""
        self._end()
        # Run as root, twisted.test.test_logfile leaves the null device writable by nobody else.
        if stat.S_IMODE(os.stat(os.devnull).st_mode) != self._null_mode:
            os.chmod(os.devnull, self._null_mode)
        self._directory.cleanup()

    def _argument(self) -> str:
        return json.dumps(
            {
                "is_ours": self._run.side == OURS,
                "names": self._task.names,
                "only": self._task.only,
                "reactor": self._task.reactor,
                "results": str(self._results),
                "test_limit": self._task.test_limit,
            }
        )

    def _environment(self) -> dict[str, str]:
        """The same for both sides, but for the directories."""
        return {
            **{name: os.environ[name] for name in KEPT if name in os.environ},
            "HOME": str(self._base / "home"),
            "LC_ALL": "C",
            "PYTHONHASHSEED": "0",
            "TERM": "dumb",
            "TMPDIR": str(self._base / "tmp"),
        }

    def _wait(self) -> None:
        """Wait for the process. When its time is over, have it print its stacks and end."""
        if not self._is_over(self._task.limit):
            self._run.death = f"was still running after {self._task.limit:g} s"
            self._process.send_signal(signal.SIGABRT)
            self._is_over(10)

    def _is_over(self, limit: float) -> bool:
        """Wait at most limit seconds for the process to be over, and leave it unreaped."""
        end = monotonic() + limit
        how = os.WEXITED | os.WNOWAIT | os.WNOHANG
        while os.waitid(os.P_PID, self._process.pid, how) is None:
            if monotonic() > end:
                return False
            sleep(0.05)
        return True

    def _end(self) -> None:
        """End the process and what its tests have left running, and reap it.

        Its number is that of its group, and can be another's once it is reaped.
        """
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _read(self) -> None:
        began = None
        finished = False
        for line in self._lines():
            if "test" in line:
                self._add(line)
                began = None
            elif "began" in line:
                began = line["began"]
            elif "finished" in line:
                finished = True
                self._run.cpu_seconds = line["cpu_seconds"]
            else:
                self._run.reactor = line["reactor"]
                self._run.unavailable = line["unavailable"]
                self._run.versions = line["versions"]
        if not finished:
            self._run.death = self._death("between tests" if began is None else f"in {began}")
        elif self._process.returncode:
            self._run.death = self._death("after the last test")

    def _lines(self) -> list[dict[str, Any]]:
        if not self._results.exists():
            return []
        lines = self._results.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def _add(self, line: dict[str, Any]) -> None:
        """Record a test. If the same is run twice, the second has another name."""
        name, count = line["test"], 1
        while name in self._run.records:
            count += 1
            name = f"{line['test']} (no. {count})"
        self._run.records[name] = Record(
            tuple((kind, self._comparable(what)) for kind, what in line["outcomes"]),
            line["tracebacks"],
            line["lacks_reactor"],
            line["foreign"],
            line["seconds"],
        )

    def _comparable(self, text: str) -> str:
        """A reason without what must differ: the package, the directory, addresses in memory."""
        text = text.replace("timerwheel.reactors.", "twisted.internet.")
        text = text.replace(str(self._base), "<directory>")
        return re.sub(r"0x[0-9a-fA-F]+", "<address>", text)

    def _death(self, where: str) -> str:
        how = self._run.death or f"ended with status {self._process.returncode}"
        return f"{how}, {where}; it last printed:\n{_tail(self._printed)}"


def test_id(name: str) -> str:
    """The id of the test that a Run records under this name."""
    return name.partition(" (no. ")[0]


def run_both(task: Task, parallel: bool) -> tuple[Run, Run]:
    """Run Twisted's side and ours: one after the other, or both at a time."""
    with closing(Side(STOCK, task)) as stock:
        if parallel:
            with closing(Side(OURS, task)) as ours:
                return stock.finish(), ours.finish()
        of_stock = stock.finish()
    with closing(Side(OURS, task)) as ours:
        return of_stock, ours.finish()


def _tail(path: Path, lines: int = 60) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
