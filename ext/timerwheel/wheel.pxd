# cython: language_level=3
"""The wheel: levels of slots for future entries, a sorted run and a heap for expired ones.

Take the highest bit in which a future entry's tick differs from the current one. It selects the entry's
level, and that level's six bits of the tick select the slot. (tokio's wheel selects levels in the same way;
Varghese and Lauck 1987 is the origin.) Lists of slots keep the order of scheduling, through cascades too.
Entries beyond the top level are in the overflow list.

`elapsed` is the current tick. Between calls no slot has an entry at or before it (except after a
MemoryError, until the next advance). Those entries are in the run, the heap or the held list, and pop in
exact order of (when, sequence). If time goes back, `elapsed` stays, and an entry scheduled at or before it
goes into the heap. (An empty wheel follows the time.)

The place of an entry may lag behind its `when`: moving it later only stores the new time. The wheel
corrects the place when the slot's time comes or a search meets the entry.

Functions that may need memory allocate it before they change anything, and raise MemoryError.
"""

from libc.stdint cimport UINT64_MAX, uint64_t

from timerwheel.bits cimport highest_bit
from timerwheel.earliest cimport (
    Earliest, earliest_arrived, earliest_fell_due, earliest_init, earliest_left, earliest_moved,
    earliest_spread,
)
from timerwheel.entry cimport (
    HEAP, HELD, NOWHERE, OVERFLOW, RUN, SLOT,
    Entry, Links, list_append, list_init, list_is_empty, list_unlink,
)
from timerwheel.heap cimport (
    Heap, Node, heap_free, heap_init, heap_push, heap_remove, heap_reserve, heap_shrink, node_precedes,
)
from timerwheel.level cimport (
    SLOT_BITS, SLOTS, Level, SlotWalk, level_append, level_empty_slot, level_first, level_init,
    level_remove, walk_next, walk_start,
)
from timerwheel.run cimport (
    Run, run_append, run_close_gap, run_first, run_free, run_init, run_remove, run_sort,
)
from timerwheel.ticks cimport tick_of, tick_start


cdef enum:
    LEVELS = 6
    WHEEL_BITS = 36         # LEVELS * SLOT_BITS: a turn of the top level is 2**26 s, two years


cdef struct Wheel:
    uint64_t elapsed        # the current tick
    uint64_t sequence       # of the next entry to be added
    uint64_t limit          # entries from this sequence on may not fall due yet
    size_t count
    size_t held_count
    Earliest known          # of slots and overflow
    Level levels[6]
    Links overflow
    Links held
    Run run
    Heap heap


cdef inline void wheel_init(Wheel *wheel, double now) noexcept nogil:
    cdef int number
    wheel.elapsed = tick_of(now)
    wheel.sequence = 0
    wheel.limit = UINT64_MAX
    wheel.count = wheel.held_count = 0
    earliest_init(&wheel.known)
    for number in range(LEVELS):
        level_init(&wheel.levels[number])
    list_init(&wheel.overflow)
    list_init(&wheel.held)
    run_init(&wheel.run)
    heap_init(&wheel.heap)


cdef inline void wheel_start(Wheel *wheel, double now) noexcept nogil:
    """Set an empty wheel to now, which may be earlier: its clock may be another one."""
    run_first(&wheel.run)   # forgets the holes in it, which were sorted by the other clock
    wheel.elapsed = tick_of(now)
    earliest_init(&wheel.known)


cdef inline void wheel_free(Wheel *wheel) noexcept nogil:
    run_free(&wheel.run)
    heap_free(&wheel.heap)


# Where an entry goes, and how it leaves.

cdef inline int wheel_reserve(Wheel *wheel, double when) except -1 nogil:
    """Allocate the memory that one more entry at this deadline may need, also for later releases."""
    if tick_of(when) > wheel.elapsed:
        return 0
    return heap_reserve(&wheel.heap, wheel.heap.size + wheel.held_count + 1)


cdef inline void wheel_place_ahead(Wheel *wheel, Entry *entry, uint64_t tick) noexcept nogil:
    """Put entry, whose tick is not before the current one, into a slot or the overflow."""
    cdef uint64_t difference = tick ^ wheel.elapsed
    cdef unsigned number
    if difference >> WHEEL_BITS:
        entry.place = OVERFLOW
        list_append(&wheel.overflow, &entry.links)
    else:
        number = highest_bit(difference | 1) // SLOT_BITS
        level_append(
            &wheel.levels[number], number, (tick >> (number * SLOT_BITS)) & (SLOTS - 1), entry)
    earliest_arrived(&wheel.known, entry)


