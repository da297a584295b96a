# How the garbage collector walks a reactor's queue, takes it apart, and leaves its calls alone.

# Cython's function for the attributes of a subclass calls that which it made for the base, not
# that which was put around it: so again.

cdef traverseproc traverse_queue_attributes = (<PyTypeObject *>CallQueue).tp_traverse


cdef int traverse_queue(PyObject *self, visitproc visit, void *argument) noexcept:
    cdef int result = traverse_handles(self, visit, argument)
    return result if result else traverse_queue_attributes(self, visit, argument)


cdef int clear_queue(PyObject *self) noexcept:
    """Release the reactor and its parts, and all calls. The reactor's own attributes stay with it.

    Objects that the collector takes apart with the queue may still call it. So the queue keeps report(),
    which is not garbage.
    """
    cdef CallQueue queue = <CallQueue>self
    quiet_queue(self)
    queue._hook = queue.waker = queue.replacements = queue.timeout_replacement = None
    queue.reactor = queue._watch = None
    return clear_wheel(self)


cdef void quiet_queue(PyObject *self) noexcept:
    """Have a queue that is about to go ask neither hook nor reactor any more."""
    acquire((<CallQueue>self).lock)
    listener_leave(&(<CallQueue>self).listener)
    release((<CallQueue>self).lock)


cdef inline PyObject *queue_to_tell(Handle handle) except? NULL:
    """The queue that a handle is in, with a reference, if its hook is to hear of moves. The lock is held.

    Without a GIL the queue may be about to go: then nobody can make a reference of its weak one.
    """
    if handle.owner == NULL or not listener_hears(&(<CallQueue>handle.owner).listener):
        return NULL
    if FREE_THREADED:
        return referent(<PyObject *>(<CallQueue>handle.owner).self_ref)
    Py_XINCREF(handle.owner)
    return handle.owner


# Without a GIL a queue is quiet from before it is taken apart: queue_to_tell() might find it else,
# when Cython's function counts a reference for the time of __dealloc__().

cdef destructor dealloc_queue_parts = (<PyTypeObject *>CallQueue).tp_dealloc


cdef void dealloc_queue(PyObject *self) noexcept:
    quiet_queue(self)
    PyObject_GC_UnTrack(self)
    with_trashcan(self, dealloc_queue, dealloc_queue_parts)


if FREE_THREADED:
    (<PyTypeObject *>CallQueue).tp_dealloc = dealloc_queue

(<PyTypeObject *>CallQueue).tp_traverse = traverse_queue
(<PyTypeObject *>CallQueue).tp_clear = clear_queue


cdef int untrack_handle(Entry *entry, void *argument) noexcept:
    PyObject_GC_UnTrack(handle_of(entry))
    return 0


cdef int track_handle(Entry *entry, void *argument) noexcept:
    track(handle_of(entry))
    return 0
