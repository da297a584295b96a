# cython: language_level=3
"""The types of timerwheel._tasks."""

from timerwheel._core cimport PriorityEntry, PriorityQueue, Timer, TimerWheel


cdef class TaskBase:
    cdef readonly object func, timeout, retry, fallback
    cdef readonly tuple args
    cdef readonly GroupBase group
    cdef readonly Py_ssize_t attempts
    cdef public int _state
    cdef public bint _cancelled
    # Those that only timerwheel.tasks uses: what is followed, and who waits.
    cdef public object _scheduler, _attempt, _coroutine, _time_limit, _retries
    cdef public object _listeners, _deferred, _unheard, _outcome
    cdef double _priority
    cdef PriorityEntry entry        # in the group's queue while READY
    cdef Timer timer                # in the wheel while SCHEDULED, made when it first is
    cdef double _interval           # of a periodic task, seconds; else 0
    cdef double first               # the time of turn 0
    cdef double turn                # the number of the next turn, or of the one that runs
    cdef double _missed


cdef class GroupBase:
    cdef public object _scheduler
    cdef PriorityQueue ready_tasks
    cdef PriorityEntry place        # among the groups, while a task of this one may run
    cdef double next_turn
    cdef readonly double stride     # 1/weight
    cdef readonly Py_ssize_t running
    cdef public Py_ssize_t _limit   # -1: none

    cdef bint may_run(self) noexcept


cdef class DispatcherBase:
    cdef readonly object _reactor
    cdef readonly dict _tasks       # that are not done, in the order in which they were made
    cdef public object _group       # of tasks that are given none
    cdef public object _closing     # not None once no tasks are taken any more
    cdef public double _budget
    cdef public Py_ssize_t _limit
    cdef readonly Py_ssize_t running
    cdef TimerWheel wheel
    cdef PriorityQueue groups       # that may run
    cdef double present_turn
    cdef Py_ssize_t ready_count
    cdef unsigned passes
    cdef bint reviewing             # the reactor is being asked
    cdef bint review_again          # and has to be once more
    cdef bint exhausted             # the last pass ended because its budget was used up
    cdef object wake                # the reactor's call, or None
    cdef double wake_time           # when that is due; inf if there is none, -inf if at once

    cdef double now(self) except? -1.0
    cdef bint may_run(self) noexcept
    cdef int review_group(self, GroupBase group) except -1
    cdef TaskBase take(self)
    cdef int make_ready(self, TaskBase task) except -1
    cdef int arm(self, TaskBase task, double when) except -1
    cdef int release(self, TaskBase task) except -1
    cdef int arm_next_turn(self, TaskBase task, double now) except -1
    cdef int finish(self, TaskBase task, int state, object outcome) except -1
    cdef double run(self, TaskBase task) except? -1.0
    cdef int succeed(self, TaskBase task, object outcome, double now) except -1
    cdef int review(self) except -1
    cdef int ask(self) except -1
