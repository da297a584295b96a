# cython: language_level=3
"""Who drives the reactor of a queue, and when it has to hear that the earliest deadline is sooner.

A reactor that another event loop wakes asks timeout() and sleeps. A call that is scheduled
meanwhile may be due before it wakes: then its hook is called, and it asks again. Not where it
asks anyway before it sleeps.
"""

from libc.math cimport HUGE_VAL


cdef enum ListenerState:
    ABSENT      # there is no hook, or the queue is about to go
    ARMED       # it sleeps until `deadline`: it hears of any before
    AT_ONCE     # it does not sleep: it asks when it wakes
    IN_PASS     # it runs a pass: it asks after it


cdef struct Listener:
    ListenerState state
    double deadline     # ARMED: of the call for which it wakes; infinity if it sleeps until it hears


cdef inline void listener_join(Listener *listener) noexcept nogil:
    """There is a hook from now on."""
    listener.state = ARMED
    listener.deadline = HUGE_VAL


cdef inline void listener_leave(Listener *listener) noexcept nogil:
    """There is no hook from now on."""
    listener.state = ABSENT


cdef inline bint listener_hears(const Listener *listener) noexcept nogil:
    """Whether it has to hear of a deadline that is before its own."""
    return listener.state == ARMED


cdef inline bint listener_is_late(const Listener *listener, double when, double now) noexcept nogil:
    """Whether it sleeps longer than until when.

    So it may do, too, when by the clock it should have woken: the clock has been stepped, or
    replaced, since it was armed.
    """
    return listener.state == ARMED and (when < listener.deadline or now >= listener.deadline)


cdef inline bint listener_is_due(const Listener *listener, double now) noexcept nogil:
    """Whether the time has come for which it is armed."""
    return listener.state == ARMED and listener.deadline <= now


cdef inline void listener_arm(Listener *listener, double when) noexcept nogil:
    """It has asked, and sleeps until when; for ever if that is infinite."""
    if listener.state != ABSENT:
        listener.state = ARMED
        listener.deadline = when


cdef inline void listener_told(Listener *listener, double now) noexcept nogil:
    """Its hook has been called: if it was armed for a time that has come, it does not sleep."""
    if listener_is_due(listener, now):
        listener.state = AT_ONCE


cdef inline void listener_woke(Listener *listener) noexcept nogil:
    """It runs a pass, perhaps that for which it did not sleep, and may fail before it asks."""
    if listener.state == AT_ONCE:
        listener_arm(listener, HUGE_VAL)


cdef inline void listener_enter_pass(Listener *listener) noexcept nogil:
    """It runs a pass, and asks after it."""
    if listener.state != ABSENT:
        listener.state = IN_PASS


cdef inline void listener_restore(Listener *listener, Listener before) noexcept nogil:
    """It is as it was before a pass, or before its hook failed. If it has come or gone since, it stays so."""
    if listener.state != ABSENT and before.state != ABSENT:
        listener[0] = before
