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
done (places.pxi). Neither calls Python code nor needs memory before the task is in its new place. An error
of the scheduler's own work for a task (of the clock, of callLater(), of memory, of recursion) is the task's
failure: break_off(). If the error is not an Exception, such as KeyboardInterrupt, it is also raised.

Who waits for a task is told by tell(), from a list: a task that ends while others
are told joins the list. So a chain of tasks that wait for each other takes no
stack, however long it is. First come the tasks that are after it: cut_edges().

Nothing here is linear without a budget. tell(), take_due() and what close() cancels stop when it
is used up, and go on in the next pass. No task starts before they are through: the order is that
in which all would have become ready at once. The clock is read once in BATCH steps.

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
from functools import partial
from types import GeneratorType

from twisted.internet.defer import fail
from twisted.python.failure import Failure

# The reactor's call may come before its time by a rounding of the reactor's sum, of no more seconds.
cdef double ROUNDING = 2.0**-20

include "task.pxi"
include "task_list.pxi"
include "dependencies.pxi"
include "turns.pxi"
include "places.pxi"


cdef class DispatcherBase(Places):
    """The passes, and the reactor's call that begins the next one."""

    def __cinit__(self):
        self.wake_time = HUGE_VAL

    def __init__(self, reactor, double budget, Py_ssize_t limit, key_function=None, bint takes_turns=True):
        self._reactor = reactor
        self._budget = budget
        self._limit = limit
        self.key_function = key_function
        self.takes_turns = takes_turns
        self.wheel = TimerWheel(reactor.seconds())

    cdef bint may_run(self) noexcept:
        """Whether a task may be started now."""
        return self.has_turn() and not self._ending and not self.behind

    @cython.critical_section
    def _set_limit(self, Py_ssize_t limit, GroupBase group=None):
        """Have at most so many tasks run at once, of a group or of all; -1: as many as there are."""
        if group is None:
            self._limit = limit
        else:
            group._limit = limit
            self.review_group(group)
        self.review()

    # Between passes.

    @cython.critical_section
    def _enter(self, TaskBase task not None, when=None):
        """Take in a new task, for a time or, without one, at once; or, if that is an error, leave it out."""
        try:
            if task._deadline < HUGE_VAL:
                self.watch_deadline(task)
            if task.dependencies is not None:
                reserve_dependents(task)
            if when is not None:
                self.arm(task, when)
            elif task.dependencies is None:
                self.make_ready(task)
            self.tasks.append(task)
            if task.dependencies is not None:
                self.wait(task)
            self.review()
        except BaseException:
            if not task.is_done():
                self.tasks.discard(task)
                self.leave(task)
                if task.dependencies is not None:
                    unlink_all(task)
                self.forget_deadline(task)
            raise

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

    cdef int cancel_running(self, TaskBase task) except -1:
        self._cancel_running(task)
        return 0

    @cython.critical_section
    def _cancel(self, TaskBase task not None):
        """Have a task end as CANCELLED. Returns whether that is under way; False if it was done."""
        if task.is_done():
            return False
        if task.state is None:
            raise RuntimeError(f"cannot cancel {task!r}, which is still being made")
        try:
            if task.state is RUNNING:
                task._cancelled = True
                self.cancel_running(task)
            else:
                self.end(task, CANCELLED, None)
            self.settle()
        finally:
            self.review()
        return True

    # Who waits for the end of a task.

    cdef int settle(self) except -1:
        if (self.untold is not None or self._ending) and not self.telling and not self.behind:
            self.tell()
        return 0

    cdef int tell(self) except -1:
        """Tell who waits of what has ended, and of what ends meanwhile; if it takes long, some of it."""
        cdef TaskBase task
        cdef Slice part = self.new_slice()
        cdef bint outer = self.telling
        cdef bint reviewed = False
        self.telling = True
        try:
            self.behind = False
            while self.untold is not None and not self.behind:
                task = self.untold
                if self.cut is not None or self.begin_to_cut(task):
                    self.behind = not self.cut_edges(&part)
                    continue
                self.untold, task.next_untold = task.next_untold, None
                try:
                    if task.alarm is not None:
                        self.look_at_deadline(task)
                        part.steps = 0
                    if task.is_to_be_told():
                        if not reviewed:
                            self.review()       # a listener may turn the reactor's loop
                            reviewed = True
                        if not self.tell_listeners(task, &part):
                            self.put_back(task)
                            self.behind = True
                            break
                except BaseException:   # who has not been told yet is told later
                    self.put_back(task)
                    raise
                self.behind = self.untold is not None and not self.has_time(&part, 1)
            if self.untold is None:
                self.last_untold = None
                self.behind = False
                if self._ending and not self.tasks.size:
                    self._closed()
        finally:
            self.telling = outer
        return 0

    cdef bint tell_listeners(self, TaskBase task, Slice *part) except -1:
        """Tell who waits for a task that is done. Returns whether there was time for all."""
        while True:
            is_last = task.tell_next()
            part.steps = 0      # that may have taken any time
            if is_last:
                return True
            if not self.has_time(part, 1):
                return False

    cdef int put_back(self, TaskBase task) except -1:
        """Have a task be the first of whom is told again."""
        task.next_untold, self.untold = self.untold, task
        if task.next_untold is None:
            self.last_untold = task
        return 0

    cdef int look_at_deadline(self, TaskBase task) except -1:
        """A task with a deadline is done. It may be late although the wheel has not noticed yet."""
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
        self._ending = not is_through or not self.tasks.size
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
        if self._ending and not self.behind:
            self._go_on_closing()
            spent = self.now() - start
        if not self._ending and not self.behind and self.take_due(due, start):
            # (What waited then may run, too: a chain of tasks is no reason to leave.)
            left = self.ready_count + self.waiting_count
            if self.ready_count:
                self.review(1)
            # (If somebody sets the clock back, that counts as a used-up budget.)
            while left and self.may_run() and 0.0 <= spent < self._budget:
                spent = self.run(self.take()) - start
                left -= 1
        else:
            spent = self.now() - start
        self.resting = not 0.0 <= spent < self._budget
        return 0

    cdef bint take_due(self, double due, double start) except -1:
        """Make ready what is due, in a pass that began at `start`. Returns whether there was time for all."""
        cdef double now = due if start < due <= start + ROUNDING else start
        cdef Slice part = self.new_slice()
        part.start = start
        self.wheel.begin_pass(now)
        try:
            while self.wheel.fire_some(now, BATCH) == BATCH:
                if not self.has_time(&part, BATCH):
                    return False
        finally:
            self.wheel.end_pass()
        return True

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

    cdef int review(self, Py_ssize_t spare=0) except -1:
        """Have the reactor call when there is something to do, and only then."""
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
