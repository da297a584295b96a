# The methods of an asyncio event loop that the wheel replaces, and the passes of its queue.
#
# asyncio's own _run_once() stays. It waits for I/O, and _process_events() moves ready callbacks to
# loop._ready. Then it moves the expired timers of its own heap there, and calls all of them. The wheel's
# handles join at the end of _process_events(). So order, debug mode, stop() and KeyboardInterrupt are
# asyncio's. On other loops, such as uvloop's, the reader of the alarm calls the expired timers.

cdef extern from "<math.h>" nogil:
    double nextafter(double, double)

cdef extern from "Python.h":
    object PyObject_CallMethodNoArgs(object, object name)
    object PyObject_CallOneArg(object, object argument)
    bint PyMethod_Check(object)

import time as time_module

cdef dict time_names = time_module.__dict__


@cython.final
cdef class LoopClock:
    """time.monotonic(), looked up at each call, because tests put their own clocks there.

    In a class it is not a method: a call passes no loop. But a subclass may pass its loop, as it would to
    asyncio's function: EventLoop.time(self).
    """

    def __cinit__(self):
        self.vectorcall = <vectorcallfunc>read_monotonic

    def __call__(self, *args, **kw):
        return call_vector(self, args, kw)


cdef object read_monotonic(object clock, PyObject **args, size_t nargsf, PyObject *names):
    cdef Py_ssize_t given = PyVectorcall_NARGS(nargsf)
    if names != NULL or given > 1 or given == 1 and not is_loop(<object>args[0]):
        raise TypeError("time() takes no arguments")
    cdef PyObject *monotonic = PyDict_GetItemWithError(time_names, "monotonic")
    if monotonic == NULL:
        raise AttributeError("module 'time' has no attribute 'monotonic'")
    return PyObject_CallNoArgs(<object>monotonic)


cdef bint is_loop(object value) except -1:
    from asyncio import AbstractEventLoop
    return isinstance(value, AbstractEventLoop)


cdef LoopClock probe_clock = LoopClock.__new__(LoopClock)
(<PyTypeObject *>LoopClock).tp_vectorcall_offset = (
    <char *>&probe_clock.vectorcall - <char *><PyObject *>probe_clock)
(<PyTypeObject *>LoopClock).tp_call = vector_call
(<PyTypeObject *>LoopClock).tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL
probe_clock = None


def machine_time():
    """The machine's monotonic clock, in seconds, also while a test has replaced time.monotonic()."""
    return monotonic_seconds()


def loop_queue(loop):
    """A CallQueue for an asyncio event loop, which has none yet."""
    cdef CallQueue queue = CallQueue.__new__(CallQueue)
    import_asyncio()
    queue.reactor = loop
    queue.serves_loop = True
    queue.has_debug_attribute = hasattr(loop, "_debug")
    queue.replacements = {}
    return queue


cdef inline double time_of(object loop) except? -1.0:
    """The time of a loop's clock, which is looked up each time."""
    return as_seconds(PyObject_CallMethodNoArgs(loop, "time"))


cdef object loop_call_later(object method, PyObject **args, size_t nargsf, PyObject *names):
    cdef PyObject *found = queue_of(args, nargsf)
    cdef CallQueue queue
    if found == NULL:
        return call_function(method, args, nargsf, names)
    queue = <CallQueue>owned(found)
    if (<Method>method).base is not None and not leads_to_wheel(<object>args[0]):
        return call_function(method, args, nargsf, names)   # which calls the program's call_at()
    return loop_call(queue, <Method>method, "delay", args, nargsf, names)


cdef object loop_call_at(object method, PyObject **args, size_t nargsf, PyObject *names):
    cdef PyObject *found = queue_of(args, nargsf)
    if found == NULL:
        return call_function(method, args, nargsf, names)
    return loop_call(<CallQueue>owned(found), <Method>method, "when", args, nargsf, names)


