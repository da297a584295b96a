"""timerwheel.status(), what the log is told of a reactor by itself, and the version."""

from __future__ import annotations

import functools
import gc
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from helpers import PATIENCE, WARNINGS, FakeClock, StockReactor, make_reactor, run_on
from twisted.internet.base import ReactorBase

import timerwheel
import twisted
from timerwheel._core import SteadyClock
from timerwheel._methods import twisteds


class Overrides(StockReactor):
    """A program's own reactor class."""

    def callLater(self, *args: Any, **kw: Any) -> Any:
        return super().callLater(*args, **kw)


class Hook:
    """Something that is called in place of a method."""

    def __call__(self, *args: Any, **kw: Any) -> None:
        """It does nothing."""


def own_methods(reactor: Any) -> dict[str, str]:
    """The methods that are not ours, and what stands there."""
    return {method.name: str(method.function) for method in timerwheel.status(reactor).overridden}


def warnings_of(logged: list[Any]) -> list[str]:
    return [
        event["log_format"].format(**event) for event in logged if event["log_level"].name == "warn"
    ]


def start(reactor: Any) -> None:
    """Have a reactor that does no I/O begin to run, without its loop."""
    reactor.startRunning()
    reactor.runUntilCurrent()


def test_the_version_is_that_of_the_package() -> None:
    assert timerwheel.__version__ == version("timerwheel")


def test_a_stock_reactor_is_not_accelerated() -> None:
    status = timerwheel.status(StockReactor())
    assert not status.accelerated
    assert (status.methods, status.waker, status.precision, status.watch) == ((), None, None, None)
    assert (status.reactor, status.clock) == ("helpers.StockReactor", "wall")
    assert " off: helpers.StockReactor; " in repr(status)


@pytest.mark.parametrize("reactor", [None, 5, object, object()])
def test_what_is_no_reactor_is_not_accelerated(reactor: Any) -> None:
    assert not timerwheel.status(reactor).accelerated
    assert timerwheel.status(reactor).clock == "none"


def test_an_accelerated_reactor(reactor: Any) -> None:
    status = timerwheel.status(reactor)
    assert status.accelerated
    assert [method.name for method in status.methods] == [
        "callLater",
        "getDelayedCalls",
        "runUntilCurrent",
        "timeout",
    ]
    assert all(method.ours for method in status.methods)
    assert status.waker == "Waker"
    assert status.versions == {
        "timerwheel": timerwheel.__version__,
        "twisted": twisted.__version__,
        "python": platform.python_version(),
    }
    timerwheel.restore(reactor)
    assert not timerwheel.status(reactor).accelerated
    timerwheel.accelerate(reactor)


def test_its_repr_is_one_line(reactor: Any) -> None:
    text = repr(timerwheel.status(reactor))
    assert text.startswith(
        f"<timerwheel {timerwheel.__version__} on: helpers.StockReactor; wakes: "
    )
    assert "\n" not in text
    reactor.timeout = int
    assert "; timeout is not ours but int; " in repr(timerwheel.status(reactor))
    del reactor.timeout


def test_the_clock(clock: FakeClock) -> None:
    reactor = StockReactor()
    timerwheel.accelerate(reactor)
    assert timerwheel.status(reactor).clock == "wall"
    reactor.seconds = SteadyClock()
    assert timerwheel.status(reactor).clock == "steady"
    reactor.seconds = clock
    assert timerwheel.status(reactor).clock.startswith("helpers.FakeClock.__call__ (")


def line_of(function: Any) -> str:
    return f"({function.__code__.co_filename}:{function.__code__.co_firstlineno})"


def test_a_subclass_of_the_program(clock: FakeClock) -> None:
    reactor = make_reactor(clock, Overrides)
    assert own_methods(reactor) == {
        "callLater": f"{__name__}.Overrides.callLater {line_of(Overrides.callLater)}"
    }


