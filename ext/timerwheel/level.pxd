# cython: language_level=3
"""A level of the wheel: 64 slots and a map of the occupied ones.

A slot is several lists, not one. Entries are anywhere in memory, so a walk of one list waits for main
memory at each step. Walks of several lists wait at the same time. An entry's sequence selects its list, so
a walk of the lists in turn meets the entries in about the order of scheduling. (Nothing depends on that
order: the run is sorted.)
"""

from libc.stdint cimport uint8_t, uint64_t

from timerwheel.bits cimport lowest_bit, prefetch
from timerwheel.entry cimport SLOT, Entry, Links, list_append, list_init, list_is_empty, list_unlink


cdef enum:
    SLOT_BITS = 6
    SLOTS = 64
    LANES = 8           # lists in a slot: as many as a byte has bits


cdef struct Slot:
    Links lanes[LANES]


cdef struct Level:
    uint64_t occupied       # bit n is set while slot n has entries
    uint8_t lanes[SLOTS]    # bit m of item n is set while lane m of slot n has
    Slot slots[SLOTS]


cdef inline void slot_init(Slot *slot) noexcept nogil:
    cdef int lane
    for lane in range(LANES):
        list_init(&slot.lanes[lane])


cdef struct SlotWalk:
    Slot *slot
    Links *items[LANES]     # the next of each lane
    unsigned lane           # the lane of the next entry
    unsigned ended          # lanes found at their end since the last entry


cdef inline void walk_start(SlotWalk *walk, Slot *slot) noexcept nogil:
    """Start to walk over the entries of a slot. The caller may move each entry once the walk has met it."""
    cdef int lane
    walk.slot = slot
    walk.lane = walk.ended = 0
    for lane in range(LANES):
        walk.items[lane] = slot.lanes[lane].next


cdef inline Entry *walk_next(SlotWalk *walk) noexcept nogil:
    """The next entry, or NULL after the last."""
    cdef Links *item
    cdef unsigned lane
    while walk.ended < LANES:
        lane = walk.lane
        walk.lane = (lane + 1) & (LANES - 1)
        item = walk.items[lane]
        if item != &walk.slot.lanes[lane]:
            walk.items[lane] = item.next
            prefetch(item.next)
            walk.ended = 0
            return <Entry *>item
        walk.ended += 1
    return NULL


cdef inline void level_init(Level *level) noexcept nogil:
    cdef int slot
    level.occupied = 0
    for slot in range(SLOTS):
        level.lanes[slot] = 0
        slot_init(&level.slots[slot])


cdef inline void level_append(Level *level, unsigned number, unsigned slot, Entry *entry) noexcept nogil:
    """Put entry into the slot of the level with this number."""
    cdef unsigned lane = entry.sequence & (LANES - 1)
    entry.place = SLOT
    entry.index = number
    entry.slot = <unsigned char>slot
    list_append(&level.slots[slot].lanes[lane], &entry.links)
    level.lanes[slot] |= 1 << lane
    level.occupied |= (<uint64_t>1) << slot


cdef inline void level_remove(Level *level, Entry *entry) noexcept nogil:
    """Take entry out of its slot."""
    cdef Links *next = entry.links.next
    list_unlink(&entry.links)
    if next != entry.links.previous:
        return
    # Both its neighbours were the list's head, so the list is empty now.
    level.lanes[entry.slot] &= ~(1 << (entry.sequence & (LANES - 1)))
    if level.lanes[entry.slot] == 0:
        level.occupied &= ~((<uint64_t>1) << entry.slot)


cdef inline void level_empty_slot(Level *level, unsigned slot) noexcept nogil:
    """Empty a slot whose entries have moved elsewhere."""
    slot_init(&level.slots[slot])
    level.lanes[slot] = 0
    level.occupied &= ~((<uint64_t>1) << slot)


cdef inline bint level_is_sound(const Level *level) noexcept nogil:
    """Whether the maps agree with the lists; for tests."""
    cdef int slot, lane
    for slot in range(SLOTS):
        if (level.lanes[slot] != 0) != ((level.occupied >> slot) & 1):
            return False
        for lane in range(LANES):
            if list_is_empty(&level.slots[slot].lanes[lane]) == ((level.lanes[slot] >> lane) & 1):
                return False
    return True


cdef inline unsigned level_first(const Level *level) noexcept nogil:
    """The first occupied slot of a level that has one.

    There is no wrap-around: the entries of a level are after the current tick, in the level's own turn
    (wheel.pxd). So slot order is time order.
    """
    return lowest_bit(level.occupied)