cdef inline bint leads_to_wheel(object loop) except -1:
    """Whether a loop's call_at() is ours: asyncio's call_later() calls it."""
    cdef object call_at = PyObject_GetAttr(loop, "call_at")
    return PyMethod_Check(call_at) and (
        PyMethod_GET_FUNCTION(<PyObject *>call_at).ob_type == <PyTypeObject *>Method)


cdef object loop_call(
        CallQueue queue, Method method, str first, PyObject **args, size_t nargsf, PyObject *names):
    """call_later() and call_at(): first is the name of their first argument."""
    cdef Py_ssize_t given = PyVectorcall_NARGS(nargsf)
    cdef object context = None
    cdef dict keywords
    if given >= 3 and (names == NULL or len(<tuple>names) == 1 and (<tuple>names)[0] == "context"):
        if names != NULL:
            context = <object>args[given]
        return schedule_timer(
            queue, method, <object>args[1], <object>args[2], arguments_from(args, 3, given), context)
    time, callback, rest, keywords = bind_arguments(
        method.name, (first, "callback"),
        arguments_from(args, 1, given), keywords_from(args, given, names))
    context = keywords.pop("context", None)
    if keywords:
        raise TypeError(f"{method.name}() got an unexpected keyword argument {next(iter(keywords))!r}")
    return schedule_timer(queue, method, time, callback, rest, context)


cdef inline object schedule_timer(
        CallQueue queue, Method method, object time, object callback, tuple args, object context):
    cdef double when = as_seconds(time), now = NAN
    cdef TimerHandle handle
    cdef object loop = queue.reactor
    cdef bint debug = loop_debugs(queue, loop)
    if debug or not callable(callback):
        from timerwheel.aio._debug import check_call
        check_call(loop, callback, method.name)
    if method.is_later or queue.is_idle():
        now = time_of(loop)
    if method.is_later:
        when += now
    if isnan(when):
        raise ValueError(f"{method.name}() cannot take NaN")
    handle = <TimerHandle>new_handle(<PyTypeObject *>TimerHandle, queue.lock)
    set_callback(handle, callback, args, None)
    if context is None:
        context = copy_context()
    Py_INCREF(context)
    handle._call_context = <PyObject *>context
    Py_INCREF(loop)
    handle._event_loop = <PyObject *>loop
    if debug:
        from timerwheel.aio._debug import stack
        set_pointer(handle, &handle._stack, stack())
    if not queue.add(handle, when, now):
        return method.function(loop, time, callback, *args, context=context)     # which says why
    return handle


cdef inline bint loop_debugs(CallQueue queue, object loop) except -1:
    """Whether a loop is in debug mode. asyncio's loops have an attribute for that; uvloop's have not."""
    return PyObject_GetAttr(loop, "_debug") if queue.has_debug_attribute else loop.get_debug()


cdef object loop_process_events(object method, PyObject **args, size_t nargsf, PyObject *names):
    cdef PyObject *found
    cdef object result = call_function(method, args, nargsf, names)
    found = queue_of(args, nargsf)
    if found != NULL:
        move_due(<CallQueue>owned(found))
    return result


def move_due_timers(CallQueue queue not None):
    """Move the expired timers to loop._ready, if _process_events() has not run since the last time.

    Then the program has replaced that. Otherwise the next _process_events() moves them, after I/O and after
    what is ready: in the middle of a turn, this would put them before both.
    """
    cdef bint is_replaced
    acquire(queue.lock)
    is_replaced = queue.figures.passes == queue.passes_seen
    release(queue.lock)
    if is_replaced:
        move_due(queue)
    acquire(queue.lock)
    queue.passes_seen = queue.figures.passes
    release(queue.lock)


