# cython: language_level=3, binding=False, embedsignature=True, embedsignature.format=clinic
# cython: auto_pickle=False, freethreading_compatible=True
# cython: cdivision=True, nonecheck=True
"""timerwheel._tasks: what timerwheel.tasks does for each task and each turn.

A dispatcher has a wheel, which says what is due, and the groups that have tasks
ready in a priority queue, which says whose turn it is. Each group has its tasks
that are ready in a priority queue of its own.

Groups take turns by stride scheduling (Waldspurger and Weihl 1995). Each has the
number of its next turn; the group with the lowest runs a task, which moves it on
by 1/weight. So groups that are never empty get turns in proportion to their
weights. A group that comes back takes up at the present turn: time in which it
wanted nothing is not made up for. A group at its limit has its turn at infinity:
it keeps its place, so that to end a task never takes memory.

A policy (src/timerwheel/tasks/_policies.py) may have other keys than priorities for the tasks of a group,
and may have no turns: then the place of a group is that of its first task, and so all
tasks are in one order. A key is computed where Python code may run: when a task is
made, and when its priority is set.

A task is in one place at a time, which its state names: among those that wait for
another (WAITING; its timer, if it has one, is in the wheel too), in the wheel
(SCHEDULED), in its group's queue (READY), among those that run (RUNNING), or done. leave() takes
it out of there, end() makes it done; neither calls Python code nor needs memory
before the task is where it is to be. An error in what the scheduler does for a task
(of the clock, of callLater(), of memory, of recursion) is the task's failure:
break_off(). One that is no Exception, as KeyboardInterrupt, is raised, too.

Who waits for a task is told by tell(), from a list: a task that ends while others
are told joins the list. So a chain of tasks that wait for each other takes no
stack, however long it is. First come the tasks that are after it: free_dependents().

The reactor is asked for one call. next_call() is the only function that decides
when: at once, at a time, never. review() makes it so. It is called after each change,
during a pass too, and before the first task of a pass runs: so a task that turns the
reactor's loop itself finds the others running in there. What has state in this:

    wake, wake_time   the reactor's call and its time
    resting           whether that call does nothing but ask for another (see work())
    asking            whether the reactor is being asked (an enum)

A scheduler belongs to its reactor's thread. Without a GIL its methods hold its critical section, so that
those of a wrong thread wait for it, until it runs something that waits itself.

The classes are the bases of those in src/timerwheel/tasks, which have what is
not done for each turn.
"""

cimport cython
from libc.float cimport DBL_MAX
from libc.math cimport HUGE_VAL, floor, isnan, nextafter

from timerwheel._core cimport PriorityEntry, PriorityQueue, TimerWheel

import enum
from functools import partial
from types import GeneratorType

from twisted.python.failure import Failure

# A turn is due this part of its interval before its time: a clock that is advanced by the interval
# again and again reaches each turn, although sums of floats stray.
cdef double GRACE = 2.0**-30

# The reactor's call may come before its time by a rounding of the reactor's sum, of no more seconds.
cdef double ROUNDING = 2.0**-20


include "task.pxi"
include "dependencies.pxi"
include "turns.pxi"


