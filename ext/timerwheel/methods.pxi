# The methods of a reactor that the wheel replaces.
#
# A `Method` stands in the class in which Twisted defines the method, in place of Twisted's function. Python
# alone decides which method a call reaches. If a program defines the method on a subclass, on a class or on
# an instance, that one hides ours, as it would hide Twisted's function, and super() leads to ours. If the
# reactor has a queue, a Method works on the wheel. On any other reactor it calls Twisted's function.

@cython.final
cdef class Method:
    """Method(name, function, base=None)\n--\n\n\
    Stands in a class in place of Twisted's function, and passes for it.

    Its attributes, its signature and its source are the function's. Bound to a
    reactor, it is a method like any other. base: the class whose method of this
    name the function calls, if it calls one.
    """

    def __init__(self, str name not None, function not None, base=None):
        self.name = name
        self.function = function
        self.base = base
        if name == "callLater":
            self.vectorcall = <vectorcallfunc>call_later
        elif name == "timeout":
            self.vectorcall = <vectorcallfunc>timeout
        elif name == "runUntilCurrent":
            self.vectorcall = <vectorcallfunc>run_until_current
        elif name == "getDelayedCalls":
            self.vectorcall = <vectorcallfunc>get_delayed_calls
        elif name == "call_later":
            self.is_later = True
            self.vectorcall = <vectorcallfunc>loop_call_later
        elif name == "call_at":
            self.vectorcall = <vectorcallfunc>loop_call_at
        elif name == "_process_events":
            self.vectorcall = <vectorcallfunc>loop_process_events
        else:
            self.vectorcall = <vectorcallfunc>call_replacement

    def __call__(self, *args, **kw):
        return call_vector(self, args, kw)

    def __get__(self, reactor, reactor_class):
        return self if reactor is None else PyMethod_New(self, reactor)

    def __getattribute__(self, str name not None):
        # With this class, isinstance(), inspect and unittest.mock take it for a function.
        if name == "__wrapped__":
            return self.function
        return PyObject_GenericGetAttr(self, name) if name in OWN else getattr(self.function, name)

    def __setattr__(self, str name not None, value):
        setattr(self.function, name, value)

    def __delattr__(self, str name not None):
        delattr(self.function, name)

    def __repr__(self):
        return repr(self.function)

    def __reduce__(self):
        return self.function.__qualname__   # by name, as pickle and copy take functions


cdef frozenset OWN = frozenset(("__call__", "__get__", "__reduce__", "__reduce_ex__", "__hash__", "__eq__"))

cdef Method probe_method = Method.__new__(Method)
# (Cython has no declaration for these.)
(<PyTypeObject *>Method).tp_vectorcall_offset = (
    <char *>&probe_method.vectorcall - <char *><PyObject *>probe_method)
(<PyTypeObject *>Method).tp_call = vector_call     # without a tuple and a dict for __call__()
(<PyTypeObject *>Method).tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR
probe_method = None


cdef inline PyObject *queue_of(PyObject **args, size_t nargsf) except? NULL:
    """The queue of a method's reactor, as a new reference; or NULL if the reactor has none."""
    return queue_in(args[0]) if PyVectorcall_NARGS(nargsf) else NULL


cdef object call_function(object method, PyObject **args, size_t nargsf, PyObject *names):
    """Call Twisted's function."""
    return PyObject_Vectorcall((<Method>method).function, args, nargsf, names)


cdef object call_replacement(object method, PyObject **args, size_t nargsf, PyObject *names):
    cdef PyObject *found = queue_of(args, nargsf)
    cdef CallQueue queue
    cdef object replacement = None
    if found != NULL:
        queue = <CallQueue>owned(found)
        if queue.replacements is not None:
            replacement = queue.replacements.get((<Method>method).name)
    if replacement is None:
        return call_function(method, args, nargsf, names)
    return PyObject_Vectorcall(replacement, args + 1, PyVectorcall_NARGS(nargsf) - 1, names)


cdef object call_later(object method, PyObject **args, size_t nargsf, PyObject *names):
    cdef PyObject *found = queue_of(args, nargsf)
    cdef Py_ssize_t given = PyVectorcall_NARGS(nargsf)
    cdef CallQueue queue
    if found == NULL:
        return call_function(method, args, nargsf, names)
    queue = <CallQueue>owned(found)
    if (<Method>method).base is not None and not is_base_ours(<Method>method):
        return call_function(method, args, nargsf, names)
    if names == NULL and given >= 3:
        return schedule_call(
            queue, <object>args[0], <object>args[1], <object>args[2], arguments_from(args, 3, given), None)
    delay, func, rest, keywords = bind_arguments(
        "callLater", ("delay", "callable"),
        arguments_from(args, 1, given), keywords_from(args, given, names))
    return schedule_call(queue, <object>args[0], delay, func, rest, keywords)


cdef bint is_base_ours(Method method) except -1:
    """Whether the function of the class below, which Twisted's function would call, is a Method too."""
    return Py_TYPE(getattr(method.base, method.name)) == <PyTypeObject *>Method


