"""The scheduler: what is due, what is ready, what runs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.python.failure import Failure

from timerwheel._core import TimerWheel
from timerwheel.tasks._groups import Group, Turns, checked_limit
from timerwheel.tasks._task import Options, Task, TaskState, cancelled

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")

# A turn is due this part of its interval before its time: a clock that is advanced by the interval
# again and again reaches each turn, although sums of floats stray.
GRACE = 2.0**-30

SCHEDULED = TaskState.SCHEDULED
READY = TaskState.READY
RUNNING = TaskState.RUNNING
SUCCEEDED = TaskState.SUCCEEDED
FAILED = TaskState.FAILED
CANCELLED = TaskState.CANCELLED


class SchedulerClosedError(RuntimeError):
    """A task was given to a scheduler that takes no more."""


class Scheduler:
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
        self._reactor = reactor
        self._max_running = checked_limit(max_running)
        self._budget = budget
        self._wheel = TimerWheel(reactor.seconds())
        self._turns = Turns()
        self._group = self.group("default")
        self._running = 0
        self._tasks: dict[Task[Any], None] = {}
        self._wake: Any = None  # the reactor's call of _pass()
        # When it is due. The reactor's own sum may fall short of that by a rounding.
        self._wake_time = inf
        self._in_pass = False
        self._closing: list[Deferred[None]] | None = None  # whom to tell; None while it is open
        self._deadline: Any = None  # the reactor's call that ends close()

    def __repr__(self) -> str:
        return f"<Scheduler of {self._reactor!r} tasks={len(self._tasks)} running={self._running}>"

    # Making tasks.

    def call(self, func: Callable[..., Any], *args: Any, **options: Unpack[Options]) -> Task[Any]:
        """Call func(*args) as soon as its turn comes, not before this returns."""
        task = self._make(func, args, options)
        self._make_ready(task)
        return self._enter(task)

    def call_later(
        self, delay: float, func: Callable[..., Any], *args: Any, **options: Unpack[Options]
    ) -> Task[Any]:
        """Call func(*args) when delay seconds have passed and its turn comes.

        Raises ValueError if delay is negative or NaN.
        """
        if not delay >= 0:
            raise ValueError(f"a delay must be seconds, 0 or more, not {delay!r}")
        return self.call_at(self._reactor.seconds() + delay, func, *args, **options)

    def call_at(
        self, when: float, func: Callable[..., Any], *args: Any, **options: Unpack[Options]
    ) -> Task[Any]:
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
    ) -> Task[Any]:
        """Call func(*args) every interval seconds; the first time at once, or after one interval.

        Turns keep to the grid of the first. Those whose time comes before the turn
        before them has ended are left out, and counted in `task.missed`. A turn
        that fails, its fallback too, ends the task, as LoopingCall does; else it
        goes on until it is cancelled. Raises ValueError if interval is not positive.
        """
        if not 0 < interval < inf:
            raise ValueError(f"an interval must be positive seconds, not {interval!r}")
        task = self._make(func, args, options)
        task.interval = interval
        task._first = self._reactor.seconds()
        if now:
            self._make_ready(task)
        else:
            task._turn = 1
            self._arm(task, task._first + (1 - GRACE) * interval)
        return self._enter(task)

    def group(self, name: str = "", *, weight: float = 1, max_running: int | None = None) -> Group:
        """A new group, for the option `group`: groups take fair turns.

        Of several groups that have tasks ready each gets turns in proportion to
        its weight. Priorities decide within a group. At most max_running tasks of
        it run at once.
        """
        return Group(self, name, weight, max_running)

    def _make(self, func: Callable[..., Any], args: tuple[Any, ...], options: Options) -> Task[Any]:
        if self._closing is not None:
            raise SchedulerClosedError(f"{self!r} takes no more tasks")
        group = options.setdefault("group", self._group)
        if not isinstance(group, Group) or group._scheduler is not self:
            raise ValueError(f"not a group of this scheduler: {group!r}")
        return Task(self, func, args, **options)

    def _enter(self, task: Task[Any]) -> Task[Any]:
        """Take in a task that is ready or has its time."""
        self._tasks[task] = None
        self._review()
        return task

    # Looking at them.

    @property
    def tasks(self) -> list[Task[Any]]:
        """The tasks that are not done."""
        return list(self._tasks)

    @property
    def running(self) -> int:
        """How many tasks run."""
        return self._running

    @property
    def max_running(self) -> int | None:
        """How many tasks may run at once, or None. May be changed at any time."""
        return self._max_running

    @max_running.setter
    def max_running(self, max_running: int | None) -> None:
        self._max_running = checked_limit(max_running)
        self._review()

    # The reactor's call.

    def _review(self) -> None:
        """Have the reactor call when there is something to do, and only then."""
        if self._in_pass:
            return  # it ends with this
        if self._may_run():
            when: float | None = -inf
        else:
            when = self._wheel.next_expiry()
        if when == self._wake_time or (when is None and self._wake is None):
            return
        if when is None:
            self._forget_wake()
            return
        delay = max(0.0, when - self._reactor.seconds())
        if self._wake is None:
            self._wake = self._reactor.callLater(delay, self._pass)
        else:
            self._wake.reset(delay)
        self._wake_time = when

    def _forget_wake(self) -> None:
        wake, self._wake = self._wake, None
        self._wake_time = inf
        if wake is not None:
            wake.cancel()

    def _may_run(self) -> bool:
        """Whether a task may run now."""
        return self._turns.may_run() and (
            self._max_running is None or self._running < self._max_running
        )

    def _group_changed(self, group: Group) -> None:
        self._turns.review(group)
        self._review()

    def _pass(self) -> None:
        """Run what is due and ready, for as long as the budget lasts.

        As many as were ready when it began, no more: what these make ready waits
        for the reactor, unless it has priority. So a task that makes itself ready
        again cannot hold up all else, under a clock that stands still either.
        """
        start = self._reactor.seconds()
        due, self._wake, self._wake_time = max(start, self._wake_time), None, inf
        self._in_pass = True
        try:
            self._wheel.advance(due)
            for _ in range(len(self._turns)):
                if not self._may_run():
                    break
                self._run(self._turns.take())
                # (A clock that was set back counts as a budget that is used up.)
                if not 0 <= self._reactor.seconds() - start < self._budget:
                    break
        finally:
            self._in_pass = False
            self._review()

    # What becomes of a task.

    def _arm(self, task: Task[Any], when: float) -> None:
        """Have a task become ready at a time."""
        if task._timer is None:
            task._timer = self._wheel.schedule(when, self._make_ready, task)
        else:
            self._wheel.rearm(task._timer, when)
        task.state = SCHEDULED

    def _make_ready(self, task: Task[Any]) -> None:
        self._turns.add(task)
        task.state = READY

    def _run(self, task: Task[Any]) -> None:
        """Make an attempt, or one of a periodic task's turns."""
        self._running += 1
        task.state = RUNNING
        task.attempts += 1
        if task.retry is not None and task._retries is None:
            from timerwheel.tasks._retries import Retries

            task._retries = Retries(task.retry, task, self._reactor.seconds())
        try:
            outcome = task.func(*task.args)
        except BaseException:  # as maybeDeferred() does
            outcome = Failure()  # type: ignore[no-untyped-call]
        if isinstance(outcome, (Deferred, Coroutine)):
            self._follow(task, outcome)
        else:
            self._attempt_ended(outcome, task)

    def _follow(self, task: Task[Any], outcome: Any) -> None:
        """Wait for what an attempt returned."""
        if isinstance(outcome, Coroutine):
            outcome = Deferred.fromCoroutine(outcome)
        attempt: Deferred[Any] = outcome
        if task.timeout is not None:
            attempt.addTimeout(task.timeout, self._reactor)
        task._attempt = attempt
        attempt.addBoth(self._attempt_ended, task)
        if task._cancelled:
            attempt.cancel()

    def _attempt_ended(self, outcome: Any, task: Task[Any]) -> None:
        task._attempt = None
        if task._retries is not None and not task._cancelled:
            delay, outcome = task._retries.next(outcome, self._reactor.seconds())
            if delay is not None:
                self._release(task)
                self._arm(task, self._reactor.seconds() + delay)
                self._review()
                return
        if isinstance(outcome, Failure) and task.fallback is not None and not task._cancelled:
            attempt = task._attempt = maybeDeferred(task.fallback, outcome)
            attempt.addBoth(self._ended, task)
        else:
            self._ended(outcome, task)

    def _ended(self, outcome: Any, task: Task[Any]) -> None:
        """A task has run: its turn is over, or it is done."""
        task._attempt = None
        self._release(task)
        if isinstance(outcome, Failure):
            is_cancelled = task._cancelled and isinstance(outcome.value, CancelledError)
            self._finish(task, CANCELLED if is_cancelled else FAILED, outcome)
        elif task.interval is None:
            self._finish(task, SUCCEEDED, outcome)
        elif task._cancelled or self._closing is not None:
            self._finish(task, CANCELLED, cancelled())
        else:
            self._arm_next_turn(task, task.interval)
        self._review()

    def _arm_next_turn(self, task: Task[Any], interval: float) -> None:
        """Have a periodic task wait for the next time of its grid."""
        passed = int((self._reactor.seconds() - task._first) / interval + GRACE)
        turn = max(task._turn, passed) + 1
        task.missed += turn - task._turn - 1
        task._turn = turn
        task._retries = None
        self._arm(task, task._first + (turn - GRACE) * interval)

    def _release(self, task: Task[Any]) -> None:
        self._running -= 1
        self._turns.ended(task.group)

    def _finish(self, task: Task[Any], state: TaskState, outcome: Any) -> None:
        del self._tasks[task]
        task._timer = None
        task._finish(state, outcome)
        if self._closing is not None and not self._tasks:
            self._closed()

    def _cancel(self, task: Task[Any]) -> bool:
        if task.done:
            return False
        if task.state is RUNNING:
            task._cancelled = True
            if task._attempt is not None:
                task._attempt.cancel()
            return True
        if task.state is READY:
            self._turns.remove(task)
        elif task._timer is not None:
            task._timer.cancel()
        self._finish(task, CANCELLED, cancelled())
        self._review()
        return True

    # The end.

    def close(self, timeout: float | None = None) -> Deferred[None]:
        """Take no more tasks, and have those that there are end. Fires when all are done.

        Tasks that have begun or are ready are left to end, for timeout seconds at
        most if it is given, and are then cancelled; 0 cancels them at once. Tasks
        whose time has not come are cancelled, periodic ones after the turn that
        runs. May be called again, with another timeout.
        """
        if self._closing is None:
            self._closing = []
            for task in self.tasks:
                if not has_begun(task):
                    task.cancel()
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if timeout is not None and timeout > 0 and self._tasks:
            self._deadline = self._reactor.callLater(timeout, self._cancel_all)
        elif timeout is not None:
            self._cancel_all()
        closed: Deferred[None] = Deferred()
        self._closing.append(closed)
        if not self._tasks:
            self._closed()
        return closed

    def _cancel_all(self) -> None:
        self._deadline = None
        for task in self.tasks:
            task.cancel()

    def _closed(self) -> None:
        assert self._closing is not None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        told, self._closing = self._closing, []
        for closed in told:
            closed.callback(None)


def has_begun(task: Task[Any]) -> bool:
    """Whether a task is left to end when its scheduler is closed."""
    if task.interval is not None:
        return task.state is RUNNING
    return task.attempts > 0 or task.state is READY
