# The queue that a reactor owns.

cdef double LONGEST_TIMEOUT = 2147483   # 2**31 ms, Twisted's ceiling (ReactorBase.timeout)


@cython.final
@cython.no_gc_clear         # clear_queue() does it
@cython.trashcan(True)
cdef class CallQueue(TimerWheel):
    """The delayed calls of one reactor, on a wheel.

    reactor is a twisted.internet.base.ReactorBase. report() is called while an
    exception of a timed call is being handled, with the call's creator, to log it.
    """

    def __cinit__(self):
        self.alarm = self.latest_pass = -HUGE_VAL
        self.figures.since = monotonic_seconds()

    def __init__(self, reactor, report):
        import_twisted()
        self.reactor = reactor
        self.report = report
        self.replacements = {}
        # The clock is not read yet: a subclass's seconds() may not be ready for it.
        TimerWheel.__init__(self, 0.0)

    def replace(self, str name, replacement):
        """Have a method of the reactor done by replacement(), called without the reactor."""
        self.replacements[name] = replacement

    def attach(self, waker):
        """Have the reactor woken by a `timerwheel._wakers.Waker` from now on."""
        self.waker = waker
        self.hook = waker.hook
        self.nested_loops = waker.nested_loops
        waker.attach(self)

    @property
    def hook(self):
        """Called when the earliest deadline moves before the one that timeout() told last; or None.

        For reactors that another event loop wakes: they have nobody who asks
        timeout() before each wait.
        """
        return self._hook

    @hook.setter
    def hook(self, hook):
        self._hook = hook
        self.disarmed()

    def disarmed(self):
        """Note that nothing is armed: what was has gone off, and may fail before timeout() is asked."""
        # Without a hook no deadline is before the alarm.
        self.alarm = -HUGE_VAL if self._hook is None else HUGE_VAL

    def make_immortal(self):
        """Have the garbage collector no longer walk the pending calls: the reactor is the installed one."""
        self.immortal = True
        wheel_each(&self.wheel, untrack_handle, NULL)

    def make_mortal(self):
        """Have it walk them again: the reactor is to go, with all that they hold."""
        self.immortal = False
        wheel_each(&self.wheel, track_handle, NULL)

    def adopt(self, call):
        """Take over a call that a stock reactor made, or one of ours that is in no queue."""
        self.take_over(call)

    def moved_sooner(self, call):
        """Move a stock call to its `time`, which is sooner now. In place of ReactorBase._moveCallLaterSooner.

        Takes O(n) steps if the program has replaced the call's canceller, as Twisted's heap always does.
        """
        cdef AdoptedCall handle = handle_for(self, call)
        cdef double when = as_time(call.time)
        if handle is not None and handle.owner == <PyObject *>self:
            wheel_move(&self.wheel, &handle.entry, when)
            note_moved(self, False)
            self.consider(when)

    def adopt_bypassed(self, call):
        """Take over a call that Twisted's own callLater(), which a program has kept, has made."""
        if self.watch is not None and self.watch.origins:
            remember_origin(self.watch, call)
        self.take_over(call)
        self.figures.bypassed += 1

    def release_all(self):
        """Release all pending calls: the reactor leaves the queue. This cannot fail."""
        self.departed = True
        self.detach_all()
        self.watch = None

    def run_timers(self, reactor):
        """Make the calls that are due now: the timed part of runUntilCurrent()."""
        self.run_pass(reactor)

    def figures_now(self):
        """What `timerwheel.stats()` is made from, by its names. Takes constant time."""
        return figures_of(self)

    def next_deadline(self):
        """The time of the earliest call, or None: what timeout() counts to."""
        self.inserted = self.wheel.sequence
        return wheel_next(&self.wheel, SEARCH_BUDGET) if self.wheel.count else None

    def pending_calls(self):
        """A list of all pending calls, in the order in which they were scheduled."""
        return self.pending()

    def calls_in_order(self):
        """A list of all pending calls, in the order in which they will be made."""
        return in_order(self)

    def check_invariants(self):
        """Raise AssertionError if the inner structure is not sound. For tests; it looks at everything."""
        TimerWheel.check_invariants(self)
        for call in self.pending():
            if isinstance(call, DelayedCall):
                if (<DelayedCall>call).owner != <PyObject *>self:
                    raise AssertionError("a call does not know its queue")
                if (<DelayedCall>call).entry.when != call.getTime():
                    raise AssertionError("a call and its entry disagree about the time")

    cdef int take_over(self, call) except -1:
        cdef DelayedCall own
        cdef AdoptedCall adopted
        cdef double now
        if self.wheel.count == 0 and self.passes == 0:
            now = read_clock(seconds_of(self, self.reactor))
            if not isnan(now) and self.wheel.count == 0:
                wheel_start(&self.wheel, now)
        if isinstance(call, DelayedCall):
            own = call
            if own.owner != NULL:
                raise ValueError("the call is in a queue already")
            self.add(own, own._time + own._delayed_time)
            set_mark(own, DELAYED_NEW, False)
        else:
            adopted = <AdoptedCall>new_handle(<PyTypeObject *>AdoptedCall)
            set_callback(adopted, call, NO_ARGUMENTS, None)
            self.add(adopted, as_time(call.time))
            call.canceller = adopted
        return 0

    cdef int add(self, Handle handle, double when) except -1:
        """Take a call in, and tell the hook if it is the earliest."""
        link(self, handle, when)
        if self.alarm > -HUGE_VAL:
            try:
                self.consider(when)
            except BaseException:
                if handle.owner != NULL:    # the hook or the clock may have cancelled it
                    leave(&handle.entry)
                raise
        return 0

    cdef inline int consider(self, double when) except -1:
        """Tell the hook if a call at this time may be before what its owner is armed for.

        It may be so, too, when by the clock the alarm should have gone off: the
        clock has been stepped, or replaced, since it was set.
        """
        return self.compare(when) if self.alarm > -HUGE_VAL else 0

    cdef int compare(self, double when) except -1:
        cdef double now = read_clock(seconds_of(self, self.reactor))
        if when < self.alarm or now >= self.alarm:
            self.announce(when, now)
        return 0

    cdef int announce(self, double when, double now) except -1:
        """Tell the hook, whose owner will ask timeout() what to be armed for."""
        cdef double alarm = self.alarm
        self.alarm = when
        try:
            self._hook()
        except BaseException:
            self.alarm = alarm
            raise
        if self.alarm <= now:
            # Armed for at once: it need not hear until it asks timeout() again.
            self.alarm = -HUGE_VAL
        return 0

    cdef int fire(self, DelayedCall call, double now) except -1:
        note_fired(self, now - call.entry.when)
        activate(call)
        set_called(call)
        if self.watch is not None:
            return make_watched(self, self.watch, call, now - call.entry.when)
        return make_call(self, call)

    cdef int fire_adopted(self, AdoptedCall handle, double now) except -1:
        """Make a stock call, as ReactorBase.runUntilCurrent does; or put it off if it was moved later.

        Returns whether it was made.
        """
        cdef object call = None if handle._func == NULL else <object>handle._func
        cdef double when = 0.0
        if call is not None:
            when = as_seconds(call.time + call.delayed_time)
            if handle.owner == NULL:    # that was Python code, which has cancelled the call
                return 0
        if when > handle.entry.when:
            wheel_move(&self.wheel, &handle.entry, when)
            note_moved(self, True)
            call.activate_delay()
            return 0
        leave(&handle.entry)
        drop_callback(handle)
        if call is None:        # the collector has cleared it
            # unreached: it clears a reactor, and with it the queue, before the younger calls
            return 0
        if call.cancelled:
            self.figures.cancelled += 1     # it has not told its canceller
            return 0
        note_fired(self, now - handle.entry.when)
        if self.watch is not None:
            make_watched(self, self.watch, call, now - handle.entry.when)
        else:
            make_adopted_call(self, call)
        return 1

    cdef int run_pass(self, object reactor) except -1:
        """Make the calls that are due now, and stood before. A failure is reported, and the pass goes on."""
        cdef double now, alarm
        self.figures.passes += 1
        if self._hook is not None and self.alarm == -HUGE_VAL and self.passes == 0:
            # This may be the pass that was armed for at once, and it may fail before timeout() is asked.
            self.alarm = HUGE_VAL
        now = read_clock(seconds_of(self, reactor))
        if isnan(now):
            return 0        # no time is at or before NaN
        self.latest_pass = now
        self.inserted = self.wheel.sequence
        if self.nested_loops:
            return self.fire_due(now)
        # Who runs a pass asks timeout() after it: the hook need not hear before.
        alarm = self.alarm
        self.alarm = -HUGE_VAL
        try:
            self.fire_due(now)
        finally:
            self.alarm = alarm if self._hook is not None else -HUGE_VAL
        return 0

    cdef int fire_due(self, double now) except -1:
        cdef Entry *entry
        cdef AdoptedCall adopted
        cdef int64_t began = 0
        cdef uint64_t made = 0
        self.begin_pass(now)
        try:
            while True:
                entry = wheel_due(&self.wheel, now)
                if entry == NULL:
                    return 0
                if made == 0:
                    began = monotonic_ns()
                if handle_of(entry).ob_type == <PyTypeObject *>AdoptedCall:
                    adopted = <AdoptedCall>handle_of(entry)
                    made += self.fire_adopted(adopted, now)
                else:
                    made += 1
                    self.fire(<DelayedCall>leave(entry), now)
        finally:
            if made:
                note_pass(self, made, began)
            self.end_pass()

    cdef object next_timeout(self, object reactor):
        """Seconds until the earliest deadline, as ReactorBase.timeout() gives them; None if there is none."""
        cdef double now, when
        if self.wheel.count:
            now = read_clock(seconds_of(self, reactor))
        self.inserted = self.wheel.sequence
        if self.wheel.count == 0:
            self.alarm = HUGE_VAL if self._hook is not None else -HUGE_VAL
            return None
        when = wheel_next(&self.wheel, SEARCH_BUDGET)
        if self._hook is not None:
            self.alarm = when
        if not when - now > 0.0:
            return 0
        if when - now > LONGEST_TIMEOUT:
            return 2147483
        return when - now

    cdef list pending(self):
        return listed(self, without_time)


