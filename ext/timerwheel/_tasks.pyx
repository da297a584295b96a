# cython: language_level=3, binding=False, embedsignature=True, embedsignature.format=clinic
# cython: auto_pickle=False, freethreading_compatible=False
# cython: cdivision=True, nonecheck=True
"""timerwheel._tasks: what timerwheel.tasks does for each task and each turn.

A dispatcher has a wheel, which says what is due, and the groups that may run in
a priority queue, which says whose turn it is. Each group has its tasks that are
ready in a priority queue of its own.

Groups take turns by stride scheduling (Waldspurger and Weihl 1995). Each has the
number of its next turn; the group with the lowest runs a task, which moves it on
by 1/weight. So groups that are never empty get turns in proportion to their
weights. A group that comes back takes up at the present turn: time in which it
wanted nothing is not made up for.

The classes are the bases of those in src/timerwheel/tasks, which have what is
not done for each turn.
"""

from libc.math cimport HUGE_VAL, floor, isnan

from timerwheel._core cimport PriorityEntry, PriorityQueue, TimerWheel

from types import CoroutineType

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


# A turn is due this part of its interval before its time: a clock that is advanced by the interval
# again and again reaches each turn, although sums of floats stray.
cdef double GRACE = 2.0**-30

# The reactor's call may come before its time by a rounding of the reactor's sum, of no more seconds.
cdef double ROUNDING = 2.0**-20

cdef enum State:
    SCHEDULED, READY, RUNNING, SUCCEEDED, FAILED, CANCELLED


cdef class TaskBase:
    """What a dispatcher needs of a task."""

    def __init__(
        self, DispatcherBase scheduler not None, func, tuple args not None, *,
        GroupBase group=None, priority=0, timeout=None, retry=None, fallback=None,
    ):
        if self._scheduler is not None:
            raise RuntimeError("a task is made once, by its scheduler")
        require_callable(func)
        if fallback is not None:
            require_callable(fallback)
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"a timeout must be seconds, 0 or more, not {timeout!r}")
        if group is None:
            group = scheduler._group
        elif group._scheduler is not scheduler:
            raise ValueError(f"not a group of this scheduler: {group!r}")
        self._priority = as_priority(priority)
        self._scheduler = scheduler
        self.func = func
        self.args = args
        self.group = group
        self.timeout = timeout
        self.retry = retry
        self.fallback = fallback
        # Now, since taking memory may run the collector, and with it what cancels the task.
        self.entry = PriorityEntry.__new__(PriorityEntry)
        self.entry.item = self

    @property
    def priority(self):
        """The priority, a float. It may be set at any time. The lowest runs first."""
        return self._priority

    @priority.setter
    def priority(self, priority):
        cdef double number = as_priority(priority)
        if self._state == READY:
            self.group.ready_tasks.reprioritize(self.entry, number)
        self._priority = number

    @property
    def when(self):
        """When a SCHEDULED task becomes ready, in seconds of the reactor's clock; else None."""
        return self.timer.when if self._state == SCHEDULED and self.timer is not None else None

    @property
    def interval(self):
        """The seconds between the turns of a periodic task; None for any other."""
        return self._interval if self._interval > 0.0 else None

    @property
    def missed(self):
        """How many turns of a periodic task were left out."""
        return int(self._missed)


cdef int require_callable(object function) except -1:
    if not callable(function):
        raise TypeError(f"{function!r} is not callable")
    return 0


cdef double as_priority(object priority) except? -1.0:
    cdef double number = priority
    if isnan(number):
        raise ValueError("a priority cannot be NaN")
    return number


# Of what an attempt may return, what is not its result yet, or is its failure.
cdef tuple FOLLOWED = (Deferred, CoroutineType, Failure, TaskBase)


cdef class GroupBase:
    """The tasks of a group that are ready, and its place among the groups."""

    def __cinit__(self):
        self.ready_tasks = PriorityQueue()
        self.place = PriorityEntry.__new__(PriorityEntry)
        self.stride = 1.0
        self._limit = -1

    @property
    def ready(self):
        """How many tasks of the group wait for their turn."""
        return len(self.ready_tasks)

    cdef bint may_run(self) noexcept:
        return self.ready_tasks.heap.size and (self._limit < 0 or self.running < self._limit)


