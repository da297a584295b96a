"""A test that leaves timers pending fails: the pytest plugin, and the mixin for trial."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from helpers import PATIENCE, FakeClock, StockReactor, make_reactor, run_python
from twisted.internet import task
from twisted.internet.base import ReactorBase

import timerwheel
from timerwheel.testing import NoPendingTimers
from timerwheel.testing._watch import TimerWatch, check_allowed, name_of, not_allowed

SESSION = """
import functools
import pytest
import timerwheel
from twisted.internet import reactor, task

class Session:
    def __init__(self, clock):
        self.timeout = clock.callLater(30, self.hang_up)

    def hang_up(self):
        pass

def other():
    pass
"""


def run_tests(pytester: pytest.Pytester, tests: str, *arguments: str) -> pytest.RunResult:
    """Run tests of `Session` with the plugin on."""
    pytester.makepyfile(test_it=SESSION + tests)
    return pytester.runpytest_subprocess("--timer-leaks", "--strict-markers", *arguments)


# The pytest plugin


@pytest.mark.parametrize("clock", ["timerwheel.Clock()", "task.Clock()", "reactor"])
def test_a_test_that_leaves_a_timer_fails(pytester: pytest.Pytester, clock: str) -> None:
    result = run_tests(
        pytester,
        f"""
def test_leaves():
    clock = {clock}
    Session(clock)

def test_cancels():
    Session({clock}).timeout.cancel()

def test_has_none():
    pass
""",
    )
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_leaves*",
            "1 timer is still pending:",
            "test_it.Session.hang_up, due in * s, on *",
            "  scheduled at test_it.py:* in *__init__",
            "  called from test_it.py:* in test_leaves",
        ]
    )


def test_it_says_all_that_are_pending_in_order(pytester: pytest.Pytester) -> None:
    result = run_tests(
        pytester,
        """
def test_leaves():
    clock = task.Clock()
    clock.callLater(5, functools.partial(other))
    loop = task.LoopingCall(other)
    loop.clock = clock
    loop.start(3, now=False)
    clock.callLater(4, object().__eq__, 1)
""",
    )
    result.stdout.fnmatch_lines(
        [
            "3 timers are still pending:",
            "twisted.internet.task.LoopingCall of test_it.other, due in 3 s*",
            "  scheduled at test_it.py:* in test_leaves",
            "object.__eq__, due in 4 s*",
            "test_it.other, due in 5 s, on twisted.internet.task.Clock",
            "  scheduled at test_it.py:* in test_leaves",
        ]
    )


def test_a_mark_allows_some(pytester: pytest.Pytester) -> None:
    result = run_tests(
        pytester,
        """
allow = pytest.mark.allow_pending_timers

@pytest.mark.parametrize(
    "count",
    [
        pytest.param(5, marks=allow),
        pytest.param(2, marks=allow(2)),
        pytest.param(1, marks=allow(2)),
        pytest.param(3, marks=allow(2)),
        pytest.param(3, marks=allow("hang_up")),
        pytest.param(3, marks=allow("Session.hang_up")),
        pytest.param(3, marks=allow("test_it.Session.hang_up")),
        pytest.param(3, marks=allow("up")),
        pytest.param(3, marks=allow("other")),
        pytest.param(3, marks=[allow("other"), allow(1), allow(2)]),
        pytest.param(3, marks=allow("other", 2)),
    ],
)
def test_leaves(count):
    clock = task.Clock()
    for _ in range(count):
        Session(clock)
""",
    )
    result.assert_outcomes(passed=11, errors=4)
    text = result.stdout.str()
    for number, fails in enumerate([0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 1]):
        count = [5, 2, 1, 3, 3, 3, 3, 3, 3, 3, 3][number]
        assert (f"ERROR at teardown of test_leaves[{count}" in text) or not fails


def test_a_mark_that_says_neither_number_nor_name(pytester: pytest.Pytester) -> None:
    result = run_tests(
        pytester,
        """
@pytest.mark.allow_pending_timers(2.5)
def test_it():
    pass
""",
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_it: pending timers are allowed by number or by name*2.5"])


def test_fixtures_clean_up_first_and_wider_ones_keep_their_timers(
    pytester: pytest.Pytester,
) -> None:
    result = run_tests(
        pytester,
        """
@pytest.fixture
def session():
    session = Session(reactor)
    yield session
    session.timeout.cancel()

@pytest.fixture
def careless():
    return Session(reactor)

@pytest.fixture(scope="module")
def server():
    server = Session(reactor)
    yield server
    server.timeout.cancel()

