# The handle for a call that Twisted's own code has made.


@cython.final
cdef class AdoptedCall(Handle):
    """The handle for a stock DelayedCall that the queue has taken over; it is in `_func`.

    The stock object tells its canceller and its resetter what is done to it, but
    not that it was moved later: that shows when it falls due.
    """

    def canceller(self, call):
        """For the stock object's canceller attribute: it is being cancelled."""
        if self.owner != NULL:
            leave(&self.entry)
            drop_callback(self)     # and it refers to this method: that would be a cycle

    def resetter(self, call):
        """For the stock object's resetter attribute: it has been moved sooner."""
        cdef double when = as_time(call.time)
        cdef CallQueue queue
        if self.owner != NULL:
            queue = <CallQueue>self.owner
            wheel_move(&queue.wheel, &self.entry, when)
            queue.consider(when)


manage_memory(<PyTypeObject *>AdoptedCall, traverse_handle, clear_handle)
