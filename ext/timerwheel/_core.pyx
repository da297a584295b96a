# cython: language_level=3, binding=False, embedsignature=True, embedsignature.format=clinic
# cython: auto_pickle=False, freethreading_compatible=True
# cython: cdivision=True
"""timerwheel._core: the wheel, the queue of a reactor, the priority queue.

Downstairs, in the .pxd files of this folder, are plain C structs and functions
that know no Python:

    bits    lowest and highest set bit        heap    indexed 4-ary heap
    entry   an entry and the lists            run     sorted run of expired entries
    level   64 slots, and which are occupied  wheel   the levels; advance, pop
    ticks   time <-> tick                     search  the earliest deadline of a wheel
    clock   wall and monotonic clock          visits  to all entries of a wheel
    faults     of a wheel, for tests
    earliest   what is known of the earliest entry ahead
    histogram  a log-linear histogram
    listener   who has to hear of an earlier deadline, and when

Upstairs, in the .pxi files included below, are the Python objects:

    locks           locks that guard a wheel from threads, without a GIL
    handle          the base of all handles: callback and memory
    timer_wheel     TimerWheel and its Timer: the wheel without a reactor
    twisted_names   names of Twisted's, imported when they are first needed
    read_clock      the time of a reactor's clock; SteadyClock, which never steps
    delayed_call    DelayedCall: the handle that callLater() returns
    adopted_call    AdoptedCall: the handle for a call that Twisted's own code made
    figures         the counts of a queue
    origins         who scheduled a timer
    watch           the times of calls, while a watch is on
    attributes      the attributes of a reactor
    recall          attributes of a reactor's classes, remembered
    call_queue      CallQueue: the queue of a reactor
    making_calls    how its expired calls leave it, and are made
    queue_memory    how the garbage collector walks it and takes it apart
    call_lists      lists of its calls
    call_walk       CallWalk: walks past its calls in slices, while they come and go
    methods         Method: replaces a function in Twisted's classes
    loop_timer      TimerHandle: the handle that an asyncio event loop's call_later() returns
    loop_methods    the methods of an event loop
    installed       the queue of the installed reactor
    call_clock      CallClock: the base of the clock for tests
    priority_queue  PriorityQueue and its PriorityEntry
    build           how the extension was compiled

The levels. A tick is 2**-10 s. Take the highest bit b in which an entry's tick
differs from the current one. The entry is in level b // 6. The level's six bits
of the entry's tick are the number of its slot.

    level   bits of the tick   one slot        the whole level
    0       0-5                1/1024 s        62.5 ms
    1       6-11               62.5 ms         4 s
    2       12-17              4 s             4 min 16 s
    3       18-23              4 min 16 s      4 h 33 min
    4       24-29              4 h 33 min      12 d 3 h
    5       30-35              12 d 3 h        2 years 46 d
    overflow: all beyond

An example in octal, where each level is two digits. It is tick 0 00 01. Three
entries are scheduled: A for tick 0 00 03, B for 0 02 05, C for 0 02 05 as well.

    A differs in the last two digits alone:  level 0, slot 03
    B and C differ in the two before:        level 1, slot 02, B before C

The clock moves to tick 0 02 05. The first occupied slot is level 0's 03: A goes
into the run. The next is level 1's 02, which starts at 0 02 00. It cascades: B and
C now differ from 0 02 00 only in the last digits, so they go into level 0, slot 05,
in their order. The time of that slot has come too, and B and C follow A into the
run. The wheel sorts the run by (when, sequence), slot by slot, and calls its timers
while `when` is not after the clock's time. The ticks in between cost nothing.

A pass takes one `now`. If you schedule a timer during a pass and it has expired
already, it waits for the next pass. If you move a timer that was pending before to
a time at or before `now`, it runs in this pass.

Reference counts. A wheel owns one reference to each pending handle. Releasing a
reference can run Python code that schedules, cancels, moves, runs a pass or drops
the wheel. So unlink the entry and restore the invariants first, and release last.

Memory. Downstairs allocates with Python's raw allocator. That is malloc(), unless
tracemalloc, a debug build or a test of failing allocations replaces it. Functions
that need memory allocate it before they change anything.
"""