def test_session(session):
    pass

def test_server(server):
    pass

def test_server_again(server):
    assert server.timeout.active()

def test_careless(server, careless):
    pass
""",
    )
    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_careless*"])


def test_what_is_left_is_cancelled_and_no_other_test_is_told(pytester: pytest.Pytester) -> None:
    run_tests(
        pytester,
        """
def test_leaves():
    Session(reactor)

@pytest.mark.allow_pending_timers("other")
def test_may():
    reactor.callLater(60, other)

def test_next():
    assert [call.func for call in reactor.getDelayedCalls()] == [other]
""",
    ).assert_outcomes(passed=3, errors=1)


def test_a_test_that_fails_is_told_that_alone(pytester: pytest.Pytester) -> None:
    run_tests(
        pytester,
        """
def test_fails():
    Session(reactor)
    assert False

def test_skips():
    Session(reactor)
    pytest.skip("because")
""",
    ).assert_outcomes(failed=1, skipped=1)


def test_the_configuration_file_switches_it_on(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ntimer_leaks = true")
    pytester.makepyfile(SESSION + "\ndef test_leaves():\n    Session(reactor)\n")
    pytester.runpytest_subprocess().assert_outcomes(passed=1, errors=1)


def test_it_is_off_unless_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SESSION
        + """
@pytest.mark.allow_pending_timers(1)
def test_leaves():
    Session(task.Clock())
    Session(reactor)
