# The queue that a reactor owns, and the fast methods that stand on the reactor.

cdef double LONGEST_TIMEOUT = 2147483   # 2**31 ms, Twisted's ceiling (ReactorBase.timeout)


@cython.final
cdef class AdoptedCall(Handle):
    """The handle for a stock DelayedCall that the queue has taken over; it is in `_func`.

    The stock object tells its canceller and its resetter what is done to it, but
    not that it was moved later: that shows when it falls due.
    """

    def canceller(self, call):
        """For the stock object's canceller attribute: it is being cancelled."""
        if self.owner != NULL:
            unlink(self)
            drop_callback(self)     # and it refers to this method: that would be a cycle

    def resetter(self, call):
        """For the stock object's resetter attribute: it has been moved sooner."""
        cdef double when = as_time(call.time)
        cdef CallQueue queue
        if self.owner != NULL:
            queue = <CallQueue>self.owner
            wheel_move(&queue.wheel, &self.entry, when)
            queue.consider(when)


manage_memory(<PyTypeObject *>AdoptedCall, traverse_handle, clear_handle)


cdef inline PyObject *look_up(CallQueue queue, Attribute *attribute, str name) except? NULL:
    """What the reactor's own dict has under a name, looked up anew only when the dict has changed."""
    cdef uint64_t version = dict_version(queue.namespace)
    if version == 0 or version != attribute.version:
        attribute.value = PyDict_GetItemWithError(queue.namespace, name)
        attribute.version = version
    return attribute.value


