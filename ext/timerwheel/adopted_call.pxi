# The handle for a call that Twisted's own code has made.


@cython.final
cdef class AdoptedCall(Handle):
    """The handle for a stock DelayedCall that the queue has taken over; it is in `_func`.

    The stock object tells its canceller and its resetter what is done to it, but
    not that it was moved later: that shows when it falls due.
    """


manage_memory(<PyTypeObject *>AdoptedCall, traverse_handle, clear_handle)


cdef int tell_of_changes(AdoptedCall self, object call) except -1:
    """Have a stock call tell its handle when it is cancelled or moved sooner."""
    # (Made so, they need not be looked up: a hook on Twisted's class may have each call adopted.)
    call.canceller = PyCFunction_New(&canceller, self)
    call.resetter = PyCFunction_New(&resetter, self)
    return 0


cdef object note_cancelled(object self, object call):
    cdef AdoptedCall handle = self
    if withdraw(handle):
        drop_callback(handle)   # and it refers to this function: that would be a cycle


cdef object note_moved_sooner(object self, object call):
    cdef AdoptedCall handle = self
    cdef double when = as_time(call.time)
    cdef PyObject *queue
    acquire_entry(&handle.entry)
    try:
        if handle.owner != NULL:
            wheel_move(&(<CallQueue>handle.owner).wheel, &handle.entry, when)
        queue = queue_to_tell(handle)
    finally:
        release(handle.entry.lock)
    if queue != NULL:
        (<CallQueue>owned(queue)).compare(when)


cdef PyMethodDef canceller = PyMethodDef(
    "canceller", <PyCFunction>note_cancelled, METH_O,
    "canceller($self, call, /)\n--\n\nIt is being cancelled.")

cdef PyMethodDef resetter = PyMethodDef(
    "resetter", <PyCFunction>note_moved_sooner, METH_O,
    "resetter($self, call, /)\n--\n\nIt was moved sooner.")
