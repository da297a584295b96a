"""A task: its states, its options, and its result for whoever waits for it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypedDict

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from timerwheel._tasks import TaskBase

if TYPE_CHECKING:
    from tenacity import Retrying

    from timerwheel.tasks._group import Group


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


# By the number that the extension knows them by.
STATES = tuple(TaskState)
SCHEDULED, READY, RUNNING, SUCCEEDED, FAILED, CANCELLED = range(6)


class Options(TypedDict, total=False):
    """The keyword arguments of a scheduler's methods that make tasks."""

    priority: float
    """The lowest runs first; equal ones in the order in which they became ready. 0 if not given."""
    group: Group
    """The group with whose tasks it takes its turns, of `Scheduler.group()`."""
    timeout: float | None
    """So many seconds after an attempt began it is cancelled, and fails with TimeoutError."""
    retry: Retrying | None
    """A `tenacity.Retrying`, which says what is tried again, how often and after how long."""
    fallback: Callable[[Failure], Any] | None
    """Called with the Failure when the task would fail; its result is the task's."""


class Task(TaskBase):
    """A function that is to be called, and what has become of it. Made by a `Scheduler`.

    `await task` gives its result. So does `task.deferred`. A failure that nobody
    asks for is logged, as one of a Deferred's is, when the task is forgotten.
    """

    __slots__ = ("__weakref__",)

    def __repr__(self) -> str:
        name = getattr(self.func, "__qualname__", repr(self.func))
        return f"<Task {name} {self.state.value} priority={self.priority:g}>"

    @property
    def state(self) -> TaskState:
        """What the task does."""
        return STATES[self._state]

    @property
    def done(self) -> bool:
        """Whether the task has succeeded, failed or been cancelled."""
        return self._state >= SUCCEEDED

    @property
    def result(self) -> Any:
        """What the task has come to. Raises what it failed with, or CancelledError.

        Raises RuntimeError if it is not done.
        """
        if not self.done:
            raise RuntimeError(f"{self!r} is not done")
        if isinstance(self._outcome, Failure):
            self._heard()
            self._outcome.raiseException()
        return self._outcome

    @property
    def deferred(self) -> Deferred[Any]:
        """A Deferred of the result, the same one until it fires.

        Its cancel() is the task's, whoever else waits, and fires it at once, as a
        timeout of its own does: the task may take longer to end.
        """
        if self.done:
            return self._listen()
        if self._deferred is None:
            self._deferred = self._listen()
        deferred: Deferred[Any] = self._deferred
        return deferred

    def __await__(self) -> Generator[Deferred[Any], None, Any]:
        return self._listen().__await__()

    def cancel(self) -> bool:
        """Have the task end as CANCELLED. Returns whether that is under way; False if it was done.

        A task that waits does so at once. Of one that runs, the Deferred is
        cancelled that its function returned, and the task ends as that does: if
        the function makes something else of it than CancelledError, with that.
        """
        cancelled: bool = self._scheduler._cancel(self)
        return cancelled

    def _listen(self) -> Deferred[Any]:
        """A new Deferred of the result."""
        if self.done:
            self._heard()
            return succeed(self._outcome) if self._state == SUCCEEDED else fail(self._outcome)
        listener: Deferred[Any] = Deferred(self._cancelled_by)
        if self._listeners is None:
            self._listeners = []
        self._listeners.append(listener)
        return listener

    def _cancelled_by(self, listener: Deferred[Any]) -> None:
        """One who waits has been cancelled: it is told so when this returns, if not by this."""
        self.cancel()
        if not listener.called and self._listeners is not None:
            self._listeners.remove(listener)
            if self._deferred is listener:
                self._deferred = None

    def _tell(self) -> None:
        """Tell all who wait that the task is done. A failure that nobody waits for is kept."""
        listeners, self._listeners = self._listeners, None
        if not listeners and self._state == FAILED:
            self._unheard = fail(self._outcome)
        for listener in listeners or ():
            if not listener.called:  # one before it may have cancelled it
                listener.callback(self._outcome)  # or errback: callback() takes a Failure

    def _heard(self) -> None:
        """Somebody has asked for the failure: it is not to be logged."""
        unheard, self._unheard = self._unheard, None
        if unheard is not None:
            unheard.addErrback(lambda failure: None)