def test_hooks_of_all_kinds_are_named_and_not_called(
    reactor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hook(*args: Any) -> None:
        raise AssertionError("it was called")

    here = f"hook {line_of(hook)}"
    for value in (hook, functools.partial(hook, 1), hook.__get__(reactor)):
        monkeypatch.setattr(reactor, "timeout", value)
        assert own_methods(reactor)["timeout"].endswith(here)
    monkeypatch.undo()
    assert own_methods(reactor) == {}
    for value in (hook, staticmethod(hook), classmethod(hook), property(hook)):
        monkeypatch.setattr(StockReactor, "timeout", value, raising=False)
        assert own_methods(reactor)["timeout"].endswith(here)
    monkeypatch.setattr(StockReactor, "timeout", Hook())
    assert own_methods(reactor)["timeout"] == f"{__name__}.Hook.__call__ {line_of(Hook.__call__)}"
    monkeypatch.setattr(StockReactor, "timeout", int)
    assert own_methods(reactor)["timeout"] == "int"
    with mock.patch.object(ReactorBase, "timeout"):
        monkeypatch.undo()
        assert "mock" in own_methods(reactor)["timeout"]


def test_our_method_bound_and_kept_on_the_reactor_is_ours(reactor: Any) -> None:
    reactor.callLater = reactor.callLater
    assert own_methods(reactor) == {}


LOOK = """
    status = timerwheel.status(reactor)
    print(json.dumps([
        status.accelerated, status.waker, status.precision, status.clock,
        [method.name for method in status.methods if method.ours],
        [method.name for method in status.overridden],
    ]))
"""


@pytest.mark.parametrize("name", ["epoll", "poll", "select", "asyncio"])
def test_real_reactors(name: str) -> None:
    found = run_on(name, LOOK, clock="steady")
    wakers = {"select": "SelectWaker", "asyncio": "AsyncioWaker"}
    own = {"asyncio": "_reschedule"}
    assert found[0]
    assert found[1] == wakers.get(name, "AlarmWaker")
    assert found[3] == "steady"
    common = ["callLater", "getDelayedCalls", "runUntilCurrent", "timeout"]
    assert found[4:] == [[*common, own.get(name, "doIteration")], []]


# What the log is told.


def test_a_reactor_that_starts_to_run_is_logged_once(reactor: Any, logged: list[Any]) -> None:
    reactor.runUntilCurrent()
    assert logged == []
    start(reactor)
    (event,) = logged
    assert (event["log_namespace"], event["log_level"].name) == ("timerwheel", "info")
    assert event["status"] == timerwheel.status(reactor)


def test_a_reactor_that_runs_already_is_logged_at_once(logged: list[Any]) -> None:
    reactor: Any = StockReactor()
    start(reactor)
    timerwheel.accelerate(reactor)
    assert [event["status"].accelerated for event in logged] == [True]
    timerwheel.accelerate(reactor)  # it is in already
    assert len(logged) == 1


def test_a_wheel_that_was_taken_out_before_is_not_logged(reactor: Any, logged: list[Any]) -> None:
    timerwheel.restore(reactor)
    timerwheel.accelerate(reactor)
    timerwheel.restore(reactor)
    gc.collect()
    start(reactor)
    assert logged == []
    timerwheel.accelerate(reactor)


def test_each_method_of_the_program_is_warned_of(clock: FakeClock, logged: list[Any]) -> None:
    start(make_reactor(clock, Overrides))
    (warning,) = warnings_of(logged)
    assert warning.startswith(
        f"reactor.callLater() is {__name__}.Overrides.callLater {line_of(Overrides.callLater)}. "
    )


def test_a_hook_that_calls_on_to_the_wheel_is_no_bypass(
    reactor: Any, monkeypatch: pytest.MonkeyPatch, logged: list[Any]
) -> None:
    ours = ReactorBase.callLater
    monkeypatch.setattr(ReactorBase, "callLater", lambda *args: ours(*args))
    reactor.callLater(1, int)
    assert (warnings_of(logged), timerwheel.stats(reactor).bypassed) == ([], 0)


def test_a_hook_that_calls_twisteds_own_is_warned_of_once(reactor: Any, logged: list[Any]) -> None:
    original = twisteds(ReactorBase, "callLater")

    def hook(*args: Any) -> Any:
        return original(reactor, *args)

    hook(1, int)
    hook(1, int)
    (warning,) = warnings_of(logged)
    line = hook.__code__.co_firstlineno + 1
    assert f"{__file__}:{line} in " in warning
    assert "take 1.1 times as long as without it" in warning


def test_a_program_that_runs_logs_a_line(tmp_path: Path) -> None:
    program = """if True:
        import sys
        import timerwheel
        timerwheel.install("select")
        from twisted.internet import reactor
        from twisted.python import log
        log.startLogging(sys.stdout, setStdout=False)
        reactor.callWhenRunning(reactor.stop)
        reactor.run()
    """
    result = subprocess.run(
        [sys.executable, *WARNINGS, "-c", program],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if "<timerwheel " in line]
    assert len(lines) == 1
    assert " on: timerwheel.reactors.selectreactor.SelectReactor; " in lines[0]