@cython.final
@cython.no_gc_clear         # garbage may be used by what it calls while it is taken apart
cdef class CallQueue(TimerWheel):
    """The delayed calls of one reactor, on a wheel.

    reactor is a twisted.internet.base.ReactorBase. report() is called while an
    exception of a timed call is being handled, with the call's creator, to log
    it. stock_pass() is called instead of a pass while the reactor has calls from
    threads: Twisted's runUntilCurrent() makes these, and then comes to
    run_timers(). claim() is called when the reactor's class has changed: it puts the methods
    that methods() returns on the instance, or takes them off where the program
    has its own.
    """

    def __cinit__(self):
        self.alarm = self.latest_pass = -HUGE_VAL

    def __init__(self, reactor, report, stock_pass, claim):
        import_twisted()
        self.reactor = reactor
        self.namespace = reactor.__dict__
        self.report = report
        self.stock_pass = stock_pass
        self.claim = claim
        self.class_tag = 0
        # The clock is not read yet: a subclass's seconds() may not be ready for it.
        TimerWheel.__init__(self, 0.0)

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

    def methods(self):
        """The methods of the reactor that are done in C, by name, bound to this queue."""
        return {
            "callLater": PyCFunction_New(&call_later_method, self),
            "timeout": PyCFunction_New(&timeout_method, self),
            "runUntilCurrent": PyCFunction_New(&run_until_current_method, self),
            "getDelayedCalls": PyCFunction_New(&get_delayed_calls_method, self),
        }

    def claimed(self, wall_clock):
        """Note that the methods stand as the reactor's class, as it is now, wants them.

        wall_clock: whether seconds() of the class is Twisted's own.
        """
        self.wall_clock = wall_clock
        self.class_tag = type_tag(Py_TYPE(self.reactor))

    def adopt(self, call):
        """Take over a call that a stock reactor made, or one of ours that is in no queue."""
        cdef DelayedCall own
        cdef AdoptedCall adopted
        cdef double now = read_clock(self.clock())
        if self.wheel.count == 0 and self.passes == 0 and not isnan(now):
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
            call.canceller = adopted.canceller
            call.resetter = adopted.resetter

    def release_all(self):
        """Let go of all pending calls, for good: the reactor leaves the queue. This cannot fail."""
        self.departed = True
        self.class_tag = 0      # so that each method comes to redirected()
        self.detach_all()

    def run_timers(self):
        """Make the calls that are due now: the timed part of runUntilCurrent()."""
        self.run_pass()

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

    def is_claimed(self):
        """Whether claim() has been called for the reactor's class as it is now."""
        return not self.class_changed()

    cdef bint class_changed(self) noexcept:
        """Whether the reactor's class, or a base of it, has changed since claim() was last called."""
        cdef unsigned tag = type_tag(Py_TYPE(self.reactor))
        return tag == 0 or tag != self.class_tag

    cdef bint redirected(self, str name) except -1:
        """Put the methods right after a change of the class; tell if another than ours is to be called.

        That is one of the program's own, or what a reactor has that has left the
        queue, and whose method was kept or wrapped before.
        """
        cdef bint stood = name in self.namespace    # else its own has called ours
        if self.departed:
            return True
        self.claim()
        return stood and name not in self.namespace

    cdef object method_of_class(self, str name):
        """What the reactor's class has: not what stands on the reactor, which may have called ours."""
        return getattr(type(self.reactor), name)

    cdef object clock(self):
        """The reactor's clock as it is now, or None for the wall clock."""
        cdef PyObject *own = look_up(self, &self.own_seconds, "seconds")
        if own != NULL:
            return <object>own
        return None if self.wall_clock else self.reactor.seconds

    cdef int add(self, Handle handle, double when) except -1:
        """Take a call in, and tell the hook if it is the earliest."""
        link(self, handle, when)
        if self.alarm > -HUGE_VAL:
            try:
                self.consider(when)
            except BaseException:
                if handle.owner != NULL:    # the hook or the clock may have cancelled it
                    unlink(handle)
                raise
        return 0

    cdef inline int consider(self, double when) except -1:
        """Tell the hook if a call at this time may be before what its owner is armed for.

        It may be so, too, when by the clock the alarm should have gone off: the
        clock has been stepped, or replaced, since it was set.
        """
        return self.compare(when) if self.alarm > -HUGE_VAL else 0

    cdef int compare(self, double when) except -1:
        cdef double now = read_clock(self.clock())
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

    cdef int fire(self, DelayedCall call) except -1:
        activate(call)
        call.entry.mark |= CALLED
        try:
            invoke(call)
        except BaseException:
            self.report(call.creator)
        if Py_REFCNT(call) > 1:     # the call was reached while it was made, by a weak reference
            track(<PyObject *>call)
        return 0

    cdef int fire_adopted(self, AdoptedCall handle) except -1:
        """Make a stock call, as ReactorBase.runUntilCurrent does; or put it off if it was moved later."""
        cdef object kw, call = None if handle._func == NULL else <object>handle._func
        cdef double when = 0.0 if call is None else as_seconds(call.time + call.delayed_time)
        if when > handle.entry.when:
            wheel_move(&self.wheel, &handle.entry, when)
            call.activate_delay()
            return 0
        unlink(handle)
        drop_callback(handle)
        if call is None:        # the collector has cleared it
            # unreached: it clears a reactor, and with it the queue, before the younger calls
            return 0
        try:
            call.called = 1
            kw = call.kw
            invoke_with(call.func, tuple(call.args), <PyObject *>kw if kw else NULL)
        except BaseException:
            self.report(call.creator)
        return 0

    cdef int run_pass(self) except -1:
        """Make the calls that are due now, and stood before. A failure is reported, and the pass goes on."""
        cdef double now, alarm
        if self._hook is not None and self.alarm == -HUGE_VAL and self.passes == 0:
            # This may be the pass that was armed for at once, and it may fail before timeout() is asked.
            self.alarm = HUGE_VAL
        now = read_clock(self.clock())
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
        self.begin_pass(now)
        try:
            while True:
                entry = wheel_due(&self.wheel, now)
                if entry == NULL:
                    return 0
                if handle_of(entry).ob_type == <PyTypeObject *>AdoptedCall:
                    adopted = <AdoptedCall>handle_of(entry)
                    self.fire_adopted(adopted)
                else:
                    self.fire(<DelayedCall>take(self, entry))
        finally:
            self.end_pass()

    cdef object next_timeout(self):
        """Seconds until the earliest deadline, as ReactorBase.timeout() gives them; None if there is none."""
        cdef double now, when
        if self.wheel.count:
            now = read_clock(self.clock())
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


# Cython's function for the attributes of a subclass calls that which it made for the base, not
# that which was put around it: so again.

cdef traverseproc traverse_queue_attributes = (<PyTypeObject *>CallQueue).tp_traverse


cdef int traverse_queue(PyObject *self, visitproc visit, void *argument) noexcept:
    cdef int result = traverse_handles(self, visit, argument)
    return result if result else traverse_queue_attributes(self, visit, argument)


cdef int clear_queue(PyObject *self) noexcept:
    cdef CallQueue queue = <CallQueue>self
    if not queue.departed and queue.namespace is not None:
        # The dict, which has what leads here, is garbage too, and to be cleared. But Python 3.13 takes
        # it from the reactor, to clear that, when it has been cleared itself, and fills it anew.
        queue.namespace.clear()
    return clear_wheel(self)


