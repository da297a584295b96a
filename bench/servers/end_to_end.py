"""
What the timers are worth to a whole server: the stock reactor and ours under load, end to end.

    python bench/servers/end_to_end.py [--seconds 1] [--connections 50] [--reactor epoll]
        [--pairs 5] [--json]

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
import platform
import shutil
import sys
from collections.abc import Callable
from statistics import median
from typing import Any

from end_to_end_run import Plan, Run, run_once, wrk_version
from server_and_load import RunError, say_what_ends
from shown import exit_code, show_progress, spread, with_spread

from twisted import version

WORKLOADS = {"echo": "echo server, TimeoutMixin", "web": "twisted.web"}

SIDES = ("stock", "ours")

REACTORS = ("default", "epoll", "poll", "select")
"""Those that run Twisted's own loop, of which the stopwatch sees all."""

PAIRS = 5
"""Runs of each side, if the command line does not say."""

WATCHED = 3
"""Runs of each side with the stopwatch."""

# The figures


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


def main() -> int:
    """
    Measure as the command line says.

    @return: the exit code.
    """
    options = parse()
    say_what_ends()
    try:
        found = measure(
            options.seconds, options.connections, options.reactor, options.pairs, show_progress
        )
    except RunError as error:
        return exit_code([str(error)])
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
    return exit_code([fault for workload in found for fault in workload["faults"]])


if __name__ == "__main__":
    sys.exit(main())
