# cython: language_level=3
"""An entry: everything that the wheel knows of one timer, and the lists of entries.

Lists are circular and doubly linked around a head that is no entry. So an entry can leave its list without
knowing which one it is in.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef enum Place:
    NOWHERE     # not pending
    SLOT        # in a slot of a level
    OVERFLOW    # beyond the top level
    RUN         # expired: in the sorted run
    HEAP        # expired: scheduled at or before the current tick
    HELD        # expired, but scheduled during the current pass: waits for the next


cdef struct Links:
    Links *next
    Links *previous


cdef struct Entry:
    Links links         # first, so that a Links* in a list is an Entry*
    double when         # the deadline, seconds; its slot may lag behind (see wheel.pxd)
    uint64_t sequence   # the order of scheduling: breaks ties between equal deadlines
    uint32_t index      # HEAP: its place among the nodes. SLOT: the number of its level
    uint8_t place
    uint8_t slot        # SLOT: which one of the level, to clear its bit
    uint8_t mark        # for the owner of the entry: the wheel does not look at it
    uint8_t lock        # for the owner: the number of its lock


cdef inline void list_init(Links *head) noexcept nogil:
    head.next = head
    head.previous = head


cdef inline bint list_is_empty(const Links *head) noexcept nogil:
    return head.next == head


cdef inline void list_append(Links *head, Links *item) noexcept nogil:
    item.next = head
    item.previous = head.previous
    head.previous.next = item
    head.previous = item


cdef inline void list_unlink(Links *item) noexcept nogil:
    item.previous.next = item.next
    item.next.previous = item.previous
