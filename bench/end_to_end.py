"""
What the timers are worth to a whole server: the stock reactor and ours under load, end to end.

    python bench/end_to_end.py [--seconds 1] [--connections 50] [--reactor epoll] [--pairs 5]
        [--json]

It runs two servers over loopback, each run in a fresh process. An echo server resets an idle
timeout at each message (`TimeoutMixin`). `twisted.web` cancels and schedules one at each request.
`wrk` loads the web server if it is on the PATH. Otherwise, and for the echo server, clients in a
process of their own do (`end_to_end_load.py`). Every connection sends its next message once the
answer is there. Stock and ours take turns; ratios are of a run and the one right after it.

The share of timers comes from further runs, which count for nothing else, with a stopwatch around
the reactor's work for timers (`end_to_end_server.py` lists it). It is the time in timers a message
in these runs, divided by the CPU time a message in the others.

Exits with 1 if an answer was wrong, a connection failed, Twisted logged a failure, a timer was left
over, or a server did not end cleanly.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from statistics import median
from threading import Timer
from typing import IO, Any

from end_to_end_load import BODY

from twisted import version

WORKLOADS = {"echo": "echo server, TimeoutMixin", "web": "twisted.web"}

SIDES = ("stock", "ours")

REACTORS = ("default", "epoll", "poll", "select")
"""Those that run Twisted's own loop, of which the stopwatch sees all."""

PAIRS = 5
"""Runs of each side, if the command line does not say."""

WATCHED = 3
"""Runs of each side with the stopwatch."""

PATIENCE = 30.0
"""Seconds that a process may take beyond the measurement; then it is taken to hang, and killed."""

HERE = Path(__file__).parent


class RunError(Exception):
    """A run gave no figures. The message says why."""


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


# The processes


