# Where each task is that is not done.

# A turn expires this part of its interval before its time. So a clock that a test advances by the interval,
# again and again, reaches each turn, although sums of floats drift.
cdef double GRACE = 2.0**-30

# So many steps are taken between two looks at the clock, each of which takes as long as a step or less.
cdef Py_ssize_t BATCH = 16


cdef class Places(Turns):
    """The tasks that are not done: what they wait for, and how they go from place to place."""

    def __cinit__(self):
        self.tasks = TaskList()

    cdef double now(self) except? -1.0:
        return self._reactor.seconds()

    cdef Slice new_slice(self) noexcept:
        """Of work that begins now, or when the clock is first read."""
        cdef Slice part
        part.start = HUGE_VAL
        part.steps = BATCH
        return part

    cdef bint has_time(self, Slice *part, Py_ssize_t steps) except -1:
        """Whether the budget lasts, after so many steps more. A clock that was set back ends it."""
        cdef double now
        part.steps -= steps
        if part.steps > 0:
            return True
        part.steps = BATCH
        now = self.now()
        if part.start == HUGE_VAL:
            part.start = now
        return 0.0 <= now - part.start < self._budget

    # All of them.

    @property
    def _task_count(self):
        """How many tasks are not done."""
        return self.tasks.size

    @cython.critical_section
    def _list_tasks(self):
        """The tasks that are not done, in the order in which they were made. Takes time for each."""
        return self.tasks.as_list()

    @cython.critical_section
    def _begin_walk(self):
        """Have _next_task() begin with the oldest task that is not done."""
        self.tasks.begin_walk()

    @cython.critical_section
    def _next_task(self):
        """The next task that is not done, None after the last."""
        return self.tasks.next()

    @property
    def _is_walked(self):
        """Whether _next_task() has come to the end."""
        return self.tasks.cursor is None

    # What waits for its time.

    # Where a task is.

    @cython.critical_section
    def _come_due(self, TaskBase task not None):
        """The time of a task has come."""
        if task.state is WAITING:
            return
        try:
            self.make_ready(task)
        except MemoryError as error:
            self.end(task, FAILED, error)

    cdef int arm(self, TaskBase task, double when) except -1:
        """Have a task become ready at a time."""
        if task.timer is None:
            task.timer = self.wheel.schedule(when, self._come_due, task)
        else:
            self.wheel.rearm(task.timer, when)
        if task.state is RUNNING:
            self.leave(task)
        task.state = SCHEDULED
        return 0

    cdef int arm_again(self, TaskBase task, double when) except -1:
        """Have a task that has run become ready again at a time."""
        if not task._cancelled:
            self.arm(task, when)
        if task._cancelled:     # by the collector, say, which may have run meanwhile
            self.end(task, CANCELLED, None)
        return 0

    @cython.critical_section
    def _try_again(self, TaskBase task not None, double when):
        """Make another attempt of a task that has run, at a time."""
        self.arm_again(task, when)

    @cython.critical_section
    def _begin_period(self, TaskBase task not None, double interval, bint now):
        """Make a new task periodic. Returns the time of its first turn, None for at once."""
        task._interval = interval
        task.first = self.now()
        if now:
            return None
        task.turn = 1.0
        return task.first + (1.0 - GRACE) * interval

    cdef int watch_deadline(self, TaskBase task) except -1:
        # (At the deadline itself the task is not late yet.)
        alarm_time = nextafter(task._deadline, HUGE_VAL)
        task.alarm = self.wheel.schedule(alarm_time, self._deadline_missed, task)
        return 0

    cdef int forget_deadline(self, TaskBase task) except -1:
        if task.alarm is not None:
            task.alarm.cancel()
        return 0

    # What waits for what.

    cdef int wait(self, TaskBase task) except -1:
        """Link a new task to its dependencies, except those that are done."""
        cdef TaskBase dependency
        task.state = WAITING
        self.waiting_count += 1
        for dependency in task.dependencies:
            if not dependency.is_done():
                link(task, dependency)
            elif task.requires_success and dependency.state is not SUCCEEDED:
                return self.fail_for(task, dependency)
        return 0 if task.waits_for else self.free(task)

    cdef bint begin_to_cut(self, TaskBase task) except -1:
        """Have cut_edges() cut edges of a task that is done. Returns whether it has any.

        First those to tasks that it waited for itself, where they are many (see end()).
        """
        self.cuts_dependencies = task.dependencies is not None
        if self.cuts_dependencies:
            self.cut, self.edges = task, iter(task.dependencies)
            task.dependencies = None
        elif task.dependents is not None:
            self.cut, self.edges = task, iter(task.dependents)
            task.dependents = None
        return self.cut is not None

    cdef bint cut_edges(self, Slice *part) except -1:
        """Have no task wait for `cut`, or that one for none. Returns whether there was time for all.

        What is released for one edge may turn the reactor's loop, and so have the others cut.
        """
        cdef TaskBase task = self.cut, other
        cdef bint cuts_dependencies = self.cuts_dependencies
        edges = self.edges
        for other in edges:
            if cuts_dependencies:
                unlink(task, other)
            elif other.state is WAITING:    # else what was released for one before it has ended it
                self.free_from(other, task)
            if not self.has_time(part, 1):
                return False
        if self.edges is edges:
            self.cut = self.edges = None
        return True

    cdef int free_from(self, TaskBase task, TaskBase dependency) except -1:
        """A task waits for a dependency no longer, which is done."""
        if task.requires_success and dependency.state is not SUCCEEDED:
            return self.fail_for(task, dependency)
        task.waits_for -= 1
        return 0 if task.waits_for else self.free(task)

    cdef int free(self, TaskBase task) except -1:
        """A task has no dependency left to wait for."""
        cdef tuple _released
        if has_time_to_come(task):
            task.state = SCHEDULED
        else:
            try:
                self.make_ready(task)
            except MemoryError as error:
                return self.end(task, FAILED, error)
        self.waiting_count -= 1
        _released, task.dependencies = task.dependencies, None
        return 0

    cdef int fail_for(self, TaskBase task, TaskBase dependency) except -1:
        """A task cannot start, because one of its dependencies has not succeeded.

        If the dependency was cancelled while the scheduler closes, this cancels the task too.
        """
        if self._closing is not None and dependency.state is CANCELLED:
            return self.end(task, CANCELLED, None)
        task._cause = dependency if dependency._cause is None else dependency._cause
        return self.end(task, FAILED, None)

    # The end of a turn, and of a task.

    cdef int leave(self, TaskBase task) except -1:
        """Take a task out of the place that its state names."""
        cdef GroupBase group = task.group
        if task.state is RUNNING:
            self.running -= 1
            group.running -= 1
            if group._limit >= 0:
                self.review_group(group)
        elif task.state is READY:
            self.take_back(task)
        elif task.timer is not None:
            task.timer.cancel()
        if task.state is WAITING:
            self.waiting_count -= 1
        return 0

    # The end of a task.

    @cython.critical_section
    def _finish(self, TaskBase task not None, outcome, bint is_cancelled):
        """A task has run, with this result or Failure: its turn is over, or it is done."""
        if isinstance(outcome, Failure):
            self.end(task, CANCELLED if is_cancelled else FAILED, outcome)
        elif task._interval > 0.0:
            self.end_turn(task, self.now())
        else:
            self.end(task, SUCCEEDED, outcome)

    cdef int end(self, TaskBase task, object state, object outcome) except -1:
        """Make a task done. outcome: its result; or a Failure, an exception, None for CancelledError."""
        cdef tuple _released
        self.leave(task)
        task.state = state
        self.tasks.discard(task)
        if task.dependencies is not None and len(task.dependencies) <= BATCH:
            unlink_all(task)        # (else tell() does it, which has a budget)
            _released, task.dependencies = task.dependencies, None
        if (
            task.dependents is not None or task.dependencies is not None or task.alarm is not None
            or task.is_to_be_told()
        ):
            if self.untold is None:
                self.untold = task
            else:
                self.last_untold.next_untold = task
            self.last_untold = task
        if self._closing is not None and not self.tasks.size:
            self._ending = True
        task._outcome = outcome
        # They refer to the task. Without this, only the collector would free it.
        task.timer = None
        task.entry = None
        task._deferred = None
        task._retries = None
        return 0

    cdef int end_turn(self, TaskBase task, double now) except -1:
        """A turn of a periodic task has ended."""
        cdef double passed, turn
        if task._cancelled or self._closing is not None:
            return self.end(task, CANCELLED, None)
        passed = floor((now - task.first) / task._interval + GRACE)
        turn = max(task.turn, passed) + 1.0
        task._missed += turn - task.turn - 1.0
        task.turn = turn
        return self.arm_again(task, task.first + (turn - GRACE) * task._interval)
