"""The scheduler: how tasks are made, and what becomes of those that do not end at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from timerwheel._tasks import DispatcherBase
from timerwheel.tasks._group import Group, as_limit
from timerwheel.tasks._task import CANCELLED, FAILED, READY, RUNNING, Options, Task

if TYPE_CHECKING:
    from typing_extensions import Unpack


_log = Logger()


class SchedulerClosedError(RuntimeError):
    """A task was given to a scheduler that takes no more."""


class Scheduler(DispatcherBase):
    """Scheduler(reactor): calls functions at their time, in turn, so many at once.

    No more than `max_running` tasks run at once, None for no limit. A task whose
    function returns a Deferred or a coroutine runs until that has fired.

    What is ready is run in one go for at most `budget` seconds, and goes on
    after the reactor has done its I/O; one function that takes longer is not
    interrupted. `reactor` provides IReactorTime: a reactor, or a Clock.
    """

    def __init__(
        self, reactor: Any, *, max_running: int | None = None, budget: float = 0.005
    ) -> None:
        if not budget > 0:
            raise ValueError(f"a budget must be positive seconds, not {budget!r}")
        super().__init__(reactor)
        self._budget = budget
        self._limit = as_limit(max_running)
        self._group = self.group("default")
        self._deadline: Any = None  # the reactor's call that ends close()

    def __repr__(self) -> str:
        return f"<Scheduler of {self._reactor!r} tasks={len(self._tasks)} running={self.running}>"

    # Making tasks.

    def call(self, func: Callable[..., Any], *args: Any, **options: Unpack[Options]) -> Task:
        """Call func(*args) as soon as its turn comes, not before this returns."""
        task = self._make(func, args, options)
        self._make_ready(task)
        return self._enter(task)

    def call_later(
        self, delay: float, func: Callable[..., Any], *args: Any, **options: Unpack[Options]
    ) -> Task:
        """Call func(*args) when delay seconds have passed and its turn comes.

        Raises ValueError if delay is negative or NaN.
        """
        if not delay >= 0:
            raise ValueError(f"a delay must be seconds, 0 or more, not {delay!r}")
        return self.call_at(self._reactor.seconds() + delay, func, *args, **options)

    def call_at(
        self, when: float, func: Callable[..., Any], *args: Any, **options: Unpack[Options]
    ) -> Task:
        """Call func(*args) when the reactor's clock reaches when, and its turn comes."""
        task = self._make(func, args, options)
        self._arm(task, when)
        return self._enter(task)

    def call_every(
        self,
        interval: float,
        func: Callable[..., Any],
        *args: Any,
        now: bool = True,
        **options: Unpack[Options],
    ) -> Task:
        """Call func(*args) every interval seconds; the first time at once, or after one interval.

        Turns keep to the grid of the first. Those whose time comes before the turn
        before them has ended are left out, and counted in `task.missed`. A turn
        that fails, its fallback too, ends the task, as LoopingCall does; else it
        goes on until it is cancelled. Raises ValueError if interval is below a nanosecond.
        """
        if not 1e-9 <= interval < inf:
            raise ValueError(f"an interval must be a nanosecond at least, not {interval!r} seconds")
        task = self._make(func, args, options)
        self._begin_period(task, interval, now)
        return self._enter(task)

    def group(self, name: str = "", *, weight: float = 1, max_running: int | None = None) -> Group:
        """A new group, for the option `group`: groups take fair turns.

        Of several groups that have tasks ready each gets turns in proportion to
        its weight. Priorities decide within a group. At most max_running tasks of
        it run at once.
        """
        return Group(self, name, weight, max_running)

    def _make(self, func: Callable[..., Any], args: tuple[Any, ...], options: Options) -> Task:
        if self._closing is not None:
            raise SchedulerClosedError(f"{self!r} takes no more tasks")
        if options.get("retry") is not None:
            # Here, since only who gives a policy needs the library.
            from timerwheel.tasks._retries import usable

            options["retry"] = usable(options["retry"])
        return Task(self, func, args, **options)

    def _enter(self, task: Task) -> Task:
        """Take in a task that is ready or has its time."""
        self._tasks[task] = None
        self._review()
        return task

    # Looking at them.

    @property
    def tasks(self) -> list[Task]:
        """The tasks that are not done."""
        return list(self._tasks)

    @property
    def max_running(self) -> int | None:
        """How many tasks may run at once, or None. May be changed at any time."""
        return None if self._limit < 0 else self._limit

    @max_running.setter
    def max_running(self, max_running: int | None) -> None:
        self._limit = as_limit(max_running)
        self._review()

    def _group_changed(self, group: Group) -> None:
        self._review_group(group)
        self._review()

    # What becomes of a task that does not succeed at once.

    def _begin_attempt(self, task: Task) -> None:
        """Tell the policy that an attempt begins."""
        from timerwheel.tasks._retries import Retries

        retries = task._retries or Retries(task.retry, task, self._reactor.seconds())
        task._retries = None  # the policy says nothing of failures of its own
        retries.begin_attempt()
        if task._cancelled:
            raise CancelledError
        task._retries = retries

    def _failed(self, task: Task) -> None:
        """The exception that is being handled is that of an attempt."""
        self._attempt_ended(Failure(), task)  # type: ignore[no-untyped-call]

    def _follow(self, task: Task, outcome: Any) -> None:
        """See what becomes of what an attempt returned."""
        if isinstance(outcome, Task):
            outcome = outcome._listen()
        elif isinstance(outcome, CoroutineType):
            task._coroutine = outcome
            outcome = Deferred.fromCoroutine(outcome)
        if not isinstance(outcome, Deferred):
            self._attempt_ended(outcome, task)
            return
        if task.timeout is not None:
            task._time_limit = self._reactor.callLater(task.timeout, self._cancel_attempt, task)
        self._wait_for(outcome, self._attempt_ended, task)

    def _wait_for(self, attempt: Deferred[Any], then: Callable[..., None], task: Task) -> None:
        """Go on when this has fired, which cancelling the task cancels."""
        task._attempt = attempt
        attempt.addBoth(then, task)
        if task._cancelled:
            attempt.cancel()

    def _attempt_ended(self, outcome: Any, task: Task) -> None:
        if self._end_time_limit(task) and is_cancellation(outcome):
            error = TimeoutError(task.timeout, "Deferred")  # as Deferred.addTimeout() has it
            outcome = Failure(error)  # type: ignore[no-untyped-call]
        task._attempt = task._coroutine = None
        if task._retries is None or task._cancelled:
            self._settle(outcome, task)
            return
        now = self._reactor.seconds()
        delay, outcome = task._retries.next(outcome, now)
        if delay is None:
            # (What the policy gives when it gives up may be a Deferred, too.)
            self._wait_for(maybeDeferred(lambda: outcome), self._settle, task)
            return
        if task._cancelled:  # by one of the policy's hooks
            self._ended(Failure(CancelledError()), task)
            return
        self._release(task)
        self._arm(task, now + delay)
        if task._cancelled:  # by the collector, say, which may have run meanwhile
            self._cancel(task)
        self._review()

    def _settle(self, outcome: Any, task: Task) -> None:
        """There is no other attempt: have the fallback see to a failure."""
        if isinstance(outcome, Failure) and task.fallback is not None and not task._cancelled:
            self._wait_for(maybeDeferred(task.fallback, outcome), self._ended, task)
        else:
            self._ended(outcome, task)

    def _ended(self, outcome: Any, task: Task) -> None:
        """A task has run: its turn is over, or it is done."""
        task._attempt = task._retries = None
        if isinstance(outcome, Failure):
            is_cancelled = task._cancelled and is_cancellation(outcome)
            self._release(task)
            self._finish(task, CANCELLED if is_cancelled else FAILED, outcome)
        else:
            self._succeed(task, outcome)
        self._review()

    def _end_period(self, task: Task) -> None:
        """A periodic task was cancelled, or all are to end."""
        self._finish(task, CANCELLED, Failure(CancelledError()))  # type: ignore[no-untyped-call]

    def _cancel(self, task: Task) -> bool:
        if task.done:
            return False
        if task._state == RUNNING:
            task._cancelled = True
            self._end_time_limit(task)
            self._cancel_attempt(task)
            return True
        self._withdraw(task)
        self._finish(task, CANCELLED, Failure(CancelledError()))  # type: ignore[no-untyped-call]
        self._review()
        return True

    def _end_time_limit(self, task: Task) -> bool:
        """An attempt has no time limit any more. Returns whether it had come."""
        limit, task._time_limit = task._time_limit, None
        if limit is None or not limit.active():
            return limit is not None
        limit.cancel()
        return False

    def _cancel_attempt(self, task: Task) -> None:
        """Cancel what a task waits for; nothing if it has not returned that yet."""
        if task._attempt is None:
            return
        if task._coroutine is not None and task._coroutine.cr_running:
            # It cancels itself. It can be told only where it waits: Twisted would forget it.
            self._reactor.callLater(0, task._attempt.cancel)
        else:
            task._attempt.cancel()

    # The end.

    def close(self, timeout: float | None = None) -> Deferred[None]:
        """Take no more tasks, and have those that there are end. Fires when all are done.

        Tasks that have begun or are ready are left to end, for timeout seconds at
        most if it is given, and are then cancelled; 0 cancels them at once. Tasks
        whose time has not come are cancelled, periodic ones after the turn that
        runs. May be called again, with another timeout. Raises ValueError if
        timeout is negative or NaN.
        """
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"a timeout must be seconds, 0 or more, not {timeout!r}")
        if self._closing is None:
            self._closing = []
            self._cancel_each([task for task in self.tasks if not has_begun(task)])
        if timeout is not None:
            self._forget_deadline()
            if timeout > 0 and self._tasks:
                self._deadline = self._reactor.callLater(timeout, self._cancel_all)
            else:
                self._cancel_all()
        closed: Deferred[None] = Deferred()
        self._closing.append(closed)
        if not self._tasks:
            self._closed()
        return closed

    def _cancel_all(self) -> None:
        self._deadline = None
        self._cancel_each(self.tasks)

    def _cancel_each(self, tasks: list[Task]) -> None:
        for task in tasks:
            try:
                task.cancel()
            except Exception:
                _log.failure("while cancelling {task}", task=task)

    def _closed(self) -> None:
        """All tasks of a scheduler that takes no more are done."""
        self._forget_deadline()
        told, self._closing = self._closing, []
        for closed in told:
            closed.callback(None)

    def _forget_deadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.cancel()


def has_begun(task: Task) -> bool:
    """Whether a task is left to end when its scheduler is closed."""
    if task.interval is not None:
        return task._state == RUNNING
    return task.attempts > 0 or task._state == READY


def is_cancellation(outcome: Any) -> bool:
    """Whether an attempt has failed because it was cancelled. (asyncio has an error of its own.)"""
    return isinstance(outcome, Failure) and bool(
        outcome.check(CancelledError, asyncio.CancelledError)  # type: ignore[no-untyped-call]
    )