cdef class DispatcherBase(Turns):
    """What is due, what is ready and what runs."""

    def __cinit__(self):
        self._tasks = {}
        self.wake_time = HUGE_VAL

    def __init__(self, reactor, double budget, Py_ssize_t limit, key_function=None, bint takes_turns=True):
        self._reactor = reactor
        self._budget = budget
        self._limit = limit
        self.key_function = key_function
        self.takes_turns = takes_turns
        self.wheel = TimerWheel(reactor.seconds())

    cdef double now(self) except? -1.0:
        return self._reactor.seconds()

    cdef bint may_run(self) noexcept:
        """Whether a task may be started now."""
        return self.has_turn() and not self._ending

    @cython.critical_section
    def _set_limit(self, Py_ssize_t limit, GroupBase group=None):
        """Have at most so many tasks run at once, of a group or of all; -1: as many as there are."""
        if group is None:
            self._limit = limit
        else:
            group._limit = limit
            self.review_group(group)
        self.review()

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
        """Make a new task periodic. Returns when its first turn is due, None for at once."""
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
        try:
            if task._deadline < HUGE_VAL:
                # (At the deadline itself it is not late yet.)
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

    # What waits for what.

    cdef int wait(self, TaskBase task) except -1:
        """Have a new task wait for its dependencies. Those that are done it need not wait for."""
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
        """A task waits for no other any more."""
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
        """A task cannot start, since one that it waits for has not succeeded.

        The end of the scheduler cancels the one with the other.
        """
        if self._closing is not None and dependency.state is CANCELLED:
            return self.end(task, CANCELLED, None)
        task._cause = dependency if dependency._cause is None else dependency._cause
        return self.end(task, FAILED, None)

    cdef int leave(self, TaskBase task) except -1:
        """Take a task out of where its state says that it is."""
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
            unlink(task)
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
        # They refer to the task, which is to be freed without the collector's help.
        task.timer = None
        task.entry = None
        task._deferred = None
        task._retries = None
        _released, task.dependencies = task.dependencies, None
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

    cdef int break_off(self, TaskBase task, object error) except -1:
        """Something done for a task has raised this: it is the task's failure, if that still runs."""
        if task.state is not RUNNING:
            raise error
        self.end(task, FAILED, error)
        self._abandon(task)
        if not isinstance(error, Exception):
            raise error
        return 0

    @cython.critical_section
    def _go_on(self, outcome, then, TaskBase task not None):
        """What a task waits for has fired: go on with then(outcome, task)."""
        try:
            if task.state is RUNNING:       # else it was broken off
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
        if task.is_done():
            return False
        try:
            if task.state is RUNNING:
                task._cancelled = True
                self._cancel_running(task)
            else:
                self.end(task, CANCELLED, None)
            self.settle()
        finally:
            self.review()
        return True

    # Who waits for the end of a task.

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
                            self.review()       # for one who turns the reactor's loop when told
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
        """A task with a deadline is done. Perhaps it was late, and the wheel has not seen that yet."""
        alarm, task.alarm = task.alarm, None
        if alarm.cancel() and self.now() > task._deadline:
            self._deadline_missed(task)
        return 0

    # The end of all tasks.

    @cython.critical_section
    def _begin_closing(self, closing not None):
        """Take no more tasks. closing: a `timerwheel.tasks._closing.Closing`."""
        self._closing = closing

    @cython.critical_section
    def _cancel_some(self):
        """Cancel, for as long as the budget lasts, what is to be cancelled."""
        self._ending = True
        self.review()
        try:
            self._go_on_closing()
            if self.running:
                self._ending = True     # who waits for it shows only when this has returned
        finally:
            self.review()

    cdef int _go_on_closing(self) except -1:
        cdef bint is_through = self._closing.go_on(partial(self._budget_lasts, self.now()))
        self._ending = not is_through or not self._tasks
        return self.settle()

    def _budget_lasts(self, double start):
        """Whether there is budget left for what began then."""
        return 0.0 <= self.now() - start < self._budget

    cdef int _closed(self) except -1:
        """All tasks of a scheduler that takes no more are done."""
        self._closing.tell()
        self._ending = False
        return 0

    # A pass.

    @cython.critical_section
    def _pass(self):
        """What the reactor calls."""
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
        """Run what is due and ready, for as long as the budget lasts.

        As many as were ready when it began, no more: what these make ready waits
        for the reactor, unless it has priority. So a task that makes itself ready
        again cannot hold up all else, under a clock that stands still either.

        When the budget was used up the reactor has a turn of its loop for itself: what Twisted
        writes in one turn it sends in the next, and an answer would else wait for two passes.
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
            # (A clock that was set back counts as a budget that is used up.)
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
        """When the reactor is to call: -inf for at once, inf for never. The pass runs `spare` tasks itself.

        That may be before anything is due, since the wheel knows no more without a search; a pass
        finds nothing then, and asks again. It happens once a level of the wheel at most.
        """
        if self._ending or self.untold is not None or self.ready_count > spare and self.may_run():
            return -HUGE_VAL
        return self.wheel.next_wake() if self.wheel.wheel.count else HUGE_VAL

    cdef int review(self, Py_ssize_t spare=0) except -1:
        """Have the reactor call when there is something to do, and only then."""
        if self.asking != SETTLED:
            # Asking the reactor may run the collector, and with it what makes or cancels tasks.
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
        """Ask the reactor for the call at a time, or to move it there, or for none."""
        cdef double delay = 0.0
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
        if when != -HUGE_VAL:
            delay = max(0.0, when - self.now())
        if self.wake is None:
            self.wake = self._reactor.callLater(delay, self._pass)
        else:
            self.wake.reset(delay)
        self.wake_time = when
        return 0
