"""`python -m timerwheel`: what it prints, its exit codes, and that its checks can fail."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from helpers import PATIENCE, StockReactor, run_python

import timerwheel
import twisted
from timerwheel.__main__ import main
from timerwheel._install import MODULES
from timerwheel.commands.bench import command as bench
from timerwheel.commands.bench.runner import MODULE, compare
from timerwheel.commands.bench.runner import measure as ask
from timerwheel.commands.bench.side import measure
from timerwheel.commands.bench.workloads import WORKLOADS
from timerwheel.commands.common import reactor_name
from timerwheel.commands.selftest import model, priorities, wakes
from timerwheel.commands.selftest.checks import CHECKS, run_checks
from timerwheel.commands.selftest.failures import CheckFailedError
from timerwheel.commands.sides import NotStartedError, Side, SideError
from timerwheel.commands.versions import versions

COMMANDS = ["info", "bench", "replay", "selftest", "demo", "top"]


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


# All commands


def test_without_a_command_it_prints_help() -> None:
    result = run()
    assert result.returncode == 0
    for command in COMMANDS:
        assert f"\n    {command} " in result.stdout


@pytest.mark.parametrize("command", [[], *([command] for command in COMMANDS)])
def test_help_has_examples_and_exit_codes_and_needs_no_twisted(command: list[str]) -> None:
    result = run_python(
        """
        import contextlib, io, json, sys
        from timerwheel.__main__ import main
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            main([*sys.argv[1:], "--help"])
        print(json.dumps([printed.getvalue(), "twisted" in sys.modules]))
        """,
        *command,
    )
    help_text, twisted_imported = result
    assert f"examples:\n  python -m timerwheel {command[0] if command else ''}" in help_text
    assert "exit codes: 0 " in help_text
    assert not twisted_imported


def test_version() -> None:
    result = run("--version")
    assert result.returncode == 0
    assert result.stdout == f"timerwheel {versions()['timerwheel']}\n"


def test_help_shows_defaults_of_numbers_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    defaults = re.findall(r"\(default:\s+([^)]+)\)", capsys.readouterr().out)
    numbers = ["5", "4", "5,000", "200", "300,000", "30,000"]
    assert defaults == [*numbers, "Twisted's choice here"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_it_ends_quietly_when_nobody_reads_on(unbuffered: str) -> None:
    """As in `selftest | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody:
        result = subprocess.run(
            [sys.executable, "-m", "timerwheel", "selftest", "--steps", "100"],
            stdout=nobody,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert result.returncode == 141
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["turbo"], "invalid choice: 'turbo'"),
        (["info", "--reactor", "turbo"], "'turbo' is no reactor's short name"),
        (["replay"], "the following arguments are required: FILE"),
        (["replay", "file", "--rounds", "0"], "'0' is not a whole number above zero"),
        (["bench", "fast"], "unrecognized arguments: fast"),
        (["selftest", "--steps", "0"], "'0' is not a whole number above zero"),
        (["selftest", "--steps", "many"], "'many' is not a whole number above zero"),
        (["selftest", "--seed", "x"], "invalid int value: 'x'"),
        (["demo", "--seconds", "0"], "'0' is not a whole number from 1 to 3,600"),
        (["demo", "--timers", "99,000,000"], "is not a whole number from 1 to 10,000,000"),
        (["demo", "--reactor", "foo"], "'foo' is no reactor's short name. Known are default, "),
        (["demo", "--page", "70000"], "'70000' is not the number of a port"),
        (["top"], "the following arguments are required: ADDRESS"),
        (["top", "/s", "--interval", "0"], "'0' is not a number of seconds"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["bench", "fast"], ["info", "--reactor", "turbo"]])
def test_an_error_shows_the_usage_of_its_command(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert capsys.readouterr().err.startswith(f"usage: python -m timerwheel {arguments[0]} [-h]")


@pytest.mark.parametrize("columns", [40, 79])
@pytest.mark.parametrize("command", [[], *([command] for command in COMMANDS)])
def test_help_cuts_no_word(
    command: list[str],
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    texts = []
    for width in columns, 200:
        monkeypatch.setenv("COLUMNS", str(width))
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        texts.append(capsys.readouterr().out)
    narrow, wide = texts
    assert narrow.split() == wide.split()
    for line in narrow.splitlines():
        assert len(line) <= columns or " " not in line.strip()


def test_there_is_a_script() -> None:
    (script,) = entry_points(group="console_scripts", name="timerwheel")
    assert script.load() is main


@pytest.mark.parametrize(
    ("path", "program"),
    [("/usr/bin/timerwheel", "timerwheel"), ("/lib/__main__.py", "python -m timerwheel")],
)
def test_help_calls_the_program_as_the_user_does(
    path: str, program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [path])
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    help_text = capsys.readouterr().out
    assert help_text.startswith(f"usage: {program} bench ")
    assert f"\n  {program} bench --json" in help_text


@pytest.mark.parametrize(
    ("command", "extra"), [(["bench"], "demo"), (["demo"], "demo"), (["top", "/s"], "top")]
)
def test_what_draws_a_table_says_that_it_needs_rich(
    command: list[str],
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    assert main(command) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.endswith(f"draws its table with rich: pip install timerwheel[{extra}]\n")
    assert len(printed.err.splitlines()) == 1


# info


def test_info_as_json() -> None:
    result = run("info", "--json")
    assert result.returncode == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["versions"]["twisted"] == twisted.__version__
    assert set(facts["clocks"]) == {"wall", "steady"}
    # A float of seconds since 1970 tells no less than a quarter of a microsecond apart.
    assert all(1e-7 < clock["resolution"] < 0.1 for clock in facts["clocks"].values())
    assert facts["without_install"]["reactor"].startswith("twisted.internet.")
    assert facts["without_install"]["wheel"] is False
    assert list(facts["reactors"]) == ["default", *MODULES]
    for finding in facts["reactors"].values():
        available = finding["reactor"] is not None
        assert finding["wheel"] is available
        assert (finding["reason"] is None) is available
        assert (finding["wakes"] is not None) is available
    assert list(facts["loops"]) == ["timerwheel.aio", "asyncio", "uvloop"]
    for finding in facts["loops"].values():
        available = finding["reactor"] is not None
        assert finding["wheel"] is available
        if available and sys.platform == "linux":
            assert finding["wakes"] == "microseconds, by a timerfd that the event loop watches"
    assert facts["loops"]["asyncio"]["reactor"].startswith("asyncio.")
    select = facts["reactors"]["select"]
    assert select["reactor"] == "timerwheel.reactors.selectreactor.SelectReactor"
    if sys.platform == "linux":
        assert "timerfd" in facts["reactors"]["epoll"]["wakes"]
        assert "timerfd" in facts["reactors"]["asyncio"]["wakes"]


def test_info_of_one_reactor() -> None:
    result = run("info", "--reactor", "select")
    assert result.returncode == 0, result.stderr
    assert "\nbefore install()  wheel not active; twisted.internet." in result.stdout
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("  "))
    assert re.fullmatch(
        r"  select +wheel active; timerwheel\.reactors\.selectreactor\.SelectReactor; "
        rf"wakes: microseconds, by {'a timerfd' if sys.platform == 'linux' else '.* own wait'}",
        line,
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [("epoll", "epoll"), ("timerwheel-epoll", "epoll"), ("timerwheel", "default")],
)
def test_info_takes_the_names_of_twisteds_commands(text: str, name: str) -> None:
    assert reactor_name(text) == name


def test_info_has_what_is_not_here_in_a_line() -> None:
    printed = run("info").stdout
    reactors, _, loops = printed.partition("Event loops, with timerwheel.aio:\n")
    reactors = reactors.partition("After timerwheel.install(NAME):\n")[2].splitlines()
    assert loops.startswith("  timerwheel.aio  wheel active; timerwheel.aio._loop.EventLoop; ")
    assert reactors[0].startswith("  default         wheel active; ")
    assert "not available" not in printed
    if sys.platform == "linux":
        assert re.fullmatch(r"  not here +cf, .*iocp, .*\(--reactor NAME says why\)", reactors[-1])


def test_info_cuts_no_word_in_a_narrow_terminal() -> None:
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    result = subprocess.run(
        [sys.executable, "-m", "timerwheel", "info", "--reactor", "select"],
        stdout=follower,
        env={**os.environ, "COLUMNS": "40"},
        timeout=PATIENCE,
    )
    printed = os.read(leader, 100_000).decode()
    os.close(follower)
    os.close(leader)
    assert result.returncode == 0
    assert "\n  select" in printed
    assert all(len(line) <= 40 or " " not in line.strip() for line in printed.splitlines())


def test_info_of_a_reactor_that_is_not_there() -> None:
    elsewhere = "kqueue" if sys.platform in ("linux", "win32") else "iocp"
    result = run("info", "--reactor", elsewhere)
    assert result.returncode == 2
    assert re.search(rf"\n  {elsewhere} +not available: \S", result.stdout)


def test_info_of_a_reactor_on_which_the_wheel_is_not_active(tmp_path: Path) -> None:
    """Where the program has a callLater() that kept Twisted's, that is called."""
    (tmp_path / "sitecustomize.py").write_text(
        "from twisted.internet.base import ReactorBase\n"
        "twisteds = ReactorBase.callLater\n"
        "def callLater(self, *args, **kw):\n"
        "    return twisteds(self, *args, **kw)\n"
        "ReactorBase.callLater = callLater\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    result = run("info", "--reactor", "select", PYTHONPATH=path)
    assert result.returncode == 1
    assert "  select          wheel not active; " in result.stdout


def test_versions_tell_how_the_extension_was_built() -> None:
    assert re.fullmatch(r"3\.\d+\.\d+", versions()["cython"])
    for word in versions()["build"].split():
        assert re.fullmatch(r"release|coverage|debug|sanitize=[a-z,-]+", word)


# selftest


def test_selftest_repeats_what_a_seed_did() -> None:
    first, again = (run("selftest", "--seed", "4711", "--steps", "300") for _ in range(2))
    for result in first, again:
        assert result.returncode == 0, result.stdout + result.stderr
        assert result.stderr == ""
    lines = first.stdout.splitlines()
    assert lines[1] == "python -m timerwheel selftest --seed 4711 --steps 300"
    for name, line in zip(CHECKS, lines[2:], strict=False):
        assert line.startswith(f"ok      {name}: ")
    assert lines[-1] == "all is well"
    # But for lateness, which no seed decides.
    assert lines[:5] == again.stdout.splitlines()[:5]


@pytest.mark.parametrize("seed", range(5))
def test_the_wheel_does_what_twisted_does(seed: int) -> None:
    assert model.check_against_twisted(seed, 500).startswith("500 steps, ")


class SleepsTooLong(model.WheelSide):
    """By the shortest time there is."""

    def timeout(self) -> float | None:
        seconds = super().timeout()
        return seconds + model.GRAIN if seconds else seconds


class MakesNoCalls(model.WheelSide):
    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.reactor.runUntilCurrent = lambda: None


class Forgets(model.WheelSide):
    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        pending = self.reactor.getDelayedCalls
        self.reactor.getDelayedCalls = lambda: pending()[1:]


class StopsAtAFailure(model.WheelSide):
    """Of a timed call, and does not log it."""

    def _fire(self, number: int) -> None:
        try:
            super()._fire(number)
        except model.PlannedError:
            return


@pytest.mark.parametrize("broken", [SleepsTooLong, MakesNoCalls, Forgets, StopsAtAFailure])
def test_the_selftest_finds_a_reactor_that_differs(
    broken: type[model.WheelSide], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "WheelSide", broken)
    with pytest.raises(CheckFailedError, match=r"^at step \d+ Twisted's reactor has .*, the wheel"):
        model.check_against_twisted(1, 500)


def test_the_selftest_finds_calls_for_an_instant_out_of_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert model.check_same_instant(1, 100) == "100 calls for 4 instants"
    # Twisted's heap does not keep their order.
    monkeypatch.setattr(timerwheel, "accelerate", lambda reactor: None)
    with pytest.raises(CheckFailedError, match="out of order"):
        model.check_same_instant(1, 100)


class LastFirst:
    """A priority queue that has it the wrong way round."""

    def __init__(self) -> None:
        self._queue: timerwheel.PriorityQueue[int] = timerwheel.PriorityQueue()

    def push(self, priority: int, item: int) -> Any:
        return self._queue.push(-priority, item)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def __len__(self) -> int:
        return len(self._queue)


def test_the_selftest_finds_a_wrong_priority_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    assert priorities.check_priority_queue(1, 200).startswith("200 steps, ")
    monkeypatch.setattr(priorities, "PriorityQueue", LastFirst)
    with pytest.raises(CheckFailedError, match=r"^pop\(\) at step \d+ is not \d+$"):
        priorities.check_priority_queue(1, 200)


def test_the_selftest_finds_an_early_call() -> None:
    assert wakes.judge("EPollReactor", [0.0, 0.5]).startswith("EPollReactor, 2 calls, none early")
    with pytest.raises(CheckFailedError, match=r"EPollReactor made a call 1\.0 us early"):
        wakes.judge("EPollReactor", [0.5, -1e-6])


def test_the_selftest_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakes, "PATIENCE", 0.0)
    with pytest.raises(CheckFailedError, match="the reactor still slept after 0 seconds"):
        wakes.check_wakes(1, 1)


def test_all_checks_are_made_though_one_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def good(seed: int, steps: int) -> str:
        return f"seed {seed}, {steps} steps"

    def bad(seed: int, steps: int) -> str:
        raise CheckFailedError("two and two are five")

    def broken(seed: int, steps: int) -> str:
        raise ZeroDivisionError

    assert run_checks({"good": good}, 1, 2)
    assert capsys.readouterr().out == "ok      good: seed 1, 2 steps\nall is well\n"
    assert not run_checks({"bad": bad, "broken": broken, "good": good}, 1, 2)
    printed = capsys.readouterr().out
    assert printed.startswith("FAILED  bad: two and two are five\nFAILED  broken:\nTraceback")
    assert printed.endswith("\nok      good: seed 1, 2 steps\nFAILED: bad, broken\n")


# bench


def test_both_sides_are_measured_in_turn() -> None:
    told: list[str] = []
    comparison = compare((100, 200), 2, told.append)
    assert comparison.stock.startswith("twisted.internet.")
    assert comparison.ours == comparison.stock.replace("twisted.internet", "timerwheel.reactors")
    assert [(result.work, result.pending) for result in comparison.results] == [
        (work, pending) for work in WORKLOADS for pending in (100, 200)
    ]
    assert told == [work for work in WORKLOADS for _ in range(4)]
    for result in comparison.results:
        assert len(result.stock) == len(result.ours) == 2
        assert min(result.stock + result.ours) > 0
        assert min(result.ratios) <= result.ratio <= max(result.ratios)


class Loses(StockReactor):
    """One call in seven."""

    made = 0

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> Any:
        call = super().callLater(delay, callable, *args, **kw)
        self.made += 1
        if self.made % 7 == 0:
            self._newTimedCalls.remove(call)
        return call


class TurnsRound(StockReactor):
    """What should be first is last."""

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> Any:
        return super().callLater(60 - delay, callable, *args, **kw)


@pytest.mark.parametrize("work", WORKLOADS)
def test_a_workload_finds_that_timers_were_lost(work: str) -> None:
    assert measure(StockReactor(), work, 100)["problem"] is None
    assert measure(Loses(), work, 100)["problem"] is not None


def test_a_workload_finds_that_timers_fired_out_of_order() -> None:
    assert "not in order" in measure(TurnsRound(), "fire", 1000)["problem"]


@pytest.mark.parametrize("work", WORKLOADS)
def test_a_workload_leaves_nothing_behind(work: str) -> None:
    reactor = StockReactor()
    measure(reactor, work, 100)
    assert reactor.getDelayedCalls() == []
    assert "seconds" not in vars(reactor)


def test_a_side_that_breaks_off(capfd: pytest.CaptureFixture[str]) -> None:
    with Side(MODULE, "ours") as side:
        for _ in range(2):
            with pytest.raises(
                SideError, match="ours, sing with 7 pending: the process ended with code 1"
            ):
                ask(side, "sing", 7)
    assert "KeyError: 'sing'" in capfd.readouterr().err


def test_a_side_that_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(NotStartedError, match="the stock side did not start"):
        compare((1,), 1, lambda work: None)
    assert main(["bench"]) == 2
    assert "FAILED: the stock side did not start" in capsys.readouterr().err


@pytest.mark.parametrize("columns", [30, 60, 100])
def test_a_table_cuts_no_word_in_a_narrow_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    from timerwheel.commands.sheet import print_sheet

    monkeypatch.setenv("COLUMNS", str(columns))
    rows = [["schedule, timers kept", "12,345 [ns]", "123", "100.4", "98.2 - 101"]]
    print_sheet(["pending stock", "ours", "ratio", "from - to"], rows, ["one two " * 20, ""])
    printed = capsys.readouterr().out
    for words in ["schedule, timers kept", "12,345 [ns]", "98.2 - 101", "pending stock"]:
        assert words in " ".join(printed.split())
    assert all(len(line) <= columns or " " not in line.strip() for line in printed.splitlines())
    assert ("─" in printed) == (columns == 100)


def test_the_table_and_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(bench, "SIZES", (1_000,))
    monkeypatch.setattr(bench, "ROUNDS", 1)
    assert main(["bench"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for work in WORKLOADS:
        assert any(re.match(rf"{re.escape(work)} +1,000 +[\d,]+ ", line) for line in lines)
    assert main(["bench", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert set(figures) == {"versions", "reactors", "results"}
    assert [result["work"] for result in figures["results"]] == list(WORKLOADS)
    for result in figures["results"]:
        assert result["ratio"] == pytest.approx(result["stock"][0] / result["ours"][0])
