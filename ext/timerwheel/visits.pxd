# cython: language_level=3
"""Visits to the entries of a wheel, wherever they lie."""

from timerwheel.entry cimport Entry, Links, list_is_empty
from timerwheel.heap cimport Node
from timerwheel.level cimport LANES, SLOTS, SlotWalk, level_first, walk_next, walk_start
from timerwheel.wheel cimport LEVELS, Wheel, wheel_first_due, wheel_first_level


ctypedef int (*Visitor)(Entry *entry, void *argument) noexcept


cdef inline int list_each(Links *head, Visitor visit, void *argument) noexcept:
    cdef Links *item = head.next
    cdef Links *following
    cdef int result
    while item != head:
        following = item.next
        result = visit(<Entry *>item, argument)
        if result:
            return result
        item = following
    return 0


cdef inline int wheel_each(Wheel *wheel, Visitor visit, void *argument) noexcept:
    """Call visit for each entry, in no order, until it returns other than 0; return what it returned.

    visit must not change the wheel.
    """
    cdef int number, slot, lane, result
    cdef size_t index
    for index in range(wheel.run.head, wheel.run.tail):
        if wheel.run.nodes[index].entry != NULL:
            result = visit(wheel.run.nodes[index].entry, argument)
            if result:
                return result
    for index in range(wheel.heap.size):
        result = visit(wheel.heap.nodes[index].entry, argument)
        if result:
            return result
    for number in range(LEVELS):
        if wheel.levels[number].occupied:
            for slot in range(SLOTS):
                for lane in range(LANES):
                    result = list_each(&wheel.levels[number].slots[slot].lanes[lane], visit, argument)
                    if result:
                        return result
    result = list_each(&wheel.overflow, visit, argument)
    return result if result else list_each(&wheel.held, visit, argument)


cdef inline Entry *wheel_any(Wheel *wheel) noexcept nogil:
    """Some entry, or NULL."""
    cdef Node *due = wheel_first_due(wheel)
    cdef int number
    cdef SlotWalk walk
    if due != NULL:
        return due.entry
    number = wheel_first_level(wheel)
    if number >= 0:
        walk_start(&walk, &wheel.levels[number].slots[level_first(&wheel.levels[number])])
        return walk_next(&walk)
    if not list_is_empty(&wheel.overflow):
        return <Entry *>wheel.overflow.next
    return NULL if list_is_empty(&wheel.held) else <Entry *>wheel.held.next
