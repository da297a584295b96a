# cython: language_level=3
"""What is known of the earliest entry in the slots and the overflow of a wheel.

Any entry there may be the earliest of its slot: a search looks at all of them. What it
finds is remembered until that entry leaves or moves. The result of a long search is
remembered also while entries in other slots come before: a pass with a timer in the near
then costs no search of those that wait beyond.
"""

from timerwheel.entry cimport RUN, SLOT, Entry


cdef enum:
    CROWD = 16              # a search of more entries is long


cdef struct Earliest:
    Entry *entry            # the earliest in slots and overflow, or NULL when not known
    double crowded          # the start of a slot in which a search took long
    Entry *foremost         # the earliest in that slot, or NULL when not known
    size_t credit           # so many entries may leave before another search of that slot pays


cdef inline void earliest_init(Earliest *known) noexcept nogil:
    """Nothing is known."""
    known.entry = known.foremost = NULL
    known.crowded = 0.0
    known.credit = 0


cdef inline bint is_beside(const Entry *entry, const Entry *other) noexcept nogil:
    """Whether two entries that lie ahead are in the same slot."""
    return entry.place == other.place == SLOT and entry.index == other.index and entry.slot == other.slot


cdef inline void earliest_arrived(Earliest *known, Entry *entry) noexcept nogil:
    """An entry has been put into a slot or the overflow."""
    if known.entry != NULL and entry.when < known.entry.when:
        known.entry = entry
    if known.foremost != NULL and entry.when < known.foremost.when and is_beside(entry, known.foremost):
        known.foremost = entry


cdef inline void earliest_moved(Earliest *known, const Entry *entry) noexcept nogil:
    """An entry leaves, or is moved later: it is no longer known to be the earliest anywhere."""
    if entry == known.entry:
        known.entry = NULL
    if entry == known.foremost:
        known.foremost = NULL


cdef inline void earliest_left(Earliest *known, const Entry *entry) noexcept nogil:
    """An entry has been taken out of its slot or the overflow."""
    known.credit -= known.credit > 0
    earliest_moved(known, entry)


cdef inline void earliest_fell_due(Earliest *known) noexcept nogil:
    """The entries of a slot of level 0 have gone into the run."""
    if known.entry != NULL and known.entry.place == RUN:
        known.entry = NULL
    if known.foremost != NULL and known.foremost.place == RUN:
        known.foremost = NULL


cdef inline void earliest_spread(Earliest *known, double start) noexcept nogil:
    """The slot that starts at start is spread over the levels below."""
    if start == known.crowded:
        known.foremost = NULL


cdef inline bint earliest_recall(Earliest *known, double start, bint searches_all) noexcept nogil:
    """Take the earliest from the long search of the first slot, which starts at start. Whether that was it.

    If the search found none, another pays once enough entries have left, or if it searches all.
    """
    if start != known.crowded or (known.foremost == NULL and (searches_all or known.credit == 0)):
        return False
    known.entry = known.foremost
    return True


cdef inline bint earliest_found(Earliest *known, Entry *entry, size_t searched) noexcept nogil:
    """A search has looked at so many entries, and found the earliest; or NULL. Whether it was long."""
    known.entry = entry
    return entry == NULL or (searched > CROWD and entry.place == SLOT)


cdef inline void earliest_remember(Earliest *known, double start, size_t budget) noexcept nogil:
    """A long search, for which there was this budget, was of the slot that starts at start."""
    known.crowded = start
    known.foremost = known.entry
    known.credit = 0 if known.entry != NULL else budget


cdef inline const char *earliest_fault(const Earliest *known, const Entry *entry) noexcept nogil:
    """What is not true of an entry in a slot or the overflow; or NULL. For tests."""
    if known.entry != NULL and entry.when < known.entry.when:
        return "the earliest entry is not the earliest"
    if known.foremost != NULL and entry.when < known.foremost.when and is_beside(entry, known.foremost):
        return "the foremost entry of a slot is not its earliest"
    return NULL
