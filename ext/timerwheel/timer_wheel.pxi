# The wheel without a reactor.


@cython.final
cdef class Timer(Handle):
    """A timer of a TimerWheel, as schedule() returns it."""

    def __init__(self):
        raise TypeError("a Timer is made by TimerWheel.schedule()")

    @property
    def when(self):
        """The deadline, in the wheel's seconds."""
        return deadline_of(self)

    @property
    def active(self):
        """Whether the timer is pending."""
        return is_pending(self)

    def cancel(self):
        """Cancel the timer, and release its callback.

        Returns False if it had fired or been cancelled before, else True.
        """
        if not withdraw(self):
            return False
        drop_callback(self)
        return True

    def reschedule(self, when):
        """Give the timer another deadline, sooner or later. Its order among equal ones does not change.

        Raises ValueError if the timer has fired (use TimerWheel.rearm()) or been cancelled, or if when is
        NaN.
        """
        cdef double time = as_time(when)
        acquire_entry(&self.entry)
        try:
            if self.owner == NULL:
                raise ValueError("the timer has fired or been cancelled")
            wheel_move(&(<TimerWheel>self.owner).wheel, &self.entry, time)
        finally:
            release(self.entry.lock)

    def __repr__(self):
        state = "active" if is_pending(self) else "inactive"
        return f"<Timer {state} when={deadline_of(self)} func={callback_of(self)!r}>"


manage_memory(<PyTypeObject *>Timer, traverse_handle, clear_handle)


@cython.trashcan(True)
cdef class TimerWheel:
    """TimerWheel(now)\n--\n\n\
    A hierarchical timer wheel that fires timers in exact order.

    Times are floats, in seconds of a clock that you keep; now is that clock's
    time. Scheduling, cancelling and moving take the same few steps with any
    number of timers. Timers fire in order of (deadline, order of scheduling),
    never before their deadline.

    Threads may share a wheel, also on a Python without a GIL: each operation is
    atomic. advance() is one operation for each timer that it fires. If two threads
    advance one wheel, each timer fires once, in no order between the two threads.
    """

    def __cinit__(self):
        self.lock = new_lock()
        wheel_init(&self.wheel, 0.0)

    def __init__(self, now):
        cdef double time = as_time(now)
        acquire(self.lock)
        try:
            if self.wheel.count:
                raise ValueError("the wheel holds timers already")
            wheel_start(&self.wheel, time)
        finally:
            release(self.lock)

    def __dealloc__(self):
        self.detach_all()
        wheel_free(&self.wheel)

    def __len__(self):
        return count_of(self)

    def schedule(self, when, func, *args, **kw):
        """Schedule func(*args, **kw) for when advance() reaches when. Returns a Timer.

        Raises TypeError if func is not callable, ValueError if when is NaN.
        """
        cdef double time = as_time(when)
        cdef Timer timer
        require_timers(self)
        if not callable(func):
            raise TypeError(f"schedule() needs a callable, not {func!r}")
        timer = <Timer>new_handle(<PyTypeObject *>Timer, self.lock)
        set_callback(timer, func, args, kw)
        acquire(self.lock)
        try:
            link(self, timer, time)
        finally:
            release(self.lock)
        return timer

    cpdef rearm(self, Timer timer, double when):
        """Schedule a timer that has fired again, for when, with the same callback.

        Raises TypeError if it is not a Timer; ValueError if when is NaN, or if the timer has not fired yet
        or was cancelled.
        """
        require_timers(self)
        if timer is None:
            raise TypeError("rearm() needs a Timer, not None")
        if isnan(when):
            raise ValueError("a time cannot be NaN")
        cdef bint fired
        acquire_to_add(&timer.entry, &timer.owner, self.lock)
        try:
            fired = timer.owner == NULL and timer._func != NULL
            if fired:
                link(self, timer, when)
        finally:
            release(timer.entry.lock)
        if not fired:
            raise ValueError(f"the timer has not fired: {timer!r}")

    def advance(self, now):
        """Fire all timers with a deadline up to now, in order. Returns how many fired.

        If a callback schedules a timer, it waits for the next advance(), even if it has expired already. If
        a callback raises, advance() ends and raises that exception; the next advance() fires the remaining
        timers. If now is before an earlier now, only timers fire that you have scheduled since, for a time
        up to now.
        """
        cdef double time = as_time(now)
        require_timers(self)
        self.begin_pass(time)
        try:
            return self.fire_some(time, PY_SSIZE_T_MAX)
        finally:
            self.end_pass()

    def next_expiry(self):
        """The earliest deadline, or None if there are no timers. Exact.

        The wheel remembers it until that timer leaves or moves. To find it again takes a step for each
        timer of the first slot that has any: n steps for n timers at about the same time.
        """
        # Each timer takes one step, or two if it was moved later.
        return next_of(self, SIZE_MAX)

    cpdef next_wake(self):
        """When to call advance() next: the earliest deadline or a time before it; None without timers.

        Takes constant time: it looks at 256 timers at most, and not again before as many have left. Call
        advance() at this time, and ask again: then you advance at each deadline, and at most six times in
        vain before it, once for each level of the wheel.
        """
        return next_of(self, SEARCH_BUDGET)

    def check_invariants(self):
        """Raise AssertionError if the inner structure is not sound. For tests; takes O(n) steps."""
        cdef const char *fault
        acquire(self.lock)
        fault = wheel_fault(&self.wheel)
        release(self.lock)
        if fault != NULL:
            raise AssertionError(fault.decode())

    cdef int begin_pass(self, double now) except -1:
        acquire(self.lock)
        self.passes += 1
        wheel_hold_new(&self.wheel)
        # An empty wheel would go to now, which may be before the pass around this one.
        if self.passes == 1 or self.wheel.count:
            try:
                wheel_advance(&self.wheel, now)
            except BaseException:
                leave_pass(self)
                release(self.lock)
                raise
        release(self.lock)
        return 0

    cdef Py_ssize_t fire_some(self, double now, Py_ssize_t most) except -1:
        """In a pass, call what is due, `most` timers at most. Returns how many that were."""
        cdef Py_ssize_t fired = 0
        while fired < most and fire_next(self, now):
            fired += 1
        return fired

    cdef void end_pass(self) noexcept:
        """End a pass. HELD entries stay held while a pass around this one goes on."""
        acquire(self.lock)
        leave_pass(self)
        release(self.lock)

    cdef void detach_all(self) noexcept:
        """Release all handles. They do not change, but will not fire.

        This does not release handles that a destructor adds meanwhile: if each destructor added another, it
        would never end.
        """
        cdef size_t left = count_of(self)
        while left and detach_one(self):
            left -= 1


