# What libFuzzer sees beside the code that was run: in what state each operation has left the wheel,
# and from where to where timers were moved. Much of the code is the same for all levels.

cdef extern from *:
    """
    #ifdef WITH_LIBFUZZER
      /* What is set in here is coverage to libFuzzer. */
      __attribute__((section("__libfuzzer_extra_counters")))
    #endif
    static uint8_t target_states[3][32][64];
    """
    uint8_t[3][32][64] states "target_states"


cdef void note_state(const Wheel *wheel, int operation) noexcept:
    """What is due, and what lies ahead and is remembered of it, after an operation."""
    cdef int run = 0, first = wheel_first_level(wheel), level = 0, remembered = 0
    if wheel.run.head < wheel.run.tail:
        run = 1 if wheel.run.nodes[wheel.run.head].entry != NULL else 2
    states[0][operation][
        run + 4 * (wheel.heap.size > 0) + 8 * (wheel.held_count > 0) + 16 * (wheel.count > 0)] = 1
    if wheel.known.entry != NULL or wheel.known.foremost != NULL or wheel.known.credit:
        remembered = 1 if wheel.known.entry != NULL else 2
    if first >= 0:      # those between the lowest and the top level are alike
        level = 1 if first == 0 else 2 if first < LEVELS - 1 else 3
    states[1][operation][level + 4 * remembered + 16 * (not list_is_empty(&wheel.overflow))] = 1


cdef void note_move(const Wheel *wheel, const Entry *entry, double when) noexcept:
    """From which level or place a timer is moved, to what distance, and whether others are there."""
    cdef uint64_t tick = tick_of(when)
    cdef int source = entry.index if entry.place == SLOT else LEVELS + entry.place
    cdef unsigned target = LEVELS + 1
    cdef bint occupied = False
    if tick > wheel.elapsed:
        target = min(highest_bit(tick ^ wheel.elapsed) // SLOT_BITS, <unsigned>LEVELS)
    if target < LEVELS:
        occupied = (wheel.levels[target].occupied >> (tick >> (target * SLOT_BITS) & (SLOTS - 1))) & 1
    states[2][source][target + 8 * occupied] = 1
