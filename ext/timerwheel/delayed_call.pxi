# The handle that callLater() returns.


cdef inline PyObject **dict_pointer(PyObject *call) noexcept:
    """The place of a DelayedCall's dict, which is NULL until it gets an attribute of its own."""
    return <PyObject **>(<char *>call + (<PyTypeObject *>DelayedCall).tp_dictoffset)


cdef inline bint has_dict(DelayedCall call) noexcept:
    return load_pointer(dict_pointer(<PyObject *>call)) != NULL


cdef enum Mark:
    CALLED = 1
    CANCELLED = 2
    DELAYED_NEW = 4     # delayed before the queue's next look at its new calls
    CALLED_DELETED = 8  # the program has deleted the attribute `called`
    REARMS = 16         # when it has been called, its event loop is to be set for the next deadline


@cython.final
cdef class DelayedCall(Handle):
    """DelayedCall(time, func, args, kw, cancel, reset, seconds=None)\n--\n\n\
    A scheduled call, as reactor.callLater() returns it. Provides IDelayedCall.

    It has all methods of twisted.internet.base.DelayedCall, and passes isinstance()
    as one. Its constructor takes the same arguments: such a call is in no queue, and
    calls the functions cancel and reset, as the stock one does.
    """

    __module__ = __name__   # for the instances: an extension type's own does not reach them

    def __cinit__(self):
        import_twisted()
        from twisted.internet.base import runtimeSeconds
        set_pointer(self, &self._seconds, runtimeSeconds)

    def __init__(self, time, func, args, kw, cancel, reset, seconds=None):
        cdef double when = as_time(time)
        acquire_entry(&self.entry)
        try:
            if self.owner != NULL:
                raise ValueError("the call is in a queue already")
            self._time = self.entry.when = when
            self._delayed_time = 0.0
            self.entry.mark = 0
        finally:
            release(self.entry.lock)
        self.func = func    # first, because it deletes args and kw
        self.args = args
        self.kw = kw
        if seconds is not None:
            set_pointer(self, &self._seconds, seconds)
        self.canceller = cancel
        self.resetter = reset
        if self.debug:
            from traceback import format_stack
            self.creator = format_stack()[:-1]

    @property
    def __class__(self):
        # isinstance() reads this if the type is not a subclass. An extension type cannot be a subclass of a
        # Python class, and programs use isinstance(call, twisted.internet.base.DelayedCall).
        return stock_call

    @property
    def time(self):
        """The deadline without delay() and resets to later, in seconds of the reactor's clock."""
        cdef double time
        acquire_entry(&self.entry)
        settle(self)
        time = self._time
        release(self.entry.lock)
        return time

    @property
    def delayed_time(self):
        """The seconds from `time` to the deadline."""
        cdef double delayed_time
        acquire_entry(&self.entry)
        settle(self)
        delayed_time = self._delayed_time
        release(self.entry.lock)
        return delayed_time

    @property
    def called(self):
        """1 once the reactor has begun to make the call; else 0."""
        cdef uint8_t mark = mark_of(self)
        if mark & CALLED_DELETED:
            raise AttributeError("'DelayedCall' object has no attribute 'called'")
        return 1 if mark & CALLED else 0

    @called.setter
    def called(self, called):
        change_marks(self, CALLED if called else 0, CALLED | CALLED_DELETED)

    @called.deleter
    def called(self):
        self.called
        change_marks(self, CALLED_DELETED, CALLED | CALLED_DELETED)

    @property
    def cancelled(self):
        """1 once somebody has cancelled the call; else 0."""
        return 1 if mark_of(self) & CANCELLED else 0

    @property
    def seconds(self):
        """The clock of the call, a function: the reactor's `seconds` when the call was scheduled."""
        return attribute(self, &self._seconds, "seconds")

    @seconds.setter
    def seconds(self, seconds):
        set_pointer(self, &self._seconds, seconds)

    @seconds.deleter
    def seconds(self):
        self.seconds
        set_pointer(self, &self._seconds, DELETED["seconds"])

    # Programs rarely set these three, so they are in the instance's dict and not in its struct.

    @property
    def debug(self):
        """Whether new calls remember who scheduled them: DelayedCall.debug of Twisted."""
        return own_attribute(self, "debug", stock_call.debug)

    @debug.setter
    def debug(self, debug):
        set_own_attribute(self, "debug", debug)

    @debug.deleter
    def debug(self):
        delete_own_attribute(self, "debug")

    @property
    def creator(self):
        """The formatted stack that scheduled the call, if Twisted's DelayedCall.debug was on; else None."""
        return own_attribute(self, "creator", None)

    @creator.setter
    def creator(self, creator):
        set_own_attribute(self, "creator", creator)

    @creator.deleter
    def creator(self):
        delete_own_attribute(self, "creator")

    @property
    def _repr(self):
        return own_attribute(self, "_repr", None)

    @_repr.setter
    def _repr(self, text):
        set_own_attribute(self, "_repr", text)

    @_repr.deleter
    def _repr(self):
        delete_own_attribute(self, "_repr")

    def getTime(self):
        """The deadline, in seconds of the reactor's clock."""
        cdef double time
        acquire_entry(&self.entry)
        time = self._time + self._delayed_time
        release(self.entry.lock)
        return time

    def active(self):
        """Whether the call is pending."""
        return not mark_of(self) & (CALLED | CANCELLED)

    def cancel(self):
        """Cancel the call, and release its function and arguments.

        Raises AlreadyCancelled or AlreadyCalled.
        """
        cdef bint is_queued
        acquire_entry(&self.entry)
        try:
            require_active(self)
            is_queued = self.owner != NULL
            if is_queued:
                (<CallQueue>self.owner).figures.cancelled += 1
                leave(&self.entry)
                self.entry.mark |= CANCELLED
        finally:
            release(self.entry.lock)
        if is_queued:
            Py_DECREF(self)
        else:
            tell(self, "canceller")
            change_marks(self, CANCELLED, CANCELLED)
        if debugging() or has_dict(self) and self.debug:
            self._repr = repr(self)
        drop_callback(self)

    def reset(self, secondsFromNow):
        """Move the call to so many seconds from now.

        Raises AlreadyCancelled or AlreadyCalled; ValueError for NaN; TypeError for a non-number.
        """
        cdef double when, delayed = 0.0
        cdef bint sooner, is_alone
        cdef PyObject *queue
        check_active(self)
        when = as_seconds(secondsFromNow)
        when += read_clock(attribute(self, &self._seconds, "seconds"))
        if isnan(when):
            raise ValueError("a call cannot be reset to NaN seconds from now")
        acquire_entry(&self.entry)
        try:
            require_active(self)    # the clock or the number may have run Python code
            settle(self)
            sooner = when < self._time or self._time == -HUGE_VAL   # no delay leads away from there
            if not sooner and when != self._time:   # inf - inf is NaN
                delayed = when - self._time
            move_call(self, when if sooner else self._time, delayed)
            queue = queue_to_tell(self)
            is_alone = self.owner == NULL
        finally:
            release(self.entry.lock)
        if queue != NULL:
            (<CallQueue>owned(queue)).compare(when, NAN)
        elif is_alone and sooner:
            tell(self, "resetter")

    def delay(self, secondsLater):
        """Move the call to so many seconds after its deadline; sooner, if negative.

        Raises AlreadyCancelled or AlreadyCalled; ValueError for NaN; TypeError for a non-number.
        """
        cdef double delayed, when
        cdef bint is_alone
        cdef PyObject *queue
        check_active(self)
        delayed = as_seconds(secondsLater)
        acquire_entry(&self.entry)
        try:
            require_active(self)
            settle(self)
            delayed += self._delayed_time
            when = self._time + delayed
            if isnan(delayed) or isnan(when):
                raise ValueError("a call cannot be delayed by NaN seconds")
            move_call(self, when if delayed < 0.0 else self._time, max(delayed, 0.0))
            queue = queue_to_tell(self)
            is_alone = self.owner == NULL
        finally:
            release(self.entry.lock)
        if queue != NULL:
            (<CallQueue>owned(queue)).compare(when, NAN)
        elif is_alone and delayed < 0.0:
            tell(self, "resetter")

    def activate_delay(self):
        """Add the delay to `time`. For Twisted's own code, which calls this on calls in its heap."""
        acquire_entry(&self.entry)
        activate(self)
        release(self.entry.lock)

    def __lt__(self, other):
        return self.time < other.time

    def __le__(self, other):
        return self.time <= other.time

    def __hash__(self):
        return object.__hash__(self)

    def __dir__(self):
        # object's own looks at __class__, which is Twisted's.
        return {*object.__dir__(self), *dir(DelayedCall)}

    def __repr__(self):
        return stock_call.__repr__(self)

    def __str__(self):
        return stock_call.__repr__(self)


