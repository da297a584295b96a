# cython: language_level=3, embedsignature=True, embedsignature.format=clinic
# cython: auto_pickle=False, freethreading_compatible=True
"""timerwheel._alarm: a Linux timerfd that wakes a poll or an epoll to the microsecond.

epoll_wait and poll wait whole milliseconds. A timerfd is a file descriptor that becomes readable at a time
in nanoseconds. The thread's timer slack of 50 us does not delay it, as it delays epoll_pwait2.

A descriptor's number proves nothing. A program may close it (code that makes a daemon closes all
descriptors that it does not know), and the next open file gets the number; that file may be a timerfd too.
So each timerfd of ours has a mark that the kernel stores and returns: its interval, 31 years and a number
of nanoseconds of its own.
"""

from libc.errno cimport EBADF, EINVAL, ENOSYS, errno
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, itimerspec, time_t, timespec
from posix.unistd cimport close

cdef extern from "<sys/timerfd.h>" nogil:
    int timerfd_create(int clock, int flags)
    int timerfd_settime(int fd, int flags, const itimerspec *new, itimerspec *old)
    int timerfd_gettime(int fd, itimerspec *now)
    int TFD_NONBLOCK, TFD_CLOEXEC, TFD_TIMER_ABSTIME

cdef long long SECOND = 1000000000

# How much later than asked an alarm may be set: the same deadline, computed again from two clocks, comes
# out a little different each time.
cdef long long MARGIN = 500
cdef long long TOLERANCE = 2000

# If a set alarm is too early and at least so far away, ns, it stays. It costs one empty wake, 100 a second
# at most, in place of a system call each time that the program pushes a timeout back.
cdef long long FAR = 10000000

# The latest deadline, ns: its seconds fit into the time_t of a 32-bit system.
cdef long long LATEST = 2147483647 * SECOND

# The seconds of a mark.
cdef time_t MARK = 1000000000

# After it has spared so many system calls, the alarm makes one that changes nothing. Otherwise a closed
# descriptor, which poll() reports at once forever, might go unnoticed.
cdef unsigned TRUST = 1024

# For so long, ns, a descriptor that was ours counts as ours. After that, the alarm asks the kernel before
# it sets the timerfd: 100 system calls a second at most.
cdef long long PROOF = 10000000

cdef enum Owner:
    OURS
    ANOTHER     # closed, no timerfd, or another timerfd
    UNKNOWN     # the kernel does not tell: a sandbox


cdef class Alarm:
    """A timerfd on the monotonic clock.

    Raises OSError if the system refuses: no descriptors are left, or a sandbox forbids it.
    """

    cdef int fd                 # -1: closed
    cdef long mark              # ns of its interval
    cdef long long deadline     # when it goes off, ns of the monotonic clock; 0 if it is not set
    cdef long long proved       # when it was last known to be ours, ns of the monotonic clock
    cdef unsigned spared        # system calls
    cdef object __weakref__

    def __cinit__(self):
        cdef int code
        self.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
        if self.fd < 0:
            raise OSError(errno, "timerfd_create failed")
        self.proved = monotonic_ns()
        self.mark = self.proved % SECOND
        code = self.write(0, NULL)
        if code == 0 and self.owner() == ANOTHER:
            code = ENOSYS  # this kernel does not store the mark
        if code:
            close(self.fd)
            self.fd = -1
            raise OSError(code, "timerfd_settime failed")

    def __dealloc__(self):
        self.release()

    def fileno(self):
        """The descriptor: readable once the alarm has gone off, until it is set again."""
        return self.fd

    def is_ours(self):
        """Whether the descriptor is known to be this alarm's timerfd."""
        return self.owner() == OURS

    def is_over(self):
        """Whether the alarm is set for a time that has passed."""
        return 0 < self.deadline <= monotonic_ns()

    def set(self, double delay):
        """Set the alarm to go off in delay seconds, or when the machine has run for 68 years.

        It makes no system call if it is already set for that time. Nor does it if it is set for a sooner
        time at least 10 ms away: then it goes off too early once. Raises OSError if the system refuses, or
        the descriptor is not ours any more.
        """
        cdef long long now = monotonic_ns()
        cdef long long deadline = now
        if delay > 0.0:
            deadline = <long long>min(now + delay * 1e9, <double>LATEST)
        if self.serves(deadline, now) and self.spare():
            return
        self.settle(deadline + MARGIN, now)

    def clear(self):
        """Clear the alarm. If its time is 10 ms away or more, it still goes off once.

        Raises OSError as set() does.
        """
        cdef long long now = monotonic_ns()
        if self.is_none_or_far(now) and self.spare():
            return
        self.settle(0, now)

    def close(self):
        """Close the descriptor if it is known to be ours."""
        self.release()

    cdef void release(self) noexcept:
        if self.fd >= 0 and self.owner() == OURS:
            close(self.fd)
        self.fd = -1
        self.deadline = 0

    cdef bint serves(self, long long deadline, long long now) noexcept:
        """Whether the alarm may stay as it is for this deadline."""
        cdef long long left = self.deadline - now
        return left > 0 and self.deadline <= deadline + TOLERANCE and (
            left >= FAR or self.deadline >= deadline)

    cdef bint is_none_or_far(self, long long now) noexcept:
        return self.fd >= 0 and (self.deadline == 0 or self.deadline - now >= FAR)

    cdef bint spare(self) noexcept:
        """Whether to spare a system call that would change nothing."""
        self.spared += 1
        return self.spared % TRUST != 0

    cdef int settle(self, long long deadline, long long now) except -1:
        """Set the alarm for a deadline; 0 clears it.

        The kernel refuses a file that is no timerfd. If a timerfd of the program's took the number within
        PROOF, this sets it, notices the other interval, and restores the time it had left. One case
        remains: if it had expired and the program had not read that, the expiry is lost.
        """
        cdef itimerspec old
        cdef int code
        if now - self.proved > PROOF and self.owner() == ANOTHER:
            code = EBADF
        else:
            code = self.write(deadline, &old)
            if code == 0 and not self.bears_mark(&old):
                timerfd_settime(self.fd, 0, &old, NULL)
                code = EBADF
        if code:
            raise OSError(code, "timerfd_settime failed")
        self.proved = now
        self.deadline = deadline
        return 0

    cdef int write(self, long long deadline, itimerspec *old) noexcept:
        """Set the timerfd in the kernel. Returns 0, or the error."""
        cdef itimerspec spec
        spec.it_interval.tv_sec = MARK
        spec.it_interval.tv_nsec = self.mark
        spec.it_value.tv_sec = <time_t>(deadline // SECOND)
        spec.it_value.tv_nsec = <long>(deadline % SECOND)
        return errno if timerfd_settime(self.fd, TFD_TIMER_ABSTIME, &spec, old) < 0 else 0

    cdef Owner owner(self) noexcept:
        """Ask the kernel whose the descriptor is."""
        cdef itimerspec spec
        if timerfd_gettime(self.fd, &spec) == 0:
            return OURS if self.bears_mark(&spec) else ANOTHER
        return ANOTHER if errno == EBADF or errno == EINVAL else UNKNOWN

    cdef bint bears_mark(self, const itimerspec *spec) noexcept:
        return spec.it_interval.tv_sec == MARK and spec.it_interval.tv_nsec == self.mark


cdef long long monotonic_ns() noexcept:
    cdef timespec spec
    clock_gettime(CLOCK_MONOTONIC, &spec)
    return <long long>spec.tv_sec * SECOND + spec.tv_nsec
