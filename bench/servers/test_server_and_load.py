"""`server_and_load.py`: a run that fails says why, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from server_and_load import RunError, run_both, started

HERE = Path(__file__).parent

SERVER = """
import json, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('{"messages": 0, "problems": ["full"]}')))
print('{"port": 1}', flush=True)
time.sleep(60)
"""


def python(program: str) -> list[str]:
    """The command of a program."""
    return [sys.executable, "-c", program]


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("", "it ended too early, with exit code 0"),
        ("raise SystemExit(3)", "exit code 3"),
        ("1 / 0", "exit code 1: ZeroDivisionError: division by zero"),
        ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL"),
    ],
)
def test_a_process_without_a_result_says_how_it_ended(program: str, why: str) -> None:
    with (
        started("load", python(program), 60) as load,
        pytest.raises(RunError, match=f"^the load gave no result: {why}$"),
    ):
        load.next_line()


def test_a_process_that_hangs_says_so() -> None:
    with (
        started("load", python("import time; time.sleep(60)"), 0.1) as load,
        pytest.raises(RunError, match="it hung, and was killed"),
    ):
        load.next_line()


def test_if_the_load_fails_the_server_has_its_say() -> None:
    def load(port: int) -> list[str]:
        return python("raise SystemExit(3)")

    with pytest.raises(RunError, match=r"^the load gave no result: exit code 3; full$"):
        run_both(python(SERVER), load, 60, lambda server, load: print(load.next_line()))


def test_a_script_that_is_ended_says_so_and_ends_its_processes() -> None:
    script = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from server_and_load import say_what_ends, started
say_what_ends()
with started("server", [sys.executable, "-c", "import os, time; print('{{\\"process\\":',"
             " os.getpid(), '}}', flush=True); time.sleep(60)"], 60) as server:
    print(server.next_line()["process"], flush=True)
    server.next_line()
"""
    process = subprocess.Popen(
        python(script), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (1, "FAILED: ended by SIGTERM\n")
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
