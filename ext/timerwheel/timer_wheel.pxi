# The wheel by itself.


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
        """Whether the timer is still to fire."""
        return is_pending(self)

    def cancel(self):
        """Take the timer out of its wheel and let go of its callback.

        Returns True, or False if it had fired or been cancelled before.
        """
        if not withdraw(self):
            return False
        drop_callback(self)
        return True

    def reschedule(self, when):
        """Give the timer another deadline, sooner or later, keeping its turn among equal ones.

        Raises ValueError if it has fired (TimerWheel.rearm() is for those) or been
        cancelled, or if when is NaN.
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
    A hierarchical timer wheel that calls back in exact order.

    Times are floats, seconds of any clock that the caller keeps; now is that
    clock's time. Scheduling, cancelling and moving take the same few steps
    however many timers there are. Timers fire in order of (deadline, order of
    scheduling), never before their deadline.

    Threads may share a wheel, on a Python without a GIL too: each operation is
    atomic. advance() is as many operations as it calls timers: two threads that
    advance one wheel call each timer once, in no order between the two.
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
        """Have func(*args, **kw) called when advance() reaches when. Returns a Timer.

        Raises TypeError if func cannot be called, ValueError if when is NaN.
        """
        cdef double time = as_time(when)
        cdef Timer timer
        require_timers(self)
        if not callable(func):
            raise TypeError(f"{func!r} is not callable")
        timer = <Timer>new_handle(<PyTypeObject *>Timer, self.lock)
        set_callback(timer, func, args, kw)
        acquire(self.lock)
        try:
            link(self, timer, time)
        finally:
            release(self.lock)
        return timer

    cpdef rearm(self, Timer timer, double when):
        """Have a timer that has fired fire again, at when: its callback is still with it.

        Raises TypeError if it is no Timer; ValueError if when is NaN, or if the timer
        has not fired yet or was cancelled.
        """
        require_timers(self)
        if timer is None:
            raise TypeError("None is no timer")
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
        """Call all that is due at now, in order; return how many were called.

        What the callbacks schedule waits for the next advance(), if it is due at
        once too. An exception of a callback ends the advance and is raised; what
        is left is called by the next. A now before an earlier one fires only what
        was scheduled since for a time at or before it.
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

        It is remembered until its timer leaves or moves. To find it anew takes a look at
        each timer of the first slot that has any: of n timers at about the same time, n.
        """
        # Each is looked at once, or twice if it was moved later.
        return next_of(self, SIZE_MAX)

    cpdef next_wake(self):
        """When to call advance() next: the earliest deadline or a time before it; None without timers.

        Constant time: at most 256 timers are looked at, and then not again before as many
        have left. Who advances when this says, and asks again, advances at each deadline, and
        before it at most six times for nothing: once a level of the wheel.
        """
        return next_of(self, SEARCH_BUDGET)

    def check_invariants(self):
        """Raise AssertionError if the inner structure is not sound. For tests; it looks at everything."""
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
        # An empty one would stand at now, which may be before the pass around this one.
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
        """End a pass. What was held stays so while a pass around this one goes on."""
        acquire(self.lock)
        leave_pass(self)
        release(self.lock)

    cdef void detach_all(self) noexcept:
        """Let go of all handles, which stay as they are but will not fire.

        Not of those that a destructor run by this adds: one that adds another
        each time would never let it end.
        """
        cdef size_t left = count_of(self)
        while left and detach_one(self):
            left -= 1


cdef inline int require_timers(TimerWheel wheel) except -1:
    """Raise TypeError for a reactor's queue: what is in it, and how it is called, is not as here."""
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
    """The earliest deadline, for which so many timers are looked at, or None."""
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
    """Call the first timer that is due, and release it. Returns whether there was one."""
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


# How a handle enters a wheel and leaves it. Who calls these two holds the wheel's lock.
#
# The collector knows a handle that has left its wheel: others can reach it, and it may be part of a
# cycle. It knows one that is pending, too, but in a wheel that is immortal.

cdef inline int link(TimerWheel wheel, Handle handle, double when) except -1:
    """Take handle in under a deadline, with a reference to it."""
    handle.entry.when = when
    wheel_add(&wheel.wheel, &handle.entry)
    handle.owner = <PyObject *>wheel
    Py_INCREF(handle)
    if not wheel.immortal:
        track(<PyObject *>handle)
    return 0


cdef inline void leave(Entry *entry) noexcept:
    """Take a handle out of its wheel: the one way out. The reference that the wheel had is the caller's."""
    cdef PyObject *handle = handle_of(entry)
    wheel_remove(&(<TimerWheel>(<Handle>handle).owner).wheel, entry)
    (<Handle>handle).owner = NULL
    track(handle)


# The collector cannot see references that C lists hold: the types that have such lists show
# them, by functions put around those that Cython made.

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
