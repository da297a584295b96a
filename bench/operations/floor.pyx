# cython: language_level=3, binding=False, auto_pickle=False
"""The floor: the least that a timer in C under Python can do.

It parses the call, reads the clock, allocates the handle and links it into one list. It keeps no order and
knows no time: run() calls the first timers in the order in which they were made. The difference of a real
timer backend to it is the price of order, of exactness and of Twisted's interface.
"""

cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF


cdef extern from *:
    """
    #include <time.h>
    static double floor_seconds(void) {
        struct timespec spec;
        clock_gettime(CLOCK_REALTIME, &spec);
        return spec.tv_sec + spec.tv_nsec * 1e-9;
    }
    """
    double floor_seconds() noexcept


cdef struct Links:
    Links *next
    Links *previous


@cython.final
cdef class FloorCall:
    """The handle."""

    cdef Links links
    cdef double when
    cdef object func
    cdef tuple args

    def cancel(self):
        """Unlink the call and let go of its callback."""
        if self.func is None:
            raise ValueError("not pending")
        self.links.previous.next = self.links.next
        self.links.next.previous = self.links.previous
        self.func = self.args = None
        Py_DECREF(self)

    def reset(self, double delay):
        """Store another deadline."""
        if self.func is None:
            raise ValueError("not pending")
        self.when = floor_seconds() + delay


cdef FloorCall probe = FloorCall()
cdef size_t LINKS_OFFSET = <char *>&probe.links - <char *><PyObject *>probe


@cython.final
cdef class Floor:
    """The list of pending calls."""

    cdef Links links

    def __cinit__(self):
        self.links.next = self.links.previous = &self.links

    def __dealloc__(self):
        self.clear()

    def clear(self):
        """Cancel all."""
        while self.links.next != &self.links:
            (<FloorCall><PyObject *>(<char *>self.links.next - LINKS_OFFSET)).cancel()

    def callLater(self, double delay, func, *args):
        """Link func(*args) last into the list."""
        cdef FloorCall call = FloorCall.__new__(FloorCall)
        call.when = floor_seconds() + delay
        call.func = func
        call.args = args
        call.links.next = &self.links
        call.links.previous = self.links.previous
        self.links.previous.next = &call.links
        self.links.previous = &call.links
        Py_INCREF(call)     # the list's
        return call

    def count(self):
        """How many calls are pending."""
        cdef Links *links = self.links.next
        cdef Py_ssize_t count = 0
        while links != &self.links:
            count += 1
            links = links.next
        return count

    def run(self, Py_ssize_t count):
        """Make the first `count` calls."""
        cdef FloorCall call
        cdef object func
        cdef tuple args
        while count and self.links.next != &self.links:
            count -= 1
            call = <FloorCall><PyObject *>(<char *>self.links.next - LINKS_OFFSET)
            func = call.func
            args = call.args
            call.cancel()
            func(*args)
