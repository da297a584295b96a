# The handle for a call that Twisted's own code has made.


@cython.final
cdef class AdoptedCall(Handle):
    """The handle for a stock DelayedCall that the queue has taken over; that call is in `_func`.

    The handle is the call's canceller, so it notices a cancel. CallQueue.moved_sooner() notices a move to
    sooner. A move to later shows only when the handle expires.
    """

    def __call__(self, call):
        """Note that the call is being cancelled."""
        cdef bint pending
        acquire_entry(&self.entry)
        pending = self.owner != NULL and self._func == <PyObject *>call     # not a copy of the call
        if pending:
            (<CallQueue>self.owner).figures.cancelled += 1
            leave(&self.entry)
        release(self.entry.lock)
        if pending:
            Py_DECREF(self)
            drop_callback(self)     # it also refers to this handle, which would be a cycle


manage_memory(<PyTypeObject *>AdoptedCall, traverse_handle, clear_handle)


cdef AdoptedCall handle_for(CallQueue queue, object call):
    """The handle of a stock call in a queue, or None."""
    cdef Search search
    cdef object canceller = getattr(call, "canceller", None)
    if type(canceller) is AdoptedCall:
        return <AdoptedCall>canceller
    search.call = <PyObject *>call      # the program has replaced the canceller
    search.handle = NULL
    acquire(queue.lock)
    wheel_each(&queue.wheel, compare_adopted, &search)
    Py_XINCREF(search.handle)
    release(queue.lock)
    return None if search.handle == NULL else <AdoptedCall>owned(search.handle)


cdef struct Search:
    PyObject *call
    PyObject *handle


cdef int compare_adopted(Entry *entry, void *search) noexcept:
    cdef PyObject *handle = handle_of(entry)
    if handle.ob_type != <PyTypeObject *>AdoptedCall or (<Handle>handle)._func != (<Search *>search).call:
        return 0
    (<Search *>search).handle = handle
    return 1
