# cython: language_level=3
"""A level of the wheel: 64 slots and a map of which are occupied."""

from libc.stdint cimport uint64_t

from timerwheel.bits cimport lowest_bit
from timerwheel.entry cimport SLOT, Entry, Links, list_append, list_init, list_is_empty, list_unlink


cdef enum:
    SLOT_BITS = 6
    SLOTS = 64


cdef struct Level:
    uint64_t occupied   # bit n is set while slot n has entries
    Links slots[64]


cdef inline void level_init(Level *level) noexcept nogil:
    cdef int slot
    level.occupied = 0
    for slot in range(SLOTS):
        list_init(&level.slots[slot])


cdef inline void level_append(Level *level, unsigned number, unsigned slot, Entry *entry) noexcept nogil:
    """Put entry last in the slot of the level with this number."""
    entry.place = SLOT
    entry.level = <unsigned char>number
    entry.slot = <unsigned char>slot
    list_append(&level.slots[slot], &entry.links)
    level.occupied |= (<uint64_t>1) << slot


cdef inline void level_remove(Level *level, Entry *entry) noexcept nogil:
    list_unlink(&entry.links)
    if list_is_empty(&level.slots[entry.slot]):
        level.occupied &= ~((<uint64_t>1) << entry.slot)


cdef inline unsigned level_first(const Level *level) noexcept nogil:
    """The first occupied slot of a level that has one.

    No wrap-around: entries of a level lie ahead of the current tick in the
    level's own turn (wheel.pxd), so slot order is time order.
    """
    return lowest_bit(level.occupied)
