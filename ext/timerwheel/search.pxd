# cython: language_level=3
"""The search for the earliest deadline of a wheel.

Run, heap and held list have it at hand. In the slots it is in the first one that is occupied, whose entries
are looked at one by one, within a budget.
"""

from libc.stdint cimport uint64_t

from timerwheel.earliest cimport earliest_found, earliest_recall, earliest_remember
from timerwheel.entry cimport Entry, Links
from timerwheel.heap cimport Node
from timerwheel.level cimport SlotWalk, level_first, walk_next, walk_start
from timerwheel.ticks cimport tick_start
from timerwheel.wheel cimport (
    WHEEL_BITS, Wheel, wheel_first_due, wheel_first_level, wheel_lags, wheel_place, wheel_settle_heap,
    wheel_slot_start, wheel_unplace,
)


cdef inline Entry *wheel_search_slot(
        Wheel *wheel, unsigned number, unsigned slot, size_t *budget) noexcept nogil:
    """The earliest entry of a slot, or NULL if the budget ran out or all were moved elsewhere."""
    cdef uint64_t start = wheel_slot_start(wheel, number, slot)
    cdef SlotWalk walk
    cdef Entry *entry
    cdef Entry *earliest = NULL
    walk_start(&walk, &wheel.levels[number].slots[slot])
    while True:
        entry = walk_next(&walk)
        if entry == NULL:
            return earliest
        if budget[0] == 0:
            return NULL
        budget[0] -= 1
        if wheel_lags(entry, start, number):
            wheel_unplace(wheel, entry)
            wheel_place(wheel, entry)
        elif earliest == NULL or entry.when < earliest.when:
            earliest = entry


cdef inline Entry *wheel_search_overflow(Wheel *wheel, size_t *budget) noexcept nogil:
    cdef Links *item = wheel.overflow.next
    cdef Entry *earliest = NULL
    while item != &wheel.overflow:
        if budget[0] == 0:
            return NULL
        budget[0] -= 1
        if earliest == NULL or (<Entry *>item).when < earliest.when:
            earliest = <Entry *>item
        item = item.next
    return earliest


cdef inline double wheel_first_start(const Wheel *wheel) noexcept nogil:
    """The start of the first slot that is occupied, or of the overflow."""
    cdef int number = wheel_first_level(wheel)
    if number < 0:
        return tick_start(((wheel.elapsed >> WHEEL_BITS) + 1) << WHEEL_BITS)
    return tick_start(wheel_slot_start(wheel, number, level_first(&wheel.levels[number])))


cdef inline void wheel_search(Wheel *wheel, size_t budget) noexcept nogil:
    """Find the earliest entry in slots and overflow, unless the budget does not suffice.

    A budget for all entries, each of which is looked at twice at most, is spent even where a smaller
    one has not sufficed.
    """
    cdef size_t left = budget
    cdef int number
    cdef Entry *found = NULL
    if earliest_recall(&wheel.known, wheel_first_start(wheel), budget >= 2 * wheel.count):
        return
    while found == NULL and left:
        number = wheel_first_level(wheel)
        if number < 0:
            found = wheel_search_overflow(wheel, &left)
        else:
            found = wheel_search_slot(wheel, number, level_first(&wheel.levels[number]), &left)
    if earliest_found(&wheel.known, found, budget - left):
        earliest_remember(&wheel.known, wheel_first_start(wheel), budget)


cdef inline double wheel_next_ahead(Wheel *wheel, size_t budget) noexcept nogil:
    """The earliest deadline in slots and overflow, one of which has entries.

    It is remembered until its entry leaves or moves. To find it anew, at most
    budget entries are looked at; when they do not suffice the answer is the
    start of the first slot, which is before the deadline, never after it.
    """
    if wheel.known.entry == NULL:
        wheel_search(wheel, budget)
    return wheel_first_start(wheel) if wheel.known.entry == NULL else wheel.known.entry.when


cdef inline double wheel_next(Wheel *wheel, size_t budget) noexcept nogil:
    """The earliest deadline of a wheel that has entries; see wheel_next_ahead for the budget."""
    cdef Node *due
    cdef double earliest
    cdef Links *item
    wheel_settle_heap(wheel)
    due = wheel_first_due(wheel)
    if due != NULL:
        earliest = due.when
    elif wheel.held_count < wheel.count:
        earliest = wheel_next_ahead(wheel, budget)
    else:
        earliest = (<Entry *>wheel.held.next).when
    item = wheel.held.next
    while item != &wheel.held:
        if (<Entry *>item).when < earliest:
            earliest = (<Entry *>item).when
        item = item.next
    return earliest
