# cython: language_level=3, embedsignature=True, embedsignature.format=clinic
# cython: auto_pickle=False, freethreading_compatible=False
"""timerwheel._alarm: a Linux timerfd that wakes a poll or an epoll to the microsecond.

epoll_wait and poll wait whole milliseconds. A file descriptor that becomes
readable at a time given in nanoseconds, and that is watched like any other, does
not have that limit; and unlike epoll_pwait2 it is not put off by the thread's
timer slack of 50 us.
"""

from libc.errno cimport errno
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, itimerspec, timespec
from posix.unistd cimport close

cdef extern from "<sys/timerfd.h>" nogil:
    int timerfd_create(int clock, int flags)
    int timerfd_settime(int fd, int flags, const itimerspec *new, itimerspec *old)
    int TFD_NONBLOCK, TFD_CLOEXEC, TFD_TIMER_ABSTIME

# How much later than asked an alarm is set, and how much later one that is set may stay: the
# same deadline, computed anew from two clocks, comes out a little different each time.
cdef long long MARGIN = 500
cdef long long TOLERANCE = 2000

# After so many system calls that were spared one is made that changes nothing: else a descriptor
# that somebody has closed, which poll() reports at once for ever, might go unnoticed.
cdef unsigned TRUST = 1024


cdef class Alarm:
    """A timerfd on the monotonic clock. Raises OSError if there can be none (no descriptors left)."""

    cdef int fd                 # -1: there is none any more
    cdef long long deadline     # ns of the monotonic clock for which it is set; 0 if it is not
    cdef unsigned spared        # system calls
    cdef object __weakref__

    def __cinit__(self):
        self.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
        if self.fd < 0:
            raise OSError(errno, "timerfd_create failed")

    def __dealloc__(self):
        if self.fd >= 0:
            close(self.fd)

    def fileno(self):
        """The descriptor, which is readable once the alarm has gone off and until it is set anew."""
        return self.fd

    def set(self, double delay):
        """Have the alarm go off in delay seconds, at least and at most 68 years.

        There is no system call if it is set for that time already. Raises OSError if the descriptor
        has been closed.
        """
        cdef long long now = monotonic_ns()
        cdef long long deadline = now + <long long>(min(max(delay, 0.0), 2147483648.0) * 1e9)
        if self.deadline > now and deadline <= self.deadline <= deadline + TOLERANCE and self.spare():
            return
        self.settle(deadline + MARGIN)

    def clear(self):
        """Have the alarm not go off. Raises OSError if the descriptor has been closed."""
        if self.deadline or self.fd < 0 or not self.spare():
            self.settle(0)

    def close(self):
        """Close the descriptor."""
        if self.fd >= 0:
            close(self.fd)
        self.forget()

    def forget(self):
        """Leave the descriptor, which somebody else has closed: its number may be another file's."""
        self.fd = -1
        self.deadline = 0

    cdef bint spare(self) noexcept:
        """Whether a system call that has nothing to change is spared."""
        self.spared += 1
        return self.spared % TRUST != 0

    cdef int settle(self, long long deadline) except -1:
        cdef itimerspec spec
        spec.it_interval.tv_sec = spec.it_interval.tv_nsec = 0
        spec.it_value.tv_sec = deadline // 1000000000
        spec.it_value.tv_nsec = deadline % 1000000000
        if timerfd_settime(self.fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0:
            raise OSError(errno, "timerfd_settime failed")
        self.deadline = deadline
        return 0


cdef long long monotonic_ns() noexcept:
    cdef timespec spec
    clock_gettime(CLOCK_MONOTONIC, &spec)
    return spec.tv_sec * 1000000000 + spec.tv_nsec
