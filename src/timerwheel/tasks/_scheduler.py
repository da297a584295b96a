"""The scheduler: how tasks are made, and what becomes of those that do not end at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.python.failure import Failure

from timerwheel._tasks import DispatcherBase, TaskState, is_result
from timerwheel.tasks._awaiting import for_twisted
from timerwheel.tasks._closing import Closing, has_begun
from timerwheel.tasks._group import Group, as_limit
from timerwheel.tasks._task import Options, Task, ignore

if TYPE_CHECKING:
    from typing_extensions import Unpack


# Cancelling a task cancels the task that it waits for, and so on, each on the stack of the one
# before. After so many the rest waits until these are through.
NESTED_CANCELS = 10


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
        self._cancels = 0  # that are being carried out, one on the stack of the other
        self._to_cancel: list[Task] = []  # those that were too many
        self._limit_listeners: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<Scheduler of {self._reactor!r} tasks={len(self._tasks)} running={self.running}>"

    # Making tasks.

    def call(self, func: Callable[..., Any], *args: Any, **options: Unpack[Options]) -> Task:
        """Call func(*args) as soon as its turn comes, not before this returns."""
        task = self._make(func, args, options)
        self._make_ready(task)
        self._enter(task)
        return task

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
        self._enter(task)
        return task

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
        self._enter(task)
        return task

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
        self._limits_changed()

    def _group_changed(self, group: Group) -> None:
        self._review_group(group)
        self._limits_changed()

    def _limits_changed(self) -> None:
        self._review()
        for listener in list(self._limit_listeners):
            listener()

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

    def _follow(self, outcome: Any, task: Task) -> None:
        """See what becomes of what an attempt returned."""
        attempt = self._as_deferred(outcome, task)
        if not isinstance(attempt, Deferred):
            self._attempt_ended(attempt, task)
            return
        task._attempt = attempt
        if task.timeout is not None:
            task._time_limit = self._reactor.callLater(task.timeout, self._cancel_attempt, task)
        self._wait_for(attempt, self._attempt_ended, task)

    def _as_deferred(self, outcome: Any, task: Task) -> Any:
        """A Deferred of what has a result later; anything else as it is, and so a Failure."""
        if isinstance(outcome, Deferred | Failure) or is_result(outcome):
            return outcome
        if isinstance(outcome, Task):
            return outcome._listen()
        try:
            outcome = for_twisted(outcome, self._reactor)
        except TypeError:
            return Failure()  # type: ignore[no-untyped-call]
        if isinstance(outcome, CoroutineType):
            task._coroutine = outcome
            outcome = Deferred.fromCoroutine(outcome)
        return outcome

    def _go_on_with(self, outcome: Any, then: Callable[[Any, Task], None], task: Task) -> None:
        """Go on with then() when there is a result, which may be now."""
        attempt = self._as_deferred(outcome, task)
        if isinstance(attempt, Deferred):
            self._wait_for(attempt, then, task)
        else:
            then(attempt, task)

    def _wait_for(
        self, attempt: Deferred[Any], then: Callable[[Any, Task], None], task: Task
    ) -> None:
        """Go on with then() when this has fired, which cancelling the task cancels."""
        task._attempt = attempt
        attempt.addBoth(self._go_on, then, task)
        if task._cancelled:
            attempt.cancel()
        elif self._closing is not None:
            self._closing.refuse_own_tasks()

    def _attempt_ended(self, outcome: Any, task: Task) -> None:
        if task._time_limit is not None and self._end_time_limit(task) and is_cancellation(outcome):
            error = TimeoutError(task.timeout, "Deferred")  # as Deferred.addTimeout() has it
            outcome = Failure(error)  # type: ignore[no-untyped-call]
        task._attempt = task._coroutine = None
        if task._retries is None or task._cancelled:
            self._settle_for(outcome, task)
            return
        now = self._reactor.seconds()
        delay, outcome = task._retries.next(outcome, now)
        if delay is None:
            # (What the policy gives when it gives up may be a Deferred, too.)
            self._go_on_with(outcome, self._settle_for, task)
        elif task._cancelled:  # by one of the policy's hooks
            self._end(task, TaskState.CANCELLED, None)
        else:
            self._arm(task, now + delay)
            if task._cancelled:  # by the collector, say, which may have run meanwhile
                self._cancel(task)

    def _settle_for(self, outcome: Any, task: Task) -> None:
        """There is no other attempt: have the fallback see to a failure."""
        task._attempt = None
        if not isinstance(outcome, Failure) or task.fallback is None or task._cancelled:
            self._ended(outcome, task)
            return
        try:
            outcome = task.fallback(outcome)
        except BaseException:  # as of an attempt
            outcome = Failure()  # type: ignore[no-untyped-call]
        self._go_on_with(outcome, self._ended, task)

    def _ended(self, outcome: Any, task: Task) -> None:
        """A task has run: its turn is over, or it is done."""
        task._attempt = task._coroutine = task._retries = None
        if isinstance(outcome, Failure):
            is_cancelled = task._cancelled and is_cancellation(outcome)
            self._end(task, TaskState.CANCELLED if is_cancelled else TaskState.FAILED, outcome)
        elif task.interval is not None:
            self._end_turn(task)
        else:
            self._end(task, TaskState.SUCCEEDED, outcome)

    def _abandon(self, task: Task) -> None:
        """Cancel what a task that was broken off waits for, and care no more what becomes of it."""
        self._end_time_limit(task)
        attempt, task._attempt = task._attempt, None
        if attempt is not None:
            attempt.addErrback(ignore)
            attempt.cancel()

    # Cancelling.

    def _cancel_running(self, task: Task) -> None:
        task._cancelled = True
        self._end_time_limit(task)
        self._cancel_attempt(task)

    def _end_time_limit(self, task: Task) -> bool:
        """An attempt has no time limit any more. Returns whether it had come."""
        limit, task._time_limit = task._time_limit, None
        if limit is None or not limit.active():
            return limit is not None
        limit.cancel()
        return False

    def _cancel_attempt(self, task: Task) -> None:
        """Cancel what a task waits for; nothing if it has not returned that yet."""
        if self._cancels == NESTED_CANCELS:
            self._to_cancel.append(task)
            return
        self._cancels += 1
        try:
            self._cancel_what(task)
        finally:
            self._cancels -= 1
            if not self._cancels and self._to_cancel:
                self._cancel_rest()

    def _cancel_rest(self) -> None:
        """Cancel what those wait for that were too many. An error of one does not spare others."""
        errors: list[BaseException] = []
        self._cancels += 1
        while self._to_cancel:
            try:
                self._cancel_what(self._to_cancel.pop())
            except BaseException as error:
                errors.append(error)
        self._cancels -= 1
        if errors:
            raise errors[0]

    def _cancel_what(self, task: Task) -> None:
        attempt = task._attempt
        if attempt is None:
            return
        if task._coroutine is not None and task._coroutine.cr_running:
            # It cancels itself. It can be told only where it waits: Twisted would forget it.
            self._reactor.callLater(0, attempt.cancel)
            return
        attempt.cancel()
        if task._attempt is attempt and attempt.called and not attempt.paused:
            # Unless it is just telling us, that has failed once: its callbacks had no stack left.
            attempt.addBoth(self._heard_late, attempt, task)

    def _heard_late(self, outcome: Any, attempt: Deferred[Any], task: Task) -> None:
        if task._attempt is attempt:
            self._go_on(outcome, self._ended if task._cancelled else self._attempt_ended, task)

    # The end.

    def close(self, timeout: float | None = None) -> Deferred[None]:
        """Take no more tasks, and have those that there are end. Fires when all are done.

        Tasks that have begun or are ready are left to end, for timeout seconds at
        most if it is given, and are then cancelled; 0 cancels them at once. Tasks
        whose time has not come are cancelled, periodic ones after the turn that
        runs. May be called again, with another timeout. Raises ValueError if
        timeout is negative or NaN.

        Cancelling takes time in proportion to the number of tasks. When it has
        taken the scheduler's budget, the rest is cancelled in the reactor's next
        turns, and nothing is started before that is through.

        A task must not wait for this Deferred, which waits for the task: it fires
        with RuntimeError for a task of this scheduler.
        """
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"a timeout must be seconds, 0 or more, not {timeout!r}")
        deadline = None
        if timeout and self._tasks:
            deadline = self._reactor.callLater(timeout, self._cancel_all)
        if self._closing is None:
            self._closing = Closing(self)
            if timeout is None or deadline is not None:
                self._closing.cancel(has_begun)
        if timeout is not None:
            self._closing.set_deadline(deadline)
            if deadline is None:
                self._closing.cancel()
        closed: Deferred[None] = self._closing.add()
        self._cancel_some()
        return closed

    def _cancel_all(self) -> None:
        """The time that close() was given is over."""
        self._closing.cancel()
        self._cancel_some()

    def _cancel_some(self) -> None:
        """Cancel, for as long as the budget lasts, what close() is to cancel."""
        self._ending = True
        self._review()
        try:
            self._go_on_closing()
            if self.running:
                self._ending = True  # who waits for it shows only when this has returned
        finally:
            self._review()

    def _go_on_closing(self) -> None:
        start = self._reactor.seconds()
        is_through = self._closing.go_on(
            lambda: 0 <= self._reactor.seconds() - start < self._budget
        )
        self._ending = not is_through or not self._tasks
        self._settle()

    def _closed(self) -> None:
        """All tasks of a scheduler that takes no more are done."""
        self._closing.tell()
        self._ending = False


def is_cancellation(outcome: Any) -> bool:
    """Whether an attempt has failed because it was cancelled. (asyncio has an error of its own.)"""
    return isinstance(outcome, Failure) and bool(
        outcome.check(CancelledError, asyncio.CancelledError)  # type: ignore[no-untyped-call]
    )
