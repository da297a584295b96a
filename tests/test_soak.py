"""The soak, cut short: all its faults come, and the judge has something to judge."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import PATIENCE

SOAK = Path(__file__).with_name("soak")


@pytest.mark.parametrize("clock", ["steady", "wall"])
def test_a_short_soak(clock: str) -> None:
    if not sys.platform.startswith("linux") or shutil.which("cc") is None:
        pytest.skip("needs Linux and a C compiler, for the library that steps the clock")
    result = subprocess.run(
        [sys.executable, SOAK, "--minutes", "0.05", "--calls", "2000", "--clock", clock],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    table = " ".join(result.stdout.split())
    assert "clock steps forward 4 clock steps back 2 stops 2 GIL holds 2 forks 4" in table
    assert "lost 0 doubled 0 early 0 out of order 0" in table
