# cython: language_level=3
"""The types of timerwheel._core, for other Cython modules."""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport uint64_t

from timerwheel.entry cimport Entry
from timerwheel.heap cimport Heap
from timerwheel.wheel cimport Wheel


cdef class Handle:
    """What a wheel holds: an entry and what is to be called."""
    cdef Entry entry
    cdef PyObject *owner        # the TimerWheel in which it is pending, borrowed; or NULL
    cdef PyObject *_func        # NULL once it has been let go of
    cdef PyObject *_args        # tuple, or NULL for no arguments
    cdef PyObject *_kw          # dict, or NULL for no keyword arguments


@cython.final
cdef class Timer(Handle):
    cdef object __weakref__


cdef class TimerWheel:
    cdef Wheel wheel
    cdef unsigned passes        # that are running, one inside the other
    cdef bint immortal          # never garbage: what it holds need not be walked by the collector
    cdef object walked          # always None: an object attribute makes Cython's type one that is walked
    cdef object __weakref__

    cpdef rearm(self, Timer timer, double when)
    cpdef next_wake(self)
    cdef int begin_pass(self, double now) except -1
    cdef void end_pass(self) noexcept
    cdef void detach_all(self) noexcept


@cython.final
cdef class SteadyClock:
    cdef double offset          # seconds from the monotonic clock to the epoch

    cdef double read(self) except? -1.0


@cython.final
cdef class DelayedCall(Handle):
    cdef double _time
    cdef double _delayed_time
    cdef PyObject *_seconds     # the clock of the call, or NULL for the wall clock
    cdef dict __dict__
    cdef object __weakref__


@cython.final
cdef class AdoptedCall(Handle):
    pass


cdef struct Attribute:
    PyObject *value             # of the reactor, in its own dict, borrowed; or NULL if there is none
    uint64_t version            # of the dict, when it was looked up


@cython.final
cdef class CallQueue(TimerWheel):
    cdef object reactor
    cdef dict namespace         # the reactor's __dict__
    cdef Attribute own_seconds, thread_calls, just_stopped
    cdef object report          # called while an exception of a timed call is being handled
    cdef object stock_pass
    cdef object claim           # called when the reactor's class has changed
    cdef object _hook
    cdef double alarm           # the deadline for which the hook's owner is armed; -inf: it need not hear
    cdef double latest_pass     # the `now` of the last pass
    cdef uint64_t inserted      # calls before this sequence are no longer new
    cdef public bint nested_loops   # a call may run the event loop, and calls be made in it
    cdef bint departed          # the reactor no longer has this queue
    cdef unsigned class_tag
    cdef bint wall_clock        # the reactor's class has Twisted's own seconds()

    cdef bint class_changed(self) noexcept
    cdef bint redirected(self, str name) except -1
    cdef object method_of_class(self, str name)
    cdef object clock(self)
    cdef int add(self, Handle handle, double when) except -1
    cdef int consider(self, double when) except -1
    cdef int compare(self, double when) except -1
    cdef int announce(self, double when, double now) except -1
    cdef int fire(self, DelayedCall call) except -1
    cdef int fire_adopted(self, AdoptedCall handle) except -1
    cdef int run_pass(self) except -1
    cdef int fire_due(self, double now) except -1
    cdef object next_timeout(self)
    cdef list pending(self)


@cython.no_gc_clear         # its queue breaks cycles by letting go of the calls
cdef class CallClock:
    cdef CallQueue queue

    cdef Entry *next_due(self) except? NULL


cdef class CallsInOrder:
    cdef CallQueue queue


cdef class PriorityEntry:
    cdef Entry entry
    cdef PyObject *owner        # the PriorityQueue that holds it, borrowed; or NULL
    cdef readonly object item
    cdef object __weakref__


cdef class PriorityQueue:
    cdef Heap heap
    cdef uint64_t sequence
    cdef object walked          # always None, as in TimerWheel
    cdef object __weakref__

    cdef int insert(self, PriorityEntry entry, double priority) except -1
    cdef int reprioritize(self, PriorityEntry entry, double priority) except -1
    cdef void detach_all(self) noexcept
    cdef PriorityEntry held(self, object entry)
    cdef PriorityEntry take(self, PriorityEntry entry)
    cdef PriorityEntry first(self)