cdef inline int require_timers(TimerWheel wheel) except -1:
    """Raise TypeError for a reactor's queue, which has other entries and other ways to call them."""
    if Py_TYPE(wheel) == <PyTypeObject *>CallQueue:
        raise TypeError("a CallQueue has calls, not timers")
    return 0


cdef inline size_t count_of(TimerWheel wheel) noexcept:
    cdef size_t count
    acquire(wheel.lock)
    count = wheel.wheel.count
    release(wheel.lock)
    return count


cdef inline double deadline_of(Handle handle) noexcept:
    cdef double when
    acquire_entry(&handle.entry)
    when = handle.entry.when
    release(handle.entry.lock)
    return when


cdef inline object next_of(TimerWheel wheel, size_t budget):
    """The earliest deadline, or None. Looks at so many timers at most, then answers a time before it."""
    cdef double when = 0.0
    cdef bint found
    acquire(wheel.lock)
    found = wheel.wheel.count != 0
    if found:
        when = wheel_next(&wheel.wheel, min(budget, 2 * wheel.wheel.count))
    release(wheel.lock)
    return when if found else None


cdef inline void leave_pass(TimerWheel wheel) noexcept:
    wheel.passes -= 1
    if wheel.passes == 0:
        wheel_release(&wheel.wheel)


cdef inline bint fire_next(TimerWheel wheel, double now) except -1:
    """Call the first expired timer, and release it. Returns whether there was one."""
    cdef Entry *entry
    cdef Handle handle
    acquire(wheel.lock)
    entry = wheel_due(&wheel.wheel, now)
    if entry != NULL:
        leave(entry)
    release(wheel.lock)
    if entry == NULL:
        return False
    handle = owned(handle_of(entry))
    invoke(handle)
    return True


cdef bint detach_one(TimerWheel wheel) noexcept:
    """Release some handle. Returns whether there was one."""
    cdef Entry *entry
    acquire(wheel.lock)
    entry = wheel_any(&wheel.wheel)
    if entry != NULL:
        leave(entry)
    release(wheel.lock)
    if entry != NULL:
        Py_DECREF(<object>handle_of(entry))
    return entry != NULL


cdef inline bint withdraw(Handle handle) noexcept:
    """Take a handle out of its wheel. Returns False if it is in none."""
    cdef bint pending
    acquire_entry(&handle.entry)
    pending = handle.owner != NULL
    if pending:
        leave(&handle.entry)
    release(handle.entry.lock)
    if pending:
        Py_DECREF(handle)
    return pending


# A handle enters a wheel and leaves it only here. The caller of these two holds the wheel's lock.
#
# The collector tracks a handle that has left its wheel, because the handle may be part of a cycle. It also
# tracks a pending handle, unless the wheel is immortal.

cdef inline int link(TimerWheel wheel, Handle handle, double when) except -1:
    """Put handle into the wheel for a deadline, with a reference to it."""
    handle.entry.when = when
    wheel_add(&wheel.wheel, &handle.entry)
    handle.owner = <PyObject *>wheel
    Py_INCREF(handle)
    if not wheel.immortal:
        track(<PyObject *>handle)
    return 0


cdef inline void leave(Entry *entry) noexcept:
    """Take a handle out of its wheel: the only way out. The caller gets the wheel's reference."""
    cdef PyObject *handle = handle_of(entry)
    wheel_remove(&(<TimerWheel>(<Handle>handle).owner).wheel, entry)
    (<Handle>handle).owner = NULL
    track(handle)


# The collector cannot see references in C lists. So the types that have such lists show them to it, with
# functions around those that Cython generates.

cdef struct Walk:
    visitproc visit
    void *argument


cdef int visit_handle(Entry *entry, void *walk) noexcept:
    return (<Walk *>walk).visit(handle_of(entry), (<Walk *>walk).argument)


cdef int traverse_handles(PyObject *self, visitproc visit, void *argument) noexcept:
    cdef Walk walk
    if (<TimerWheel>self).immortal:
        return 0
    walk.visit = visit
    walk.argument = argument
    return wheel_each(&(<TimerWheel>self).wheel, visit_handle, &walk)


cdef traverseproc traverse_wheel_attributes = (<PyTypeObject *>TimerWheel).tp_traverse
cdef inquiry clear_wheel_attributes = (<PyTypeObject *>TimerWheel).tp_clear


cdef int traverse_wheel(PyObject *self, visitproc visit, void *argument) noexcept:
    cdef int result = traverse_handles(self, visit, argument)
    return result if result else traverse_wheel_attributes(self, visit, argument)


cdef int clear_wheel(PyObject *self) noexcept:
    (<TimerWheel>self).detach_all()
    return clear_wheel_attributes(self)


(<PyTypeObject *>TimerWheel).tp_traverse = traverse_wheel
(<PyTypeObject *>TimerWheel).tp_clear = clear_wheel
