# cython: language_level=3
"""The clocks as Python's time module reads them, without the call.

If the platform has no clock_gettime (Windows), this calls Python's own functions, so that the reactor and
time.time() never disagree.
"""

from libc.stdint cimport int64_t


cdef extern from *:
    """
    #include <time.h>
    #if defined(CLOCK_REALTIME) && defined(CLOCK_MONOTONIC) && !defined(_WIN32)
      #define TIMERWHEEL_HAS_CLOCK_GETTIME 1
      static int timerwheel_clock_ns(int monotonic, int64_t *ns) {
          struct timespec spec;
          if (clock_gettime(monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME, &spec) != 0)
              return -1;
          *ns = (int64_t)spec.tv_sec * 1000000000 + spec.tv_nsec;
          return 0;
      }
    #else
      #define TIMERWHEEL_HAS_CLOCK_GETTIME 0
      static int timerwheel_clock_ns(int monotonic, int64_t *ns) { return -1; }
    #endif
    """
    const bint HAS_CLOCK_GETTIME "TIMERWHEEL_HAS_CLOCK_GETTIME"
    int read_clock_ns "timerwheel_clock_ns"(bint monotonic, int64_t *ns) noexcept nogil


cdef inline double wall_seconds() except? -1.0:
    """time.time(): seconds since the epoch."""
    cdef int64_t ns
    if HAS_CLOCK_GETTIME and read_clock_ns(False, &ns) == 0:
        return <double>ns / 1e9
    # unreached: only where there is no clock_gettime(), on Windows
    from time import time
    return time()


cdef inline int64_t monotonic_ns() except? -1:
    """time.monotonic_ns(): nanoseconds that never step."""
    cdef int64_t ns
    if HAS_CLOCK_GETTIME and read_clock_ns(True, &ns) == 0:
        return ns
    # unreached: only where there is no clock_gettime(), on Windows
    from time import monotonic_ns as pythons
    return pythons()


cdef inline double monotonic_seconds() except? -1.0:
    """time.monotonic(): seconds that never step."""
    return <double>monotonic_ns() / 1e9
