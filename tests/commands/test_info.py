"""`timerwheel info`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_helpers import run
from helpers import PATIENCE

import twisted
from timerwheel._reactors import NAMES
from timerwheel.commands.common import reactor_name
from timerwheel.commands.versions import versions


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
    assert list(facts["reactors"]) == list(NAMES)
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
    if not os.isatty(follower):
        pytest.skip("needs terminals that Python knows as such (an emulator?)")
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
