# What is noted of each timed call while somebody watches: `timerwheel.watch()`.

cdef extern from "Python.h":
    PyTypeObject PyMethod_Type, PyFunction_Type, PyCFunction_Type
    PyObject *PyMethod_GET_FUNCTION(PyObject *) noexcept
    PyObject *PyFunction_GET_CODE(PyObject *) noexcept
    bint PyType_Check(object) noexcept
    unsigned long PyThread_get_thread_ident() noexcept

from functools import partial

cdef object looping_call = None     # twisted.internet.task.LoopingCall

cdef enum:
    TIMES_LOWEST = -20      # the histograms of calls begin at a microsecond
    MOST_FUNCTIONS = 1024   # that are told apart; a program may make functions without end


@cython.final
cdef class CallTimes:
    """How long the calls of one function took."""

    cdef object name                # what describe() said of it
    cdef object kept                # so that the key of the function stays its own
    cdef Histogram histogram


@cython.final
cdef class CallWatch:
    """CallWatch(owner, describe, slow, origins, stall)\n--\n\n\
    Times the calls of a queue.

    describe(function) names a function. owner.slow_call(call, seconds, late) is called after a call
    that took longer than slow seconds; owner.stall_ended(call, seconds, found) after one that took
    longer than stall seconds, with whether find_stall() had found it. Of one call in origins it is
    remembered who scheduled it; of none if that is 0.
    """

    def __init__(self, owner, describe, double slow, unsigned origins, double stall):
        self.owner = owner
        self.describe = describe
        self.slow = slow
        self.stall = stall
        self.origins = self.until_origin = origins
        self.times = {}
        self.running = None

    def find_stall(self):
        """(call, seconds so far, thread) of the call that is being made, if that takes too long already.

        None if it does not, or was found before. For another thread than the reactor's.
        """
        cdef double so_far
        if self.running is None or self.stalled:
            return None
        so_far = <double>(monotonic_ns() - self.began) / 1e9
        if so_far <= self.stall:
            return None
        self.stalled = True
        return self.running, so_far, self.thread

    def all_times(self):
        """(name, state of a histogram) of each function."""
        return [
            ((<CallTimes>times).name, histogram_state(&(<CallTimes>times).histogram, TIMES_LOWEST))
            for times in list(self.times.values())]


cdef int make_watched(CallQueue queue, CallWatch watch, object call, double late) except -1:
    """Make a DelayedCall, ours or a stock one, and note how long it took."""
    cdef object around = watch.running      # a call in which the reactor's loop was run
    cdef int64_t around_began = watch.began
    cdef bint around_stalled = watch.stalled, stalled
    cdef double seconds
    cdef int64_t began
    cdef object func = function_in(call)    # now: the call may change it
    cdef CallTimes times
    watch.thread = PyThread_get_thread_ident()
    watch.stalled = False
    watch.running = call
    watch.began = began = monotonic_ns()
    try:
        if Py_TYPE(call) == <PyTypeObject *>DelayedCall:
            make_call(queue, <DelayedCall>call)
        else:
            make_adopted_call(queue, call)
    finally:
        seconds = <double>(monotonic_ns() - began) / 1e9
        stalled = watch.stalled
        watch.running = around
        watch.began = around_began
        watch.stalled = around_stalled
        times = times_of(watch, func)
        record(&times.histogram, seconds, TIMES_LOWEST)
        if stalled or seconds > watch.stall:
            watch.owner.stall_ended(call, seconds, stalled)
        if seconds > watch.slow:
            watch.owner.slow_call(call, seconds, late)
    return 0


cdef object function_in(object call):
    if Py_TYPE(call) == <PyTypeObject *>DelayedCall:
        return None if (<DelayedCall>call)._func == NULL else <object>(<DelayedCall>call)._func
    return getattr(call, "func", None)


cdef CallTimes times_of(CallWatch watch, object func):
    """The times of a function; those of all others together beyond MOST_FUNCTIONS."""
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
    from twisted.internet.task import LoopingCall

    looping_call = LoopingCall
    return 0


def target_of(func):
    """The function in a bound method, a partial or a LoopingCall; else func."""
    cdef int left = 8       # one may be in the other, or in itself
    if looping_call is None:
        import_looping_call()
    while left:
        left -= 1
        if Py_TYPE(func) == &PyMethod_Type:
            func = <object>PyMethod_GET_FUNCTION(<PyObject *>func)
        elif type(func) is partial:
            func = func.func
        elif type(func) is looping_call:
            func = getattr(func, "f", None)
        else:
            break
    return func


def key_of(target):
    """What tells a function from others, and stays when it is made anew.

    It is made from the address of its code, or of the type of an instance: it is good for as long as
    that is kept.
    """
    if Py_TYPE(target) == &PyFunction_Type:
        return <Py_ssize_t>PyFunction_GET_CODE(<PyObject *>target)
    if Py_TYPE(target) == &PyCFunction_Type:
        return target.__qualname__
    if target is None:
        return None
    # (Of a class and of its instances there are two.)
    return <Py_ssize_t><PyObject *>target if PyType_Check(target) else -<Py_ssize_t>Py_TYPE(target)


cdef object kept_for(object target):
    """What has to be kept for key_of() to be good."""
    if Py_TYPE(target) == &PyFunction_Type:
        return <object>PyFunction_GET_CODE(<PyObject *>target)
    return target if PyType_Check(target) else type(target)
