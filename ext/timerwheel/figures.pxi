# The counts of a queue, which are always on.
#
# Each count is one addition where the thing happens. A pass that makes a call reads the monotonic clock
# twice. A pass that makes none never reads it.

from sys import getsizeof


cdef enum:
    LATENESS_LOWEST = -20       # the histogram of lateness begins at 2**-20 s, a microsecond
    CALLS_LOWEST = 0            # the histogram of calls in a pass begins at 1

# The bytes that the garbage collector puts before each object that it tracks.
cdef size_t COLLECTORS = getsizeof([]) - [].__sizeof__()


cdef inline void note_fired(CallQueue queue, double lateness) noexcept:
    """Count a call that is about to be made, lateness seconds after its deadline."""
    queue.figures.fired += 1
    record(&queue.figures.lateness, lateness, LATENESS_LOWEST)


cdef inline void note_moved(CallQueue queue, bint later) noexcept:
    if later:
        queue.figures.moved_later += 1
    else:
        queue.figures.moved_sooner += 1


cdef void note_cancelled(CallQueue queue) noexcept:
    """Count a call that leaves without being made. Takes the lock."""
    acquire(queue.lock)
    queue.figures.cancelled += 1
    release(queue.lock)


cdef void note_failed(CallQueue queue) noexcept:
    """Count a call that has failed. Takes the lock."""
    acquire(queue.lock)
    queue.figures.failed += 1
    release(queue.lock)


cdef void note_busy_pass(CallQueue queue, uint64_t made) noexcept:
    """Count a pass in which the wheel, or an event loop, has made calls. Takes the lock."""
    acquire(queue.lock)
    queue.figures.busy_passes += 1
    record(&queue.figures.calls_per_pass, <double>made, CALLS_LOWEST)
    release(queue.lock)


cdef int note_pass(CallQueue queue, uint64_t made, int64_t began) except -1:
    """Count the time of a pass that has made calls. began: when, monotonic ns. Takes the lock."""
    cdef double seconds = <double>(monotonic_ns() - began) / 1e9
    note_busy_pass(queue, made)
    acquire(queue.lock)
    if queue.passes == 1:       # else the pass around this one counts its time too
        queue.figures.seconds_in_passes += seconds
        queue.figures.longest_pass = max(queue.figures.longest_pass, seconds)
    release(queue.lock)
    return 0


cdef dict figures_of(CallQueue queue):
    """The figures of a queue, by the names of `timerwheel.observe.Stats`. Takes constant time."""
    cdef Figures figures
    cdef uint64_t scheduled
    cdef size_t pending, memory
    cdef unsigned passes
    acquire(queue.lock)
    figures = queue.figures
    scheduled = queue.wheel.sequence
    pending = queue.wheel.count
    memory = memory_of(queue)
    passes = queue.passes
    release(queue.lock)
    return {
        "pending": pending,
        "scheduled": scheduled,
        "fired": figures.fired,
        "failed": figures.failed,
        "cancelled": figures.cancelled,
        "moved_later": figures.moved_later,
        "moved_sooner": figures.moved_sooner,
        "bypassed": figures.bypassed,
        "passes": figures.passes,
        # (A running pass has no calls yet.)
        "idle_passes": figures.passes - figures.busy_passes - passes,
        "calls_per_pass": histogram_state(&figures.calls_per_pass, CALLS_LOWEST),
        "lateness": histogram_state(&figures.lateness, LATENESS_LOWEST),
        "seconds_in_passes": figures.seconds_in_passes,
        "longest_pass": figures.longest_pass,
        "next_deadline": next_of(queue, SEARCH_BUDGET),
        "memory": memory,
        "elapsed": monotonic_seconds() - figures.since,
    }


cdef tuple histogram_state(const Histogram *histogram, int lowest):
    """(lowest, total, largest, counts), from which `timerwheel.observe.Histogram` is made."""
    return (
        lowest, histogram.total, histogram.largest,
        (<const char *>histogram.counts)[:sizeof(histogram.counts)])


cdef size_t memory_of(CallQueue queue) noexcept:
    """The bytes of the queue and its handles, without functions and arguments."""
    cdef size_t nodes = queue.wheel.run.capacity + queue.wheel.heap.capacity
    return (
        (<PyTypeObject *>CallQueue).tp_basicsize + COLLECTORS + nodes * sizeof(Node)
        + queue.wheel.count * ((<PyTypeObject *>DelayedCall).tp_basicsize + COLLECTORS))
