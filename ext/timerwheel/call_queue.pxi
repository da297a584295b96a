# The queue that a reactor owns.

cdef double LONGEST_TIMEOUT = 2147483   # 2**31 ms, Twisted's ceiling (ReactorBase.timeout)


@cython.final
@cython.no_gc_clear         # clear_queue() does it
@cython.trashcan(True)
cdef class CallQueue(TimerWheel):
    """The delayed calls of one reactor, or of one asyncio event loop, on a wheel.

    reactor is a twisted.internet.base.ReactorBase. To log an exception of a timed call, the queue calls
    report() with the call's creator, while handling that exception.
    """

    def __cinit__(self):
        self.latest_pass = -HUGE_VAL
        self.figures.since = monotonic_seconds()
        if FREE_THREADED:
            self.self_ref = PyWeakref_NewRef(self, NULL)

    def __init__(self, reactor, report):
        import_twisted()
        self.reactor = reactor
        self.report = report
        self.replacements = {}
        # This does not read the clock yet: a subclass's seconds() may not be ready.
        TimerWheel.__init__(self, 0.0)

    def replace(self, str name, replacement):
        """Replace a method of the reactor. replacement() gets no reactor as argument."""
        if name == "timeout":
            self.timeout_replacement = replacement
        else:
            self.replacements[name] = replacement

    def timeout(self):
        """Seconds until the earliest deadline, as ReactorBase.timeout() gives them."""
        return self.next_timeout(self.reactor)

    def attach(self, waker):
        """Let a `timerwheel._wakers.Waker` wake the reactor from now on."""
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
        cdef object hook
        acquire(self.lock)
        hook = self._hook
        release(self.lock)
        return hook

    @hook.setter
    def hook(self, hook):
        cdef object old
        acquire(self.lock)
        old = self._hook        # which is released after the lock
        self._hook = hook
        if hook is None:
            listener_leave(&self.listener)
        else:
            listener_join(&self.listener)
        release(self.lock)

    @property
    def watch(self):
        """The CallWatch that times each timed call; or None."""
        return watch_of(self)

    @watch.setter
    def watch(self, CallWatch watch):
        cdef CallWatch last
        acquire(self.lock)
        last = self._watch      # released after the lock
        self._watch = watch
        release(self.lock)

    def disarmed(self):
        """Note that nothing is armed: what was has gone off, and may fail before timeout() is asked."""
        acquire(self.lock)
        listener_arm(&self.listener, HUGE_VAL)
        release(self.lock)

    def is_needed(self):
        """Whether the event loop runs, so it is not garbage."""
        return self.reactor is not None and self.reactor.is_running()

    def make_immortal(self):
        """Keep the garbage collector from walking the pending calls.

        For the installed reactor, or a running event loop. Takes O(n) steps, or none if it is done already.

        Does nothing without a GIL, because that collector walks all objects itself.
        """
        if FREE_THREADED or self.immortal:
            return
        self.immortal = True
        wheel_each(&self.wheel, untrack_handle, NULL)

    def make_mortal(self):
        """Let the collector walk them again, because the reactor or the loop may become garbage."""
        if not self.immortal:
            return
        self.immortal = False
        wheel_each(&self.wheel, track_handle, NULL)

    def adopt(self, call):
        """Take over a call of a stock reactor, or one of ours that is in no queue."""
        self.take_over(call)

    def moved_sooner(self, call):
        """Move a stock call to its `time`, which is sooner now. For ReactorBase._moveCallLaterSooner.

        Takes O(n) steps if the program has replaced the call's canceller, as Twisted's heap always does.
        """
        cdef AdoptedCall handle = handle_for(self, call)
        cdef double when
        cdef bint has_listener
        if handle is None:
            return
        when = as_time(call.time)
        acquire_entry(&handle.entry)
        try:
            has_listener = handle.owner == <PyObject *>self and listener_hears(&self.listener)
            if handle.owner == <PyObject *>self:
                wheel_move(&self.wheel, &handle.entry, when)
                note_moved(self, False)
        finally:
            release(handle.entry.lock)
        if has_listener:
            self.compare(when, NAN)

    def adopt_bypassed(self, call):
        """Take over a call scheduled by Twisted's own callLater(), which a program has kept."""
        cdef CallWatch watch = watch_of(self)
        if watch is not None and watch.origins:
            remember_origin(watch, call)
        self.take_over(call)
        acquire(self.lock)
        self.figures.bypassed += 1
        release(self.lock)

    def release_all(self):
        """Release all pending calls: the reactor leaves the queue. This cannot fail."""
        acquire(self.lock)
        self.departed = True
        release(self.lock)
        self.detach_all()
        self.watch = None

    def run_timers(self, reactor):
        """Make the expired calls: the timed part of runUntilCurrent()."""
        self.run_pass(reactor)

    def figures_now(self):
        """The figures of `timerwheel.stats()`, by name. Takes constant time."""
        return figures_of(self)

    def next_deadline(self):
        """The time of the earliest call, or None: what timeout() counts to."""
        acquire(self.lock)
        self.inserted = self.wheel.sequence
        release(self.lock)
        return next_of(self, SEARCH_BUDGET)

    def pending_calls(self):
        """A list of all pending calls, in the order of scheduling."""
        return self.pending()

    def calls_in_order(self):
        """A list of all pending calls, next first."""
        return in_order(self)

    def check_invariants(self):
        """Raise AssertionError if the inner structure is not sound. For tests; takes O(n) steps."""
        TimerWheel.check_invariants(self)
        for call in self.pending():
            if isinstance(call, DelayedCall):
                if (<DelayedCall>call).owner != <PyObject *>self:
                    raise AssertionError("a call does not know its queue")
                if deadline_of(call) != call.getTime():
                    raise AssertionError("a call and its entry disagree about the time")

    cdef int take_over(self, call) except -1:
        cdef DelayedCall own
        cdef AdoptedCall adopted
        cdef double now = NAN
        cdef bint taken
        if self.is_idle():
            now = read_clock(seconds_of(self, self.reactor))
        if isinstance(call, DelayedCall):
            own = call
            taken = self.add(own, own.getTime(), now)
            change_marks(own, 0, DELAYED_NEW)
        else:
            adopted = <AdoptedCall>new_handle(<PyTypeObject *>AdoptedCall, self.lock)
            set_callback(adopted, call, NO_ARGUMENTS, None)
            taken = self.add(adopted, as_time(call.time), now)
            if taken:
                call.canceller = adopted
        if not taken:
            self.reactor._newTimedCalls.append(call)
        return 0

    cdef bint is_idle(self) noexcept:
        """Whether the wheel may be set to another time: it has no calls, and no pass runs."""
        cdef bint idle
        acquire(self.lock)
        idle = self.wheel.count == 0 and self.passes == 0
        release(self.lock)
        return idle

    cdef bint add(self, Handle handle, double when, double now) except -1:
        """Take a call in, and tell the hook if it is the earliest. now: the time; NaN if it is not known.

        Returns False if the reactor has left the queue: the clock, or another thread, has done it.
        """
        cdef bint has_listener
        acquire_to_add(&handle.entry, &handle.owner, self.lock)
        try:
            if handle.owner != NULL:
                raise ValueError("the call is in a queue already")
            if self.departed:
                return False
            if self.wheel.count == 0 and self.passes == 0 and not isnan(now):
                wheel_start(&self.wheel, now)
            link(self, handle, when)
            has_listener = listener_hears(&self.listener)
        finally:
            release(handle.entry.lock)
        if has_listener:
            try:
                self.compare(when, now)
            except BaseException:
                if withdraw(handle):    # unless the hook or the clock have cancelled it
                    note_cancelled(self)
                raise
        return True

    cdef double now(self, object reactor) except? -1.0:
        """The time of the reactor's, or the event loop's, clock."""
        if self.serves_loop:
            return time_of(reactor)
        return read_clock(seconds_of(self, reactor))

    cdef int compare(self, double when, double now) except -1:
        """Tell the hook if a call at this time may be before what its owner is armed for.

        now: the time; NaN if it is not known.
        """
        cdef Listener last
        cdef bint is_late
        if isnan(now):
            now = self.now(self.reactor)
        acquire(self.lock)
        last = self.listener
        is_late = listener_is_late(&self.listener, when, now)
        if is_late:
            listener_arm(&self.listener, when)
        release(self.lock)
        if is_late:
            self.announce(now, last)
        return 0

    cdef int announce(self, double now, Listener last) except -1:
        """Tell the hook, whose owner will ask timeout() what to be armed for. last: as it was before."""
        try:
            self.hook()
        except BaseException:
            acquire(self.lock)
            listener_restore(&self.listener, last)
            release(self.lock)
            raise
        acquire(self.lock)
        listener_told(&self.listener, now)
        release(self.lock)
        return 0

    cdef int fire(self, DelayedCall call, double now) except -1:
        cdef CallWatch watch = watch_of(self)
        if watch is not None:
            return make_watched(self, watch, call, now - call.entry.when)
        return make_call(self, call)

    cdef int fire_adopted(self, AdoptedCall handle, double now) except -1:
        """Make a stock call, as ReactorBase.runUntilCurrent does; or move it if its deadline is later now.

        Returns whether it made the call.
        """
        cdef CallWatch watch
        cdef object call = callback_of(handle)
        cdef double when = 0.0
        cdef bint moved
        if call is not None:
            when = as_seconds(call.time + call.delayed_time)
        acquire_entry(&handle.entry)
        try:
            if handle.owner == NULL:    # that was Python code, which has cancelled the call
                return 0
            moved = when > handle.entry.when
            if moved:
                wheel_move(&self.wheel, &handle.entry, when)
                note_moved(self, True)
            else:
                leave(&handle.entry)
        finally:
            release(handle.entry.lock)
        if moved:
            call.activate_delay()
            return 0
        Py_DECREF(handle)
        drop_callback(handle)
        if call is None:        # the collector has cleared it
            # unreached: it clears a reactor, and with it the queue, before the younger calls
            return 0
        if call.cancelled:
            note_cancelled(self)    # it has not told its canceller
            return 0
        acquire(self.lock)
        note_fired(self, now - handle.entry.when)
        release(self.lock)
        watch = watch_of(self)
        if watch is not None:
            make_watched(self, watch, call, now - handle.entry.when)
        else:
            make_adopted_call(self, call)
        return 1

    cdef int run_pass(self, object reactor) except -1:
        """Make the calls that are due now, and stood before. A failure is reported, and the pass goes on."""
        cdef double now
        cdef Listener before
        acquire(self.lock)
        self.figures.passes += 1
        listener_woke(&self.listener)
        release(self.lock)
        now = read_clock(seconds_of(self, reactor))
        if isnan(now):
            return 0        # no time is at or before NaN
        acquire(self.lock)
        self.latest_pass = now
        self.inserted = self.wheel.sequence
        before = self.listener
        if not self.nested_loops:
            listener_enter_pass(&self.listener)
        release(self.lock)
        if self.nested_loops:
            return self.fire_due(now)
        try:
            self.fire_due(now)
        finally:
            acquire(self.lock)
            listener_restore(&self.listener, before)
            release(self.lock)
        return 0

    cdef int fire_due(self, double now) except -1:
        cdef PyObject *handle
        cdef int64_t began = 0
        cdef uint64_t made = 0
        self.begin_pass(now)
        try:
            while True:
                handle = take_due_handle(self, now)
                if handle == NULL:
                    return 0
                if made == 0:
                    began = monotonic_ns()
                if handle.ob_type == <PyTypeObject *>AdoptedCall:
                    made += self.fire_adopted(<AdoptedCall>owned(handle), now)
                else:
                    made += 1
                    self.fire(<DelayedCall>owned(handle), now)
        finally:
            if made:
                note_pass(self, made, began)
            self.end_pass()

    cdef object next_timeout(self, object reactor):
        """Seconds until the earliest deadline, as ReactorBase.timeout() gives them; None if there is none."""
        cdef double when = HUGE_VAL
        cdef double now = HUGE_VAL      # for a call that another thread makes meanwhile: at once
        cdef bint is_empty
        if count_of(self):
            now = self.now(reactor)
        acquire(self.lock)
        self.inserted = self.wheel.sequence
        is_empty = self.wheel.count == 0
        if not is_empty:
            when = wheel_next(&self.wheel, SEARCH_BUDGET)
        listener_arm(&self.listener, when)
        self.overdue = False
        release(self.lock)
        if is_empty:
            return None
        if not when - now > 0.0:
            return 0
        if when - now > LONGEST_TIMEOUT:
            return 2147483
        return when - now

    cdef list pending(self):
        """All calls except stock ones that are cancelled and have told another canceller."""
        cdef list calls = listed(self, without_time)
        if self.serves_loop:
            return calls
        return [
            call for call in calls
            if Py_TYPE(call) == <PyTypeObject *>DelayedCall or not call.cancelled]
