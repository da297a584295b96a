"""A task: its states, its options, and its result for whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, TypedDict

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure

from timerwheel._tasks import TaskBase, TaskState

if TYPE_CHECKING:
    from tenacity import Retrying

    from timerwheel.tasks._group import Group


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


class OnceOptions(Options, total=False):
    """Those of the methods whose tasks run once."""

    after: Iterable[Task]
    """Tasks of the same scheduler; this one starts when all of them have succeeded."""
    require_success: bool
    """False: it starts when all of `after` are done, whether or not they have succeeded."""
    deadline: float | None
    """The time by which it is to be done, by the reactor's clock. If it is late, you are told."""


class DependencyError(Exception):
    """A task could not start, since `task`, which it waited for, has not succeeded.

    Where tasks wait in a row, `task` is the one that was cancelled or has failed by itself.
    `__cause__` is what that has failed with, or CancelledError.
    """

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.task = task

    def __str__(self) -> str:
        return f"could not start, since a task that it waited for has not succeeded: {self.task!r}"


class Task(TaskBase):
    """A function that is to be called, and what has become of it. Made by a `Scheduler`.

    `await task` gives its result. So does `task.deferred`. A failure that nobody
    asks for is logged, as one of a Deferred's is, when the task is forgotten.
    A DependencyError is not logged; who asks for it has asked for its cause.
    """

    __slots__ = ("__weakref__",)

    def __repr__(self) -> str:
        name = getattr(self.func, "__qualname__", repr(self.func))
        return f"<Task {name} {self.state.value} priority={self.priority:g}>"

    @property
    def result(self) -> Any:
        """What the task has come to. Raises what it failed with, or CancelledError.

        Raises RuntimeError if it is not done.
        """
        if not self.done:
            raise RuntimeError(f"{self!r} is not done")
        outcome = self._told()
        if self.state is not TaskState.SUCCEEDED:
            self._heard()
            outcome.raiseException()
        return outcome

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
            told = self._told()
            return succeed(told) if self.state is TaskState.SUCCEEDED else fail(told)
        listener: Deferred[Any] = Deferred(self._cancelled_by)
        if self._listeners is None:
            self._listeners = {}
        self._listeners[listener] = None
        return listener

    def _cancelled_by(self, listener: Deferred[Any]) -> None:
        """One who waits has been cancelled: it is told so when this returns, if not by this."""
        has_ended_it = self.cancel() and self.done
        if listener.called:
            return
        if has_ended_it:
            listener.callback(self._told())  # who is being told would else come first
        elif isinstance(self._listeners, dict):  # else they are being told
            self._listeners.pop(listener, None)
        if self._deferred is listener:
            self._deferred = None

    def _told(self) -> Any:
        """What listeners are told: the result, or a Failure, which is made when first asked for."""
        if self.state is not TaskState.SUCCEEDED and not isinstance(self._outcome, Failure):
            error = self._dependency_error() if self._outcome is None else self._outcome
            self._outcome = Failure(error)  # type: ignore[no-untyped-call]
        return self._outcome

    def _dependency_error(self) -> BaseException:
        """Why a task has ended that has not come to anything itself."""
        if self._cause is None:
            return CancelledError()
        error = DependencyError(self._cause)
        error.__cause__ = self._cause._told().value
        self._cause._heard()
        return error

    def _tell_next(self) -> bool:
        """Tell the next who waits that the task is done. Returns whether no other waits.

        A failure that nobody waits for is kept. After an error it may be called again.
        """
        told = self._told()
        if isinstance(self._listeners, dict):
            self._listeners = list(reversed(self._listeners))
        if not self._listeners and self.state is TaskState.FAILED and self._unheard is None:
            self._unheard = fail(told)
        while self._listeners:
            listener = self._listeners[-1]
            is_called = listener.called  # one before it may have cancelled it
            if not is_called:
                listener.callback(told)  # or errback: callback() takes a Failure
            self._listeners.pop()
            if not is_called and self._listeners:
                return False
        self._listeners = None
        return True

    def _heard(self) -> None:
        """Somebody has asked for the failure: it is not to be logged."""
        unheard, self._unheard = self._unheard, False
        if unheard:
            unheard.addErrback(ignore)


def ignore(failure: Failure) -> None:
    """For addErrback(): a failure that is not to be logged."""
