"""The wall clock of the tested process, which the other one steps.

A library that is preloaded adds seconds from a mapped file to what the system
says. Beside them the file has a count, which is raised before and after each step:
while it is even and stays the same, the clock was not stepped.
"""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
from pathlib import Path

HOUR = 3600

SHIM_SOURCE = Path(__file__).parent.with_name("wall_clock_shim.c")


def map_words(path: str) -> memoryview:
    """The two words of the file: the seconds, and the count of steps."""
    with open(path, "r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 16)).cast("l")


class WallClock:
    """The clock as the process that steps it has it. Needs a C compiler, and Linux."""

    def __init__(self, folder: str) -> None:
        self.path = f"{folder}/wall_clock"
        self._shim = f"{folder}/wall_clock_shim.so"
        compiler = shutil.which("cc")
        if compiler is None:
            raise RuntimeError("needs a C compiler, for the library that steps the clock")
        command = [compiler, "-shared", "-fPIC", "-o", self._shim, str(SHIM_SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        Path(self.path).write_bytes(bytes(16))
        self._words = map_words(self.path)

    def environment(self) -> dict[str, str]:
        """The environment for a process that is to have this clock."""
        # After what is preloaded already: sanitizers have to be the first.
        libraries = f"{os.environ.get('LD_PRELOAD', '')} {self._shim}"
        return {**os.environ, "LD_PRELOAD": libraries, "WALL_CLOCK_OFFSET": self.path}

    def step(self, seconds: int) -> None:
        """Step the clock, while the process runs."""
        self._words[1] += 1
        self._words[0] += seconds
        self._words[1] += 1


class Steps:
    """The steps as the process whose clock it is sees them."""

    def __init__(self, path: str) -> None:
        self._words = map_words(path)

    @property
    def offset(self) -> int:
        """By how many seconds the clock is off."""
        return self._words[0]

    def mark(self) -> int:
        """What stands for this moment."""
        return self._words[1]

    def none_since(self, mark: int) -> bool:
        """Whether the clock has not been stepped since a moment."""
        return self._words[1] == mark and not mark % 2
