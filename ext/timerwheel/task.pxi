# The bases of tasks and groups.

cdef extern from *:
    """
    static int has_await(PyObject *object) {
        PyAsyncMethods *methods = Py_TYPE(object)->tp_as_async;
        return methods != NULL && methods->am_await != NULL;
    }
    """
    bint has_await(object) noexcept


# Its members as C variables, to spare a lookup in a dict.
cdef object WAITING, SCHEDULED, READY, RUNNING, SUCCEEDED, FAILED, CANCELLED


class TaskState(enum.Enum):
    """The state of a task.

        WAITING -> SCHEDULED -> READY -> RUNNING -> SUCCEEDED, FAILED or CANCELLED

    - WAITING: the tasks in `after` have not ended.
    - SCHEDULED: its time has not come.
    - READY: it waits for its turn.
    - RUNNING: its function runs, or the Deferred that it returned has not fired yet.
    - SUCCEEDED, FAILED, CANCELLED: it is done, for good.

    A periodic task goes from RUNNING back to SCHEDULED after each turn. So does a task that will be tried
    again. A task that does not run can become CANCELLED at any time. A WAITING one can become FAILED.
    """

    WAITING = "waiting"
    SCHEDULED = "scheduled"
    READY = "ready"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


WAITING, SCHEDULED, READY, RUNNING, SUCCEEDED, FAILED, CANCELLED = TaskState


cdef class TaskBase:
    """The part of a task that a dispatcher needs."""

    def __init__(
        self, DispatcherBase scheduler not None, func, tuple args not None, *,
        GroupBase group=None, priority=0, timeout=None, retry=None, fallback=None,
        after=None, bint require_success=True, deadline=None,
    ):
        if self._scheduler is not None:
            raise RuntimeError("a task is made once, by its scheduler")
        require_callable(func)
        check_options(scheduler, group, timeout, fallback)
        if after is not None:
            self.dependencies = as_dependencies(after, scheduler)
            self.requires_success = require_success
        self._priority = as_number(priority, "a priority")
        self._deadline = HUGE_VAL if deadline is None else as_number(deadline, "a deadline")
        self._scheduler = scheduler
        self.func = func
        self.args = args
        self.group = scheduler._group if group is None else group
        self.timeout = timeout
        self.retry = retry
        self.fallback = fallback
        # Now, because allocating may run the collector, and so destructors that cancel the task.
        self.entry = PriorityEntry.__new__(PriorityEntry)
        self.entry.item = self
        self.key = scheduler.key_of(self)

    @property
    def priority(self):
        """The priority, a float. The lowest runs first. You can set it at any time."""
        return self._priority

    @priority.setter
    def priority(self, priority):
        cdef double number = as_number(priority, "a priority")
        cdef DispatcherBase scheduler = self._scheduler
        with cython.critical_section(scheduler):
            scheduler.change_priority(self, number)

    @priority.deleter
    def priority(self):
        raise AttributeError("a task always has a priority")

    @property
    def deadline(self):
        """The time by which the task should be done, by the reactor's clock; None if it has none."""
        return self._deadline if self._deadline < HUGE_VAL else None

    @property
    def when(self):
        """The time that a SCHEDULED or WAITING task waits for, by the reactor's clock; else None."""
        cdef Timer timer
        with cython.critical_section(self._scheduler):
            timer = self.timer if has_time_to_come(self) else None
        return None if timer is None else timer.when

    @property
    def after(self):
        """The option `after` of a WAITING task, a tuple; empty in any other state."""
        with cython.critical_section(self._scheduler):
            return self.dependencies if self.state is WAITING else ()

    @property
    def interval(self):
        """The seconds between the turns of a periodic task; None for any other."""
        return self._interval if self._interval > 0.0 else None

    @property
    def missed(self):
        """How many turns of a periodic task the scheduler has left out."""
        return int(self._missed)

    @property
    def done(self):
        """Whether the task has succeeded, failed or been cancelled."""
        return self.is_done()

    cpdef object _told(self):
        """What those are told who wait: the result, or a Failure, which is made when first asked for."""
        if self.state is not SUCCEEDED and not isinstance(self._outcome, Failure):
            self._outcome = Failure(self._dependency_error() if self._outcome is None else self._outcome)
        return self._outcome

    cdef bint tell_next(self) except -1:
        """Tell the next listener that the task is done. Returns whether there is no other.

        Without listeners, keep a failure. After an error you can call this again.
        """
        told = self._told()
        if isinstance(self._listeners, dict):
            self._listeners = list(reversed(self._listeners))
        if not self._listeners and self.state is FAILED and self._unheard is None:
            self._unheard = fail(told)
        while self._listeners:
            listener = self._listeners[-1]
            is_called = listener.called     # one before it may have cancelled it
            if not is_called:
                listener.callback(told)     # or errback: callback() takes a Failure
            del self._listeners[-1]
            if not is_called and self._listeners:
                return False
        self._listeners = None
        return True

    cdef bint is_done(self):
        return self.state is SUCCEEDED or self.state is FAILED or self.state is CANCELLED

    cdef bint is_to_be_told(self):
        """Whether the task has listeners to tell that it is done, or a failure to log."""
        return self._listeners is not None or self.state is FAILED and self._cause is None


cpdef int check_options(DispatcherBase scheduler, GroupBase group, timeout, fallback) except -1:
    """Raise TypeError or ValueError if a task of a scheduler cannot have these options."""
    if group is not None and group._scheduler is not scheduler:
        raise ValueError(f"not a group of this scheduler: {group!r}")
    if timeout is not None and not timeout >= 0:
        raise ValueError(f"a timeout must be seconds, 0 or more, not {timeout!r}")
    if fallback is not None:
        require_callable(fallback)
    return 0


cdef int require_callable(object function) except -1:
    if not callable(function):
        raise TypeError(f"{function!r} is not callable")
    return 0


cdef double as_number(object given, str what) except? -1.0:
    cdef double number = given
    if isnan(number):
        raise ValueError(f"{what} cannot be NaN")
    return number


cdef int CO_ITERABLE_COROUTINE = 0x100      # of a generator that types.coroutine() made awaitable


cpdef bint is_result(object outcome) except -1:
    """Whether an attempt has returned a result, not an awaitable or a failure."""
    if outcome is None:
        return True
    if has_await(outcome) or isinstance(outcome, Failure):
        return False
    return type(outcome) is not GeneratorType or not outcome.gi_code.co_flags & CO_ITERABLE_COROUTINE


cdef class GroupBase:
    """The ready tasks of a group, and its place among the groups."""

    def __cinit__(self):
        self.ready_tasks = PriorityQueue()
        self.place = PriorityEntry.__new__(PriorityEntry)
        self.stride = 1.0
        self._limit = -1

    def __init__(self, DispatcherBase scheduler not None, Py_ssize_t limit):
        self._scheduler = scheduler
        self._limit = limit

    @property
    def ready(self):
        """How many tasks of the group wait for their turn."""
        return len(self.ready_tasks)