(<PyTypeObject *>CallQueue).tp_traverse = traverse_queue
(<PyTypeObject *>CallQueue).tp_clear = clear_queue


cdef int untrack_handle(Entry *entry, void *argument) noexcept:
    PyObject_GC_UnTrack(handle_of(entry))
    return 0


cdef int track_handle(Entry *entry, void *argument) noexcept:
    track(handle_of(entry))
    return 0


cdef int append_call(Entry *entry, void *calls) noexcept:
    """Append what an entry stands for to a list. That runs no Python code: the wheel stays as it is."""
    cdef PyObject *handle = handle_of(entry)
    if handle.ob_type == <PyTypeObject *>AdoptedCall:
        handle = (<Handle>handle)._func
    # NULL: the collector has cleared it.
    return 0 if handle == NULL else PyList_Append(<PyObject *>calls, handle)


cdef list in_order(CallQueue queue):
    """All calls in the order in which they will be made."""
    return listed(queue, with_time)


cdef list listed(CallQueue queue, Visitor copy_node):
    """All calls in the order of the keys that copy_node gives their nodes. This changes nothing."""
    cdef list calls = []        # this may run the garbage collector: so before the entries are counted
    cdef size_t index, size = queue.wheel.count
    cdef Node *nodes = <Node *>PyMem_RawMalloc((2 * size + 1) * sizeof(Node))
    cdef Node *end = nodes
    cdef Node *ordered
    if nodes == NULL:
        raise MemoryError("no memory to sort the delayed calls")
    wheel_each(&queue.wheel, copy_node, &end)
    # Timeouts of one length, that are due soon, lie in the order in which they were made.
    ordered = nodes if are_sorted(nodes, size) else merge_sort(nodes, end, size)
    try:
        for index in range(size):
            checked(append_call(ordered[index].entry, <PyObject *>calls))
    finally:
        PyMem_RawFree(nodes)
    return calls


cdef int with_time(Entry *entry, void *end) noexcept:
    """Copy the keys for the order in which the calls will be made."""
    without_time(entry, end)
    (<Node **>end)[0][-1].when = entry.when
    return 0


cdef int without_time(Entry *entry, void *end) noexcept:
    """Copy the keys for the order in which the calls were scheduled: that of all for one time."""
    cdef Node *node = (<Node **>end)[0]
    node.when = 0.0
    node.sequence = entry.sequence
    node.entry = entry
    (<Node **>end)[0] = node + 1
    return 0


# The methods that stand on the reactor. They are plain C functions, not methods of CallQueue, so
# that callLater() needs to make no dict for keyword arguments that are not there. Each first makes
# sure that the program has not put a method of its own on the reactor's class since.

cdef tuple arguments_from(PyObject **args, Py_ssize_t start, Py_ssize_t end):
    cdef tuple result
    cdef Py_ssize_t index
    if start >= end:
        return NO_ARGUMENTS
    result = PyTuple_New(end - start)
    for index in range(start, end):
        Py_INCREF(<object>args[index])
        PyTuple_SET_ITEM(result, index - start, <object>args[index])
    return result


cdef dict keywords_from(PyObject **args, Py_ssize_t nargs, PyObject *names):
    cdef dict result = {}
    cdef Py_ssize_t index
    if names != NULL:
        for index, name in enumerate(<tuple>names):
            result[name] = <object>args[nargs + index]
    return result


cdef tuple bind_arguments(tuple given, dict keywords):
    """(delay, callable, args, kw) as ReactorBase.callLater(delay, callable, *args, **kw) binds them."""
    cdef list bound = list(given[:2])
    for name in ("delay", "callable"):
        if name not in keywords:
            continue
        if len(bound) == 2 or (name == "delay" and bound):
            raise TypeError(f"callLater() got multiple values for argument '{name}'")
    for name in ("delay", "callable")[len(bound):]:
        if name not in keywords:
            raise TypeError(f"callLater() missing required argument: '{name}'")
        bound.append(keywords.pop(name))
    return bound[0], bound[1], given[2:], keywords


cdef DelayedCall schedule_call(CallQueue queue, object delay, object func, tuple args, dict kw):
    cdef double seconds = as_seconds(delay)
    if not seconds >= 0.0:      # NaN too
        raise AssertionError(f"{delay} is not greater than or equal to 0 seconds")
    return schedule_by(queue, queue.clock(), seconds, func, args, kw)


