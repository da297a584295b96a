# cython: language_level=3
"""The types of timerwheel._tasks."""

from libc.stdint cimport uint64_t

from timerwheel._core cimport PriorityEntry, PriorityQueue, Timer, TimerWheel


cdef enum Asking:
    SETTLED     # the reactor's call is as it should be
    ASKING      # the reactor is being asked for it
    CHANGED     # it is, and meanwhile something has changed


cdef struct Slice:
    double start        # when the work began by which the budget is used up; inf: the clock was not read yet
    Py_ssize_t steps    # that are taken before it is read again


cdef class TaskBase:
    cdef readonly object func, timeout, retry, fallback
    cdef readonly tuple args
    cdef readonly GroupBase group
    cdef readonly Py_ssize_t attempts
    cdef readonly object state
    cdef readonly object _scheduler
    cdef readonly bint _cancelled   # it runs, and is to end as CANCELLED if what it waits for is cancelled
    cdef readonly TaskBase _cause   # the task without whose success this one has failed, or None
    # Set by timerwheel.tasks alone: what is followed, and who waits. The end of the task drops some.
    cdef public object _attempt, _coroutine, _time_limit, _retries, _listeners, _deferred, _unheard
    cdef object _outcome            # of a task that is done; see end() and _told()
    cdef bint requires_success      # of its dependencies
    cdef tuple dependencies         # that a new or WAITING task was given to wait for; else None
    cdef dict dependents            # the WAITING tasks that wait for this one, in order; or None
    cdef Py_ssize_t waits_for       # how many of its dependencies have not ended
    cdef double _priority
    cdef double key                 # by which it is in the group's queue: what the policy says
    cdef double _deadline           # inf if it has none
    cdef Timer alarm                # in the wheel until the deadline, if it has one
    cdef PriorityEntry entry        # in the group's queue while READY
    cdef Timer timer                # in the wheel while SCHEDULED, maybe while WAITING; made when it first is
    cdef double _interval           # of a periodic task, seconds; else 0
    cdef double first               # the time of turn 0
    cdef double turn                # the number of the next turn, or of the one that runs
    cdef double _missed
    cdef TaskBase next_untold       # in the dispatcher's list
    cdef TaskBase older, newer      # in the TaskList of those that are not done

    cpdef object _told(self)
    cdef bint tell_next(self) except -1
    cdef bint is_done(self)
    cdef bint is_to_be_told(self)


cdef class GroupBase:
    cdef readonly object _scheduler
    cdef PriorityQueue ready_tasks
    cdef PriorityEntry place        # among the groups, while a task of this one is ready
    cdef double next_turn
    cdef readonly double stride     # 1/weight
    cdef readonly Py_ssize_t running
    cdef readonly Py_ssize_t _limit     # -1: none


cdef class TaskList:
    cdef TaskBase oldest, newest
    cdef TaskBase cursor            # where a walk is, None at its end
    cdef Py_ssize_t size

    cdef list as_list(self)
    cdef void begin_walk(self) noexcept
    cdef TaskBase next(self)
    cdef int append(self, TaskBase task) except -1
    cdef int discard(self, TaskBase task) except -1


cdef class Turns:
    cdef readonly Py_ssize_t running
    cdef readonly Py_ssize_t _limit     # -1: none
    cdef object key_function        # the policy's; None where the key is the priority
    cdef bint takes_turns           # groups do; else the one comes first whose first task does
    cdef uint64_t ready_sequence    # how many tasks have become ready
    cdef PriorityQueue groups       # that have tasks ready; those at their limit have a turn at infinity
    cdef double present_turn
    cdef Py_ssize_t ready_count

    cdef bint has_turn(self) noexcept
    cdef int review_group(self, GroupBase group) except -1
    cdef double key_of(self, TaskBase task) except? -1.0
    cdef int change_priority(self, TaskBase task, double priority) except -1
    cdef TaskBase take(self)
    cdef int make_ready(self, TaskBase task) except -1
    cdef int take_back(self, TaskBase task) except -1


cdef class Places(Turns):
    cdef readonly object _reactor
    cdef readonly double _budget
    cdef readonly object _closing   # not None once no tasks are taken any more
    cdef bint _ending               # that has something to do: nothing is started before that is done
    cdef TaskList tasks             # that are not done
    cdef TimerWheel wheel
    cdef Py_ssize_t waiting_count
    cdef TaskBase untold, last_untold   # a list of tasks that are done, whose listeners are to be told
    cdef TaskBase cut               # the one of them whose edges are being cut, or None
    cdef object edges               # an iterator over the tasks at their other ends
    cdef bint cuts_dependencies     # those are the tasks that it waited for; else those that wait for it

    cdef double now(self) except? -1.0
    cdef Slice new_slice(self) noexcept
    cdef bint has_time(self, Slice *part, Py_ssize_t steps) except -1
    cdef int arm(self, TaskBase task, double when) except -1
    cdef int arm_again(self, TaskBase task, double when) except -1
    cdef int watch_deadline(self, TaskBase task) except -1
    cdef int forget_deadline(self, TaskBase task) except -1
    cdef int wait(self, TaskBase task) except -1
    cdef bint begin_to_cut(self, TaskBase task) except -1
    cdef bint cut_edges(self, Slice *part) except -1
    cdef int free_from(self, TaskBase task, TaskBase dependency) except -1
    cdef int free(self, TaskBase task) except -1
    cdef int fail_for(self, TaskBase task, TaskBase dependency) except -1
    cdef int leave(self, TaskBase task) except -1
    cdef int end(self, TaskBase task, object state, object outcome) except -1
    cdef int end_turn(self, TaskBase task, double now) except -1


cdef class DispatcherBase(Places):
    cdef public object _group       # of tasks that are given none; set once, by timerwheel.tasks
    cdef bint telling               # somebody works through the list of who is to be told
    cdef bint behind                # the budget was used up before its end: the next pass goes on
    cdef object wake                # the reactor's call, or None
    cdef double wake_time           # when that is due; inf if there is none, -inf if at once
    cdef bint resting               # what is called then leaves the reactor another turn of its loop
    cdef Asking asking

    cdef bint may_run(self) noexcept
    cdef int cancel_running(self, TaskBase task) except -1
    cdef int break_off(self, TaskBase task, object error) except -1
    cdef int settle(self) except -1
    cdef int tell(self) except -1
    cdef bint tell_listeners(self, TaskBase task, Slice *part) except -1
    cdef int put_back(self, TaskBase task) except -1
    cdef int look_at_deadline(self, TaskBase task) except -1
    cdef int _go_on_closing(self) except -1
    cdef int _closed(self) except -1
    cdef int work(self, double due) except -1
    cdef bint take_due(self, double due, double start) except -1
    cdef double run(self, TaskBase task) except? -1.0
    cdef double next_call(self, Py_ssize_t spare) except? -1.0
    cdef int review(self, Py_ssize_t spare=*) except -1
    cdef int ask(self, double when) except -1
