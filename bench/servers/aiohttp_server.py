"""An aiohttp server with 10,000 connections: asyncio's loop, uvloop, ours, and uvloop with ours.

    python bench/servers/aiohttp_server.py [--connections 10000] [--rate 1000]
        [--seconds 5] [--rounds 5]

Half of the connections are WebSockets, each with a heartbeat; half are HTTP connections, each with
a keep-alive timeout. One in ten talks: together they send `--rate` messages a second. The others
are idle, and each WebSocket answers a heartbeat in the time that is measured. Its CPU time is in
that of the messages.

Each round runs each party once, in processes of its own, and begins with another party. Ratios are
of a run and that of asyncio's loop in the same round.

Exits with 1 if an answer was wrong, a connection was lost, the loop's exception handler was called
or a process did not end cleanly. Needs Linux and aiohttp.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

from aiohttp_load import raise_limit_of_descriptors
from server_and_load import (
    HERE,
    PATIENCE,
    Child,
    RunError,
    load_faults,
    run_both,
    say_what_ends,
)
from shown import exit_code, show_progress, spread, with_spread

PARTIES = ("asyncio", "uvloop", "ours", "uvloop + ours")

FIGURES = {
    "messages a CPU second": (lambda run: 1 / run["cpu"], ",.0f"),
    "CPU us a message": (lambda run: 1e6 * run["cpu"], ".1f"),
    "longest stall, ms": (lambda run: 1e3 * run["stall"], ".1f"),
    "memory, MB": (lambda run: run["memory"] / 1e6, ",.0f"),
    "messages a second": (lambda run: run["rate"], ",.0f"),
}
"""What is printed: how it comes from what a run measured, and how it is formatted."""


def run_once(party: str, options: argparse.Namespace) -> dict[str, Any]:
    """
    Run a server and its clients from beginning to end.

    @return: what the server measured, the heartbeats that the clients answered, and `faults`.

    @raise RunError: one of them ended without a result, or no message came while it measured.
    """
    limit = PATIENCE + options.seconds + options.connections / 50

    def loads(port: int) -> list[str]:
        return load_command(port, options)

    try:
        measured, seen, answered, faults = run_both(
            server_command(party, options), loads, limit, measure_once_connected
        )
    except RunError as error:
        raise RunError(f"{party}: {error}") from None
    faults += load_faults(seen, answered, options.connections)
    if not measured["messages"]:
        raise RunError("; ".join([f"{party}: no message came while it measured", *faults]))
    return {**measured, "heartbeats": seen["heartbeats"], "faults": faults}


def measure_once_connected(server: Child, load: Child) -> None:
    """Have the server measure when the load has opened all connections."""
    load.next_line()
    server.signal(signal.SIGUSR1)


def server_command(party: str, options: argparse.Namespace) -> list[str]:
    """
    @return: the command of a server.
    """
    return [
        sys.executable,
        str(HERE / "aiohttp_side.py"),
        f"--party={party}",
        f"--heartbeat={options.heartbeat}",
        f"--seconds={options.seconds}",
    ]


def load_command(port: int, options: argparse.Namespace) -> list[str]:
    """
    @return: the command of the clients.
    """
    return [
        sys.executable,
        str(HERE / "aiohttp_load.py"),
        f"--port={port}",
        f"--connections={options.connections}",
        f"--rate={options.rate}",
    ]


def measure(
    options: argparse.Namespace, progress: Callable[[str], None]
) -> dict[str, list[dict[str, Any]]]:
    """
    @param progress: is told of each run before it starts.

    @return: the runs of each party.
    """
    runs: dict[str, list[dict[str, Any]]] = {party: [] for party in options.parties}
    for number in range(options.rounds):
        first = number % len(options.parties)
        for party in options.parties[first:] + options.parties[:first]:
            progress(f"round {number + 1} of {options.rounds}, {party}")
            runs[party].append(run_once(party, options))
    return runs


def ratios(name: str, party: str, runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """
    @return: a figure of a party over that of asyncio's loop, of each round.
    """
    of_run = FIGURES[name][0]
    pairs = zip(runs[party], runs["asyncio"], strict=True)
    return spread([of_run(run) / of_run(stock) for run, stock in pairs])


def lines(runs: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """
    @return: the table.
    """
    for name, (of_run, pattern) in FIGURES.items():
        yield name
        for party, some in runs.items():
            line = f"  {party:<14}{with_spread(spread(list(map(of_run, some))), pattern):>28}"
            if party != "asyncio" and "asyncio" in runs:
                line += f"{with_spread(ratios(name, party, runs), '.3f'):>24} x asyncio"
            yield line


def parse() -> argparse.Namespace:
    """
    @return: the options.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--connections", type=int, default=10_000, metavar="N", help="default: 10000")
    add("--rate", type=float, default=1000.0, metavar="N", help="messages a second; default: 1000")
    add("--seconds", type=float, default=5.0, metavar="S", help="of each run; default: 5")
    add("--heartbeat", type=float, default=5.0, metavar="S", help="of WebSockets; default: 5")
    add("--rounds", type=int, default=5, metavar="N", help="runs of each party; default: 5")
    add("--parties", nargs="+", choices=PARTIES, default=list(PARTIES), help="default: all")
    add("--json", action="store_true", help="print JSON in place of the table")
    options = parser.parse_args()
    if not 1 <= options.connections <= 20_000:
        parser.error("--connections must be from 1 to 20000")
    if min(options.rounds, options.seconds, options.heartbeat, options.rate) <= 0:
        parser.error("--rounds, --seconds, --heartbeat and --rate must be above 0")
    return options


def main() -> int:
    """
    Measure as the command line says.

    @return: the exit code.
    """
    options = parse()
    say_what_ends()
    raise_limit_of_descriptors()
    try:
        runs = measure(options, show_progress)
    except RunError as error:
        return exit_code([str(error)])
    if options.json:
        print(json.dumps({**vars(options), "runs": runs}, indent=2))
    else:
        heartbeats = sum(run["heartbeats"] for some in runs.values() for run in some)
        print(
            f"{options.rounds} rounds of {options.seconds:g} s, {options.connections:,} connections"
            f" over loopback, {heartbeats:,} heartbeats in all: median (least-most)"
        )
        print("\n".join(lines(runs)))
    return exit_code(
        [
            f"{party}: {fault}"
            for party, some in runs.items()
            for run in some
            for fault in run["faults"]
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
