# cython: language_level=3, binding=False, embedsignature=True, embedsignature.format=clinic
# cython: auto_pickle=False, freethreading_compatible=True
# cython: cdivision=True, nonecheck=True
"""timerwheel._tasks: the part of timerwheel.tasks that runs for each task and each turn.

A dispatcher has a wheel of tasks that wait for their time, and a priority queue of groups that have ready
tasks. Each group has a priority queue of its ready tasks.

Groups take turns by stride scheduling (Waldspurger and Weihl 1995). Each group has the number of its next
turn. The group with the lowest number runs a task, and its number grows by 1/weight. So groups that are
never empty get turns in proportion to their weights. A group that was empty continues at the present turn,
without credit for the time in between. A group at its limit has its turn at infinity. It keeps its place in
the queue, so that ending a task never takes memory.

A policy (src/timerwheel/tasks/_policies.py) may use keys other than priorities for the tasks of a group. A
policy may also have no turns. Then a group's place is that of its first task, so all tasks are in one
order. The scheduler computes a key where Python code may run: when you make a task, and when you set its
priority.

A task is in one place at a time, and its state names the place. WAITING: among the tasks that wait for
others (if it has a timer, that is in the wheel too). SCHEDULED: in the wheel. READY: in its group's queue.
RUNNING: among the running tasks. Otherwise it is done. leave() takes it out of its place, end() makes it
done. Neither calls Python code nor needs memory before the task is in its new place. An error of the
scheduler's own work for a task (of the clock, of callLater(), of memory, of recursion) is the task's
failure: break_off(). If the error is not an Exception, such as KeyboardInterrupt, it is also raised.

Who waits for a task is told by tell(), from a list: a task that ends while others
are told joins the list. So a chain of tasks that wait for each other takes no
stack, however long it is. First come the tasks that are after it: free_dependents().

The dispatcher asks the reactor for one call. next_call() is the only function that decides when: at once,
at a time, never. review() asks for it, after each change, also during a pass, and before the first task of
a pass runs. So if a task turns the reactor's loop itself, the others run in there. The state of this:

    wake, wake_time   the reactor's call and its time
    resting           whether that call does nothing but ask for another (see work())
    asking            whether the reactor is being asked (an enum)

A scheduler belongs to its reactor's thread. Without a GIL its methods hold its critical section. Methods in
a wrong thread wait for it, until the scheduler runs something that waits itself.

The classes are the bases of those in src/timerwheel/tasks, which have the work that does not run for each
turn.
"""

cimport cython
from libc.float cimport DBL_MAX
from libc.math cimport HUGE_VAL, floor, isnan, nextafter

from timerwheel._core cimport PriorityEntry, PriorityQueue, TimerWheel

import enum
from types import GeneratorType

from twisted.python.failure import Failure

# A turn expires this part of its interval before its time. So a clock that a test advances by the interval,
# again and again, reaches each turn, although sums of floats drift.
cdef double GRACE = 2.0**-30

# The reactor's call may come before its time by a rounding of the reactor's sum, of no more seconds.
cdef double ROUNDING = 2.0**-20


include "task.pxi"
include "dependencies.pxi"


