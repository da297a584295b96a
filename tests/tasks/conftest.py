"""What the tests of timerwheel.tasks share: a clock of either kind, a scheduler on it, logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet import task as twisted_task
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

import timerwheel
from timerwheel.tasks import Scheduler


@pytest.fixture(params=[twisted_task.Clock, timerwheel.Clock], ids=["stock", "ours"])
def clock(request: pytest.FixtureRequest) -> Any:
    """A clock of Twisted's, and one of ours."""
    return request.param()


@pytest.fixture
def scheduler(clock: Any) -> Scheduler:
    return Scheduler(clock)


@pytest.fixture
def log() -> list[Any]:
    """What the tasks of a test write down."""
    return []


@pytest.fixture
def logged() -> Iterator[list[Failure]]:
    """The failures that are logged."""
    failures: list[Failure] = []

    def observe(event: dict[str, Any]) -> None:
        if "log_failure" in event:
            failures.append(event["log_failure"])

    globalLogPublisher.addObserver(observe)
    yield failures
    globalLogPublisher.removeObserver(observe)
