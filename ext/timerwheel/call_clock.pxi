# What timerwheel.Clock, a clock that is moved by hand, is made from.
#
# Its calls are in a CallQueue of its own, which no reactor owns: it has no passes and no hook, and so
# delays stay apart from `time`, as they do in Twisted's Clock.

if FREE_THREADED:
    from threading import RLock


@cython.trashcan(True)
cdef class CallClock:
    """The methods of timerwheel.Clock that are done in C. The rest is Twisted's Clock, its other base.

    The time is the attribute rightNow, any number. It and seconds() are looked up each time: the
    program may set them, on the instance or in a subclass. So it may max_calls_at_once, or None.
    """

    def __cinit__(self):
        import_twisted()
        self.queue = CallQueue.__new__(CallQueue)
        if FREE_THREADED:
            self.moving = RLock()

    @property
    def calls(self):
        """The pending calls in the order in which they will be made: a sequence, always up to date."""
        return CallsInOrder.__new__(CallsInOrder, self.queue)

    @calls.setter
    def calls(self, calls):
        # Twisted's Clock.__init__() sets it, which a class with another base besides may call.
        if len(calls):
            raise AttributeError("calls can be set to an empty list alone: callLater() adds to them")
        self.queue.detach_all()

    def seconds(self):
        """The time of the clock."""
        return self.rightNow

    def callLater(self, delay, callable, *args, **kw):
        """Have callable(*args, **kw) called when the clock is delay seconds on. Returns a DelayedCall.

        If delay is negative, by the next advance() at the latest, even one by 0. Raises ValueError
        if it is NaN, TypeError if it is no number or callable cannot be called.
        """
        return schedule_by(self.queue, self.seconds, as_time(delay), callable, args, kw)

    def getDelayedCalls(self):
        """A list of the pending calls, in the order in which they will be made."""
        return in_order(self.queue)

    def advance(self, amount):
        """Move the clock on by so many seconds, and make the calls that are due then, in order.

        Calls that these make, and that are due too, are made as well. An exception of a call ends
        the advance and is raised; the rest stays pending.
        """
        cdef Burst burst
        burst.latest = -HUGE_VAL
        burst.made = 0
        burst.most = PY_SSIZE_T_MAX
        burst.is_too_long = False
        if self.max_calls_at_once is not None:
            burst.most = self.max_calls_at_once
        if FREE_THREADED:
            with self.moving:
                self.move(amount)
        else:
            self.move(amount)
        while self.make_next(&burst):
            pass

    cdef int move(self, object amount) except -1:
        moved = self.rightNow + amount
        as_time(moved)
        self.rightNow = moved
        return 0

    cdef bint make_next(self, Burst *burst) except -1:
        """Make the next call that is due, and release it. Returns whether there was one."""
        # (The last one may have moved the clock.)
        cdef DelayedCall call = take_due(self.queue, as_seconds(self.seconds()), burst)
        if call is None:
            return False
        if burst.is_too_long:
            raise RuntimeError(
                f"advance() has made {burst.made} calls without the time moving on from {burst.latest}, "
                f"and would go on with {call!r}")
        invoke(call)
        return True


@cython.final
cdef class CallsInOrder:
    """The pending calls of a Clock in the order in which they will be made: a sequence, always up to date.

    An iteration goes over those that are pending when it begins.
    """

    def __cinit__(self, CallQueue queue not None):
        self.queue = queue

    def __len__(self):
        return count_of(self.queue)

    def __getitem__(self, index):
        # The earliest alone needs no sorting: programs go from call to call by it.
        # (What the index is compared by may be Python code: so that comes first.)
        call = first(self.queue) if index == 0 else None
        return in_order(self.queue)[index] if call is None else call

    def __iter__(self):
        return iter(in_order(self.queue))

    def __eq__(self, other):
        return in_order(self.queue) == (list(other) if isinstance(other, CallsInOrder) else other)

    def __add__(self, other):
        return in_order(self.queue) + (list(other) if isinstance(other, CallsInOrder) else other)

    def __radd__(self, other):
        return other + in_order(self.queue)

    def __repr__(self):
        return repr(in_order(self.queue))

    def copy(self):
        """A list of the calls that are pending now."""
        return in_order(self.queue)

    def index(self, *args):
        """The place of a call: index(call[, start[, stop]]). Raises ValueError if it is not there."""
        return in_order(self.queue).index(*args)

    def count(self, value, /):
        """1 if the call is pending, else 0."""
        return in_order(self.queue).count(value)


cdef DelayedCall take_due(CallQueue queue, double now, Burst *burst):
    """The next call that is due, or None. It has left the queue, unless the burst would be too long."""
    cdef DelayedCall call = None
    cdef Entry *entry
    if isnan(now):
        return None         # no time is at or before NaN
    acquire(queue.lock)
    try:
        wheel_advance(&queue.wheel, now)
        entry = wheel_due(&queue.wheel, now)
        if entry != NULL:
            call = <DelayedCall>handle_of(entry)
            if entry.when > burst.latest:
                burst.latest = entry.when
                burst.made = 0
            burst.is_too_long = burst.made >= burst.most and burst.made > 0
            if not burst.is_too_long:
                burst.made += 1
                leave(entry)
                set_called(call)
    finally:
        release(queue.lock)
    if call is not None and not burst.is_too_long:
        Py_DECREF(call)
    return call


cdef DelayedCall first(CallQueue queue):
    """The call that will be made first, or None.

    The wheel is moved to it, perhaps ahead of the clock: it takes what is scheduled behind that too.
    """
    cdef DelayedCall call = None
    acquire(queue.lock)
    try:
        if queue.wheel.count:
            wheel_advance(&queue.wheel, wheel_next(&queue.wheel, 2 * queue.wheel.count))
            call = <DelayedCall>handle_of(wheel_first_due(&queue.wheel).entry)
    finally:
        release(queue.lock)
    return call