cdef object own_attribute(DelayedCall call, str name, object default):
    return PyObject_GenericGetDict(call, NULL).get(name, default) if has_dict(call) else default


cdef int set_own_attribute(DelayedCall call, str name, object value) except -1:
    PyObject_GenericGetDict(call, NULL)[name] = value
    return 0


cdef int delete_own_attribute(DelayedCall call, str name) except -1:
    try:
        del PyObject_GenericGetDict(call, NULL)[name]
    except KeyError:
        raise AttributeError(f"'DelayedCall' object has no attribute '{name}'") from None
    return 0


cdef int tell(DelayedCall call, str name) except -1:
    """Call the function that a call outside a queue has. It has none if its queue is gone."""
    cdef object function = own_attribute(call, name, None)
    if function is not None:
        function(call)
    return 0


cdef inline uint8_t mark_of(DelayedCall call) noexcept:
    cdef uint8_t mark
    acquire_entry(&call.entry)
    mark = call.entry.mark
    release(call.entry.lock)
    return mark


cdef inline void change_marks(DelayedCall call, uint8_t marks, uint8_t changed) noexcept:
    """Set these of the changed marks of a call, and clear the other changed ones."""
    acquire_entry(&call.entry)
    set_marks(call, marks, changed)
    release(call.entry.lock)


