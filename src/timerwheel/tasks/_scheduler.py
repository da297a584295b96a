"""The scheduler: make tasks, and close it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from timerwheel._tasks import GroupBase, as_dependencies, check_options
from timerwheel.tasks._attempts import Attempts
from timerwheel.tasks._closing import Closing, has_begun
from timerwheel.tasks._group import Group, as_limit
from timerwheel.tasks._policies import Policy, as_policy
from timerwheel.tasks._task import CallOptions, OnceOptions, Options, Task

if TYPE_CHECKING:
    from typing_extensions import Unpack


_log = Logger()


class SchedulerClosedError(RuntimeError):
    """The scheduler is closed, and takes no more tasks."""


class Scheduler(Attempts):
    """Scheduler(reactor): calls functions at their time, by priority, with a limit.

    At most `max_running` tasks run at once; None means no limit. If a task's function returns a
    Deferred or a coroutine, the task runs until that has fired.

    The scheduler runs ready tasks for at most `budget` seconds, and goes on after the reactor has
    done its I/O. It does not interrupt a function that takes longer. `reactor` provides
    IReactorTime: a reactor, or a Clock.

    `policy` decides which ready task is next: "fair", "fifo", "priority", "round-robin",
    "deadline", or a `Policy`. If a task is not done by its deadline, the scheduler calls
    `on_missed_deadline` with it: when the deadline has passed, or when the task ends, whichever it
    notices first. It logs an exception of that function.

    Raises TypeError for a `reactor` without `callLater()` and `seconds()`, such as an event loop,
    and for an `on_missed_deadline` that is not callable; ValueError for a `budget` that is not
    positive.
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
        if on_missed_deadline is not None and not callable(on_missed_deadline):
            raise TypeError(f"on_missed_deadline must be callable, not {on_missed_deadline!r}")
        policy = as_policy(policy)
        # (The extension takes priorities without a call.)
        key = None if type(policy).key is Policy.key else policy.key
        super().__init__(reactor, budget, as_limit(max_running), key, policy.groups_take_turns)
        self._policy: Policy = policy
        self._missed_deadlines = 0
        self._on_missed_deadline = on_missed_deadline
        self._group = self.group("default")
        self._limit_listeners: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<Scheduler of {self._reactor!r} tasks={self._task_count} running={self.running}>"

    # Making tasks.

    def call(self, func: Callable[..., Any], *args: Any, **options: Unpack[CallOptions]) -> Task:
        """Call func(*args) as soon as its turn comes, but after this returns."""
        task = self._make(func, args, options)
        self._enter(task)
        return task

    def call_later(
        self, delay: float, func: Callable[..., Any], *args: Any, **options: Unpack[CallOptions]
    ) -> Task:
        """Call func(*args) when delay seconds have passed and its turn comes.

        Raises ValueError if delay is negative or NaN.
        """
        if not delay >= 0:
            raise ValueError(f"a delay must be seconds, 0 or more, not {delay!r}")
        return self.call_at(self._reactor.seconds() + delay, func, *args, **options)

    def call_at(
        self, when: float, func: Callable[..., Any], *args: Any, **options: Unpack[CallOptions]
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

        Turns do not drift: a late turn does not move the next ones. If the previous turn still runs
        when a turn's time comes, the scheduler leaves that turn out and counts it in `task.missed`.
        If a turn fails, and its fallback too, the task ends, as with LoopingCall; else it goes on
        until you cancel it. Raises ValueError if interval is below a nanosecond, and TypeError for
        the options `after`, `require_success` and `deadline`.
        """
        if not 1e-9 <= interval < inf:
            raise ValueError(f"an interval must be at least a nanosecond, not {interval!r} seconds")
        refuse_others("call_every", options)
        task = self._make(func, args, options)
        self._enter(task, self._begin_period(task, interval, now))
        return task

    def gather(
        self, tasks: Iterable[Task], *, require_success: bool = True, **options: Unpack[OnceOptions]
    ) -> Task:
        """A task that returns the list of the results of other tasks, in order.

        It is ready when all of them have succeeded, and fails with DependencyError as soon as one
        fails. With `require_success=False` it is ready when all are done, and fails with the error
        of the first failed one in the list. If you cancel it, the others go on.
        """
        tasks = as_dependencies(tasks, self) or ()
        return self.call(results_of, tasks, after=tasks, require_success=require_success, **options)

    def group(self, name: str = "", *, weight: float = 1, max_running: int | None = None) -> Group:
        """A new group, for the option `group`: groups take fair turns.

        While several groups have ready tasks, each gets turns in proportion to its weight.
        Priorities decide within a group. At most max_running of its tasks run at once.
        """
        return Group(self, name, weight, max_running)

    def _make(self, func: Callable[..., Any], args: tuple[Any, ...], options: Options) -> Task:
        if self._closing is not None:
            raise SchedulerClosedError(f"{self!r} takes no more tasks")
        if options.get("retry") is not None:
            options["retry"] = usable_retry(options["retry"])
        return Task(self, func, args, **options)

    def _check_options(self, method: str, options: Options) -> None:
        """Raise TypeError or ValueError if a method cannot give a task these options later."""
        refuse_others(method, options)
        check_options(self, options.get("group"), options.get("timeout"), options.get("fallback"))
        if options.get("retry") is not None:
            usable_retry(options["retry"])

    # Looking at them.

    @property
    def tasks(self) -> list[Task]:
        """The tasks that are not done."""
        tasks: list[Task] = self._list_tasks()
        return tasks

    @property
    def policy(self) -> Policy:
        """The `Policy`. You cannot change it."""
        return self._policy

    @property
    def missed_deadlines(self) -> int:
        """How many tasks were not done by their deadline."""
        return self._missed_deadlines

    @property
    def max_running(self) -> int | None:
        """How many tasks may run at once, or None. You can change it at any time."""
        return None if self._limit < 0 else self._limit

    @max_running.setter
    def max_running(self, max_running: int | None) -> None:
        self._set_limit(as_limit(max_running))

    def _set_limit(self, limit: int, group: GroupBase | None = None) -> None:
        """See what may run now that a limit has changed."""
        super()._set_limit(limit, group)
        for listener in list(self._limit_listeners):
            listener()

    def _deadline_missed(self, task: Task) -> None:
        """Report a task that has missed its deadline."""
        self._missed_deadlines += 1
        if self._on_missed_deadline is not None:
            try:
                self._on_missed_deadline(task)
            except Exception:
                _log.failure("while telling that {task} has missed its deadline", task=task)

    # The end.

    def close(self, timeout: float | None = None) -> Deferred[None]:
        """Take no more tasks, and end the existing ones. The Deferred fires when all are done.

        Tasks that have begun or are ready may end by themselves. After timeout seconds, if you give
        it, the scheduler cancels them; 0 cancels them at once. It cancels tasks that wait for their
        time at once, and periodic ones after the current turn. You can call this again, with
        another timeout. Raises ValueError if timeout is negative or NaN.

        Cancelling takes time in proportion to the number of tasks. When it has taken the
        scheduler's budget, it goes on in the reactor's next turns, and no task starts before it is
        through.

        A task must not wait for this Deferred, because the Deferred waits for the task. For a task
        of this scheduler it fires with RuntimeError.
        """
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"a timeout must be seconds, 0 or more, not {timeout!r}")
        deadline = None
        if timeout and self._task_count:
            deadline = self._reactor.callLater(timeout, self._cancel_all)
        closing = self._closing
        if closing is None:
            closing = Closing(self)
            self._begin_closing(closing)
            if timeout is None or deadline is not None:
                closing.cancel(has_begun)
        if timeout is not None:
            closing.set_deadline(deadline)
            if deadline is None:
                closing.cancel()
        closed: Deferred[None] = closing.add()
        self._cancel_some()
        return closed

    def _cancel_all(self) -> None:
        """The timeout of close() is over."""
        self._closing.cancel()
        self._cancel_some()


def refuse_others(method: str, options: Options) -> None:
    """Raise TypeError if a method is given an option that `Options` does not have."""
    others = sorted(options.keys() - Options.__optional_keys__)
    if others:
        raise TypeError(f"{method}() has no option {others[0]!r}")


def usable_retry(policy: Any) -> Any:
    """The option `retry` in the form that a task takes. Raises TypeError, or an ImportError."""
    # Imported here, because only a program with a policy needs the library.
    from timerwheel.tasks._retries import usable

    return usable(policy)


def results_of(tasks: Iterable[Task]) -> list[Any]:
    return [task.result for task in tasks]
