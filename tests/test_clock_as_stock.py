"""What runs on Twisted's Clock runs alike on ours: random programs, and Twisted's own tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers import check_clock, run_python
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import error, task

import timerwheel

# A random program, for both clocks. Many of its times are equal.

DELAYS = st.integers(0, 12).map(lambda quarters: quarters / 4) | st.floats(0, 1e10)
MOVES = DELAYS | DELAYS.map(lambda delay: -delay)
WHICH = st.integers(0, 30)
OPERATIONS = st.one_of(
    st.tuples(st.just("callLater"), MOVES, st.none() | MOVES),
    st.tuples(st.just("cancel"), WHICH),
    st.tuples(st.sampled_from(["reset", "delay"]), WHICH, MOVES),
    st.tuples(st.just("advance"), MOVES),
    st.tuples(st.just("rightNow"), MOVES),
)


class Run:
    """A program that runs on a clock, and what is seen of it."""

    def __init__(self, clock: task.Clock) -> None:
        self.clock: Any = clock
        self.handles: dict[str, Any] = {}
        self.made: list[tuple[float, str]] = []

    def schedule(self, name: str, delay: float, child_delay: float | None) -> None:
        self.handles[name] = self.clock.callLater(delay, self.fire, name, child_delay)

    def fire(self, name: str, child_delay: float | None) -> None:
        self.made.append((self.handles[name].getTime(), name))
        if child_delay is not None:
            self.schedule(name + " child", child_delay, None)

    def step(self, operation: str, *arguments: Any) -> Any:
        """Do one thing. Returns all that shows then; calls for the same time are in no order."""
        self.made = []
        failure: type[Exception] | None = None
        if operation == "callLater":
            self.schedule(f"call {len(self.handles)}", *arguments)
        elif operation == "advance":
            self.clock.advance(*arguments)
        elif operation == "rightNow":
            self.clock.rightNow = arguments[0]
        elif self.handles:
            name = sorted(self.handles)[arguments[0] % len(self.handles)]
            try:
                getattr(self.handles[name], operation)(*arguments[1:])
            except (error.AlreadyCalled, error.AlreadyCancelled) as raised:
                failure = type(raised)
        return failure, self.clock.seconds(), sorted(self.made), self.pending()

    def pending(self) -> list[tuple[str, float, float, bool]]:
        active = {name for name, call in self.handles.items() if call in self.clock.calls}
        return [
            (name, call.time, call.delayed_time, name in active)
            for name, call in sorted(self.handles.items())
        ]


@settings(deadline=None, max_examples=500, derandomize=True, database=None)
@given(st.lists(OPERATIONS, max_size=40))
def test_a_random_program_runs_as_on_the_stock_clock(program: list[tuple[Any, ...]]) -> None:
    stock, ours = Run(task.Clock()), Run(timerwheel.Clock())
    for operation in program:
        assert ours.step(*operation) == stock.step(*operation)
        assert [when for when, _ in ours.made] == [when for when, _ in stock.made]
        times = [call.getTime() for call in ours.clock.calls]
        assert times == sorted(times)
        check_clock(ours.clock)


# Twisted's own tests, those of its modules that use a Clock, are quick and need no network.
MODULES = [
    "twisted.application.test.test_internet",
    "twisted.internet.test.test_base",
    "twisted.internet.test.test_inlinecb",
    "twisted.mail.test.test_imap",
    "twisted.mail.test.test_mail",
    "twisted.names.test.test_cache",
    "twisted.names.test.test_client",
    "twisted.runner.test.test_procmon",
    "twisted.test.test_cooperator",
    "twisted.test.test_factories",
    "twisted.test.test_iosim",
    "twisted.test.test_memcache",
    "twisted.test.test_policies",
    "twisted.test.test_task",
    "twisted.web.test.test_web",
    "twisted.words.test.test_jabberxmlstream",
]

RUN_TWISTEDS_TESTS = """
    import json, os, sys, warnings
    import timerwheel
    from twisted.internet import task

    warnings.resetwarnings()  # Twisted's tests see to their own
    if sys.argv[1] == "ours":
        task.Clock = timerwheel.Clock
    os.chdir(sys.argv[2])

    from twisted.internet.testing import MemoryReactorClock
    from twisted.trial.reporter import TestResult
    from twisted.trial.runner import TestLoader, TrialRunner

    outcomes = []

    class Recorder(TestResult):
        def addSuccess(self, test): outcomes.append((test.id(), "success"))
        def addFailure(self, test, reason): outcomes.append((test.id(), "failure", str(reason)))
        def addError(self, test, reason): outcomes.append((test.id(), "error", str(reason)))
        def addSkip(self, test, reason): outcomes.append((test.id(), "skip"))
        def addExpectedFailure(self, test, *_): outcomes.append((test.id(), "expected failure"))
        def addUnexpectedSuccess(self, test, *_): outcomes.append((test.id(), "no failure"))
        def done(self): pass

    TrialRunner(lambda *_: Recorder()).run(TestLoader().loadByNames(sys.argv[3:]))
    print(json.dumps([issubclass(MemoryReactorClock, timerwheel.Clock), outcomes]))
"""


def test_twisteds_own_tests_pass(tmp_path: Path) -> None:
    is_ours, outcomes = run_python(RUN_TWISTEDS_TESTS, "ours", str(tmp_path), *MODULES)
    _, stock_outcomes = run_python(RUN_TWISTEDS_TESTS, "stock", str(tmp_path), *MODULES)
    assert is_ours
    assert len(outcomes) > 1000
    assert [outcome for outcome in outcomes if outcome[1] in ("failure", "error")] == []
    assert sorted(outcomes) == sorted(stock_outcomes)
