"""Functions for tasks to call, and what has become of a task or a scheduler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from timerwheel.tasks import DependencyError, Scheduler, Task


class Jobs:
    """Functions that return a Deferred each, which the test fires."""

    def __init__(self) -> None:
        self.begun: dict[Any, Deferred[Any]] = {}

    def start(self, name: Any) -> Deferred[Any]:
        self.begun[name] = Deferred()
        return self.begun[name]

    def end(self, name: Any, result: Any = None) -> None:
        self.begun.pop(name).callback(result)


def outcome(task: Task) -> Any:
    """What the task's Deferred has fired with: a result, or the exception."""
    results: list[Any] = []
    task.deferred.addBoth(results.append)
    (result,) = results
    return result.value if isinstance(result, Failure) else result


def states(tasks: list[Task]) -> list[str]:
    return [task.state.value for task in tasks]


def error_of(task: Task) -> DependencyError:
    """The error of a task that has not started because of another."""
    with pytest.raises(DependencyError) as caught:
        _ = task.result
    return caught.value


def fail_with(error: BaseException) -> None:
    raise error


def closed(scheduler: Scheduler, timeout: float | None) -> list[str]:
    """Close a scheduler; a list that is not empty once it is closed."""
    told: list[str] = []
    scheduler.close(timeout).addCallback(lambda _: told.append("closed"))
    return told


def failing(times: int, error: type[Exception] = OSError) -> Callable[[], str]:
    """A function that fails so often, and then returns."""
    left = [times]

    def function() -> str:
        if left[0]:
            left[0] -= 1
            raise error(left[0])
        return "done"

    return function


async def until_cancelled_and(cleaned_up: Deferred[Any]) -> None:
    try:
        await Deferred()
    finally:
        await cleaned_up