cdef inline int make_call(CallQueue queue, DelayedCall call) except -1:
    """Call what a DelayedCall holds. A failure is reported."""
    try:
        invoke(call)
    except BaseException:
        queue.figures.failed += 1
        queue.report(call.creator)
    return 0


cdef int make_adopted_call(CallQueue queue, object call) except -1:
    """Call what a stock call holds. A failure is reported."""
    cdef object kw
    try:
        call.called = 1
        kw = call.kw
        invoke_with(call.func, tuple(call.args), <PyObject *>kw if kw else NULL)
    except BaseException:
        queue.figures.failed += 1
        queue.report(call.creator)
    return 0


# Cython's function for the attributes of a subclass calls that which it made for the base, not
# that which was put around it: so again.

cdef traverseproc traverse_queue_attributes = (<PyTypeObject *>CallQueue).tp_traverse


cdef int traverse_queue(PyObject *self, visitproc visit, void *argument) noexcept:
    cdef int result = traverse_handles(self, visit, argument)
    return result if result else traverse_queue_attributes(self, visit, argument)


cdef int clear_queue(PyObject *self) noexcept:
    """Release the reactor, and what belongs to it, and all calls. The reactor's own is left to it.

    What is taken apart with the queue may still call it: so it keeps report(), which is no garbage.
    """
    cdef CallQueue queue = <CallQueue>self
    queue.alarm = -HUGE_VAL     # it asks neither hook nor reactor any more
    queue._hook = queue.waker = queue.replacements = queue.reactor = queue.watch = None
    return clear_wheel(self)


(<PyTypeObject *>CallQueue).tp_traverse = traverse_queue
(<PyTypeObject *>CallQueue).tp_clear = clear_queue


cdef int untrack_handle(Entry *entry, void *argument) noexcept:
    PyObject_GC_UnTrack(handle_of(entry))
    return 0


cdef int track_handle(Entry *entry, void *argument) noexcept:
    track(handle_of(entry))
    return 0