cdef class DispatcherBase:
    """What is due, what is ready and what runs."""

    def __cinit__(self):
        self._tasks = {}
        self.groups = PriorityQueue()
        self.wake_time = HUGE_VAL
        self._limit = -1

    def __init__(self, reactor):
        self._reactor = reactor
        self.wheel = TimerWheel(reactor.seconds())

    cdef double now(self) except? -1.0:
        return self._reactor.seconds()

    # Whose turn it is.

    cdef bint may_run(self) noexcept:
        """Whether a task may run now."""
        return self.groups.heap.size and (self._limit < 0 or self.running < self._limit)

    def _review_group(self, GroupBase group not None):
        """Give a group the place among the groups that it is to have: none if nothing of it may run."""
        self.review_group(group)

    cdef int review_group(self, GroupBase group) except -1:
        cdef bint has_place = group.place.owner != NULL
        if not group.may_run():
            if has_place:
                self.groups.take(group.place).item = None
        elif has_place:
            self.groups.reprioritize(group.place, group.next_turn)
        else:
            group.next_turn = max(group.next_turn, self.present_turn)
            self.groups.insert(group.place, group.next_turn)
            group.place.item = group
        return 0

    def _set_stride(self, GroupBase group not None, double stride):
        """Give a group another weight. By that it waits, too, for the turns that it has had."""
        cdef double ahead = group.next_turn - self.present_turn
        if ahead > 0.0:
            group.next_turn = self.present_turn + ahead * stride / group.stride
        group.stride = stride
        self.review_group(group)

    cdef TaskBase take(self):
        """Take out the task whose turn it is. It counts as running."""
        cdef GroupBase group = self.groups.first().item
        cdef TaskBase task = group.ready_tasks.take(group.ready_tasks.first()).item
        self.ready_count -= 1
        self.present_turn = group.next_turn
        group.next_turn += group.stride
        group.running += 1
        self.running += 1
        self.review_group(group)
        return task

    # What becomes of a task.

    def _make_ready(self, TaskBase task not None):
        """Have a task wait for its turn."""
        self.make_ready(task)

    cdef int make_ready(self, TaskBase task) except -1:
        task.group.ready_tasks.insert(task.entry, task._priority)
        task._state = READY
        self.ready_count += 1
        if task.group.place.owner == NULL:
            self.review_group(task.group)
        return 0

    def _arm(self, TaskBase task not None, double when):
        """Have a task become ready at a time."""
        self.arm(task, when)

    cdef int arm(self, TaskBase task, double when) except -1:
        if task.timer is None:
            task.timer = self.wheel.schedule(when, self._make_ready, task)
        else:
            self.wheel.rearm(task.timer, when)
        task._state = SCHEDULED
        return 0

    def _withdraw(self, TaskBase task not None):
        """Have a task that waits, for its time or its turn, wait no longer."""
        if task._state == READY:
            task.group.ready_tasks.take(task.entry)
            self.ready_count -= 1
            self.review_group(task.group)
        else:
            task.timer.cancel()

    def _release(self, TaskBase task not None):
        """Count a task as running no longer."""
        self.release(task)

    cdef int release(self, TaskBase task) except -1:
        self.running -= 1
        task.group.running -= 1
        if task.group._limit >= 0:
            self.review_group(task.group)
        return 0

    def _begin_period(self, TaskBase task not None, double interval, bint now):
        """Make a task periodic, and have it wait for its first turn."""
        task._interval = interval
        task.first = self.now()
        if now:
            self.make_ready(task)
        else:
            task.turn = 1.0
            self.arm(task, task.first + (1.0 - GRACE) * interval)

    cdef int arm_next_turn(self, TaskBase task, double now) except -1:
        cdef double passed = floor((now - task.first) / task._interval + GRACE)
        cdef double turn = max(task.turn, passed) + 1.0
        task._missed += turn - task.turn - 1.0
        task.turn = turn
        return self.arm(task, task.first + (turn - GRACE) * task._interval)

    def _finish(self, TaskBase task not None, int state, outcome):
        """Note the end of a task, and tell who waits for it."""
        self.finish(task, state, outcome)

    cdef int finish(self, TaskBase task, int state, object outcome) except -1:
        del self._tasks[task]
        task._state = state
        task._outcome = outcome
        # They refer to the task, which is to be freed without the collector's help.
        task.timer = None
        task.entry = None
        task._deferred = None
        task._retries = None
        if state == FAILED or task._listeners is not None:
            task._tell()
        if self._closing is not None and not self._tasks:
            self._closed()
        return 0

    # A pass.

    def _pass(self):
        """Run what is due and ready, for as long as the budget lasts.

        As many as were ready when it began, no more: what these make ready waits
        for the reactor, unless it has priority. So a task that makes itself ready
        again cannot hold up all else, under a clock that stands still either.
        """
        cdef double start = self.now()
        cdef double due = start
        cdef double spent = 0.0
        cdef Py_ssize_t left
        if start < self.wake_time <= start + ROUNDING:
            due = self.wake_time
        self.wake = None
        self.wake_time = HUGE_VAL
        self.passes += 1
        try:
            self.wheel.advance(due)
            left = self.ready_count
            # (A clock that was set back counts as a budget that is used up.)
            while left and self.may_run() and 0.0 <= spent < self._budget:
                spent = self.run(self.take()) - start
                left -= 1
        finally:
            self.exhausted = not 0.0 <= spent < self._budget
            self.passes -= 1
            self.review()

    cdef double run(self, TaskBase task) except? -1.0:
        """Make an attempt, or one of a periodic task's turns. Returns the time after it."""
        cdef double now
        task._state = RUNNING
        task.attempts += 1
        try:
            if task.retry is not None:
                self._begin_attempt(task)
            outcome = task.func(*task.args)
        except BaseException:       # as maybeDeferred() does
            self._failed(task)
            return self.now()
        now = self.now()
        if task.retry is None and (outcome is None or not isinstance(outcome, FOLLOWED)):
            self.succeed(task, outcome, now)
        else:
            self._follow(task, outcome)
        return now

    def _succeed(self, TaskBase task not None, outcome):
        """A task has run: its turn is over, or it is done."""
        self.succeed(task, outcome, self.now())

    cdef int succeed(self, TaskBase task, object outcome, double now) except -1:
        self.release(task)
        if task._interval == 0.0:
            self.finish(task, SUCCEEDED, outcome)
        elif task._cancelled or self._closing is not None:
            self._end_period(task)
        else:
            self.arm_next_turn(task, now)
            if task._cancelled:     # by the collector, say, which may have run meanwhile
                self._cancel(task)
        return 0

    # The reactor's call.

    def _rest(self):
        """Leave the reactor a turn of its loop more before the next pass.

        What Twisted writes in one turn it sends in the next: without this an answer would wait for
        two passes, not one.
        """
        self.reviewing = True       # what is made meanwhile, by the collector, that pass will find
        try:
            self.wake = self._reactor.callLater(0.0, self._pass)
        finally:
            self.reviewing = False

    def _review(self):
        """Have the reactor call when there is something to do, and only then."""
        self.review()

    cdef int review(self) except -1:
        if self.passes:
            return 0        # the pass ends with this
        if self.reviewing:
            # Asking the reactor may run the collector, and with it what makes or cancels tasks.
            self.review_again = True
            return 0
        self.reviewing = True
        try:
            self.review_again = True
            while self.review_again:
                self.review_again = False
                self.ask()
        finally:
            self.reviewing = False
        return 0

    cdef int ask(self) except -1:
        """Ask the reactor for the call, or to move it, or for none."""
        cdef double when, delay
        if self.may_run():
            when = -HUGE_VAL
        elif self.wheel.wheel.count:
            when = self.wheel.next_expiry()
        else:
            when = HUGE_VAL
        if self.wake is not None and not self.wake.active():
            # Somebody else has cancelled it, as tests do with all that is left on a reactor.
            self.wake = None
        elif when == self.wake_time:
            return 0
        if when == HUGE_VAL:
            wake, self.wake = self.wake, None
            self.wake_time = when
            if wake is not None:
                wake.cancel()
            return 0
        delay = max(0.0, when - self.now())
        if self.wake is None:
            self.wake = self._reactor.callLater(delay, self._rest if self.exhausted else self._pass)
        else:
            self.wake.reset(delay)
        self.wake_time = when
        return 0
