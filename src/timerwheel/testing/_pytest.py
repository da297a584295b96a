"""The plugin that `pytest_timerwheel` registers if the option is on."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from timerwheel.testing._watch import TimerWatch, check_allowed, not_allowed, report

MARKER = "allow_pending_timers"

_passed = pytest.StashKey[bool]()


class TimerLeaks:
    """Watches the timers of each test, and fails it in its teardown if it leaves any.

    It looks for them after the test's own fixtures are torn down. Timers that fixtures of a wider
    scope schedule in their set-up are not the test's.
    """

    def __init__(self) -> None:
        self._watch = TimerWatch()
        self._watch.hook()

    def pytest_unconfigure(self) -> None:
        self._watch.unhook()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """A mistake in a mark shows before any test runs."""
        for item in items:
            try:
                check_allowed(_allowed(item))
            except TypeError as error:
                raise pytest.UsageError(f"{item.nodeid}: {error}") from None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        self._watch.begin()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        if fixturedef.scope == "function":
            return (yield)
        resume = self._watch.pause()
        try:
            return (yield)
        finally:
            resume()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        made = yield
        if call.when == "call":
            item.stash[_passed] = made.passed
        return made

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        try:
            result = yield
        finally:
            left = not_allowed(self._watch.end(), _allowed(item))
            for timer in left:
                timer.call.cancel()
        # If the test has failed already, it often could not clean up.
        passed = item.stash.get(_passed, False)
        if left and passed:
            pytest.fail(report(left), pytrace=False)
        return result


def _allowed(item: pytest.Item) -> list[int | str]:
    """The numbers and names of the test's marks. A mark without arguments allows any number."""
    allowed: list[Any] = []
    for mark in item.iter_markers(MARKER):
        allowed += mark.args or [10**9]
    return allowed