cdef object timeout(object method, PyObject **args, size_t nargsf, PyObject *names):
    cdef PyObject *found = queue_of(args, nargsf)
    cdef CallQueue queue
    if found == NULL:
        return call_function(method, args, nargsf, names)
    queue = <CallQueue>owned(found)
    if is_more_than_self(nargsf, names):
        return call_function(method, args, nargsf, names)
    if queue.timeout_replacement is not None:
        return queue.timeout_replacement()
    return queue.next_timeout(<object>args[0])


cdef object run_until_current(object method, PyObject **args, size_t nargsf, PyObject *names):
    cdef PyObject *found = queue_of(args, nargsf)
    cdef CallQueue queue
    cdef object reactor
    cdef uint64_t passes
    if found == NULL:
        return call_function(method, args, nargsf, names)
    queue = <CallQueue>owned(found)
    if is_more_than_self(nargsf, names):
        return call_function(method, args, nargsf, names)
    reactor = <object>args[0]
    if thread_calls_of(queue, reactor):
        # Twisted's function makes the calls from threads, and then the calls in its heap.
        acquire(queue.lock)
        passes = queue.figures.passes
        release(queue.lock)
        call_function(method, args, nargsf, names)
        acquire(queue.lock)
        queue.figures.passes += queue.figures.passes == passes      # else run_pass() has counted it
        release(queue.lock)
        return None
    queue.run_pass(reactor)
    if just_stopped_of(queue, reactor):
        reactor._justStopped = False
        reactor.fireSystemEvent("shutdown")


cdef object get_delayed_calls(object method, PyObject **args, size_t nargsf, PyObject *names):
    cdef PyObject *found = queue_of(args, nargsf)
    cdef CallQueue queue
    if found == NULL:
        return call_function(method, args, nargsf, names)
    queue = <CallQueue>owned(found)
    if is_more_than_self(nargsf, names):
        return call_function(method, args, nargsf, names)
    return queue.pending()


cdef inline bint is_more_than_self(size_t nargsf, PyObject *names) noexcept:
    """Whether a method without parameters got arguments: then Twisted's function raises the error."""
    return names != NULL or PyVectorcall_NARGS(nargsf) != 1


cdef tuple arguments_from(PyObject **args, Py_ssize_t start, Py_ssize_t end):
    cdef tuple result
    cdef Py_ssize_t index
    if start >= end:
        return NO_ARGUMENTS
    result = PyTuple_New(end - start)
    for index in range(start, end):
        Py_INCREF(<object>args[index])
        PyTuple_SET_ITEM(result, index - start, <object>args[index])
    return result


cdef dict keywords_from(PyObject **args, Py_ssize_t nargs, PyObject *names):
    cdef dict result = {}
    cdef Py_ssize_t index
    if names != NULL:
        for index, name in enumerate(<tuple>names):
            result[name] = <object>args[nargs + index]
    return result


cdef tuple bind_arguments(str function, tuple names, tuple given, dict keywords):
    """(first, second, args, kw) as Python binds them for function(first, second, *args, **kw)."""
    cdef list bound = list(given[:2])
    for name in names:
        if name not in keywords:
            continue
        if len(bound) == 2 or (name == names[0] and bound):
            raise TypeError(f"{function}() got multiple values for argument '{name}'")
    for name in names[len(bound):]:
        if name not in keywords:
            raise TypeError(f"{function}() missing required argument: '{name}'")
        bound.append(keywords.pop(name))
    return bound[0], bound[1], given[2:], keywords


cdef inline object schedule_call(
        CallQueue queue, object reactor, object delay, object func, tuple args, dict kw):
    cdef double seconds = as_seconds(delay)
    if not seconds >= 0.0:      # NaN too
        raise AssertionError(f"{delay} is not greater than or equal to 0 seconds")
    return schedule_by(queue, seconds_of(queue, reactor), seconds, func, args, kw)


cdef inline object schedule_by(
        CallQueue queue, object clock, double seconds, object func, tuple args, dict kw):
    """Schedule a call for so many seconds, not NaN, from what the clock says."""
    cdef double now, when
    cdef DelayedCall call
    cdef CallWatch watch
    if not callable(func):
        raise TypeError(f"callLater() needs a callable, not {func!r}")
    now = read_clock(clock)
    when = now + seconds
    if isnan(when):
        raise ValueError("the clock returned NaN")
    call = <DelayedCall>new_handle(<PyTypeObject *>DelayedCall, queue.lock)
    call._time = when
    set_callback(call, func, args, kw)
    Py_INCREF(clock)
    call._seconds = <PyObject *>clock
    if debugging():
        from traceback import format_stack
        call.creator = format_stack()
    watch = watch_of(queue)
    if watch is not None and watch.origins:
        remember_origin(watch, call)
    if not queue.add(call, when, now):
        return queue.reactor.callLater(seconds, func, *args, **(kw or {}))
    return call
