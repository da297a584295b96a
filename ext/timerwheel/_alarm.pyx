# cython: language_level=3, embedsignature=True, embedsignature.format=clinic
# cython: auto_pickle=False, freethreading_compatible=True
"""timerwheel._alarm: a Linux timerfd that wakes a poll or an epoll to the microsecond.

epoll_wait and poll wait whole milliseconds. A file descriptor that becomes
readable at a time given in nanoseconds, and that is watched like any other, does
not have that limit; and unlike epoll_pwait2 it is not put off by the thread's
timer slack of 50 us.

A number of a descriptor proves nothing: a program may close it (what makes a
daemon closes all that it does not know), and the next file that is opened gets
it, which may be a timerfd too. So each timerfd of ours bears a mark that the
kernel keeps and tells: its interval, 31 years and a number of nanoseconds of its own.
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

# How much later than asked an alarm is set, and how much later one that is set may stay: the
# same deadline, computed anew from two clocks, comes out a little different each time.
cdef long long MARGIN = 500
cdef long long TOLERANCE = 2000

# An alarm that is too early and at least so far away, ns, is left as it is. It costs one empty wake,
# 100 a second at most, in place of a system call each time that a timeout is pushed back.
cdef long long FAR = 10000000

# The latest deadline there is, ns: its seconds fit into the time_t of a 32-bit system.
cdef long long LATEST = 2147483647 * SECOND

# The seconds of a mark.
cdef time_t MARK = 1000000000

# After so many system calls that were spared one is made that changes nothing: else a descriptor
# that somebody has closed, which poll() reports at once for ever, might go unnoticed.
cdef unsigned TRUST = 1024

# For so long, ns, a descriptor that was ours is taken to be ours still. After that the kernel is
# asked before the alarm is set: 100 system calls a second at most.
cdef long long PROOF = 10000000

cdef enum Owner:
    OURS
    ANOTHER     # closed, no timerfd, or another timerfd
    UNKNOWN     # the kernel does not tell: a sandbox


cdef class Alarm:
    """A timerfd on the monotonic clock.

    Raises OSError if there can be none: no descriptors are left, or a sandbox refuses.
    """

    cdef int fd                 # -1: there is none any more
    cdef long mark              # ns of its interval
    cdef long long deadline     # ns of the monotonic clock for which it is set; 0 if it is not
    cdef long long proved       # ns of the monotonic clock when it was last known to be ours
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
            code = ENOSYS  # a kernel that does not keep the mark
        if code:
            close(self.fd)
            self.fd = -1
            raise OSError(code, "timerfd_settime failed")

    def __dealloc__(self):
        self.release()

    def fileno(self):
        """The descriptor, which is readable once the alarm has gone off and until it is set anew."""
        return self.fd

    def is_ours(self):
        """Whether the descriptor is known to be the timerfd that was made here."""
        return self.owner() == OURS

    def is_over(self):
        """Whether the alarm is set, for a time that has come."""
        return 0 < self.deadline <= monotonic_ns()

    def set(self, double delay):
        """Have the alarm go off in delay seconds, or when the machine has run for 68 years.

        There is no system call if it is set for that time already, nor if it is set for a sooner
        one that is 10 ms away at least: then it goes off too early once. Raises OSError if the
        system refuses, or the descriptor is not ours any more.
        """
        cdef long long now = monotonic_ns()
        cdef long long deadline = now
        if delay > 0.0:
            deadline = <long long>min(now + delay * 1e9, <double>LATEST)
        if self.serves(deadline, now) and self.spare():
            return
        self.settle(deadline + MARGIN, now)

    def clear(self):
        """Have the alarm not go off, but for once if it is set for 10 ms from now or later.

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
        """Whether the alarm may stay as it is set, for a deadline."""
        cdef long long left = self.deadline - now
        return left > 0 and self.deadline <= deadline + TOLERANCE and (
            left >= FAR or self.deadline >= deadline)

    cdef bint is_none_or_far(self, long long now) noexcept:
        return self.fd >= 0 and (self.deadline == 0 or self.deadline - now >= FAR)

    cdef bint spare(self) noexcept:
        """Whether a system call that has nothing to change is spared."""
        self.spared += 1
        return self.spared % TRUST != 0

    cdef int settle(self, long long deadline, long long now) except -1:
        """Set the alarm for a deadline; 0 clears it.

        A file that is no timerfd is refused by the kernel. A timerfd of the program's that took the
        number within PROOF is set, found out by its old interval, and given back the time it had
        left. What remains: if that had expired and was not read yet, the program does not see it.
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
        """Have the kernel set the timerfd. Returns 0, or the error."""
        cdef itimerspec spec
        spec.it_interval.tv_sec = MARK
        spec.it_interval.tv_nsec = self.mark
        spec.it_value.tv_sec = <time_t>(deadline // SECOND)
        spec.it_value.tv_nsec = <long>(deadline % SECOND)
        return errno if timerfd_settime(self.fd, TFD_TIMER_ABSTIME, &spec, old) < 0 else 0

    cdef Owner owner(self) noexcept:
        """Whose the descriptor is, by what the kernel says."""
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
