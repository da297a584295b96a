"""The page of programs that run: `ask`, `info --pid` and `demo --page` with real servers."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from helpers import WARNINGS

from timerwheel.__main__ import main
from timerwheel.commands.address import ask
from timerwheel.commands.demo.plan import Plan
from timerwheel.commands.demo.runner import Page, run_side

SERVER = """
    import sys
    import timerwheel
    timerwheel.install()
    from twisted.internet import reactor
    from twisted.web.resource import Resource
    from twisted.web.server import Site
    from timerwheel.web import TimersPage

    def waits():
        pass

    for _ in range(1000):
        reactor.callLater(3600, waits)
    page = TimersPage(reactor)
    root = Resource()
    root.putChild(b"timers", page)
    reactor.listenUNIX(sys.argv[1], Site(page), mode=0o600)
    port = reactor.listenTCP(0, Site(root), interface="127.0.0.1")
    reactor.callWhenRunning(print, port.getHost().port, flush=True)
    reactor.run()
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Any, str, str]]:
    """A process that has the page at a UNIX socket and below /timers/; the addresses of both."""
    path = str(tmp_path / "timerwheel.sock")
    command = [sys.executable, *WARNINGS, "-c", textwrap.dedent(SERVER), path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield process, path, f"http://127.0.0.1:{port}/timers"
        process.terminate()


def test_both_addresses_have_the_page(served: tuple[Any, str, str]) -> None:
    _, path, url = served
    for address in (path, url):
        assert ask(address)["stats"]["scheduled"] >= 1000
    with urlopen(url, timeout=10) as answer:  # led to the slash at the end
        assert answer.url == f"{url}/"
        assert b"<h1>Timers</h1>" in answer.read()


def test_nobody_else_may_use_the_socket(served: tuple[Any, str, str]) -> None:
    assert Path(served[1]).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this /proc")
def test_info_finds_the_page(
    served: tuple[Any, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    process, path, _ = served
    assert main(["info", "--pid", str(process.pid), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["page"]["address"] == path
    groups = found["page"]["data"]["survey"]["by"]["function"]
    assert {"__main__.waits (<string>:10)": 1000}.items() <= {
        group["name"]: group["count"] for group in groups
    }.items()


def test_the_demo_has_a_page_and_metrics() -> None:
    """It says where before clients come, and nothing goes on without these."""
    answers: list[Any] = []

    def announce(url: str) -> None:
        with urlopen(f"{url}metrics", timeout=30) as answer:
            answers.extend((ask(url), answer.read()))

    plan = Plan(seconds=1.0, connections=5, timers=1000, churn=100, messages=100)
    result = run_side("ours", "default", plan, lambda passed: None, Page(0, announce))
    assert result.problems == []
    page, metrics = answers
    assert page["status"]["accelerated"]
    assert b"timerwheel_pending_calls" in metrics
