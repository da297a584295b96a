"""The `info` command."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

from timerwheel._reactors import NAMES
from timerwheel.commands.common import add_command, add_json, reactor_name
from timerwheel.commands.info.probe import LOOPS, TWISTEDS_OWN, Finding, probe
from timerwheel.commands.info.process import find, look
from timerwheel.commands.report.text import clean, fold
from timerwheel.commands.versions import versions

if TYPE_CHECKING:
    from timerwheel.commands.common import Commands

CLOCKS = {"wall": time.get_clock_info("time"), "steady": time.get_clock_info("monotonic")}
"""The clocks that `timerwheel.install` takes, and Python's facts about the clocks they read."""


def add_parser(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = add_command(
        commands,
        "info",
        run,
        help="show versions, reactors and clocks, and whether the wheel is active",
        description="""\
Shows the versions of everything that affects timers, the reactors that are available here,
and the clocks. For each reactor it shows whether the wheel is active after
timerwheel.install(NAME), and how precisely the reactor wakes; for event loops the same with
timerwheel.aio. It tries each reactor and each loop in a process of its own.""",
        epilog="""\
examples:
  %(prog)s
  %(prog)s --reactor epoll
  %(prog)s --json > report.json
  %(prog)s --pid 12345
  %(prog)s --pid synapse

--pid asks the kernel whether the process has loaded the extension, and has the timerfd that
wakes epoll and poll. If the program has a page of timerwheel.web at a UNIX socket with
"timerwheel" in its file name, --pid also shows everything on the page.

exit codes: 0 the wheel is active on the reactor (the default one, without --reactor), or in
the processes; 1 it is not active, or does not show in one of them; 2 the reactor is not
available, there is no such process, or you may not look at it""",
    )
    parser.add_argument(
        "--reactor",
        type=reactor_name,
        metavar="NAME",
        help=f"tell of this reactor alone: {', '.join(NAMES)}; timerwheel-epoll and so "
        "on are understood, too",
    )
    parser.add_argument(
        "--pid",
        metavar="PID",
        help="look at a running process, by its number or part of its command line; only on Linux",
    )
    add_json(parser, "lines")


def run(options: argparse.Namespace) -> int:
    """Collect the facts and print them.

    @return: the exit code.
    """
    if options.pid is not None:
        return _look_at_processes(options.pid, options.json)
    names = [options.reactor] if options.reactor else NAMES
    loops = () if options.reactor else LOOPS
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        without, *reactors = threads.map(probe, [TWISTEDS_OWN, *names])
        made = list(threads.map(partial(probe, what="loop"), loops))
    facts = {
        "versions": versions(),
        "clocks": {name: _clock(clock) for name, clock in CLOCKS.items()},
        "without_install": without,
        "reactors": dict(zip(names, reactors, strict=True)),
        "loops": dict(zip(loops, made, strict=True)),
    }
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        _print_lines(facts)
    return _exit_code(reactors[0])


def _look_at_processes(who: str, as_json: bool) -> int:
    processes = []
    for pid in find(who):
        try:
            processes.append(look(pid))
        except OSError as error:
            print(f"cannot look at process {pid}: {error}", file=sys.stderr)
    if not processes:
        print(f"found no process {who!r} that you may look at", file=sys.stderr)
        return 2
    if as_json:
        print(json.dumps([process.facts() for process in processes], indent=2))
    else:
        for process in processes:
            for name, text in process.lines():
                _print_line(name, text)
    return 0 if all(process.wheel for process in processes) else 1


def _clock(clock: Any) -> dict[str, Any]:
    """@return: how it is read, and the seconds between two readings that can be told apart. Either
    clock reads as seconds since 1970, of which a float has no finer ones.
    """
    return {
        "implementation": clock.implementation,
        "resolution": max(clock.resolution, math.ulp(time.time())),
        "may_be_stepped": clock.adjustable,
    }


def _exit_code(finding: Finding) -> int:
    if finding["reactor"] is None:
        return 2
    return 0 if finding["wheel"] else 1


def _print_lines(facts: dict[str, Any]) -> None:
    for name, version in facts["versions"].items():
        _print_line(name, version)
    for name, clock in facts["clocks"].items():
        stepped = (
            "steps when the system's time is set" if clock["may_be_stepped"] else "never steps"
        )
        _print_line(
            f"{name} clock",
            f"{clock['implementation']}, resolution {clock['resolution'] * 1e6:.3g} us, {stepped}",
        )
    _print_line("before install()", _sentence(facts["without_install"]))
    print("After timerwheel.install(NAME):")
    elsewhere = _print_findings(facts["reactors"])
    if elsewhere:
        _print_line("  not here", f"{', '.join(elsewhere)} (--reactor NAME says why)")
    if facts["loops"]:
        print("Event loops, with timerwheel.aio:")
        elsewhere = _print_findings(facts["loops"])
        if elsewhere:
            _print_line("  not here", ", ".join(elsewhere))


def _print_findings(findings: dict[str, Finding]) -> list[str]:
    """@return: the names of what is not here, of several."""
    elsewhere = []
    for name, finding in findings.items():
        if finding["reactor"] is None and len(findings) > 1:
            elsewhere.append(name)
        else:
            _print_line(f"  {name}", _sentence(finding))
    return elsewhere


def _print_line(name: str, text: str) -> None:
    # (A command line may be another user's.)
    line = clean(f"{name:18}{text}").replace("\n", " ")
    # A pipe gets a line a fact.
    print(fold(line, get_terminal_size().columns, " " * 6) if sys.stdout.isatty() else line)


def _sentence(finding: Finding) -> str:
    if finding["reactor"] is None:
        return f"not available: {finding['reason']}"
    if not finding["wheel"]:
        reason = f": {finding['reason']}" if finding["reason"] else ""
        return f"wheel not active{reason}; {finding['reactor']}"
    return f"wheel active; {finding['reactor']}; wakes: {finding['wakes']}"
