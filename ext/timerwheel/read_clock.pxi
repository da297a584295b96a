# Reading a reactor's clock, and the clock that never steps.


@cython.final
cdef class SteadyClock:
    """A clock that starts from the wall time and then follows the monotonic clock.

    Call it for the time, in seconds since the epoch. Later steps of the wall clock do not move it.
    """

    def __init__(self):
        self.offset = wall_seconds() - monotonic_seconds()

    def __call__(self):
        return self.read()

    cdef double read(self) except? -1.0:
        return self.offset + monotonic_seconds()


cdef inline double read_clock(object seconds) except? -1.0:
    """The time of a clock. It may run any Python code.

    This calls each clock, Python's time.time() too. A library with which tests travel in time may replace
    that function at any time.
    """
    if type(seconds) is SteadyClock:
        return (<SteadyClock>seconds).read()
    return as_seconds(PyObject_CallNoArgs(seconds))     # cheaper than what Cython generates for seconds()
