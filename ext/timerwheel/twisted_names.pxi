# Names of Twisted's, imported when they are first needed.

cdef object stock_call = None           # twisted.internet.base.DelayedCall
cdef object already_called = None
cdef object already_cancelled = None
cdef uint8_t twisted_is_imported = 0    # these three are there


cdef int import_twisted() except -1:
    """Import names from Twisted. This is late because TimerWheel and PriorityQueue do not need Twisted."""
    global stock_call, already_called, already_cancelled
    if not load_number(&twisted_is_imported):
        from twisted.internet import error
        from twisted.internet.base import DelayedCall

        acquire(0)
        if stock_call is None:      # else another thread was first
            already_called = error.AlreadyCalled
            already_cancelled = error.AlreadyCancelled
            stock_call = DelayedCall
        release(0)
        start_watching()
        store_number(&twisted_is_imported, 1)
    return 0
