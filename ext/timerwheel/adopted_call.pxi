# The handle for a call that Twisted's own code has made.


@cython.final
cdef class AdoptedCall(Handle):
    """The handle for a stock DelayedCall that the queue has taken over; it is in `_func`.

    It is that call's canceller, and so hears when it is cancelled; CallQueue.moved_sooner() hears when
    it is moved sooner. That it was moved later nobody tells: that shows when it falls due.
    """

    def __call__(self, call):
        """Note that the call is being cancelled."""
        cdef bint pending
        acquire_entry(&self.entry)
        pending = self.owner != NULL and self._func == <PyObject *>call     # and not a copy of it
        if pending:
            (<CallQueue>self.owner).figures.cancelled += 1
            leave(&self.entry)
        release(self.entry.lock)
        if pending:
            Py_DECREF(self)
            drop_callback(self)     # it refers to this handle, too: that would be a cycle


manage_memory(<PyTypeObject *>AdoptedCall, traverse_handle, clear_handle)


cdef AdoptedCall handle_for(CallQueue queue, object call):
    """The handle of a stock call in a queue; None if it has none there."""
    cdef Search search
    cdef object canceller = getattr(call, "canceller", None)
    if type(canceller) is AdoptedCall:
        return <AdoptedCall>canceller
    search.call = <PyObject *>call      # the program has put another there
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
