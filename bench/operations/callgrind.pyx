# cython: language_level=3
"""Tells callgrind, under which the process runs, what to count."""

cdef extern from *:
    """
    #include <valgrind/callgrind.h>
    static void callgrind_start(void) {
        CALLGRIND_ZERO_STATS;
        CALLGRIND_START_INSTRUMENTATION;
    }
    static void callgrind_stop(const char *name) {
        CALLGRIND_DUMP_STATS_AT(name);
        CALLGRIND_STOP_INSTRUMENTATION;
    }
    static void callgrind_toggle(void) {
        CALLGRIND_TOGGLE_COLLECT;
    }
    """
    void callgrind_start() noexcept
    void callgrind_stop(const char *name) noexcept
    void callgrind_toggle() noexcept


def count(function, bytes name):
    """Count the instructions of function() alone, and have them written under this name."""
    callgrind_start()
    function()
    callgrind_stop(name)


def uncounted(function, *arguments):
    """Call a function within what is counted, and do not count it. Returns what it returns."""
    callgrind_toggle()
    try:
        return function(*arguments)
    finally:
        callgrind_toggle()
