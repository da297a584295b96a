# The times of each timed call while a watch is on: `timerwheel.watch()`.

cdef extern from "Python.h":
    PyTypeObject PyMethod_Type, PyFunction_Type, PyCFunction_Type
    PyObject *PyMethod_GET_FUNCTION(PyObject *) noexcept
    PyObject *PyFunction_GET_CODE(PyObject *) noexcept
    bint PyType_Check(object) noexcept
    unsigned long PyThread_get_thread_ident() noexcept

from functools import partial

cdef object looping_call = None     # twisted.internet.task.LoopingCall
cdef uint8_t looping_call_is_imported = 0
cdef object stand_in = None         # a type whose instances replace functions, and
cdef object function_of = None      # a function that returns the replaced one

cdef enum:
    TIMES_LOWEST = -20      # the histograms of calls begin at a microsecond
    MOST_FUNCTIONS = 1024   # to time separately; a program may make functions without end


@cython.final
cdef class CallTimes:
    """The times of one function's calls."""

    cdef object name                # from describe()
    cdef object kept                # keeps the function's key valid
    cdef Histogram histogram


@cython.final
cdef class CallWatch:
    """CallWatch(owner, describe, slow, origins, stall)\n--\n\n\
    Times the calls of a queue.

    describe(function) names a function. After a call that took longer than slow seconds, it calls
    owner.slow_call(call, seconds, late). After one that took longer than stall seconds, it calls
    owner.stall_ended(call, seconds, found); found says whether find_stall() had found it. It
    remembers who scheduled one call in origins; 0 means none.
    """

    def __init__(self, owner, describe, double slow, unsigned origins, double stall):
        self.owner = owner
        self.describe = describe
        self.slow = slow
        self.stall = stall
        self.origins = self.until_origin = origins
        self.times = {}
        self.running = None
        self.lock = new_lock()

    def find_stall(self):
        """(call, seconds so far, thread) of the current call, if it has taken too long already.

        None if it has not, or if this has returned it before. For another thread than the reactor's.
        """
        cdef int64_t now = monotonic_ns()
        cdef object running = None
        cdef double so_far = 0.0
        cdef unsigned long thread = 0
        acquire(self.lock)
        if self.running is not None and not self.since.stalled:
            so_far = <double>(now - self.since.began) / 1e9
            self.since.stalled = so_far > self.stall
            if self.since.stalled:
                running = self.running
                thread = self.thread
        release(self.lock)
        return None if running is None else (running, so_far, thread)

    def all_times(self):
        """(name, state of a histogram) of each function."""
        return [
            ((<CallTimes>times).name, times_state(self, <CallTimes>times))
            for times in list(self.times.values())]


cdef inline CallWatch watch_of(CallQueue queue):
    cdef CallWatch watch
    acquire(queue.lock)
    watch = queue._watch
    release(queue.lock)
    return watch


cdef int make_watched(CallQueue queue, CallWatch watch, object call, double late) except -1:
    """Make a DelayedCall, ours or a stock one, and note how long it took."""
    cdef object around      # a call that has run the reactor's loop
    cdef Running running
    cdef double seconds
    cdef int64_t began
    cdef object func = function_in(call)    # now: the call may change it
    cdef CallTimes times
    running.began = began = monotonic_ns()
    running.stalled = False
    around = swap_running(watch, call, &running)
    try:
        if Py_TYPE(call) == <PyTypeObject *>DelayedCall:
            make_call(queue, <DelayedCall>call)
        else:
            make_adopted_call(queue, call)
    finally:
        seconds = <double>(monotonic_ns() - began) / 1e9
        swap_running(watch, around, &running)
        times = times_of(watch, func)
        acquire(watch.lock)
        record(&times.histogram, seconds, TIMES_LOWEST)
        release(watch.lock)
        if running.stalled or seconds > watch.stall:
            watch.owner.stall_ended(call, seconds, running.stalled)
        if seconds > watch.slow:
            watch.owner.slow_call(call, seconds, late)
    return 0


cdef object swap_running(CallWatch watch, object call, Running *running):
    """Set the current call and its start, and return the previous ones."""
    cdef object last        # released after the lock
    cdef Running last_running
    acquire(watch.lock)
    last = watch.running
    last_running = watch.since
    watch.running = call
    watch.since = running[0]
    watch.thread = PyThread_get_thread_ident()
    release(watch.lock)
    running[0] = last_running
    return last


cdef tuple times_state(CallWatch watch, CallTimes times):
    cdef Histogram histogram
    acquire(watch.lock)
    histogram = times.histogram
    release(watch.lock)
    return histogram_state(&histogram, TIMES_LOWEST)


cdef object function_in(object call):
    if Py_TYPE(call) == <PyTypeObject *>DelayedCall:
        return callback_of(<DelayedCall>call)
    return getattr(call, "func", None)


cdef CallTimes times_of(CallWatch watch, object func):
    """The times of a function; beyond MOST_FUNCTIONS, all others share one."""
    cdef CallTimes times
    cdef object target = target_of(func)
    cdef object key = key_of(target)
    cdef PyObject *found = PyDict_GetItemWithError(watch.times, key)
    if found == NULL and len(watch.times) >= MOST_FUNCTIONS:
        target = key = None
        found = PyDict_GetItemWithError(watch.times, key)
    if found != NULL:
        return <CallTimes>found
    times = CallTimes.__new__(CallTimes)
    times.name = watch.describe(target)
    times.kept = kept_for(target)
    return watch.times.setdefault(key, times)


cdef int import_looping_call() except -1:
    global looping_call
    if not load_number(&looping_call_is_imported):
        from twisted.internet.task import LoopingCall

        acquire(0)
        if looping_call is None:    # else another thread was first
            looping_call = LoopingCall
        release(0)
        store_number(&looping_call_is_imported, 1)
    return 0


def set_stand_in(kind, get_function):
    """Make target_of() see through instances of a type. get_function(instance) returns the function."""
    global stand_in, function_of
    function_of = get_function
    stand_in = kind


def target_of(func):
    """The function in a bound method, a partial, a LoopingCall or a stand-in; else func."""
    cdef int left = 8       # they may be nested, or contain themselves
    import_looping_call()
    while left:
        left -= 1
        if Py_TYPE(func) == &PyMethod_Type:
            func = <object>PyMethod_GET_FUNCTION(<PyObject *>func)
        elif type(func) is partial:
            func = func.func
        elif type(func) is looping_call:
            func = getattr(func, "f", None)
        elif stand_in is not None and type(func) is stand_in:
            func = function_of(func)
        else:
            break
    return func


def key_of(target):
    """A key for a function, which is the same when the program makes the function again.

    The key is the address of its code, or of the type of an instance. It is valid while that object exists.
    """
    if Py_TYPE(target) == &PyFunction_Type:
        return <Py_ssize_t>PyFunction_GET_CODE(<PyObject *>target)
    if Py_TYPE(target) == &PyCFunction_Type:
        return target.__qualname__
    if target is None:
        return None
    # (A class and its instances have different keys.)
    return <Py_ssize_t><PyObject *>target if PyType_Check(target) else -<Py_ssize_t>Py_TYPE(target)


cdef object kept_for(object target):
    """The object that must exist for key_of() to stay valid."""
    if Py_TYPE(target) == &PyFunction_Type:
        return <object>PyFunction_GET_CODE(<PyObject *>target)
    return target if PyType_Check(target) else type(target)
