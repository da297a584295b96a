# cython: language_level=3, cdivision=True, freethreading_compatible=True
"""The fuzz target: runs an input as a program, on the wheel or the heap and on an oracle beside it.

The first byte chooses between wheel and heap; the rest is read byte by byte as
operations (wheel_program.pxi, heap_program.pxi). After each operation the two
must agree, and the wheel or the heap must be sound. Any row of bytes is a valid
program: it does what the queues upstairs may do, and nothing else.
"""

from libc.float cimport DBL_MAX
from libc.math cimport HUGE_VAL, isnan, ldexp, nextafter
from libc.stdint cimport int8_t, int64_t, uint8_t, uint64_t
from libc.stdio cimport fprintf, stderr
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from timerwheel.bits cimport highest_bit
from timerwheel.entry cimport NOWHERE, SLOT, Entry, list_is_empty


cdef extern from *:
    """
    #include <stdlib.h>
    /* Stand in for what is allocated with from here on: count the blocks, and fail when told to. */
    static int target_countdown;
    static size_t target_blocks;
    static void *target_allocate(void *old, size_t size) {
        void *block;
        if (target_countdown >= 0 && target_countdown-- == 0)
            return NULL;
        block = realloc(old, size);
        target_blocks += old == NULL && block != NULL;
        return block;
    }
    static void target_free(void *block) {
        target_blocks -= block != NULL;
        free(block);
    }
    #define malloc(size) target_allocate(NULL, size)
    #define realloc(old, size) target_allocate(old, size)
    #define free(block) target_free(block)
    """
    int countdown "target_countdown"    # so many allocations succeed, and the next fails; -1: none does
    size_t blocks "target_blocks"


from timerwheel.faults cimport wheel_fault
from timerwheel.heap cimport (
    Heap, Node, heap_free, heap_init, heap_is_sound, heap_push, heap_remove, heap_reserve, heap_shrink,
    heap_update,
)
from timerwheel.level cimport SLOT_BITS, SLOTS
from timerwheel.run cimport merge_sort
from timerwheel.search cimport wheel_next
from timerwheel.ticks cimport tick_of, tick_start
from timerwheel.visits cimport wheel_any, wheel_each
from timerwheel.wheel cimport (
    LEVELS, Wheel, wheel_add, wheel_advance, wheel_due, wheel_first_due, wheel_first_level, wheel_free,
    wheel_hold_new, wheel_init, wheel_move, wheel_release, wheel_remove, wheel_start,
)

cdef public bint show_steps = False     # whether each operation is written to stderr

include "reader.pxi"
include "oracle.pxi"
include "states.pxi"
include "wheel_program.pxi"
include "heap_program.pxi"


cdef public int run_program(const uint8_t *data, size_t size) except -1:
    cdef Reader reader
    global blocks, countdown
    reader.next = data
    reader.end = data + size
    blocks = 0
    countdown = -1
    if read_byte(&reader) & 1:
        run_heap_program(&reader)
    else:
        run_wheel_program(&reader)
    assert blocks == 0, "memory was not given back"
    return 0


def run(bytes program, bint steps=False):
    """Run a program. Raises AssertionError where the oracle disagrees.

    steps: whether each operation is written to stderr.
    """
    global show_steps
    show_steps = steps
    run_program(program, len(program))