class Child:
    """A process that writes lines of JSON, others perhaps among them."""

    def __init__(self, name: str, command: list[str], errors: IO[str]) -> None:
        self._name = name
        self._errors = errors
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)

    def next_line(self) -> dict[str, Any]:
        """
        @return: the next line of JSON, without what lies before it.

        @raise RunError: the process has ended.
        """
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                found: dict[str, Any] = json.loads(line)
                return found
        raise RunError(f"the {self._name} gave no result: {self.complaint()}")

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def complaint(self) -> str | None:
        """
        Wait for the end.

        @return: the last line of standard error or else the exit code; `None` after a clean end.
        """
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        if lines:
            return lines[-1]
        if code == -signal.SIGKILL:
            return "it hung, and was killed"
        return f"exit code {code}" if code else None

    def faults(self) -> list[str]:
        """
        Wait for the end.

        @return: one sentence when it was not clean.
        """
        complaint = self.complaint()
        return [f"the {self._name} did not end cleanly: {complaint}"] if complaint else []

    def kill(self) -> None:
        """End the process if it has not ended by itself."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def processors(name: str) -> set[int]:
    """
    A server and its load that came to share a processor would count as slow, whatever the timers.

    @return: where the process `name` is to run: one processor for the server, all others for the
        load; empty where there are no two, or the system does not let us choose.
    """
    if not hasattr(os, "sched_setaffinity"):
        return set()
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        return set()
    return {first} if name == "server" else set(others)


@contextmanager
def children_on(allowed: set[int]) -> Iterator[None]:
    """Have what is started in the block run on these processors; anywhere if there are none."""
    if not allowed:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, allowed)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def started(name: str, command: list[str], seconds: float) -> Iterator[Child]:
    """
    Start a process, and see to it that it has ended when the block is left.

    @param name: `"server"` or `"load"`.
    @param seconds: when to kill it.
    """
    with tempfile.TemporaryFile("w+") as errors:
        with children_on(processors(name)):
            child = Child(name, command, errors)
        guard = Timer(seconds, child.kill)
        guard.start()
        try:
            yield child
        finally:
            guard.cancel()
            child.kill()


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
    with started("server", command, limit) as server:
        port = server.next_line()["port"]
        with started("load", load_command(workload, port, plan, wrk, limit), limit) as load:
            measured = server.next_line()
            load.signal(signal.SIGINT)
            seen = load.next_line()
            faults = load.faults()
        server.signal(signal.SIGTERM)
        stopped = server.next_line()
        faults += server.faults() + stopped["problems"]
    faults += load_faults(seen, stopped["messages"], plan.connections)
    if not measured["rate"]:
        raise RunError("; ".join(faults))
    return Run(measured, faults)


def load_faults(seen: dict[str, Any], answered: int, connections: int) -> list[str]:
    """
    @param seen: what the load says.
    @param answered: messages that the server says it answered.

    @return: what is wrong, a sentence each.
    """
    received = seen["received"]
    if "sent" in seen:
        faults: list[str] = seen["problems"]
        agreed = seen["sent"] == received == answered
    else:
        counts = {"wrong responses": seen["wrong"], "socket errors": seen["errors"]}
        faults = [f"{count:,} {what}" for what, count in counts.items() if count]
        # wrk hangs up without waiting for the answers to its last requests, one a connection.
        agreed = received <= answered <= received + connections
    if not agreed and not faults:
        sent = seen.get("sent", "an unknown number of")
        faults.append(f"{sent} messages sent, {answered} answered, {received} answers received")
    return faults


# The figures


def spread(values: list[float]) -> dict[str, Any]:
    """
    @return: the median of some values, the least, the most, and all of them.
    """
    return {"median": median(values), "min": min(values), "max": max(values), "all": values}


def side_figures(runs: list[Run], watched: list[Run]) -> dict[str, Any]:
    """
    @param watched: the runs with the stopwatch.

    @return: the figures of one side.
    """
    found = [run.measured for run in runs]
    cpu = spread([run["cpu"] for run in found])
    timers = spread([run.measured["timers"] for run in watched])
    calls = [run.measured["calls"] for run in watched]
    return {
        "reactor": found[0]["reactor"],
        "messages_a_second": spread([run["rate"] for run in found]),
        "messages_a_cpu_second": spread([1000 / run["cpu"] for run in found]),
        "cpu_seconds_a_1000": cpu,
        "core_busy": spread([run["rate"] * run["cpu"] / 1000 for run in found]),
        "timers_us_a_message": timers,
        # CPU seconds for 1,000 messages are milliseconds for one.
        "timers_share": timers["median"] / (1000 * cpu["median"]),
        "calls_a_message": {
            name: median([run.get(name, 0.0) for run in calls])
            for name in sorted(set().union(*calls))
        },
    }


def ratios(runs: dict[str, list[Run]], key: str) -> dict[str, Any]:
    """
    @return: ours over stock, of each run of stock and the run of ours after it.
    """
    pairs = zip(runs["ours"], runs["stock"], strict=True)
    return spread([ours.measured[key] / stock.measured[key] for ours, stock in pairs])


def measure_workload(
    workload: str, plan: Plan, wrk: str | None, progress: Callable[[str], None]
) -> dict[str, Any]:
    """
    Measure one server on both sides.

    @param progress: is told of each run before it starts.

    @raise RunError: a run gave no figures.
    """
    runs: dict[str, list[Run]] = {side: [] for side in SIDES}
    watched: dict[str, list[Run]] = {side: [] for side in SIDES}
    for into, count, instrument in ((runs, plan.pairs, False), (watched, WATCHED, True)):
        for number in range(count):
            for side in SIDES:
                what = "with the stopwatch " if instrument else ""
                progress(f"{workload}, {side}, run {what}{number + 1} of {count}")
                into[side].append(run_once(side, workload, plan, wrk, instrument=instrument))
    every = [run for group in (runs, watched) for side in SIDES for run in group[side]]
    return {
        "workload": workload,
        "load": "own clients" if wrk is None else wrk_version(wrk),
        **{side: side_figures(runs[side], watched[side]) for side in SIDES},
        "ratio_messages": ratios(runs, "rate"),
        "ratio_messages_a_cpu": spread([1 / ratio for ratio in ratios(runs, "cpu")["all"]]),
        "ratio_cpu": ratios(runs, "cpu"),
        "faults": [fault for run in every for fault in run.faults],
    }


def measure(
    seconds: float = 1.0,
    connections: int = 50,
    reactor: str = "default",
    pairs: int = PAIRS,
    progress: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """
    Measure all servers.

    @param seconds: how long each run measures.
    @param pairs: runs of each side.
    @param progress: is told of each run before it starts.

    @return: for each server its figures, with `stock` and `ours` in them, and `faults`.

    @raise RunError: a run gave no figures.
    """
    plan = Plan(seconds, connections, reactor, pairs)
    wrk = {"echo": None, "web": shutil.which("wrk")}
    return [measure_workload(workload, plan, wrk[workload], progress) for workload in WORKLOADS]


# What is printed


def with_spread(figure: dict[str, Any], pattern: str) -> str:
    """
    @return: a median, and from where to where the values go.
    """
    middle, low, high = (format(figure[key], pattern) for key in ("median", "min", "max"))
    return f"{middle} ({low}-{high})"


def print_line(label: str, *cells: str) -> None:
    """Print a line of the table."""
    print(f"  {label:28}", *(f"{cell:>26}" for cell in cells))


def print_workload(found: dict[str, Any]) -> None:
    """Print the figures of one server."""
    sides = [found[side] for side in SIDES]
    print(f"\n{WORKLOADS[found['workload']]}, load from {found['load']}")
    print_line("", *SIDES, "ours / stock")
    lines = (
        ("messages a second", "messages_a_second", "ratio_messages", ",.0f"),
        ("messages a CPU second", "messages_a_cpu_second", "ratio_messages_a_cpu", ",.0f"),
        ("CPU s a 1,000 messages", "cpu_seconds_a_1000", "ratio_cpu", ".4f"),
    )
    for label, key, ratio, pattern in lines:
        cells = (with_spread(side[key], pattern) for side in sides)
        print_line(label, *cells, with_spread(found[ratio], ".3f"))
    pairs = found["ratio_messages_a_cpu"]["all"]
    no_worse = sum(ratio >= 1.0 for ratio in pairs)
    print_line("ours is no worse there in", "", "", f"{no_worse} of {len(pairs)} pairs")
    print_line("server's use of one core", *(with_spread(s["core_busy"], ".0%") for s in sides))
    timers = (with_spread(side["timers_us_a_message"], ".2f") for side in sides)
    print_line("us in timers a message", *timers)
    print_line("timers' share of CPU time", *(f"{side['timers_share']:.2%}" for side in sides))
    for name in sorted({name for side in sides for name in side["calls_a_message"]}):
        calls = (side["calls_a_message"].get(name, 0.0) for side in sides)
        print_line(f"{name} a message", *(f"{count:.3f}" for count in calls))


def print_report(found: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """Print all figures."""
    print(
        f"{options.pairs} runs of {options.seconds:g} s a side, in turns, {options.connections}"
        " connections over loopback: median (least-most)"
    )
    for workload in found:
        print_workload(workload)
    print(
        "\nRatios: of a run and the one right after it. CPU: the server's process, kernel included."
        " Where it\nused much less than one core, messages a second say little about it."
        f"\nTimers, from {WATCHED} more runs a side: time in callLater, cancel, reset, delay,"
        " runUntilCurrent, timeout\nand what doIteration adds to the wait, without the callbacks,"
        " the garbage collector and the\nstopwatch itself. Share: this time over CPU time a message"
        " in the other runs."
    )


def parse() -> argparse.Namespace:
    """
    @return: the options.
    """
    parser = argparse.ArgumentParser(
        description="Run an echo server and a web server under load, on stock and on ours.",
        epilog="exit codes: 0 all well, 1 something went wrong, 2 wrong arguments",
    )
    add = parser.add_argument
    add("--seconds", type=float, default=1.0, metavar="S", help="of each run; default: 1")
    add("--connections", type=int, default=50, metavar="N", help="default: 50")
    add("--reactor", choices=REACTORS, default="default", help="default: Twisted's choice here")
    add(
        "--pairs", type=int, default=PAIRS, metavar="N", help=f"runs of each side; default: {PAIRS}"
    )
    add("--json", action="store_true", help="print JSON in place of the table")
    options = parser.parse_args()
    if not 0.1 <= options.seconds <= 3600:
        parser.error("--seconds must be from 0.1 to 3600")
    if not 1 <= options.pairs <= 1000:
        parser.error("--pairs must be from 1 to 1000")
    if not 1 <= options.connections <= 1000:
        parser.error("--connections must be from 1 to 1000")
    return options


def show_progress(text: str) -> None:
    """Say what is being done, on a terminal only, in one line that is overwritten."""
    if sys.stderr.isatty():
        print(f"\r{text:40}", end="\r", file=sys.stderr, flush=True)


def main() -> int:
    """
    Measure as the command line says.

    @return: the exit code.
    """
    options = parse()
    try:
        found = measure(
            options.seconds, options.connections, options.reactor, options.pairs, show_progress
        )
    except RunError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    if options.json:
        settings = {
            "seconds": options.seconds,
            "connections": options.connections,
            "pairs": options.pairs,
            "python": platform.python_version(),
            "twisted": version.public(),
        }
        print(json.dumps({**settings, "workloads": found}, indent=2))
    else:
        print_report(found, options)
    faults = [fault for workload in found for fault in workload["faults"]]
    for fault in faults:
        print(f"FAILED: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
