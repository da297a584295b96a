"""A task: its states, its options, and its result for whoever waits for it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator
from math import isnan
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from tenacity import BaseRetrying

    from timerwheel import PriorityEntry, Timer
    from timerwheel.tasks._groups import Group
    from timerwheel.tasks._retries import Retries
    from timerwheel.tasks._scheduler import Scheduler

T = TypeVar("T")


class TaskState(enum.Enum):
    """What a task does.

        SCHEDULED -> READY -> RUNNING -> SUCCEEDED, FAILED or CANCELLED

    A periodic task whose turn has ended, and a task that is to be tried again,
    go from RUNNING back to SCHEDULED. A task that does not run can become
    CANCELLED at any time. The last three are for good.
    """

    SCHEDULED = "scheduled"
    """Its time has not come."""
    READY = "ready"
    """It waits for its turn."""
    RUNNING = "running"
    """Its function runs, or what that returned has not fired yet."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Options(TypedDict, total=False):
    """The keyword arguments of a scheduler's methods that make tasks."""

    priority: float
    """The lowest runs first; equal ones in the order in which they became ready. 0 if not given."""
    group: Group
    """The group with whose tasks it takes its turns, of `Scheduler.group()`."""
    timeout: float
    """So many seconds after an attempt began it is cancelled, and fails with TimeoutError."""
    retry: BaseRetrying
    """A `tenacity.Retrying`, which says what is tried again, how often and after how long."""
    fallback: Callable[[Failure], Any]
    """Called with the Failure when the task would fail; its result is the task's."""


class Task(Generic[T]):
    """A function that is to be called, and what has become of it. Made by a `Scheduler`.

    `await task` gives its result. So does `task.deferred`. A failure that nobody
    asks for is logged, as one of a Deferred's is, when the task is forgotten.
    """

    __slots__ = (
        "__weakref__",
        "_attempt",
        "_cancelled",
        "_deferred",
        "_entry",
        "_first",
        "_listeners",
        "_outcome",
        "_priority",
        "_retries",
        "_scheduler",
        "_timer",
        "_turn",
        "_unheard",
        "args",
        "attempts",
        "fallback",
        "func",
        "group",
        "interval",
        "missed",
        "retry",
        "state",
        "timeout",
    )

    def __init__(
        self,
        scheduler: Scheduler,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        *,
        group: Group,
        priority: float = 0,
        timeout: float | None = None,
        retry: BaseRetrying | None = None,
        fallback: Callable[[Failure], Any] | None = None,
    ) -> None:
        if not callable(func):
            raise TypeError(f"{func!r} is not callable")
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"a timeout must be seconds, 0 or more, not {timeout!r}")
        self.func = func
        self.args = args
        self.group = group
        self.timeout = timeout
        self.retry = retry
        self.fallback = fallback
        self.interval: float | None = None
        self.state = TaskState.SCHEDULED
        self.attempts = 0
        self.missed = 0
        self._priority = checked_priority(priority)
        self._scheduler = scheduler
        self._timer: Timer | None = None
        self._entry: PriorityEntry[Task[Any]] | None = None
        self._attempt: Deferred[Any] | None = None
        self._retries: Retries | None = None
        self._first = 0.0  # the time of a periodic task's turn 0
        self._turn = 0
        self._cancelled = False
        self._outcome: Any = None
        self._listeners: list[Deferred[T]] | None = None
        self._deferred: Deferred[T] | None = None
        self._unheard: Deferred[T] | None = None

    def __repr__(self) -> str:
        name = getattr(self.func, "__qualname__", repr(self.func))
        return f"<Task {name} {self.state.value} priority={self._priority}>"

    @property
    def done(self) -> bool:
        """Whether the task has succeeded, failed or been cancelled."""
        return self.state in DONE

    @property
    def priority(self) -> float:
        """The priority, which may be set at any time. The lowest runs first."""
        return self._priority

    @priority.setter
    def priority(self, priority: float) -> None:
        checked_priority(priority)
        if self.state is TaskState.READY:
            assert self._entry is not None
            self.group._ready.update(self._entry, priority)
        self._priority = priority

    @property
    def when(self) -> float | None:
        """When a SCHEDULED task becomes ready, in seconds of the reactor's clock; else None."""
        timer = self._timer
        return timer.when if timer is not None and timer.active else None

    @property
    def result(self) -> T:
        """What the task has come to. Raises what it failed with, or CancelledError.

        Raises RuntimeError if it is not done.
        """
        if not self.done:
            raise RuntimeError(f"{self!r} is not done")
        if isinstance(self._outcome, Failure):
            self._outcome.raiseException()
        return cast(T, self._outcome)

    @property
    def deferred(self) -> Deferred[T]:
        """A Deferred of the result, the same one until it fires. Its cancel() is the task's."""
        if self._deferred is None:
            self._deferred = self._listen()
            if self.done:
                fired, self._deferred = self._deferred, None
                return fired
        return self._deferred

    def __await__(self) -> Generator[Deferred[T], None, T]:
        return self._listen().__await__()

    def cancel(self) -> bool:
        """Have the task end as CANCELLED. Returns whether that is under way; False if it was done.

        A task that waits does so at once. Of one that runs, the Deferred is
        cancelled that its function returned, and the task ends as that does: if
        the function makes something else of it than CancelledError, with that.
        """
        return self._scheduler._cancel(self)

    def _listen(self) -> Deferred[T]:
        """A new Deferred of the result."""
        if self._unheard is not None:
            heard, self._unheard = self._unheard, None
            return heard
        if self.done:
            return succeed(self._outcome) if self.state is SUCCEEDED else fail(self._outcome)
        listener: Deferred[T] = Deferred(self._cancelled_by)
        if self._listeners is None:
            self._listeners = []
        self._listeners.append(listener)
        return listener

    def _cancelled_by(self, listener: Deferred[T]) -> None:
        self.cancel()

    def _finish(self, state: TaskState, outcome: Any) -> None:
        """Note the end, and tell all who wait for it."""
        self.state = state
        self._outcome = outcome
        self._deferred = (
            None  # it refers to the task, which is to be freed at once when it is dropped
        )
        listeners, self._listeners = self._listeners, None
        if listeners:
            for listener in listeners:
                listener.callback(outcome)  # or errback: callback() takes a Failure
        elif state is FAILED:
            self._unheard = fail(outcome)


SUCCEEDED = TaskState.SUCCEEDED
FAILED = TaskState.FAILED
DONE = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED})


def checked_priority(priority: float) -> float:
    """A priority that can be compared: a number, and not NaN. Raises TypeError or ValueError."""
    if isnan(priority):
        raise ValueError("a priority cannot be NaN")
    return priority


def cancelled() -> Failure:
    """The outcome of a task that was cancelled before it ran."""
    return Failure(CancelledError())  # type: ignore[no-untyped-call]
