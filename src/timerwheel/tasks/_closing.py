"""Close a scheduler: cancel its tasks, slice by slice, and tell the waiters when all are done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from timerwheel._tasks import DispatcherBase, TaskState
from timerwheel.tasks._task import Task

_log = Logger()


class Closed(Deferred[None]):
    """The Deferred that `close()` returns."""

    closing: Closing | None = None

    def addCallbacks(self, *args: Any, **kw: Any) -> Any:
        """Add callbacks, then check whether a task of the same scheduler waits for this."""
        super().addCallbacks(*args, **kw)
        if self.closing is not None:
            self.closing.refuse_own_tasks()
        return self


class Closing:
    """The end of a scheduler, from the first `close()` on."""

    __slots__ = ("_deadline", "_scheduler", "_spare", "_waiting")

    def __init__(self, scheduler: DispatcherBase) -> None:
        self._scheduler = scheduler
        self._waiting: deque[Closed] = deque()
        self._deadline: Any = None  # the reactor's call that cancels all
        self._spare: Callable[[Task], bool] | None = None

    def add(self) -> Closed:
        """Another Deferred that fires when all tasks are done."""
        closed = Closed()
        closed.closing = self
        self._waiting.append(closed)
        return closed

    def set_deadline(self, deadline: Any) -> None:
        """Replace the reactor's call with another, or with None."""
        former, self._deadline = self._deadline, deadline
        if former is not None and former.active():
            former.cancel()

    def cancel(self, spare: Callable[[Task], bool] | None = None) -> None:
        """Have go_on() cancel all tasks that are not to be spared, the oldest first."""
        self._spare = spare
        self._scheduler._begin_walk()

    def go_on(self, may_go_on: Callable[[], bool]) -> bool:
        """Cancel tasks for as long as that is allowed. Returns whether that was for all."""
        while not self._scheduler._is_walked:
            self._cancel(self._scheduler._next_task())
            if not self._scheduler._is_walked and not may_go_on():
                return False
        self.refuse_own_tasks()
        return True

    def _cancel(self, task: Task) -> None:
        if self._spare is None or not self._spare(task):
            try:
                task.cancel()
            except Exception:
                _log.failure("while cancelling {task}", task=task)

    def tell(self) -> None:
        """All tasks are done."""
        self.set_deadline(None)
        while self._waiting:
            closed = self._waiting[0]
            closed.closing = None
            if not closed.called:
                closed.callback(None)
            self._waiting.popleft()

    def refuse_own_tasks(self) -> None:
        """Fail each task that waits for the end of all tasks, and so for itself."""
        for closed in list(self._waiting):
            if not closed.called and any(map(self._waits_for_itself, tasks_behind(closed))):
                closed.closing = None
                closed.errback(
                    RuntimeError(
                        "a task cannot wait for close() of its own scheduler, which waits for that"
                        " task: call close() without waiting for it"
                    )
                )

    def _waits_for_itself(self, task: Task) -> bool:
        return (
            task._scheduler is self._scheduler
            and task.state is TaskState.RUNNING
            and not task._cancelled
        )


def has_begun(task: Task) -> bool:
    """Whether close() lets a task end by itself."""
    if task.interval is not None:
        return task.state is TaskState.RUNNING
    if task.state is TaskState.WAITING:
        return task.when is None
    return task.attempts > 0 or task.state is TaskState.READY


def tasks_behind(deferred: Deferred[Any]) -> Iterator[Task]:
    """The tasks that wait for a Deferred, as far as Twisted shows its callbacks.

    It finds: a task; another Deferred, if one of its callbacks has returned this one; and the
    Deferred of a coroutine, or of an inlineCallbacks function, that awaits it.
    """
    found = [deferred]
    while found:
        for (callback, args, _), _ in getattr(found.pop(), "_callbacks", ()):
            if isinstance(getattr(callback, "__self__", None), DispatcherBase):
                for task in [argument for argument in args if isinstance(argument, Task)]:
                    yield task
                    found += task._listeners or ()
            elif getattr(callback, "__module__", None) == Deferred.__module__:
                # An argument is that Deferred, or the driver of the coroutine, which knows it.
                waiting = [getattr(argument, "deferred", argument) for argument in args or ()]
                found += [each for each in waiting if isinstance(each, Deferred)]
