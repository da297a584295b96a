# cython: language_level=3
"""Ticks: whole units of 2**-10 s, in the same order as the float times.

Scaling by a power of two is exact and rounding down never swaps two times, so a smaller tick means an
earlier time. Times too large or too small for a tick (infinity among them) share the last or the first one.
"""

from libc.stdint cimport int64_t, uint64_t


cdef extern from *:
    """
    #define TIMERWHEEL_TICKS_PER_SECOND 1024.0
    #define TIMERWHEEL_TICK_LIMIT 4611686018427387904.0  /* 2**62, exact */
    """
    const double TICKS_PER_SECOND "TIMERWHEEL_TICKS_PER_SECOND"
    const double TICK_LIMIT "TIMERWHEEL_TICK_LIMIT"


cdef inline uint64_t tick_of(double when) noexcept nogil:
    """The tick of a time, counted from -2**62 so that it is never negative."""
    cdef double scaled = when * TICKS_PER_SECOND
    cdef int64_t ticks
    # Saturate first: a cast from a float that does not fit is undefined in C.
    if scaled >= TICK_LIMIT:
        ticks = <int64_t>TICK_LIMIT
    elif scaled <= -TICK_LIMIT:
        ticks = -<int64_t>TICK_LIMIT
    else:
        ticks = <int64_t>scaled
        if ticks > scaled:      # the cast rounds towards zero: round down
            ticks -= 1
    return <uint64_t>ticks + <uint64_t>TICK_LIMIT   # unsigned: the last tick is one too many for int64_t


cdef inline double tick_start(uint64_t tick) noexcept nogil:
    """The time at which a tick starts. It is exact for each tick at which a slot may start.

    Such a tick is a float's with some low bits cleared, so a float can hold it.
    """
    return <double><int64_t>(tick - <uint64_t>TICK_LIMIT) / TICKS_PER_SECOND