cdef inline void wheel_place(Wheel *wheel, Entry *entry) noexcept nogil:
    """Put entry into the place of its deadline. The caller must have reserved the memory."""
    cdef uint64_t tick = tick_of(entry.when)
    if tick > wheel.elapsed:
        wheel_place_ahead(wheel, entry, tick)
    elif entry.sequence >= wheel.limit:
        entry.place = HELD
        wheel.held_count += 1
        list_append(&wheel.held, &entry.links)
    else:
        heap_push(&wheel.heap, entry)


cdef inline void wheel_unplace(Wheel *wheel, Entry *entry) noexcept nogil:
    """Take entry out of its place."""
    if entry.place == RUN:
        run_remove(&wheel.run, entry)
    elif entry.place == HEAP:
        heap_remove(&wheel.heap, entry)
        heap_shrink(&wheel.heap, wheel.heap.size + wheel.held_count)    # which has to find room there
    elif entry.place == HELD:
        list_unlink(&entry.links)
        wheel.held_count -= 1
    else:
        wheel_unplace_ahead(wheel, entry)
    entry.place = NOWHERE


cdef inline void wheel_unplace_ahead(Wheel *wheel, Entry *entry) noexcept nogil:
    """Take entry out of its slot or the overflow."""
    if entry.place == SLOT:
        level_remove(&wheel.levels[entry.index], entry)
    else:
        list_unlink(&entry.links)
    earliest_left(&wheel.known, entry)


cdef inline int wheel_add(Wheel *wheel, Entry *entry) except -1 nogil:
    """Add an entry with its `when` set. This sets its sequence."""
    wheel_reserve(wheel, entry.when)
    entry.sequence = wheel.sequence
    wheel.sequence += 1
    wheel.count += 1
    wheel_place(wheel, entry)
    return 0


cdef inline void wheel_remove(Wheel *wheel, Entry *entry) noexcept nogil:
    """Remove an entry. The one that wheel_due() has just returned costs least."""
    wheel_unplace(wheel, entry)
    wheel.count -= 1


cdef inline int wheel_move(Wheel *wheel, Entry *entry, double when) except -1 nogil:
    """Give entry another deadline. Later is one store; sooner relinks at once."""
    if when >= entry.when and entry.place != RUN:
        entry.when = when
        earliest_moved(&wheel.known, entry)
        return 0
    wheel_reserve(wheel, when)
    wheel_unplace(wheel, entry)
    entry.when = when
    wheel_place(wheel, entry)
    return 0


# Where time is, and what has expired.

cdef inline int wheel_first_level(const Wheel *wheel) noexcept nogil:
    """The number of the lowest level that has entries, or -1. Its first slot comes next."""
    cdef int number
    for number in range(LEVELS):
        if wheel.levels[number].occupied:
            return number
    return -1


cdef inline uint64_t wheel_slot_start(const Wheel *wheel, unsigned number, unsigned slot) noexcept nogil:
    """The first tick of a slot."""
    cdef unsigned shift = number * SLOT_BITS
    cdef uint64_t turn = wheel.elapsed >> shift >> SLOT_BITS << SLOT_BITS
    return (turn | slot) << shift


cdef inline bint wheel_lags(Entry *entry, uint64_t start, unsigned number) noexcept nogil:
    """Whether entry, in the slot of a level that starts at start, has been moved to after that slot."""
    return (tick_of(entry.when) ^ start) >> (number * SLOT_BITS) != 0


cdef inline Node *wheel_first_due(Wheel *wheel) noexcept nogil:
    """The first node of run and heap, or NULL."""
    cdef Node *first = run_first(&wheel.run)
    if wheel.heap.size and (first == NULL or node_precedes(wheel.heap.nodes, first)):
        return wheel.heap.nodes
    return first


cdef inline void wheel_settle_heap(Wheel *wheel) noexcept nogil:
    """Put right the heap's first entries that have been moved later."""
    cdef Entry *entry
    while wheel.heap.size and wheel.heap.nodes[0].entry.when > wheel.heap.nodes[0].when:
        entry = wheel.heap.nodes[0].entry
        heap_remove(&wheel.heap, entry)
        wheel_place(wheel, entry)


# The passing of time.

cdef inline void wheel_forget_run_tail(Wheel *wheel, size_t start) noexcept nogil:
    """Remove a slot's entries from the end of the run again: they are still in their slot."""
    cdef size_t index
    for index in range(start, wheel.run.tail):
        wheel.run.nodes[index].entry.place = SLOT
    wheel.run.tail = start