def run_due_timers(CallQueue queue not None):
    """Call the expired timers, in order, for a loop that is not asyncio's.

    SystemExit and KeyboardInterrupt propagate; the remaining timers stay pending.
    """
    cdef double now
    cdef PyObject *handle
    cdef int64_t began
    cdef uint64_t made = 0
    cdef bint debug
    cdef object loop = queue.reactor
    count_pass(queue)
    if not count_of(queue):
        return
    now = time_of(loop)
    debug = loop_debugs(queue, loop)
    if debug:
        from timerwheel.aio._debug import run_and_time
    began = monotonic_ns()
    queue.begin_pass(now)
    try:
        while True:
            handle = take_due_timer(queue, now)
            if handle == NULL:
                return
            made += 1
            if debug:
                run_and_time(owned(handle), loop)
            else:
                run_handle(<TimerHandle>owned(handle))
    finally:
        if made:
            note_pass(queue, made, began)
        queue.end_pass()


cdef int move_due(CallQueue queue) except -1:
    """Take out the expired handles, one by one. Call the hook if the alarm's time has passed.

    The hook sets the next alarm, in Python, so it waits until the loop has called the expired timers.
    If nothing has set an alarm by then, it ends the loop's next wait at once: the timers may have been
    cancelled, or have run a loop inside this one.
    """
    cdef double now, latest
    cdef PyObject *handle
    cdef uint64_t made = 0
    cdef object timer = None
    cdef object append = None   # of loop._ready: looked up once, when it is needed
    cdef object loop = queue.reactor
    cdef bint waits_no_longer = queue.overdue
    count_pass(queue)
    if loop is None:
        return 0
    if not count_of(queue):
        if waits_no_longer:
            queue.hook()
        return 0
    now = time_of(loop)
    # asyncio calls timers before the end of the clock's tick: this is the last time before that.
    latest = nextafter(now + as_seconds(loop._clock_resolution), -HUGE_VAL)
    queue.begin_pass(latest)
    try:
        while True:
            handle = take_due_timer(queue, latest)
            if handle == NULL:
                break
            made += 1
            timer = owned(handle)
            if append is None:
                append = loop._ready.append
            PyObject_CallOneArg(append, timer)
    finally:
        if made:
            note_busy_pass(queue, made)
        queue.end_pass()
    return rearm_after(queue, latest, timer, waits_no_longer)


cdef inline int rearm_after(CallQueue queue, double now, object last, bint waits_no_longer) except -1:
    """Have the hook set the next alarm if the last one's time has come: after `last`, if there is one."""
    cdef bint is_due
    acquire(queue.lock)
    is_due = listener_is_due(&queue.listener, now)
    if is_due and last is not None and not waits_no_longer:
        (<TimerHandle>last).entry.mark |= REARMS
        queue.overdue = True
        listener_arm(&queue.listener, HUGE_VAL)     # a call that is scheduled meanwhile sets the alarm
        is_due = False
    release(queue.lock)
    if is_due or waits_no_longer:
        queue.hook()
    return 0


cdef int rearm(TimerHandle handle) except -1:
    """After the last call of a turn: have the hook set the next alarm, if that has not been done."""
    cdef PyObject *found
    cdef CallQueue queue
    acquire_entry(&handle.entry)
    handle.entry.mark &= ~REARMS
    release(handle.entry.lock)
    found = NULL if handle._event_loop == NULL else queue_in(handle._event_loop)
    if found != NULL:
        queue = <CallQueue>owned(found)
        if queue.overdue:
            queue.hook()
    return 0


cdef void count_pass(CallQueue queue) noexcept:
    acquire(queue.lock)
    queue.figures.passes += 1
    queue.inserted = queue.wheel.sequence
    release(queue.lock)


cdef inline PyObject *take_due_timer(CallQueue queue, double now) noexcept:
    """Take out the first expired handle, as a new reference; or NULL."""
    cdef PyObject *handle = NULL
    cdef Entry *entry
    acquire(queue.lock)
    entry = wheel_due(&queue.wheel, now)
    if entry != NULL:
        handle = handle_of(entry)
        leave(entry)
        note_fired(queue, now - entry.when)
    release(queue.lock)
    return handle
