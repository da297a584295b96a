# The base of timerwheel.Clock, a clock for tests.
#
# A CallQueue of its own has its calls. No reactor owns that queue, so it has no passes and no hook. So
# delays stay apart from `time`, as in Twisted's Clock.

if FREE_THREADED:
    from threading import RLock


@cython.trashcan(True)
cdef class CallClock:
    """The methods of timerwheel.Clock in C. Its other base, Twisted's Clock, has the rest.

    The attribute rightNow is the time, any number. A program may set rightNow and seconds() on the instance
    or in a subclass, so this looks them up each time. It may also set max_calls_at_once.
    """

    def __cinit__(self):
        import_twisted()
        self.queue = CallQueue.__new__(CallQueue)
        if FREE_THREADED:
            self.moving = RLock()

    @property
    def calls(self):
        """The pending calls, next first: a sequence, always up to date."""
        return CallsInOrder.__new__(CallsInOrder, self.queue)

    @calls.setter
    def calls(self, calls):
        # Twisted's Clock.__init__() sets it. A subclass with another base may call that.
        if len(calls):
            raise AttributeError("you can set calls only to an empty list; callLater() adds to them")
        self.queue.detach_all()

    def seconds(self):
        """The time of the clock."""
        return self.rightNow

    def callLater(self, delay, callable, *args, **kw):
        """Schedule callable(*args, **kw) for delay seconds from now. Returns a DelayedCall.

        If delay is negative, the next advance() makes the call, even an advance by 0. Raises ValueError if
        delay is NaN, TypeError if it is not a number or callable is not callable.
        """
        return schedule_by(self.queue, self.seconds, as_time(delay), callable, args, kw)

    def getDelayedCalls(self):
        """A list of the pending calls, next first."""
        return in_order(self.queue)

    def advance(self, amount):
        """Move the clock by amount seconds, and make the calls that have expired then, in order.

        If these calls schedule others that have expired too, it also makes those. If a call raises,
        advance() ends and raises that exception; the remaining calls stay pending.
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
        """Make the next expired call, and release it. Returns whether there was one."""
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
    """The pending calls of a Clock, next first: a sequence, always up to date.

    An iteration goes over the calls that are pending when it begins.
    """

    def __cinit__(self, CallQueue queue not None):
        self.queue = queue

    def __len__(self):
        return count_of(self.queue)

    def __getitem__(self, index):
        # Index 0 needs no sorting: programs go from call to call by it. (Comparing the index may run Python
        # code, so it comes first.)
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
        """A list of the calls pending now."""
        return in_order(self.queue)

    def index(self, *args):
        """The index of a call: index(call[, start[, stop]]). Raises ValueError if it is not there."""
        return in_order(self.queue).index(*args)

    def count(self, value, /):
        """1 if the call is pending, else 0."""
        return in_order(self.queue).count(value)


cdef DelayedCall take_due(CallQueue queue, double now, Burst *burst):
    """The next expired call, or None. It has left the queue, unless the burst would be too long."""
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

    This advances the wheel to it, perhaps ahead of the clock. The wheel also takes timers for earlier
    times.
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
