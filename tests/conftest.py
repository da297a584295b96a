"""What the tests share: reactors on a fake clock, and no skip that goes unnoticed in CI."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from helpers import CallQueue, FakeClock, make_reactor, queue_of
from twisted.logger import LogEvent, globalLogPublisher

import timerwheel
from timerwheel.observe import Watch


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    """In CI a test that cannot run fails: what it needs must be there."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing may be: {report.longrepr[2]}"


@pytest.fixture(scope="module")
def quick_collections() -> Iterator[None]:
    """For tests that collect garbage often: no more than they ask for, of what they have made."""
    gc.collect()
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands at an arbitrary time until it is moved."""
    return FakeClock(100.0)


@pytest.fixture
def reactor(clock: FakeClock) -> Iterator[Any]:
    """A reactor with the wheel, which does no I/O, on the fake clock."""
    made = make_reactor(clock)
    yield made
    queue_of(made).check_invariants()


@pytest.fixture
def logged() -> Iterator[list[LogEvent]]:
    """The events of Twisted's log, as they come."""
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


@pytest.fixture
def queue(reactor: Any) -> CallQueue:
    """The queue of `reactor`."""
    return queue_of(reactor)


@pytest.fixture
def watch(reactor: Any) -> Iterator[Callable[..., Watch]]:
    """timerwheel.watch(reactor, ...), which the end of the test stops."""
    watches: list[Watch] = []

    def start(**options: Any) -> Watch:
        watches.append(timerwheel.watch(reactor, **options))
        return watches[-1]

    yield start
    for one in watches:
        one.stop()