cdef inline DelayedCall schedule_by(
        CallQueue queue, object clock, double seconds, object func, tuple args, dict kw):
    """Schedule a call for so many seconds, not NaN, from what the clock says."""
    cdef double now, when
    cdef DelayedCall call
    if not callable(func):
        raise TypeError(f"callLater() needs a callable, not {func!r}")
    now = read_clock(clock)
    when = now + seconds
    if isnan(when):
        raise ValueError("the clock says NaN")
    if queue.wheel.count == 0 and queue.passes == 0:
        wheel_start(&queue.wheel, now)
    call = <DelayedCall>new_handle(<PyTypeObject *>DelayedCall)
    call._time = when
    set_callback(call, func, args, kw)
    if clock is not None:
        set_pointer(&call._seconds, clock)
    if debugging():
        from traceback import format_stack
        call.creator = format_stack()
    queue.add(call, when)
    return call


cdef object call_later(object self, PyObject **args, Py_ssize_t nargs, PyObject *names):
    cdef CallQueue queue = <CallQueue>self
    if queue.class_changed() and queue.redirected("callLater"):
        given, keywords = arguments_from(args, 0, nargs), keywords_from(args, nargs, names)
        return queue.method_of_class("callLater")(queue.reactor, *given, **keywords)
    cdef dict keywords_given
    if names != NULL and nargs >= 2:
        keywords_given = keywords_from(args, nargs, names)
        if "delay" not in keywords_given and "callable" not in keywords_given:
            return schedule_call(
                queue, <object>args[0], <object>args[1], arguments_from(args, 2, nargs), keywords_given)
    if names != NULL or nargs < 2:
        delay, func, given, keywords = bind_arguments(
            arguments_from(args, 0, nargs), keywords_from(args, nargs, names))
        return schedule_call(queue, delay, func, given, keywords)
    return schedule_call(
        queue, <object>args[0], <object>args[1], arguments_from(args, 2, nargs), None)


cdef object timeout(object self, object unused):
    cdef CallQueue queue = <CallQueue>self
    if queue.class_changed() and queue.redirected("timeout"):
        return queue.method_of_class("timeout")(queue.reactor)
    return queue.next_timeout()


cdef object run_until_current(object self, object unused):
    cdef CallQueue queue = <CallQueue>self
    cdef PyObject *value
    if queue.class_changed() and queue.redirected("runUntilCurrent"):
        return queue.method_of_class("runUntilCurrent")(queue.reactor)
    value = look_up(queue, &queue.thread_calls, "threadCallQueue")
    if value != NULL and <object>value:
        queue.stock_pass()
        return None
    queue.run_pass()
    value = look_up(queue, &queue.just_stopped, "_justStopped")
    if value != NULL and <object>value:
        queue.reactor._justStopped = False
        queue.reactor.fireSystemEvent("shutdown")


cdef object get_delayed_calls(object self, object unused):
    cdef CallQueue queue = <CallQueue>self
    if queue.class_changed() and queue.redirected("getDelayedCalls"):
        return queue.method_of_class("getDelayedCalls")(queue.reactor)
    return queue.pending()


cdef PyMethodDef call_later_method = PyMethodDef(
    "callLater", <PyCFunction>call_later, METH_FASTCALL | METH_KEYWORDS,
    "callLater($self, delay, callable, *args, **kw)\n--\n\n"
    "Have callable(*args, **kw) called when delay seconds have passed. Returns a DelayedCall.\n\n"
    "Raises AssertionError if delay is negative or NaN, TypeError if it is no number or callable\n"
    "cannot be called. See twisted.internet.interfaces.IReactorTime.callLater.")

cdef PyMethodDef timeout_method = PyMethodDef(
    "timeout", <PyCFunction>timeout, METH_NOARGS,
    "timeout($self)\n--\n\n"
    "Seconds until the earliest delayed call, 0 if it is due, or None if there is none; at most 2147483.")

cdef PyMethodDef run_until_current_method = PyMethodDef(
    "runUntilCurrent", <PyCFunction>run_until_current, METH_NOARGS,
    "runUntilCurrent($self)\n--\n\n"
    "Make the calls from threads, and the delayed calls that are due.")

cdef PyMethodDef get_delayed_calls_method = PyMethodDef(
    "getDelayedCalls", <PyCFunction>get_delayed_calls, METH_NOARGS,
    "getDelayedCalls($self)\n--\n\n"
    "A list of the delayed calls that are pending, in the order in which they were scheduled.")
