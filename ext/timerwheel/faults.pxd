# cython: language_level=3
"""What is wrong with a wheel, for tests: all invariants, of each entry."""

from libc.stdint cimport uint64_t

from timerwheel.earliest cimport Earliest, earliest_fault
from timerwheel.entry cimport OVERFLOW, SLOT, Entry, Links
from timerwheel.heap cimport heap_is_sound
from timerwheel.level cimport SLOTS, SlotWalk, level_is_sound, walk_next, walk_start
from timerwheel.run cimport run_is_sound
from timerwheel.ticks cimport tick_of, tick_start
from timerwheel.visits cimport wheel_each
from timerwheel.wheel cimport LEVELS, Wheel, wheel_slot_start


cdef inline const char *wheel_slot_fault(Wheel *wheel, unsigned number, unsigned slot) noexcept nogil:
    cdef SlotWalk walk
    cdef Entry *entry
    cdef const char *fault
    cdef uint64_t start = wheel_slot_start(wheel, number, slot)
    walk_start(&walk, &wheel.levels[number].slots[slot])
    entry = walk_next(&walk)
    if start < wheel.elapsed:
        return "an occupied slot is behind the current tick"
    while entry != NULL:
        if entry.links.next.previous != &entry.links:
            return "a list is broken"
        if entry.place != SLOT or entry.index != number or entry.slot != slot:
            return "an entry does not know its slot"
        if tick_of(entry.when) < start:
            return "an entry is earlier than its slot"
        fault = earliest_fault(&wheel.known, entry)
        if fault != NULL:
            return fault
        entry = walk_next(&walk)
    return NULL


cdef inline const char *wheel_overflow_fault(const Wheel *wheel) noexcept nogil:
    cdef const Links *item = wheel.overflow.next
    cdef const char *fault
    while item != &wheel.overflow:
        if item.next.previous != item or (<const Entry *>item).place != OVERFLOW:
            return "the overflow is broken"
        fault = earliest_fault(&wheel.known, <const Entry *>item)
        if fault != NULL:
            return fault
        item = item.next
    return NULL


cdef inline int count_entry(Entry *entry, void *argument) noexcept:
    (<size_t *>argument)[0] += 1
    return 0


cdef inline const char *wheel_fault(Wheel *wheel) noexcept:
    """What is wrong with the wheel, or NULL if all invariants hold."""
    cdef int number, slot
    cdef const char *fault
    cdef size_t count = 0
    cdef const Earliest *known = &wheel.known
    if known.entry != NULL and known.entry.place != SLOT and known.entry.place != OVERFLOW:
        return "the earliest entry is not ahead"
    if known.foremost != NULL and (known.foremost.place != SLOT or known.crowded != tick_start(
            wheel_slot_start(wheel, known.foremost.index, known.foremost.slot))):
        return "the foremost entry is not in the crowded slot"
    fault = wheel_overflow_fault(wheel)
    if fault != NULL:
        return fault
    for number in range(LEVELS):
        if not level_is_sound(&wheel.levels[number]):
            return "a slot and its bits disagree"
        for slot in range(SLOTS):
            if (wheel.levels[number].occupied >> slot) & 1:
                fault = wheel_slot_fault(wheel, number, slot)
                if fault != NULL:
                    return fault
    if not heap_is_sound(&wheel.heap):
        return "the heap is out of order"
    if not run_is_sound(&wheel.run):
        return "the run is out of order"
    wheel_each(wheel, count_entry, &count)
    if count != wheel.count:
        return "the count is wrong"
    if wheel.heap.capacity < wheel.heap.size + wheel.held_count:
        return "the heap has no room for what is held"
    return NULL
