# The handle that an asyncio event loop's call_later() and call_at() return.

cdef extern from "Python.h":
    object copy_context "PyContext_CopyCurrent"()
    bint PyContext_CheckExact(object)
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1

cdef object stock_timer = None      # asyncio.TimerHandle
cdef uint8_t asyncio_is_imported = 0


cdef int import_asyncio() except -1:
    """Import names from asyncio. This is late because a reactor does not need asyncio."""
    global stock_timer
    if not load_number(&asyncio_is_imported):
        from asyncio import TimerHandle

        acquire(0)
        if stock_timer is None:     # else another thread was first
            stock_timer = TimerHandle
        release(0)
        store_number(&asyncio_is_imported, 1)
    return 0


@cython.final
cdef class TimerHandle(Handle):
    """A timer of an event loop. It passes isinstance() as an asyncio.TimerHandle.

    The inherited `func` is its `_callback`. You can read asyncio's attributes by asyncio's names.
    """

    __module__ = __name__   # for the instances: an extension type's own does not reach them

    def __init__(self):
        raise TypeError("a TimerHandle is made by an event loop's call_later() or call_at()")

    @property
    def __class__(self):
        # isinstance() and super() read this. An extension type cannot be a subclass of a Python class.
        return stock_timer

    @property
    def _cancelled(self):
        return cancelled_of(self)

    @property
    def _callback(self):
        return callback_of(self)

    @property
    def _args(self):
        return arguments_of(self)

    @property
    def _loop(self):
        return None if self._event_loop == NULL else <object>self._event_loop

    @property
    def _context(self):
        return None if self._call_context == NULL else <object>self._call_context

    @property
    def _when(self):
        return deadline_of(self)

    @property
    def _scheduled(self):
        return is_pending(self)

    @property
    def _source_traceback(self):
        """The stack that scheduled the call, if the loop was in debug mode then; else None."""
        return None if self._stack == NULL else <object>self._stack

    @property
    def _repr(self):
        """The repr() from when the call was cancelled, in debug mode; else None."""
        return None if self._last_repr == NULL else <object>self._last_repr

    def when(self):
        """The deadline, in seconds of the loop's clock."""
        return deadline_of(self)

    def getTime(self):
        """The deadline, by the name that a reactor's calls use."""
        return deadline_of(self)

    def get_context(self):
        """The context of the callback."""
        return self._context

    def cancelled(self):
        """Whether somebody has cancelled the call."""
        return cancelled_of(self)

    def cancel(self):
        """Cancel the call, and release its callback and arguments. Does nothing the second time."""
        cdef bint is_queued
        acquire_entry(&self.entry)
        if self.entry.mark & CANCELLED:
            release(self.entry.lock)
            return
        self.entry.mark |= CANCELLED
        is_queued = self.owner != NULL
        if is_queued:
            (<CallQueue>self.owner).figures.cancelled += 1
            leave(&self.entry)
        release(self.entry.lock)
        if is_queued:
            Py_DECREF(self)
        if self._stack != NULL:
            set_pointer(self, &self._last_repr, repr(self))
        drop_callback(self)

    def _run(self):
        """Call the callback in its context, as asyncio.Handle does. A failure goes to the loop's handler.

        Raises SystemExit and KeyboardInterrupt. Does nothing if the call was cancelled.
        """
        try:
            run_handle(self)
        finally:
            if self.entry.mark & REARMS:
                rearm(self)

    def _repr_info(self):
        return stock_timer._repr_info(self)

    def __repr__(self):
        return stock_timer.__repr__(self)

    def __hash__(self):
        return hash(deadline_of(self))

    # Both sides have these attributes, ours and asyncio's.

    def __lt__(self, other):
        return stock_timer.__lt__(self, other)

    def __le__(self, other):
        return stock_timer.__le__(self, other)

    def __gt__(self, other):
        return stock_timer.__gt__(self, other)

    def __ge__(self, other):
        return stock_timer.__ge__(self, other)

    def __eq__(self, other):
        return stock_timer.__eq__(self, other)

    def __dir__(self):
        # object's own looks at __class__, which is asyncio's.
        return {*object.__dir__(self), *dir(TimerHandle)}


cdef inline bint cancelled_of(TimerHandle handle) noexcept:
    cdef bint cancelled
    acquire_entry(&handle.entry)
    cancelled = handle.entry.mark & CANCELLED != 0
    release(handle.entry.lock)
    return cancelled


cdef object arguments_of(TimerHandle handle):
    """The arguments, a tuple; None if they have been released."""
    cdef object args = None
    acquire_entry(&handle.entry)
    if handle._func != NULL:
        args = NO_ARGUMENTS if handle._args == NULL else <object>handle._args
    release(handle.entry.lock)
    return args


cdef int run_handle(TimerHandle handle) except -1:
    if cancelled_of(handle) or handle._call_context == NULL:    # NULL: the collector has cleared it
        return 0
    try:
        run_in_context(handle, <object>handle._call_context)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException:
        note_failed_timer(handle)
        from timerwheel.aio._report import report
        report(handle)
    return 0


cdef inline int run_in_context(TimerHandle handle, object context) except -1:
    if not PyContext_CheckExact(context):   # asyncio accepts any object with a run()
        context.run(callback_of(handle), *arguments_of(handle))
        return 0
    PyContext_Enter(context)
    try:
        invoke(handle)
    finally:
        PyContext_Exit(context)
    return 0


cdef int note_failed_timer(TimerHandle handle) except -1:
    cdef PyObject *queue = queue_in(handle._event_loop)
    if queue != NULL:
        note_failed(<CallQueue>owned(queue))
    return 0


cdef int traverse_timer(PyObject *handle, visitproc visit, void *argument) noexcept:
    cdef int result = traverse_handle(handle, visit, argument)
    if result == 0 and (<TimerHandle>handle)._event_loop != NULL:
        result = visit((<TimerHandle>handle)._event_loop, argument)
    if result == 0 and (<TimerHandle>handle)._call_context != NULL:
        result = visit((<TimerHandle>handle)._call_context, argument)
    if result == 0 and (<TimerHandle>handle)._stack != NULL:
        result = visit((<TimerHandle>handle)._stack, argument)
    return result


cdef int clear_timer(PyObject *handle) noexcept:
    clear_pointer(&(<TimerHandle>handle)._event_loop)
    clear_pointer(&(<TimerHandle>handle)._call_context)
    clear_pointer(&(<TimerHandle>handle)._stack)
    clear_pointer(&(<TimerHandle>handle)._last_repr)
    return clear_handle(handle)


manage_memory(<PyTypeObject *>TimerHandle, traverse_timer, clear_timer)
