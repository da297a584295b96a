# cython: language_level=3
"""The types of timerwheel._core, for other Cython modules."""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint64_t

from timerwheel.entry cimport Entry
from timerwheel.heap cimport Heap
from timerwheel.histogram cimport Histogram
from timerwheel.listener cimport Listener
from timerwheel.wheel cimport Wheel

cdef extern from "Python.h":
    ctypedef struct PyTypeObject
    ctypedef PyObject *(*vectorcallfunc)(PyObject *, PyObject **, size_t, PyObject *)


cdef class Handle:
    """A handle in a wheel: an entry and its callback."""
    cdef Entry entry
    cdef PyObject *owner        # the TimerWheel in which it is pending, borrowed; or NULL
    cdef PyObject *_func        # NULL once it has been released
    cdef PyObject *_args        # tuple, or NULL for no arguments
    cdef PyObject *_kw          # dict, or NULL for no keyword arguments


@cython.final
cdef class Timer(Handle):
    cdef object __weakref__


cdef class TimerWheel:
    cdef Wheel wheel
    cdef unsigned passes        # that are running, one inside the other
    cdef bint immortal          # never garbage: the collector need not walk its handles
    cdef uint8_t lock           # the number of its lock (locks.pxi)
    cdef object walked          # always None: it makes this a type that the collector walks
    cdef object __weakref__

    cpdef rearm(self, Timer timer, double when)
    cpdef next_wake(self)
    cdef int begin_pass(self, double now) except -1
    cdef Py_ssize_t fire_some(self, double now, Py_ssize_t most) except -1
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
    cdef PyObject *_seconds     # the clock of the call; NULL once the collector has cleared it
    cdef dict __dict__
    cdef object __weakref__


@cython.final
cdef class AdoptedCall(Handle):
    pass


@cython.final
cdef class TimerHandle(Handle):
    cdef PyObject *_event_loop      # NULL once the collector has cleared the handle, as are the next three
    cdef PyObject *_call_context
    cdef PyObject *_stack           # where it was scheduled, in debug mode
    cdef PyObject *_last_repr       # from when it was cancelled, in debug mode
    cdef object __weakref__


@cython.final
cdef class LoopClock:
    cdef vectorcallfunc vectorcall


cdef struct ClassAttribute:
    PyObject *value             # borrowed from a class; NULL: no class has it, or reading it binds it
    bint is_computed            # it hides the reactor's own dict: a property, a slot


cdef struct Recalled:
    uint64_t found              # the value of `changes` when this was found; 0: not found yet
    PyTypeObject *type          # the reactor's
    ClassAttribute seconds, thread_calls, just_stopped


cdef struct Figures:
    uint64_t fired, failed, cancelled, moved_later, moved_sooner
    uint64_t bypassed           # calls that Twisted's own callLater() has made
    uint64_t passes, busy_passes    # all; those that have made calls
    double seconds_in_passes, longest_pass      # of passes that made calls
    double since                # when the queue was made, by the monotonic clock
    Histogram lateness, calls_per_pass


cdef struct Running:            # the state of the current call
    int64_t began               # when it began, monotonic ns
    bint stalled                # report its end


@cython.final
cdef class CallWatch:
    cdef readonly object owner
    cdef object describe
    cdef double slow, stall     # seconds; stall may be infinite
    cdef dict times             # CallTimes by the key of a function
    cdef readonly unsigned origins      # remember the origin of one call in so many; 0: of none
    cdef unsigned until_origin
    cdef object running         # the current call, or None
    cdef Running since
    cdef unsigned long thread   # the reactor's
    cdef uint8_t lock           # the number of its lock (locks.pxi)
    cdef object __weakref__


@cython.final
cdef class CallQueue(TimerWheel):
    cdef object reactor         # or an asyncio event loop
    cdef bint serves_loop       # it is an event loop
    cdef bint has_debug_attribute   # the loop has `_debug`, which is quicker to read
    cdef object report          # called to handle an exception of a timed call
    cdef readonly object waker  # wakes the reactor on time
    cdef dict replacements      # methods of the reactor that are replaced in Python, by name
    cdef object timeout_replacement     # of its timeout(), or None
    cdef object _hook
    cdef Listener listener      # the hook's owner
    cdef object self_ref        # a weak reference to itself, without a GIL
    cdef double latest_pass     # the `now` of the last pass
    cdef uint64_t inserted      # calls before this sequence are no longer new
    cdef bint departed          # the reactor has left the queue
    cdef readonly bint overdue  # an event loop is to be set for the next deadline: its last has come
    cdef uint64_t passes_seen   # by move_due_timers()
    cdef Recalled recalled
    cdef list functions         # of recalled static methods: a change of them does not show in their class
    cdef object mro             # of the reactor's class, when it was recalled
    cdef Figures figures
    cdef CallWatch _watch       # None: no watch is on
    cdef public bint nested_loops   # a call may run the event loop, which makes other calls

    cdef bint is_idle(self) noexcept
    cdef int take_over(self, call) except -1
    cdef bint add(self, Handle handle, double when, double now) except -1
    cdef double now(self, object reactor) except? -1.0
    cdef int compare(self, double when, double now) except -1
    cdef int announce(self, double now, Listener last) except -1
    cdef int fire(self, DelayedCall call, double now) except -1
    cdef int fire_adopted(self, AdoptedCall handle, double now) except -1
    cdef int run_pass(self, object reactor) except -1
    cdef int fire_due(self, double now) except -1
    cdef object next_timeout(self, object reactor)
    cdef list pending(self)


@cython.final
cdef class Method:
    cdef vectorcallfunc vectorcall
    cdef str name
    cdef object function        # Twisted's, or the event loop's
    cdef object base            # the class whose method the function calls, or None
    cdef bint is_later          # it is an event loop's call_later()
    cdef object __weakref__


cdef struct Burst:
    double latest               # the latest time for which advance() has made a call
    Py_ssize_t made, most       # calls made for that time, and the most allowed
    bint is_too_long


@cython.no_gc_clear         # its queue breaks cycles: it releases the calls
cdef class CallClock:
    cdef CallQueue queue
    cdef object moving          # a lock, without a GIL: held while rightNow changes

    cdef int move(self, object amount) except -1
    cdef bint make_next(self, Burst *burst) except -1


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
    cdef uint8_t lock           # the number of its lock (locks.pxi)
    cdef object walked          # always None, as in TimerWheel
    cdef object __weakref__

    cdef int insert(self, PriorityEntry entry, double priority) except -1
    cdef int reprioritize(self, PriorityEntry entry, double priority) except -1
    cdef void detach_all(self) noexcept
    cdef PriorityEntry held(self, object entry)
    cdef PriorityEntry take(self, PriorityEntry entry)
    cdef PriorityEntry first(self)
    cdef void take_out(self, PriorityEntry entry) noexcept
    cdef bint holds(self, PriorityEntry entry) noexcept