cdef class DispatcherBase:
    """What is due, what is ready and what runs."""

    def __cinit__(self):
        self._tasks = {}
        self.groups = PriorityQueue()
        self.wake_time = HUGE_VAL
        self._limit = -1

    def __init__(self, reactor, key_function=None, bint takes_turns=True):
        self._reactor = reactor
        self.key_function = key_function
        self.takes_turns = takes_turns
        self.wheel = TimerWheel(reactor.seconds())

    cdef double now(self) except? -1.0:
        return self._reactor.seconds()

    # Whose turn it is.

    cdef bint may_run(self) noexcept:
        """Whether a task may be started now."""
        return (
            self.groups.heap.size and self.groups.heap.nodes[0].when < HUGE_VAL
            and (self._limit < 0 or self.running < self._limit) and not self._ending
        )

    @cython.critical_section
    def _review_group(self, GroupBase group not None):
        """Give a group whose limit has changed its place, and have the reactor call if that matters."""
        self.review_group(group)
        self.review()

    cdef int review_group(self, GroupBase group) except -1:
        """Give a group the place among the groups that it is to have: none if nothing of it is ready."""
        cdef double turn
        cdef bint has_place = group.place.owner != NULL
        if group.ready_tasks.heap.size == 0:
            if has_place:
                self.groups.take(group.place).item = None
            return 0
        if group._limit >= 0 and group.running >= group._limit:
            turn = HUGE_VAL
        elif self.takes_turns:
            turn = group.next_turn = max(group.next_turn, self.present_turn)
        else:
            turn = min(group.ready_tasks.heap.nodes[0].when, DBL_MAX)
            # Of equal ones the group comes first whose task was ready first.
            group.place.entry.sequence = group.ready_tasks.heap.nodes[0].sequence
            self.groups.sequence = group.place.entry.sequence
        if has_place:
            self.groups.reprioritize(group.place, turn)
        else:
            self.groups.insert(group.place, turn)
            group.place.item = group
        return 0

    cdef double key_of(self, TaskBase task) except? -1.0:
        """What the policy orders a task by."""
        if self.key_function is None:
            return task._priority
        return as_number(self.key_function(task), "the key of a task")

    cdef int change_priority(self, TaskBase task, double priority) except -1:
        cdef double former = task._priority
        task._priority = priority
        try:
            task.key = self.key_of(task)
        except BaseException:
            task._priority = former
            raise
        if task.state is READY:
            task.group.ready_tasks.reprioritize(task.entry, task.key)
            if not self.takes_turns:
                self.review_group(task.group)
        return 0

    @cython.critical_section
    def _set_stride(self, GroupBase group not None, double stride):
        """Give a group another weight. By that it waits, too, for the turns that it has had."""
        cdef double ahead = group.next_turn - self.present_turn
        if ahead > 0.0:
            group.next_turn = self.present_turn + ahead * stride / group.stride
        group.stride = stride
        self.review_group(group)

    cdef TaskBase take(self):
        """Take out the task whose turn it is. It is RUNNING."""
        cdef GroupBase group = self.groups.first().item
        cdef TaskBase task = group.ready_tasks.take(group.ready_tasks.first()).item
        self.ready_count -= 1
        self.present_turn = group.next_turn
        group.next_turn += group.stride
        group.running += 1
        self.running += 1
        task.state = RUNNING
        self.review_group(group)
        return task

    # Where a task is.

    cdef int make_ready(self, TaskBase task) except -1:
        cdef GroupBase group = task.group
        group.ready_tasks.sequence = self.ready_sequence
        group.ready_tasks.insert(task.entry, task.key)
        self.ready_sequence += 1
        if group.place.owner == NULL or not self.takes_turns:
            try:
                self.review_group(group)
            except BaseException:
                group.ready_tasks.take(task.entry)
                raise
        task.state = READY
        self.ready_count += 1
        return 0

    @cython.critical_section
    def _come_due(self, TaskBase task not None):
        """The time of a task has come."""
        if task.state is WAITING:
            return
        try:
            self.make_ready(task)
        except MemoryError as error:
            self.end(task, FAILED, error)

    @cython.critical_section
    def _arm(self, TaskBase task not None, double when):
        """Have a task become ready at a time."""
        self.arm(task, when)

    cdef int arm(self, TaskBase task, double when) except -1:
        if task.timer is None:
            task.timer = self.wheel.schedule(when, self._come_due, task)
        else:
            self.wheel.rearm(task.timer, when)
        if task.state is RUNNING:
            self.leave(task)
        task.state = SCHEDULED
        return 0

    @cython.critical_section
    def _begin_period(self, TaskBase task not None, double interval, bint now):
        """Make a new task periodic. Returns the time of its first turn, None for at once."""
        if task.dependencies is not None or task._deadline < HUGE_VAL:
            raise TypeError("call_every() has no options `after` and `deadline`")
        task._interval = interval
        task.first = self.now()
        if now:
            return None
        task.turn = 1.0
        return task.first + (1.0 - GRACE) * interval

    @cython.critical_section
    def _enter(self, TaskBase task not None, when=None):
        """Take in a new task, for a time or, without one, at once; or, if that is an error, leave it out."""
        self.enter(task, when)

    cdef int enter(self, TaskBase task, object when) except -1:
        try:
            if task._deadline < HUGE_VAL:
                # (At the deadline itself the task is not late yet.)
                alarm_time = nextafter(task._deadline, HUGE_VAL)
                task.alarm = self.wheel.schedule(alarm_time, self._deadline_missed, task)
            if task.dependencies is not None:
                reserve_dependents(task)
            if when is not None:
                self.arm(task, when)
            elif task.dependencies is None:
                self.make_ready(task)
            self._tasks[task] = None
            if task.dependencies is not None:
                self.wait(task)
            self.review()
        except BaseException:
            if not task.is_done():
                self._tasks.pop(task, None)
                self.leave(task)
                if task.alarm is not None:
                    task.alarm.cancel()
            raise
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

    cdef int free_dependents(self, TaskBase task) except -1:
        """A task is done: those that wait for it do so no longer."""
        cdef TaskBase dependent
        cdef dict dependents = task.dependents
        task.dependents = None
        for dependent in dependents:
            if dependent.state is not WAITING:
                continue        # what was released for one before it has ended it
            if dependent.requires_success and task.state is not SUCCEEDED:
                self.fail_for(dependent, task)
                continue
            dependent.waits_for -= 1
            if dependent.waits_for == 0:
                self.free(dependent)
        return 0

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

        If close() cancelled the dependency, this cancels the task too.
        """
        if self._closing is not None and dependency.state is CANCELLED:
            return self.end(task, CANCELLED, None)
        task._cause = dependency if dependency._cause is None else dependency._cause
        return self.end(task, FAILED, None)

    cdef int leave(self, TaskBase task) except -1:
        """Take a task out of the place that its state names."""
        cdef GroupBase group = task.group
        if task.state is RUNNING:
            self.running -= 1
            group.running -= 1
            if group._limit >= 0:
                self.review_group(group)
        elif task.state is READY:
            group.ready_tasks.take(task.entry)
            self.ready_count -= 1
            self.review_group(group)
        elif task.timer is not None:
            task.timer.cancel()
        if task.state is WAITING:
            self.waiting_count -= 1
            unlink(task)
        return 0

    # The end of a task.

    @cython.critical_section
    def _end(self, TaskBase task not None, state, outcome):
        """Make a task done. outcome: its result; or a Failure, an exception, None for CancelledError."""
        self.end(task, state, outcome)

    cdef int end(self, TaskBase task, object state, object outcome) except -1:
        cdef tuple _released
        self.leave(task)
        task.state = state
        del self._tasks[task]
        if task.dependents is not None or task.alarm is not None or task.is_to_be_told():
            if self.untold is None:
                self.untold = task
            else:
                self.last_untold.next_untold = task
            self.last_untold = task
        if self._closing is not None and not self._tasks:
            self._ending = True
        task._outcome = outcome
        # They refer to the task. Without this, only the collector would free it.
        task.timer = None
        task.entry = None
        task._deferred = None
        task._retries = None
        _released, task.dependencies = task.dependencies, None
        return 0

    @cython.critical_section
    def _end_turn(self, TaskBase task not None):
        """A turn of a periodic task has ended."""
        self.end_turn(task, self.now())

    cdef int end_turn(self, TaskBase task, double now) except -1:
        cdef double passed, turn
        if task._cancelled or self._closing is not None:
            return self.end(task, CANCELLED, None)
        passed = floor((now - task.first) / task._interval + GRACE)
        turn = max(task.turn, passed) + 1.0
        task._missed += turn - task.turn - 1.0
        task.turn = turn
        self.arm(task, task.first + (turn - GRACE) * task._interval)
        if task._cancelled:     # by the collector, say, which may have run meanwhile
            self.end(task, CANCELLED, None)
        return 0

    cdef int break_off(self, TaskBase task, object error) except -1:
        """The scheduler's work for a task has raised this: fail the task, if it still runs."""
        if task.state is not RUNNING:
            raise error
        self.end(task, FAILED, error)
        self._abandon(task)
        if not isinstance(error, Exception):
            raise error
        return 0

    @cython.critical_section
    def _go_on(self, outcome, then, TaskBase task not None):
        """The Deferred that a task waits for has fired: go on with then(outcome, task)."""
        try:
            if task.state is RUNNING:       # else break_off() has ended it
                try:
                    then(outcome, task)
                except BaseException as error:
                    self.break_off(task, error)
                self.settle()
        finally:
            self.review()

    @cython.critical_section
    def _cancel(self, TaskBase task not None):
        """Have a task end as CANCELLED. Returns whether that is under way; False if it was done."""
        return self.cancel(task)

    cdef bint cancel(self, TaskBase task) except -1:
        if task.is_done():
            return False
        try:
            if task.state is RUNNING:
                self._cancel_running(task)
            else:
                self.end(task, CANCELLED, None)
            self.settle()
        finally:
            self.review()
        return True

    # Who waits for the end of a task.

    @cython.critical_section
    def _settle(self):
        """Tell who waits of what has ended, unless somebody is at it."""
        self.settle()

    cdef int settle(self) except -1:
        if (self.untold is not None or self._ending) and not self.telling:
            self.tell()
        return 0

    cdef int tell(self) except -1:
        """Tell who waits of what has ended, and of what ends meanwhile."""
        cdef TaskBase task
        cdef bint outer = self.telling
        cdef bint reviewed = False
        self.telling = True
        try:
            while self.untold is not None:
                task = self.untold
                self.untold, task.next_untold = task.next_untold, None
                try:
                    if task.dependents is not None:
                        self.free_dependents(task)
                    if task.alarm is not None:
                        self.look_at_deadline(task)
                    if task.is_to_be_told():
                        if not reviewed:
                            self.review()       # a listener may turn the reactor's loop
                            reviewed = True
                        task._tell()
                except BaseException:   # who has not been told yet is told later
                    task.next_untold, self.untold = self.untold, task
                    if task.next_untold is None:
                        self.last_untold = task
                    raise
            self.last_untold = None
            if self._ending and not self._tasks:
                self._closed()
        finally:
            self.telling = outer
        return 0

    cdef int look_at_deadline(self, TaskBase task) except -1:
        """A task with a deadline is done. It may be late although the wheel has not noticed yet."""
        alarm, task.alarm = task.alarm, None
        if alarm.cancel() and self.now() > task._deadline:
            self._deadline_missed(task)
        return 0

    # A pass.

    @cython.critical_section
    def _pass(self):
        """The function that the reactor calls."""
        cdef double due = self.wake_time
        self.wake = None
        self.wake_time = HUGE_VAL
        try:
            if self.resting:
                self.resting = False
            else:
                self.work(due)
        finally:
            self.review()

    cdef int work(self, double due) except -1:
        """Run the expired and ready tasks, until the budget is used up.

        It runs at most as many tasks as were ready when it began. Tasks that these make ready wait for the
        reactor, unless they come first by priority. So a task that makes itself ready again cannot hold up
        the others, even if the clock stands still.

        When the budget is used up, the reactor gets one turn of its loop without tasks. Twisted sends in
        the next turn what it writes in this one, so an answer would otherwise wait for two passes.
        """
        cdef double start = self.now()
        cdef double spent = 0.0
        cdef Py_ssize_t left
        self.tell()
        if self._ending:
            self._go_on_closing()
            spent = self.now() - start
        if not self._ending:
            self.wheel.advance(due if start < due <= start + ROUNDING else start)
            # (What waited then may run, too: a chain of tasks is no reason to leave.)
            left = self.ready_count + self.waiting_count
            if self.ready_count:
                self.review(1)
            # (If somebody sets the clock back, that counts as a used-up budget.)
            while left and self.may_run() and 0.0 <= spent < self._budget:
                spent = self.run(self.take()) - start
                left -= 1
        self.resting = not 0.0 <= spent < self._budget
        return 0

    cdef double run(self, TaskBase task) except? -1.0:
        """Make an attempt, or one of a periodic task's turns. Returns the time after it."""
        cdef double now = -1.0
        cdef bint is_turn = False
        task.attempts += 1
        try:
            try:
                if task.retry is not None:
                    self._begin_attempt(task)
                outcome = task.func(*task.args)
            except BaseException:       # as maybeDeferred() does
                self._attempt_ended(Failure(), task)
            else:
                if task.retry is not None or not is_result(outcome):
                    self._follow(outcome, task)
                elif task._interval > 0.0:
                    now = self.now()
                    is_turn = True
                    self.end_turn(task, now)
                else:
                    self.end(task, SUCCEEDED, outcome)
        except BaseException as error:
            self.break_off(task, error)
        self.settle()
        return now if is_turn else self.now()

    # The reactor's call.

    cdef double next_call(self, Py_ssize_t spare) except? -1.0:
        """When the reactor should call: -inf for at once, inf for never. The pass runs `spare` tasks
        itself.

        This may be before the first deadline, because the wheel does not search for it. Such a pass finds
        nothing and asks again. This happens at most once for each level of the wheel.
        """
        if self._ending or self.untold is not None or self.ready_count > spare and self.may_run():
            return -HUGE_VAL
        return self.wheel.next_wake() if self.wheel.wheel.count else HUGE_VAL

    @cython.critical_section
    def _review(self):
        """Have the reactor call when there is something to do, and only then."""
        self.review()

    cdef int review(self, Py_ssize_t spare=0) except -1:
        if self.asking != SETTLED:
            # Asking the reactor may run the collector, and so destructors that make or cancel tasks.
            self.asking = CHANGED
            return 0
        try:
            while True:
                self.asking = ASKING
                self.ask(self.next_call(spare))
                if self.asking == ASKING:
                    return 0
        finally:
            self.asking = SETTLED

    cdef int ask(self, double when) except -1:
        """Schedule, move or cancel the reactor's call, for a time or for none."""
        cdef double delay = 0.0
        if self.wake is not None and not self.wake.active():
            # The program has cancelled it, as tests do with all calls left on a reactor.
            self.wake = None
        elif when == self.wake_time:
            return 0
        if when == HUGE_VAL:
            wake, self.wake = self.wake, None
            self.wake_time = when
            if wake is not None:
                wake.cancel()
            return 0
        if when != -HUGE_VAL:
            delay = max(0.0, when - self.now())
        if self.wake is None:
            self.wake = self._reactor.callLater(delay, self._pass)
        else:
            self.wake.reset(delay)
        self.wake_time = when
        return 0
