"""
The commands of one run of `end_to_end.py`, and what it found.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from end_to_end_load import BODY
from server_and_load import HERE, PATIENCE, RunError, load_faults, run_both


@dataclass
class Plan:
    """What all runs have in common."""

    seconds: float
    connections: int
    reactor: str
    pairs: int


@dataclass
class Run:
    """
    What one run found.

    @ivar measured: what the server measured.
    @ivar faults: what was wrong, a sentence each.
    """

    measured: dict[str, Any]
    faults: list[str] = field(default_factory=list)


def wrk_version(wrk: str) -> str:
    """
    @return: the name and version of wrk, the first two words it says of itself.
    """
    said = subprocess.run([wrk, "-v"], check=False, capture_output=True, text=True, timeout=10)
    return " ".join(said.stdout.split()[:2])


def server_command(side: str, workload: str, plan: Plan, *, instrument: bool) -> list[str]:
    """
    @return: the command of a server.
    """
    return [
        sys.executable,
        str(HERE / "end_to_end_server.py"),
        f"--side={side}",
        f"--workload={workload}",
        f"--reactor={plan.reactor}",
        f"--seconds={plan.seconds}",
        *(["--instrument"] if instrument else []),
    ]


def load_command(workload: str, port: int, plan: Plan, wrk: str | None, limit: float) -> list[str]:
    """
    @param wrk: where wrk is; `None` for our own clients.
    @param limit: seconds after which wrk, which wants to know, stops by itself.

    @return: the command of what loads the server until SIGINT.
    """
    if wrk is None:
        script = str(HERE / "end_to_end_load.py")
        arguments = [f"--workload={workload}", f"--port={port}"]
        return [sys.executable, script, *arguments, f"--connections={plan.connections}"]
    size = ["-t1", f"-c{plan.connections}", f"-d{ceil(limit)}s"]
    script = str(HERE / "end_to_end.lua")
    return [wrk, *size, "-s", script, f"http://127.0.0.1:{port}/", "--", BODY.decode()]


def run_once(side: str, workload: str, plan: Plan, wrk: str | None, *, instrument: bool) -> Run:
    """
    Run a server and its load from beginning to end.

    @raise RunError: one of them ended without a result, or no message came while it measured.
    """
    command = server_command(side, workload, plan, instrument=instrument)
    try:
        run = run_processes(command, workload, plan, wrk)
    except RunError as error:
        raise RunError(f"{workload}, {side}: {error}") from None
    return Run(run.measured, [f"{workload}, {side}: {fault}" for fault in run.faults])


def run_processes(command: list[str], workload: str, plan: Plan, wrk: str | None) -> Run:
    """
    As `run_once`, given the command of the server.
    """
    limit = PATIENCE + plan.seconds

    def loads(port: int) -> list[str]:
        return load_command(workload, port, plan, wrk, limit)

    measured, seen, answered, faults = run_both(command, loads, limit)
    faults += load_faults(seen, answered, plan.connections)
    if not measured["rate"]:
        raise RunError("; ".join(faults))
    return Run(measured, faults)
