"""A task: its states, its options and its result."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from timerwheel._tasks import TaskBase, TaskState

if TYPE_CHECKING:
    from tenacity import Retrying

    from timerwheel.tasks._group import Group


class Options(TypedDict, total=False):
    """The options of all methods that make tasks."""

    priority: float
    """The lowest runs first; equal ones in the order in which they became ready. Default 0."""
    group: Group
    """The group of the task, from `Scheduler.group()`."""
    timeout: float | None
    """The seconds that an attempt may take; then it is cancelled and fails with TimeoutError."""
    retry: Retrying | None
    """A `tenacity.Retrying`: which errors to retry, how often and after how long."""
    fallback: Callable[[Failure], Any] | None
    """A function, called with the Failure if the task would fail; its result becomes the task's."""


class OnceOptions(Options, total=False):
    """The options of the methods for tasks that run once."""

    deadline: float | None
    """The time by which the task should be done, by the reactor's clock. If late, it is reported.
    """


class CallOptions(OnceOptions, total=False):
    """The options of the methods that call a function of yours once."""

    after: Iterable[Task]
    """Tasks of the same scheduler; this one starts when all of them have succeeded."""
    require_success: bool
    """False: it starts when all of `after` are done, even if some failed."""


class DependencyError(Exception):
    """A task could not start, because `task`, a dependency, has not succeeded.

    In a chain of tasks, `task` is the one that failed by itself, or that you cancelled. `__cause__`
    is its error, or CancelledError.
    """

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.task = task

    def __str__(self) -> str:
        return f"could not start: a task that it waited for has not succeeded: {self.task!r}"


class Listener(Protocol):
    """A Deferred, or what takes less time to make."""

    called: Any
    """Whether it knows the outcome already, so that it is not told."""

    def callback(self, outcome: Any) -> None:
        """Take the result or the Failure of a task. Raises no Exception."""


class Task(TaskBase):
    """A function to call, and its outcome. Only a `Scheduler` makes one that runs.

    `await task` and `task.deferred` give its result. If nothing handles a task's failure, it is
    logged when the task is garbage-collected, like that of any Deferred. A DependencyError is not
    logged. If something handles it, its cause counts as handled too.
    """

    __slots__ = ("__weakref__",)

    def __repr__(self) -> str:
        name = getattr(self.func, "__qualname__", repr(self.func))
        state = getattr(self.state, "value", "new")  # a policy's key() may see it without a state
        return f"<Task {name} {state} priority={self.priority:g}>"

    @property
    def result(self) -> Any:
        """The result of the task. If it failed, raises its error; if cancelled, CancelledError.

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

        Its cancel() cancels the task, even if others wait for it. The Deferred then fires at once,
        as it does for a timeout of its own; the task may take longer to end.
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
        """Cancel the task. Returns False if it was done already, else True.

        A waiting task ends at once as CANCELLED. If the task runs, this cancels the Deferred that
        its function returned, and the task ends with the Deferred's outcome, which need not be
        CancelledError. In the `Policy.key()` of a new task this raises RuntimeError.
        """
        cancelled: bool = self._scheduler._cancel(self)
        return cancelled

    def _listen(self) -> Deferred[Any]:
        """A new Deferred of the result."""
        listener: Deferred[Any] = Deferred(self._cancelled_by)
        self._add_listener(listener)
        return listener

    def _add_listener(self, listener: Listener) -> None:
        """Tell a listener when the task is done, now if it is."""
        if self.done:
            self._heard()
            listener.callback(self._told())
            return
        if self._listeners is None:
            self._listeners = {}
        self._listeners[listener] = None

    def _cancelled_by(self, listener: Deferred[Any]) -> None:
        """Somebody has cancelled a waiting Deferred. It fires when this returns, at the latest."""
        has_ended_it = self.cancel() and self.done
        if listener.called:
            return
        if has_ended_it:
            listener.callback(self._told())  # otherwise the one that is being told would come first
        elif isinstance(self._listeners, dict):  # else they are being told
            self._listeners.pop(listener, None)
        if self._deferred is listener:
            self._deferred = None

    def _dependency_error(self) -> BaseException:
        """The error of a task that has ended without one of its own."""
        if self._cause is None:
            return CancelledError()
        error = DependencyError(self._cause)
        error.__cause__ = self._cause._told().value
        self._cause._heard()
        return error

    def _heard(self) -> None:
        """Mark the failure as handled, so that it is not logged."""
        unheard, self._unheard = self._unheard, False
        if unheard:
            unheard.addErrback(ignore)


def ignore(failure: Failure) -> None:
    """For addErrback(): drop a failure without logging it."""