cdef inline int wheel_collect(Wheel *wheel, unsigned slot) except -1 nogil:
    """Move a slot of level 0, whose time has come, into the run."""
    cdef uint64_t start = wheel_slot_start(wheel, 0, slot)
    cdef SlotWalk walk
    cdef Entry *entry
    cdef size_t first
    cdef bint enough = True
    run_close_gap(&wheel.run)
    first = wheel.run.tail
    walk_start(&walk, &wheel.levels[0].slots[slot])
    while enough:
        entry = walk_next(&walk)
        if entry == NULL:
            break
        if wheel_lags(entry, start, 0):
            wheel_unplace(wheel, entry)
            wheel_place(wheel, entry)
        else:
            enough = run_append(&wheel.run, entry)
    if not enough or not run_sort(&wheel.run, first):
        wheel_forget_run_tail(wheel, first)
        with gil:
            raise MemoryError("no memory for the expired timers")
    level_empty_slot(&wheel.levels[0], slot)
    earliest_fell_due(&wheel.known)
    wheel.elapsed = start
    return 0


cdef inline void wheel_cascade(Wheel *wheel, unsigned number, unsigned slot) noexcept nogil:
    """Spread a slot, whose time has come, over the levels below."""
    cdef SlotWalk walk
    cdef Entry *entry
    wheel.elapsed = wheel_slot_start(wheel, number, slot)
    earliest_spread(&wheel.known, tick_start(wheel.elapsed))
    walk_start(&walk, &wheel.levels[number].slots[slot])
    while True:
        entry = walk_next(&walk)
        if entry == NULL:
            break
        # The slot's own first tick goes into level 0 and comes next there.
        wheel_place_ahead(wheel, entry, tick_of(entry.when))
    level_empty_slot(&wheel.levels[number], slot)


cdef inline int wheel_enter_turn(Wheel *wheel, uint64_t target) except -1 nogil:
    """Begin another turn of the top level: overflow entries may be within reach, or expired."""
    cdef Links *item = wheel.overflow.next
    cdef Entry *entry
    cdef size_t due = 0
    while item != &wheel.overflow:
        due += tick_of((<Entry *>item).when) <= target
        item = item.next
    heap_reserve(&wheel.heap, wheel.heap.size + wheel.held_count + due)
    wheel.elapsed = target
    earliest_init(&wheel.known)
    wheel.overflow.previous.next = NULL
    item = wheel.overflow.next      # NULL if there was none
    list_init(&wheel.overflow)
    while item != NULL:
        entry = <Entry *>item
        item = item.next
        wheel_place(wheel, entry)
    return 0


cdef inline int wheel_advance(Wheel *wheel, double now) except -1 nogil:
    """Move the current tick to that of now; expired entries go into the run.

    It goes from occupied slot to occupied slot, however far the time jumps. On MemoryError the wheel stops
    at the last slot for which there was memory.
    """
    cdef uint64_t target = tick_of(now)
    cdef uint64_t start
    cdef int number
    cdef unsigned slot
    if wheel.count == 0:
        wheel_start(wheel, now)
        return 0
    if target < wheel.elapsed:      # the clock has gone back
        return 0
    while True:
        number = wheel_first_level(wheel)
        if number < 0:
            break
        slot = level_first(&wheel.levels[number])
        start = wheel_slot_start(wheel, number, slot)
        if start > target:
            break
        if number == 0:
            wheel_collect(wheel, slot)
        else:
            wheel_cascade(wheel, number, slot)
    if (target ^ wheel.elapsed) >> WHEEL_BITS:
        wheel_enter_turn(wheel, target)
    wheel.elapsed = target
    return 0


cdef inline Entry *wheel_due(Wheel *wheel, double now) noexcept nogil:
    """The next entry that has expired at now, or NULL."""
    cdef Node *node
    wheel_settle_heap(wheel)
    node = wheel_first_due(wheel)
    return NULL if node == NULL or not node.when <= now else node.entry


# Passes: an entry added during a pass waits for the next one.

cdef inline void wheel_hold_new(Wheel *wheel) noexcept nogil:
    """From now on, new entries expire only after wheel_release.

    This first releases the entries held by a pass around this one: this pass is their next.
    """
    wheel_release(wheel)
    wheel.limit = wheel.sequence


cdef inline void wheel_release(Wheel *wheel) noexcept nogil:
    """Release the held entries. wheel_reserve has kept room for them in the heap."""
    cdef Entry *entry
    wheel.limit = UINT64_MAX
    while not list_is_empty(&wheel.held):
        entry = <Entry *>wheel.held.next
        list_unlink(&entry.links)
        wheel.held_count -= 1
        wheel_place(wheel, entry)
