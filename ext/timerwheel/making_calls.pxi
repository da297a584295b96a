# How the expired calls of a reactor's queue leave it, and are made.


cdef inline int make_call(CallQueue queue, DelayedCall call) except -1:
    """Call the function of a DelayedCall. Reports a failure."""
    try:
        invoke(call)
    except BaseException:
        note_failed(queue)
        queue.report(call.creator)
    return 0


cdef int make_adopted_call(CallQueue queue, object call) except -1:
    """Call the function of a stock call. Reports a failure."""
    cdef object kw
    try:
        call.called = 1
        kw = call.kw
        invoke_with(call.func, tuple(call.args), <PyObject *>kw if kw else NULL)
    except BaseException:
        note_failed(queue)
        queue.report(call.creator)
    return 0


cdef inline PyObject *take_due_handle(CallQueue queue, double now) noexcept:
    """The first expired handle, as a new reference; or NULL. It has left unless it is an AdoptedCall."""
    cdef PyObject *handle = NULL
    cdef Entry *entry
    acquire(queue.lock)
    entry = wheel_due(&queue.wheel, now)
    if entry != NULL:
        handle = handle_of(entry)
        if handle.ob_type == <PyTypeObject *>AdoptedCall:
            Py_XINCREF(handle)
        else:
            leave(entry)
            note_fired(queue, now - entry.when)
            activate(<DelayedCall>handle)
            set_called(<DelayedCall>handle)
    release(queue.lock)
    return handle
