"""Runs the command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from helpers import PATIENCE


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "timerwheel", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
    )
