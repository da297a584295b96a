# The oracle: all that was ever added, in a plain array that is searched from end to end. What comes
# first, what is due and how many there are is known here without a slot, a list or a heap.


cdef enum:
    BURST = 32
    FLOOD = 4200        # a run and a heap of more than 4096 are given back when they are empty
    CAPACITY = 6000
    NOBODY = CAPACITY


cdef struct Timer:
    Entry *entry        # NULL: not pending
    double when


cdef struct Oracle:
    size_t pending
    size_t made         # how many timers there are; a timer's sequence is its index
    Timer timers[CAPACITY]


cdef Entry *new_entry(double when) except NULL:
    """An entry in memory of its own, so that a use after it has left is seen."""
    cdef Entry *entry = <Entry *>malloc(sizeof(Entry))
    if entry == NULL:
        raise MemoryError
    entry.when = when
    return entry


cdef int oracle_add(Oracle *oracle, Entry *entry) except -1:
    assert entry.sequence == oracle.made, "an entry's sequence is wrong"
    oracle.timers[oracle.made].entry = entry
    oracle.timers[oracle.made].when = entry.when
    oracle.made += 1
    oracle.pending += 1
    return 0


cdef inline void oracle_drop(Oracle *oracle, size_t number) noexcept:
    """Forget a timer, whose entry must not be used from now on."""
    # As a time it is NaN, as a place or an address none: it shows without a sanitizer, too.
    memset(oracle.timers[number].entry, 0xff, sizeof(Entry))
    free(oracle.timers[number].entry)
    oracle.timers[number].entry = NULL
    oracle.pending -= 1


cdef inline size_t oracle_pick(Oracle *oracle, uint8_t choice) noexcept:
    """The number of a timer that is pending, of which there is one."""
    cdef size_t number = (choice * oracle.made) >> 8
    while oracle.timers[number].entry == NULL:
        number = (number + 1) % oracle.made
    return number


cdef inline bint oracle_precedes(Oracle *oracle, size_t left, size_t right) noexcept:
    if oracle.timers[left].when != oracle.timers[right].when:
        return oracle.timers[left].when < oracle.timers[right].when
    return left < right


cdef size_t oracle_first(Oracle *oracle, size_t end) noexcept:
    """The number of the first of the timers with a number below end, or NOBODY."""
    cdef size_t number, first = NOBODY
    for number in range(end):
        if oracle.timers[number].entry != NULL and (
                first == NOBODY or oracle_precedes(oracle, number, first)):
            first = number
    return first