# Call each function from here to move_call() under the lock.

cdef inline void set_marks(DelayedCall call, uint8_t marks, uint8_t changed) noexcept:
    call.entry.mark = call.entry.mark & ~changed | marks


cdef inline void set_called(DelayedCall call) noexcept:
    set_marks(call, CALLED, CALLED | CALLED_DELETED)


cdef inline int require_active(DelayedCall call) except -1:
    if call.entry.mark & (CALLED | CANCELLED):
        raise already_cancelled if call.entry.mark & CANCELLED else already_called
    return 0


cdef inline void settle(DelayedCall call) noexcept:
    """Add the delay to `time` if Twisted would have done so by now.

    Twisted does so when it first takes a new call into its heap, and when a pass finds that the `time` of a
    call in the heap has passed. This shows only in `time` and `delayed_time`: the deadline is the same.
    """
    if call._delayed_time > 0.0 and call.owner != NULL:
        if call.entry.sequence < (<CallQueue>call.owner).inserted and (
                call.entry.mark & DELAYED_NEW or call._time <= (<CallQueue>call.owner).latest_pass):
            activate(call)


cdef inline void activate(DelayedCall call) noexcept:
    """Add the delay to `time`."""
    call._time += call._delayed_time
    call._delayed_time = 0.0


cdef inline int move_call(DelayedCall call, double time, double delayed_time) except -1:
    """Set time and delay, and move the entry to their sum."""
    cdef double when = time + delayed_time
    cdef bint later = when >= call.entry.when
    if call.owner != NULL:
        wheel_move(&(<CallQueue>call.owner).wheel, &call.entry, when)
        note_moved(<CallQueue>call.owner, later)
        set_marks(
            call, DELAYED_NEW if call.entry.sequence >= (<CallQueue>call.owner).inserted else 0, DELAYED_NEW)
    call._time = time
    call._delayed_time = delayed_time
    return 0


# No lock from here on.

cdef inline int check_active(DelayedCall call) except -1:
    acquire_entry(&call.entry)
    try:
        require_active(call)
    finally:
        release(call.entry.lock)
    return 0


cdef int traverse_call(PyObject *call, visitproc visit, void *argument) noexcept:
    cdef PyObject *attributes = dict_pointer(call)[0]
    cdef int result = traverse_handle(call, visit, argument)
    if result == 0 and attributes != NULL:
        result = visit(attributes, argument)
    if result == 0 and (<DelayedCall>call)._seconds != NULL:
        result = visit((<DelayedCall>call)._seconds, argument)
    return result


cdef int clear_call(PyObject *call) noexcept:
    clear_pointer(&(<DelayedCall>call)._seconds)
    clear_pointer(dict_pointer(call))
    return clear_handle(call)


manage_memory(<PyTypeObject *>DelayedCall, traverse_call, clear_call)