cimport cython
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF, Py_XINCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.math cimport HUGE_VAL, NAN, isnan
from libc.stdint cimport SIZE_MAX, UINT64_MAX, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset

from timerwheel.clock cimport monotonic_ns, monotonic_seconds, wall_seconds
from timerwheel.entry cimport HELD, NOWHERE, OVERFLOW, SLOT, Entry, Links
from timerwheel.faults cimport wheel_fault
from timerwheel.heap cimport (
    Heap, Node, heap_free, heap_init, heap_is_sound, heap_push, heap_remove, heap_reserve, heap_shrink,
    heap_update,
)
from timerwheel.histogram cimport Histogram, record
from timerwheel.level cimport LANES, SLOTS
from timerwheel.listener cimport (
    Listener, listener_arm, listener_enter_pass, listener_hears, listener_is_due, listener_is_late,
    listener_join, listener_leave, listener_restore, listener_told, listener_woke,
)
from timerwheel.run cimport are_sorted, merge_sort
from timerwheel.search cimport wheel_next
from timerwheel.visits cimport Visitor, wheel_any, wheel_each
from timerwheel.wheel cimport (
    LEVELS, Wheel, wheel_add, wheel_advance, wheel_due, wheel_first_due, wheel_free, wheel_hold_new,
    wheel_init, wheel_move, wheel_release, wheel_remove, wheel_start,
)

cdef extern from *:
    """
    #define timerwheel_new_memory(type) ((PyObject *)PyObject_GC_New(PyObject, (type)))
    /* Deallocates an object by body(), at once or, when that is nested too deeply, later. */
    #define timerwheel_with_trashcan(object, dealloc, body) do { \
        Py_TRASHCAN_BEGIN(object, dealloc) body(object); Py_TRASHCAN_END } while (0)
    /* Whoever touches memory that is kept for the next handle is told by AddressSanitizer. */
    #if defined(__SANITIZE_ADDRESS__)
      #include <sanitizer/asan_interface.h>
      #define timerwheel_forbid(memory, size) __asan_poison_memory_region((memory), (size))
      #define timerwheel_allow(memory, size) __asan_unpoison_memory_region((memory), (size))
    #else
      #define timerwheel_forbid(memory, size) ((void)(memory))
      #define timerwheel_allow(memory, size) ((void)(memory))
    #endif
    /* Takes over a reference that is owned already. */
    #define timerwheel_owned(object) (object)
    """
    ctypedef int (*visitproc)(PyObject *, void *) noexcept
    ctypedef int (*traverseproc)(PyObject *, visitproc, void *) noexcept
    ctypedef int (*inquiry)(PyObject *) noexcept
    ctypedef void (*destructor)(PyObject *) noexcept
    ctypedef void (*freefunc)(void *) noexcept
    ctypedef PyObject *(*ternaryfunc)(PyObject *, PyObject *, PyObject *)
    ctypedef PyObject *(*getattrofunc)(PyObject *, PyObject *)
    ctypedef PyObject *(*descrgetfunc)(PyObject *, PyObject *, PyObject *)
    ctypedef int (*descrsetfunc)(PyObject *, PyObject *, PyObject *)
    ctypedef struct PyTypeObject:
        PyObject *tp_mro
        getattrofunc tp_getattro
        descrgetfunc tp_descr_get
        descrsetfunc tp_descr_set
        Py_ssize_t tp_basicsize, tp_weaklistoffset, tp_dictoffset
        unsigned long tp_flags
        traverseproc tp_traverse
        inquiry tp_clear
        destructor tp_dealloc
        freefunc tp_free
        ternaryfunc tp_call
        Py_ssize_t tp_vectorcall_offset
    object new_memory "timerwheel_new_memory"(PyTypeObject *type)
    void with_trashcan "timerwheel_with_trashcan"(
        PyObject *object, destructor dealloc, destructor body) noexcept
    void forbid "timerwheel_forbid"(void *memory, size_t size) noexcept
    void allow "timerwheel_allow"(void *memory, size_t size) noexcept
    object owned "timerwheel_owned"(PyObject *object) noexcept


