# The handle that callLater() returns, and the clock that never steps.

cdef object stock_call = None           # twisted.internet.base.DelayedCall
cdef object stock_seconds = None        # twisted.python.runtime.seconds, which is time.time
cdef object already_called = None
cdef object already_cancelled = None
cdef unsigned stock_call_tag = 0
cdef bint stock_call_debug = False


cdef int import_twisted() except -1:
    """Import what is needed of Twisted. Not done before: TimerWheel and PriorityQueue do without."""
    global stock_call, stock_seconds, already_called, already_cancelled
    if stock_call is None:
        from twisted.internet import error
        from twisted.internet.base import DelayedCall
        from twisted.python.runtime import seconds

        already_called = error.AlreadyCalled
        already_cancelled = error.AlreadyCancelled
        stock_seconds = seconds
        stock_call = DelayedCall
    return 0


cdef int debugging() except -1:
    """Whether Twisted's DelayedCall.debug is on, looked up anew only when that class has changed."""
    global stock_call_tag, stock_call_debug
    cdef unsigned tag = type_tag(<PyTypeObject *>stock_call)
    if tag == 0 or tag != stock_call_tag:
        stock_call_debug = bool(stock_call.debug)
        stock_call_tag = type_tag(<PyTypeObject *>stock_call)
    return stock_call_debug


@cython.final
cdef class SteadyClock:
    """A clock that reads as wall time at first, and then runs on with the monotonic clock.

    It is called for the time, seconds since the epoch. Steps of the wall clock
    after it was made do not move it.
    """

    def __init__(self):
        self.offset = wall_seconds() - monotonic_seconds()

    def __call__(self):
        return self.read()

    cdef double read(self) except? -1.0:
        return self.offset + monotonic_seconds()


cdef inline double read_clock(object seconds) except? -1.0:
    """What a clock says, a callable or None for the wall clock. It may run any Python code."""
    return wall_seconds() if seconds is None else read_other_clock(seconds)


cdef double read_other_clock(object seconds) except? -1.0:
    if type(seconds) is SteadyClock:
        return (<SteadyClock>seconds).read()
    return as_seconds(seconds())


cdef inline PyObject **dict_pointer(PyObject *call) noexcept:
    """Where a DelayedCall has its dict, which is NULL until it gets an attribute of its own."""
    return <PyObject **>(<char *>call + (<PyTypeObject *>DelayedCall).tp_dictoffset)


cdef inline bint has_dict(DelayedCall call) noexcept:
    return dict_pointer(<PyObject *>call)[0] != NULL


cdef enum Mark:
    CALLED = 1
    CANCELLED = 2
    DELAYED_NEW = 4     # delayed before the queue's next look at its new calls


