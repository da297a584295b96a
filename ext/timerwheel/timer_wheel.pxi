# The wheel by itself.


@cython.final
cdef class Timer(Handle):
    """A timer of a TimerWheel, as schedule() returns it."""

    def __init__(self):
        raise TypeError("a Timer is made by TimerWheel.schedule()")

    @property
    def when(self):
        """The deadline, in the wheel's seconds."""
        return self.entry.when

    @property
    def active(self):
        """Whether the timer is still to fire."""
        return self.owner != NULL

    def cancel(self):
        """Take the timer out of its wheel and let go of its callback.

        Returns True, or False if it had fired or been cancelled before.
        """
        if self.owner == NULL:
            return False
        leave(&self.entry)
        drop_callback(self)
        return True

    def reschedule(self, when):
        """Give the timer another deadline, sooner or later, keeping its turn among equal ones.

        Raises ValueError if it has fired (TimerWheel.rearm() is for those) or been
        cancelled, or if when is NaN.
        """
        cdef double time = as_time(when)
        if self.owner == NULL:
            raise ValueError("the timer has fired or been cancelled")
        wheel_move(&(<TimerWheel>self.owner).wheel, &self.entry, time)

    def __repr__(self):
        state = "active" if self.owner != NULL else "inactive"
        func = None if self._func == NULL else <object>self._func
        return f"<Timer {state} when={self.entry.when} func={func!r}>"


manage_memory(<PyTypeObject *>Timer, traverse_handle, clear_handle)


@cython.trashcan(True)
cdef class TimerWheel:
    """TimerWheel(now)\n--\n\n\
    A hierarchical timer wheel that calls back in exact order.

    Times are floats, seconds of any clock that the caller keeps; now is that
    clock's time. Scheduling, cancelling and moving take the same few steps
    however many timers there are. Timers fire in order of (deadline, order of
    scheduling), never before their deadline.

    A wheel is not safe to use from several threads at once without a lock, but
    such use does not corrupt memory.
    """

    def __cinit__(self):
        wheel_init(&self.wheel, 0.0)

    def __init__(self, now):
        cdef double time = as_time(now)
        if self.wheel.count:
            raise ValueError("the wheel holds timers already")
        wheel_start(&self.wheel, time)

    def __dealloc__(self):
        self.detach_all()
        wheel_free(&self.wheel)

    def __len__(self):
        return self.wheel.count

    def schedule(self, when, func, *args, **kw):
        """Have func(*args, **kw) called when advance() reaches when. Returns a Timer.

        Raises TypeError if func cannot be called, ValueError if when is NaN.
        """
        cdef double time = as_time(when)
        cdef Timer timer
        if not callable(func):
            raise TypeError(f"{func!r} is not callable")
        timer = <Timer>new_handle(<PyTypeObject *>Timer)
        set_callback(timer, func, args, kw)
        link(self, timer, time)
        return timer

    cpdef rearm(self, Timer timer, double when):
        """Have a timer that has fired fire again, at when: its callback is still with it.

        Raises TypeError if it is no Timer; ValueError if when is NaN, or if the timer
        has not fired yet or was cancelled.
        """
        if timer is None:
            raise TypeError("None is no timer")
        if isnan(when):
            raise ValueError("a time cannot be NaN")
        if timer.owner != NULL or timer._func == NULL:
            raise ValueError(f"the timer has not fired: {timer!r}")
        link(self, timer, when)

    def advance(self, now):
        """Call all that is due at now, in order; return how many were called.

        What the callbacks schedule waits for the next advance(), if it is due at
        once too. An exception of a callback ends the advance and is raised; what
        is left is called by the next. A now before an earlier one fires only what
        was scheduled since for a time at or before it.
        """
        cdef double time = as_time(now)
        cdef Entry *entry
        cdef Py_ssize_t fired = 0
        self.begin_pass(time)
        try:
            while True:
                entry = wheel_due(&self.wheel, time)
                if entry == NULL:
                    return fired
                fired += 1
                # (In no variable: each is released before the next is taken.)
                invoke(leave(entry))
        finally:
            self.end_pass()

    def next_expiry(self):
        """The earliest deadline, or None if there are no timers. Exact.

        It is remembered until its timer leaves or moves. To find it anew takes a look at
        each timer of the first slot that has any: of n timers at about the same time, n.
        """
        if self.wheel.count == 0:
            return None
        # Each is looked at once, or twice if it was moved later.
        return wheel_next(&self.wheel, 2 * self.wheel.count)

    cpdef next_wake(self):
        """When to call advance() next: the earliest deadline or a time before it; None without timers.

        Constant time: at most 256 timers are looked at, and then not again before as many
        have left. Who advances when this says, and asks again, advances at each deadline, and
        before it at most six times for nothing: once a level of the wheel.
        """
        if self.wheel.count == 0:
            return None
        return wheel_next(&self.wheel, SEARCH_BUDGET)

    def check_invariants(self):
        """Raise AssertionError if the inner structure is not sound. For tests; it looks at everything."""
        cdef const char *fault = wheel_fault(&self.wheel)
        if fault != NULL:
            raise AssertionError(fault.decode())

    cdef int begin_pass(self, double now) except -1:
        self.passes += 1
        wheel_hold_new(&self.wheel)
        if self.passes > 1 and self.wheel.count == 0:
            return 0        # else it would stand at now, which may be before the pass around this one
        try:
            wheel_advance(&self.wheel, now)
        except BaseException:
            self.end_pass()
            raise
        return 0

    cdef void end_pass(self) noexcept:
        """End a pass. What was held stays so while a pass around this one goes on."""
        self.passes -= 1
        if self.passes == 0:
            wheel_release(&self.wheel)

    cdef void detach_all(self) noexcept:
        """Let go of all handles, which stay as they are but will not fire.

        Not of those that a destructor run by this adds: one that adds another
        each time would never let it end.
        """
        cdef size_t left = self.wheel.count
        cdef Entry *entry = wheel_any(&self.wheel)
        while entry != NULL and left:
            leave(entry)
            left -= 1
            entry = wheel_any(&self.wheel)


# How a handle enters a wheel and leaves it.
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


cdef inline Handle leave(Entry *entry):
    """Take a handle out of its wheel: the one way out. Returns it, with the reference that the wheel had."""
    cdef Handle handle = owned(handle_of(entry))
    wheel_remove(&(<TimerWheel>handle.owner).wheel, entry)
    handle.owner = NULL
    track(<PyObject *>handle)
    return handle


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
