"""The scheduler: how tasks are made, and how it is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from timerwheel._tasks import GroupBase
from timerwheel.tasks._attempts import Attempts
from timerwheel.tasks._closing import Closing, has_begun
from timerwheel.tasks._group import Group, as_limit
from timerwheel.tasks._policies import Policy, as_policy
from timerwheel.tasks._task import OnceOptions, Options, Task

if TYPE_CHECKING:
    from typing_extensions import Unpack


_log = Logger()


class SchedulerClosedError(RuntimeError):
    """A task was given to a scheduler that takes no more."""


class Scheduler(Attempts):
    """Scheduler(reactor): calls functions at their time, in turn, so many at once.

    No more than `max_running` tasks run at once, None for no limit. A task whose
    function returns a Deferred or a coroutine runs until that has fired.

    What is ready is run in one go for at most `budget` seconds, and goes on
    after the reactor has done its I/O; one function that takes longer is not
    interrupted. `reactor` provides IReactorTime: a reactor, or a Clock.

    `policy` says which of the tasks that are ready is next: "fair", "fifo", "priority",
    "round-robin", "deadline", or a `Policy`. `on_missed_deadline` is called with
    each task that is not done by its deadline: then, or once the task has ended if that is noticed
    first. What it raises is logged.

    Raises TypeError for a `reactor` without `callLater()` and `seconds()`, such as an event loop,
    ValueError for a `budget` that is not positive.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        max_running: int | None = None,
        budget: float = 0.005,
        policy: str | Policy = "fair",
        on_missed_deadline: Callable[[Task], object] | None = None,
    ) -> None:
        if not (hasattr(reactor, "callLater") and hasattr(reactor, "seconds")):
            raise TypeError(f"a Scheduler needs a reactor or a Clock, not {reactor!r}")
        if not budget > 0:
            raise ValueError(f"a budget must be positive seconds, not {budget!r}")
        policy = as_policy(policy)
        # (The extension takes priorities without a call.)
        key = None if type(policy).key is Policy.key else policy.key
        super().__init__(reactor, key, policy.groups_take_turns)
        self.policy: Policy = policy
        self.missed_deadlines = 0
        self._on_missed_deadline = on_missed_deadline
        self._budget = budget
        self._limit = as_limit(max_running)
        self._group = self.group("default")
        self._limit_listeners: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<Scheduler of {self._reactor!r} tasks={len(self._tasks)} running={self.running}>"

    # Making tasks.

    def call(self, func: Callable[..., Any], *args: Any, **options: Unpack[OnceOptions]) -> Task:
        """Call func(*args) as soon as its turn comes, not before this returns."""
        task = self._make(func, args, options)
        self._enter(task)
        return task

    def call_later(
        self, delay: float, func: Callable[..., Any], *args: Any, **options: Unpack[OnceOptions]
    ) -> Task:
        """Call func(*args) when delay seconds have passed and its turn comes.

        Raises ValueError if delay is negative or NaN.
        """
        if not delay >= 0:
            raise ValueError(f"a delay must be seconds, 0 or more, not {delay!r}")
        return self.call_at(self._reactor.seconds() + delay, func, *args, **options)

    def call_at(
        self, when: float, func: Callable[..., Any], *args: Any, **options: Unpack[OnceOptions]
    ) -> Task:
        """Call func(*args) when the reactor's clock reaches when, and its turn comes."""
        task = self._make(func, args, options)
        self._enter(task, when)
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
        self._enter(task, self._begin_period(task, interval, now))
        return task

    def gather(
        self, tasks: Iterable[Task], *, require_success: bool = True, **options: Unpack[Options]
    ) -> Task:
        """A task whose result is the list of the results of others, in their order.

        It is ready when all of them have succeeded, and fails with DependencyError as soon as
        one has not. With `require_success=False` it is ready when all are done, and fails
        with what the first of them in order has failed with. To cancel it cancels none
        of them.
        """
        tasks = tuple(tasks)
        return self.call(results_of, tasks, after=tasks, require_success=require_success, **options)

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
        self._review()
        self._tell_limits()

    def _review_group(self, group: GroupBase) -> None:
        """See what may run now that the limit of a group has changed."""
        super()._review_group(group)
        self._tell_limits()

    def _tell_limits(self) -> None:
        for listener in list(self._limit_listeners):
            listener()

    def _deadline_missed(self, task: Task) -> None:
        """A task is not done, or was not, by its deadline."""
        self.missed_deadlines += 1
        if self._on_missed_deadline is not None:
            try:
                self._on_missed_deadline(task)
            except Exception:
                _log.failure("while telling that {task} has missed its deadline", task=task)

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


def results_of(tasks: Iterable[Task]) -> list[Any]:
    return [task.result for task in tasks]