@cython.final
cdef class DelayedCall(Handle):
    """A call that is to be made later: what reactor.callLater() returns. Provides IDelayedCall.

    It does all that twisted.internet.base.DelayedCall does, and isinstance()
    takes it for one. Its constructor is that class's too: such a call is in no
    queue, and tells the functions cancel and reset, as the stock one does.
    """

    def __init__(self, time, func, args, kw, cancel, reset, seconds=None):
        import_twisted()
        self._time = self.entry.when = as_time(time)
        self.func = func
        self.args = args
        self.kw = kw
        if seconds is not None:
            set_pointer(&self._seconds, seconds)
        self.canceller = cancel
        self.resetter = reset
        if self.debug:
            from traceback import format_stack
            self.creator = format_stack()[:-1]

    @property
    def __class__(self):
        # What isinstance() asks when the type is not a subclass. An extension type cannot be one
        # of a Python class, and programs ask isinstance(call, twisted.internet.base.DelayedCall).
        return stock_call

    @property
    def time(self):
        """When the call is to be made, before delay() and later resets: seconds of the reactor's clock."""
        self.settle()
        return self._time

    @property
    def delayed_time(self):
        """By how many seconds the call is to be made after `time`."""
        self.settle()
        return self._delayed_time

    @property
    def called(self):
        """1 once the call has been made, or is being made; else 0."""
        return 1 if self.entry.mark & CALLED else 0

    @called.setter
    def called(self, called):
        self.set_mark(CALLED, called)

    @property
    def cancelled(self):
        """1 once the call has been cancelled; else 0."""
        return 1 if self.entry.mark & CANCELLED else 0

    @property
    def seconds(self):
        """The clock of the call: called for the time, as its reactor's was when the call was made."""
        return stock_seconds if self._seconds == NULL else <object>self._seconds

    # These three are seldom set, so they are kept in the instance's dict and not in its struct.

    @property
    def debug(self):
        """Whether calls made now remember where: DelayedCall.debug of Twisted."""
        return self.attribute("debug", stock_call.debug)

    @debug.setter
    def debug(self, debug):
        self.set_attribute("debug", debug)

    @property
    def creator(self):
        """The formatted stack where the call was made, if Twisted's DelayedCall.debug was on; else None."""
        return self.attribute("creator", None)

    @creator.setter
    def creator(self, creator):
        self.set_attribute("creator", creator)

    @property
    def _repr(self):
        return self.attribute("_repr", None)

    @_repr.setter
    def _repr(self, text):
        self.set_attribute("_repr", text)

    def getTime(self):
        """When the call is to be made, in seconds of the reactor's clock."""
        return self._time + self._delayed_time

    def active(self):
        """Whether the call is still to be made."""
        return not self.entry.mark & (CALLED | CANCELLED)

    def cancel(self):
        """Cancel the call, and let go of its function and arguments.

        Raises AlreadyCancelled or AlreadyCalled.
        """
        self.require_active()
        if self.owner != NULL:
            unlink(self)
        else:
            self.tell("canceller")
        self.entry.mark |= CANCELLED
        if debugging() or has_dict(self) and self.debug:
            self._repr = repr(self)
        drop_callback(self)

    def reset(self, secondsFromNow):
        """Have the call made so many seconds from now, instead of when it was to be made.

        Raises AlreadyCancelled or AlreadyCalled; ValueError for NaN; TypeError for what is no number.
        """
        cdef double delay, when
        self.require_active()
        delay = as_seconds(secondsFromNow)
        when = self.now() + delay
        if isnan(when):
            raise ValueError("a call cannot be reset to NaN seconds from now")
        self.require_active()       # the clock or the number may have run Python code
        if self.owner == NULL:
            self.reset_detached(when)
            return
        self.settle()
        if when < self._time:
            self.move(when, 0.0)
        else:
            # inf - inf is NaN
            self.move(self._time, 0.0 if when == self._time else when - self._time)

    def delay(self, secondsLater):
        """Have the call made so many seconds later than it was to be made; sooner, if negative.

        Raises AlreadyCancelled or AlreadyCalled; ValueError for NaN; TypeError for what is no number.
        """
        cdef double delayed
        self.require_active()
        delayed = as_seconds(secondsLater)
        self.require_active()
        self.settle()
        delayed += self._delayed_time
        if isnan(delayed) or isnan(self._time + delayed):
            raise ValueError("a call cannot be delayed by NaN seconds")
        if delayed < 0.0:
            self.move(self._time + delayed, 0.0)
            if self.owner == NULL:
                self.tell("resetter")
        else:
            self.move(self._time, delayed)

    def activate_delay(self):
        """Make the delay part of `time`. For Twisted's own code, which calls this on calls in its heap."""
        self.activate()

    def __lt__(self, other):
        return self.time < other.time

    def __le__(self, other):
        return self.time <= other.time

    def __hash__(self):
        return object.__hash__(self)

    def __repr__(self):
        return stock_call.__repr__(self)

    def __str__(self):
        return stock_call.__repr__(self)

    cdef object attribute(self, str name, object default):
        return PyObject_GenericGetDict(self, NULL).get(name, default) if has_dict(self) else default

    cdef int set_attribute(self, str name, object value) except -1:
        PyObject_GenericGetDict(self, NULL)[name] = value
        return 0

    cdef int tell(self, str name) except -1:
        """Tell the function that a call in no queue was given. There is none if its queue is gone."""
        cdef object function = self.attribute(name, None)
        if function is not None:
            function(self)
        return 0

    cdef void set_mark(self, uint8_t mark, bint value) noexcept:
        if value:
            self.entry.mark |= mark
        else:
            self.entry.mark &= ~mark

    cdef inline int require_active(self) except -1:
        if self.entry.mark & (CALLED | CANCELLED):
            raise already_cancelled if self.entry.mark & CANCELLED else already_called
        return 0

    cdef inline double now(self) except? -1.0:
        return wall_seconds() if self._seconds == NULL else read_other_clock(<object>self._seconds)

    cdef void settle(self) noexcept:
        """Make the delay part of `time` if Twisted would have done so by now.

        It does so when it first takes a new call into its heap, and when a pass finds that the
        call's `time` has come. Only `time` and `delayed_time` can tell: the deadline is the same.
        """
        cdef CallQueue queue
        if self._delayed_time > 0.0 and self.owner != NULL:
            queue = <CallQueue>self.owner
            if self._time <= queue.latest_pass or (
                    self.entry.mark & DELAYED_NEW and self.entry.sequence < queue.inserted):
                self.activate()

    cdef void activate(self) noexcept:
        """Make the delay part of `time`."""
        self._time += self._delayed_time
        self._delayed_time = 0.0

    cdef int move(self, double time, double delayed_time) except -1:
        """Set time and delay, and move the entry to their sum."""
        cdef CallQueue queue
        cdef double when = time + delayed_time
        if self.owner != NULL:
            queue = <CallQueue>self.owner
            wheel_move(&queue.wheel, &self.entry, when)
            self.set_mark(DELAYED_NEW, self.entry.sequence >= queue.inserted)
            self._time = time
            self._delayed_time = delayed_time
            queue.consider(when)
        else:
            self._time = time
            self._delayed_time = delayed_time
        return 0

    cdef int reset_detached(self, double when) except -1:
        if when < self._time:
            self.move(when, 0.0)
            self.tell("resetter")
        else:
            self.move(self._time, 0.0 if when == self._time else when - self._time)
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