cdef extern from "Python.h":
    PyTypeObject *Py_TYPE(object)
    const unsigned long Py_TPFLAGS_HAVE_GC, Py_TPFLAGS_IMMUTABLETYPE
    object PyObject_Init(PyObject *, PyTypeObject *)
    void PyObject_GC_Del(void *) noexcept
    void PyObject_ClearWeakRefs(PyObject *) noexcept
    void PyObject_GC_Track(PyObject *)
    void PyObject_GC_UnTrack(PyObject *)
    bint PyObject_GC_IsTracked(PyObject *)
    object PyObject_Call(object function, object args, PyObject *kw)
    object PyObject_CallNoArgs(object function)
    PyObject *PyDict_GetItemWithError(dict mapping, object key) except? NULL
    object PyWeakref_NewRef(object, PyObject *)
    dict PyObject_GenericGetDict(object, void *)
    int PyList_Append(PyObject *target, PyObject *item) noexcept
    double PyFloat_AsDouble(object) except? -1.0
    double PyLong_AsDouble(object) except? -1.0
    const Py_ssize_t PY_SSIZE_T_MAX
    const unsigned long Py_TPFLAGS_HAVE_VECTORCALL, Py_TPFLAGS_METHOD_DESCRIPTOR
    object PyObject_GenericGetAttr(object, object)
    object PyObject_GetAttr(object, object)
    object PyMethod_New(object function, object self)
    object PyObject_Vectorcall(object function, PyObject **args, size_t nargsf, PyObject *names)
    Py_ssize_t PyVectorcall_NARGS(size_t nargsf) noexcept
    object call_vector "PyVectorcall_Call"(object function, object args, object kw)
    void PyErr_Clear() noexcept
    PyObject *vector_call "PyVectorcall_Call"(PyObject *, PyObject *, PyObject *)
    PyObject *PyImport_GetModule(object name) except? NULL


# The most entries to search for the next deadline. Beyond that, timeout() answers with the start of their
# slot, which is never late.
cdef enum:
    SEARCH_BUDGET = 256

cdef tuple NO_ARGUMENTS = ()


cdef inline int checked(int result) except -1:
    """The result of a C function that returns -1 when it has set an exception."""
    return result


cdef inline double as_seconds(object value) except? -1.0:
    """A number of seconds as a float. Raises TypeError, or OverflowError for an int beyond floats."""
    # PyFloat_AsDouble() would make a float object of an int.
    return PyLong_AsDouble(value) if type(value) is int else PyFloat_AsDouble(value)


cdef inline double as_time(object value) except? -1.0:
    """A time as a float. Raises ValueError for NaN, TypeError for a non-number."""
    cdef double seconds = as_seconds(value)
    if isnan(seconds):
        raise ValueError("a time cannot be NaN")
    return seconds


include "locks.pxi"
include "handle.pxi"
include "timer_wheel.pxi"
include "figures.pxi"
include "twisted_names.pxi"
include "read_clock.pxi"
include "delayed_call.pxi"
include "attributes.pxi"
include "recall.pxi"
include "adopted_call.pxi"
include "call_lists.pxi"
include "origins.pxi"
include "watch.pxi"
include "call_queue.pxi"
include "making_calls.pxi"
include "queue_memory.pxi"
include "call_walk.pxi"
include "methods.pxi"
include "loop_timer.pxi"
include "loop_methods.pxi"
include "installed.pxi"
include "call_clock.pxi"
include "priority_queue.pxi"
include "build.pxi"