"""
    )
    pytester.runpytest_subprocess("--strict-markers").assert_outcomes(passed=1)


def test_off_it_imports_neither_twisted_nor_the_extension(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
import sys

def test_imports():
    assert "pytest_timerwheel" in sys.modules
    for name in sys.modules:
        assert name.partition(".")[0] not in ("twisted", "timerwheel")
"""
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_on_it_installs_no_reactor(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
import sys

def test_imports():
    assert "twisted.internet.reactor" not in sys.modules
"""
    )
    pytester.runpytest_subprocess("--timer-leaks").assert_outcomes(passed=1)


# The mixin for trial

CASES = """
import timerwheel
from timerwheel.testing import NoPendingTimers
from twisted.internet import reactor, task
from twisted.trial.unittest import SynchronousTestCase, TestCase

def expired():
    pass

class Tests(NoPendingTimers):
    call = None

    def test_leaves_on_clock(self):
        timerwheel.Clock().callLater(1, expired)

    def test_leaves_on_stock_clock(self):
        task.Clock().callLater(1, expired)

    def test_leaves_on_reactor(self):
        reactor.callLater(1, expired)

    def test_may(self):
        task.Clock().callLater(1, expired)

    test_may.allow_pending_timers = "expired"

    def test_may_one(self):
        for _ in range(2):
            task.Clock().callLater(1, expired)

    test_may_one.allow_pending_timers = 1

    def test_cancels(self):
        reactor.callLater(1, expired).cancel()

    def test_cleans_up(self):
        self.addCleanup(reactor.callLater(1, expired).cancel)

    def test_tears_down(self):
        self.call = reactor.callLater(1, expired)

    def tearDown(self):
        if self.call:
            self.call.cancel()

class Asynchronous(Tests, TestCase):
    def test_leaves_later(self):
        def later():
            reactor.callLater(1, expired)
        return task.deferLater(reactor, 0.01, later)

    def test_soon(self):
        reactor.callLater(0, reactor.callLater, 0, expired)

class Synchronous(Tests, SynchronousTestCase):
    pass

class Allowed(NoPendingTimers, SynchronousTestCase):
    allow_pending_timers = 2, "none"

    def test_leaves(self):
        for clock in (task.Clock(), timerwheel.Clock()):
            clock.callLater(1, expired)
"""


@pytest.mark.parametrize("reactor", ["default", "asyncio", "timerwheel", "timerwheel-asyncio"])
def test_trial(reactor: str, tmp_path: Path) -> None:
    (tmp_path / "cases.py").write_text(CASES)
    result = subprocess.run(
        [sys.executable, "-m", "twisted.trial", f"--reactor={reactor}", "cases"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=tmp_path,
    )
    output = result.stdout + result.stderr
    leaves = ("on_clock", "on_stock_clock", "on_reactor")
    failed = {f"cases.{kind}.test_leaves_{what}" for kind in KINDS for what in leaves}
    failed |= {f"cases.{kind}.test_may_one" for kind in KINDS}
    failed |= {"cases.Asynchronous.test_leaves_later"}
    assert {line for line in output.splitlines() if line.startswith("cases.")} - {
        line for line in output.splitlines() if ", due in" in line
    } == failed, output
    assert "Ran 19 tests" in output
    assert "cases.expired, due in 1 s, on twisted.internet.task.Clock" in output
    assert f"  scheduled at {tmp_path / 'cases.py'}:17 in " in output
    assert "DirtyReactor" not in output


KINDS = ("Asynchronous", "Synchronous")


def test_the_mixin_is_for_trial() -> None:
    class Tests(NoPendingTimers):
        def run_test(self) -> None:
            """It does not come to that."""

    with pytest.raises(TypeError, match="needs a TestCase or SynchronousTestCase of trial"):
        Tests().run(None)


# What both are made of


@pytest.fixture
def watch() -> Any:
    made = TimerWatch()
    made.hook()
    yield made
    made.unhook()


def test_the_hooks_come_off() -> None:
    classes = (ReactorBase, task.Clock, timerwheel.Clock)
    before = [dict(one.__dict__) for one in classes]
    watch = TimerWatch()
    watch.hook()
    assert [dict(one.__dict__) for one in classes] != before
    watch.unhook()
    assert [dict(one.__dict__) for one in classes] == before


@pytest.mark.parametrize("wheel", [False, True])
def test_reactors_of_all_kinds_are_watched(watch: TimerWatch, wheel: bool) -> None:
    reactor: Any = make_reactor(FakeClock(5.0)) if wheel else StockReactor()
    before = reactor.callLater(1, print)
    watch.begin()
    left = reactor.callLater(2, print)
    reactor.callLater(3, print).cancel()
    resume = watch.pause()
    reactor.callLater(4, print)
    resume()
    (found,) = watch.end()
    assert found.call is left
    assert found.name == "builtins.print"
    assert found.owner == "helpers.StockReactor"
    assert found.origin[0].code is test_reactors_of_all_kinds_are_watched.__code__
    assert before.active()
    assert watch.end() == []


def test_a_clock_that_is_gone_counts(watch: TimerWatch) -> None:
    watch.begin()
    timerwheel.Clock().callLater(1, print)
    task.Clock().callLater(1, print)
    assert len(watch.end()) == 2


def test_a_directory_that_is_gone_does_not_hide_who_scheduled(watch: TimerWatch) -> None:
    watch.begin()
    task.Clock().callLater(1, print)
    (timer,) = watch.end()
    with mock.patch("os.getcwd", side_effect=FileNotFoundError):
        text = str(timer)
    assert f"scheduled at {__file__}:" in text


def test_arguments_are_not_shown(watch: TimerWatch) -> None:
    watch.begin()
    task.Clock().callLater(1, print, "password")
    assert "password" not in str(watch.end()[0])


class Callable:
    def __call__(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (print, "builtins.print"),
        (Callable().__call__, f"{__name__}.Callable.__call__"),
        (Callable(), f"{__name__}.Callable"),
        (Callable, f"{__name__}.Callable"),
        (mock.Mock(), "unittest.mock.Mock"),
        (object().__eq__, "object.__eq__"),
        (partial(partial(print, 1), 2), "builtins.print"),
        (task.LoopingCall(print), "twisted.internet.task.LoopingCall of builtins.print"),
    ],
)
def test_names(function: Any, name: str) -> None:
    assert name_of(function) == name


def test_a_callable_that_raises_when_it_is_looked_at_is_named_by_its_type() -> None:
    class Hostile(Callable):
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(name)

    assert name_of(Hostile()).endswith(".<locals>.Hostile")


@pytest.mark.parametrize("allowed", [2.5, None, True, ["hang_up"]])
def test_what_cannot_be_allowed(allowed: object) -> None:
    with pytest.raises(TypeError, match="allowed by number or by name"):
        check_allowed([1, allowed])


def test_numbers_count_what_names_do_not(watch: TimerWatch) -> None:
    watch.begin()
    clock = task.Clock()
    for function in (print, print, len):
        clock.callLater(1, function)
    left = watch.end()
    assert not_allowed(left, []) == left
    assert not_allowed(left, ["print"]) == left[2:]
    assert not_allowed(left, ["print", 1]) == []
    assert not_allowed(left, [2]) == left


def test_importing_timerwheel_does_not_import_this() -> None:
    assert (
        run_python(
            """
        import json, sys, timerwheel
        print(json.dumps(any(name.startswith("timerwheel.testing") for name in sys.modules)))
        """
        )
        is False
    )
