# cython: language_level=3
"""The sorted run: expired entries, appended slot by slot and taken from the front.

When the time of a slot comes, the wheel appends its entries and sorts that part. Slots come in time order,
so the whole run stays sorted. A burst costs no heap step for each timer. If an entry leaves out of turn, a
binary search finds it, and it leaves a hole: its node keeps its key and loses its entry.

The array shrinks with the run: if it is three quarters empty, it shrinks to half or less. Each shrinking
moves fewer nodes than have left since the one before.
"""

from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from libc.stdint cimport uint64_t, uintptr_t
from libc.string cimport memcpy, memset

from timerwheel.bits cimport highest_bit, lowest_bit, prefetch
from timerwheel.entry cimport RUN, Entry
from timerwheel.heap cimport Node, node_precedes


cdef enum:
    SMALLEST_RUN = 64
    LARGEST_KEPT_RUN = 4096     # a longer array shrinks with the run
    INSERTION_LIMIT = 16
    RADIX_LIMIT = 512           # a shorter part is merge-sorted: clearing the counts would cost more
    DIGIT_BITS = 11
    DIGITS = 2048               # 2**DIGIT_BITS
    MOST_PASSES = 4             # of a radix sort; with more, merging is faster
    FETCH_AHEAD = 8


cdef struct Run:
    Node *nodes
    size_t head         # the next node to take
    size_t tail         # one past the last
    size_t holes        # nodes from head to tail that have lost their entry
    size_t capacity


cdef inline void run_init(Run *run) noexcept nogil:
    run.nodes = NULL
    run.head = run.tail = run.holes = run.capacity = 0


cdef inline void run_free(Run *run) noexcept nogil:
    PyMem_RawFree(run.nodes)
    run_init(run)


cdef inline void run_close_gap(Run *run) noexcept nogil:
    """Move the rest to the front, once it is small compared to the part already taken.

    Without this, a run that is never quite empty would grow forever.
    """
    if run.head > run.capacity // 2:
        memcpy(run.nodes, &run.nodes[run.head], (run.tail - run.head) * sizeof(Node))
        run.tail -= run.head
        run.head = 0


cdef inline bint run_append(Run *run, Entry *entry) noexcept nogil:
    """Add entry at the end, unsorted. Without memory, returns False and changes nothing."""
    cdef size_t capacity
    cdef Node *nodes
    if run.tail == run.capacity:
        capacity = 2 * run.capacity if run.capacity else SMALLEST_RUN
        nodes = <Node *>PyMem_RawRealloc(run.nodes, capacity * sizeof(Node))
        if nodes == NULL:
            return False
        run.nodes = nodes
        run.capacity = capacity
    nodes = &run.nodes[run.tail]
    nodes.when = entry.when
    nodes.sequence = entry.sequence
    nodes.entry = entry
    entry.place = RUN
    run.tail += 1
    return True


cdef inline bint are_sorted(const Node *nodes, size_t size) noexcept nogil:
    cdef size_t index
    for index in range(1, size):
        if node_precedes(&nodes[index], &nodes[index - 1]):
            return False
    return True


cdef inline bint run_is_sorted(const Run *run, size_t start) noexcept nogil:
    """Whether the nodes from start on are in order."""
    # Without nodes there may be no array, and C defines no offset from a null pointer.
    return run.tail == start or are_sorted(&run.nodes[start], run.tail - start)


cdef inline void insertion_sort(Node *nodes, size_t size) noexcept nogil:
    cdef size_t index, hole
    cdef Node node
    for index in range(1, size):
        node = nodes[index]
        hole = index
        while hole > 0 and node_precedes(&node, &nodes[hole - 1]):
            nodes[hole] = nodes[hole - 1]
            hole -= 1
        nodes[hole] = node


cdef inline void merge(
        Node *target, const Node *left, size_t lefts, const Node *right, size_t rights) noexcept nogil:
    """Merge two sorted sequences, the right one behind the left. There are no ties."""
    cdef size_t index
    if rights == 0 or node_precedes(right - 1, right):      # parts are often in order already
        memcpy(target, left, (lefts + rights) * sizeof(Node))
        return
    for index in range(lefts + rights):
        if rights == 0 or (lefts and node_precedes(left, right)):
            target[index] = left[0]
            left += 1
            lefts -= 1
        else:
            target[index] = right[0]
            right += 1
            rights -= 1


cdef inline Node *merge_sort(Node *nodes, Node *scratch, size_t size) noexcept nogil:
    """Bottom-up merge sort. Returns whichever of the two arrays holds the result."""
    cdef size_t width = INSERTION_LIMIT, start, middle, end
    cdef Node *source = nodes
    cdef Node *target = scratch
    start = 0
    while start < size:
        insertion_sort(nodes + start, min(width, size - start))
        start += width
    while width < size:
        start = 0
        while start < size:
            middle = min(start + width, size)
            end = min(middle + width, size)
            merge(target + start, source + start, middle - start, source + middle, end - middle)
            start = end
        source, target = target, source
        width *= 2
    return source


cdef inline uint64_t sort_key(const Node *node) noexcept nogil:
    """A number whose order is that of the deadline. (Zero comes twice: -0.0 is before 0.0.)"""
    cdef uint64_t bits
    memcpy(&bits, &node.when, sizeof(bits))
    return ~bits if bits >> 63 else bits | <uint64_t>1 << 63


cdef inline void radix_pass(
        Node *target, const Node *source, size_t size, unsigned shift, unsigned width) noexcept nogil:
    """Distribute the nodes by DIGIT_BITS bits of their key. Nodes with the same bits keep their order."""
    cdef size_t places[DIGITS]
    cdef size_t index, count, place = 0
    cdef uint64_t mask = (<uint64_t>1 << width) - 1
    cdef uint64_t digit
    memset(places, 0, sizeof(places))
    for index in range(size):
        places[(sort_key(&source[index]) >> shift) & mask] += 1
    for index in range(<size_t>DIGITS):
        count = places[index]
        places[index] = place
        place += count
    for index in range(size):
        digit = (sort_key(&source[index]) >> shift) & mask
        target[places[digit]] = source[index]
        places[digit] += 1


cdef inline Node *radix_sort(Node *nodes, Node *scratch, size_t size) noexcept nogil:
    """Sort by the bits in which the deadlines differ: a dozen within a tick of today's clock.

    Nodes with the same deadline keep their order. Returns whichever of the two arrays holds the result, or
    the unchanged nodes if too many bits differ.
    """
    cdef uint64_t first = sort_key(nodes), differing = 0
    cdef unsigned shift, bits, passes, width
    cdef size_t index
    for index in range(1, size):
        differing |= sort_key(&nodes[index]) ^ first
    if differing == 0:
        return nodes
    shift = lowest_bit(differing)
    bits = highest_bit(differing) - shift + 1
    passes = (bits + DIGIT_BITS - 1) // DIGIT_BITS
    if passes > MOST_PASSES:
        return nodes
    width = (bits + passes - 1) // passes
    while passes:
        radix_pass(scratch, nodes, size, shift, width)
        nodes, scratch = scratch, nodes
        shift += width
        passes -= 1
    return nodes


cdef inline Node *sort(Node *nodes, Node *scratch, size_t size) noexcept nogil:
    """Returns whichever of the two arrays holds the result."""
    cdef Node *sorted
    if size < RADIX_LIMIT:
        return merge_sort(nodes, scratch, size)
    sorted = radix_sort(nodes, scratch, size)
    # Nodes with the same deadline may have been out of order; or too many bits differ.
    if are_sorted(sorted, size):
        return sorted
    return merge_sort(sorted, scratch if sorted == nodes else nodes, size)


cdef inline bint run_sort(Run *run, size_t start) noexcept nogil:
    """Sort the nodes from start on. Without memory, returns False and changes nothing."""
    cdef Node *nodes
    cdef Node *scratch
    cdef Node *sorted
    cdef size_t size = run.tail - start
    # Timeouts of one length expire in the order in which they were scheduled.
    if run_is_sorted(run, start):
        return True
    nodes = &run.nodes[start]
    if size <= INSERTION_LIMIT:
        insertion_sort(nodes, size)
        return True
    scratch = <Node *>PyMem_RawMalloc(size * sizeof(Node))
    if scratch == NULL:
        return False
    sorted = sort(nodes, scratch, size)
    if sorted == scratch:
        memcpy(nodes, scratch, size * sizeof(Node))
    PyMem_RawFree(scratch)
    return True


cdef inline Node *run_first(Run *run) noexcept nogil:
    """The first node that is no hole, or NULL. Frees the memory of a long run that is used up."""
    while run.head < run.tail:
        if run.nodes[run.head].entry != NULL:
            return &run.nodes[run.head]
        run.head += 1
        run.holes -= 1
    run.head = run.tail = 0
    if run.capacity > LARGEST_KEPT_RUN:
        run_free(run)
    return NULL


cdef inline void run_shrink(Run *run) noexcept nogil:
    """Free memory that the run does not need. If the allocator refuses, the run does not change."""
    cdef size_t index, size = run.tail - run.head - run.holes, capacity = run.capacity
    cdef Node *target = run.nodes
    if capacity <= LARGEST_KEPT_RUN or size > capacity // 4:
        return
    for index in range(run.head, run.tail):
        if run.nodes[index].entry != NULL:
            target[0] = run.nodes[index]
            target += 1
    run.head = run.holes = 0
    run.tail = size
    while capacity > LARGEST_KEPT_RUN and size <= capacity // 4:
        capacity //= 2
    target = <Node *>PyMem_RawRealloc(run.nodes, capacity * sizeof(Node))
    if target != NULL:
        run.nodes = target
        run.capacity = capacity


cdef inline void run_fetch_ahead(const Run *run) noexcept nogil:
    """Prefetch an entry that comes soon: it may be anywhere in memory."""
    cdef uintptr_t coming
    if run.tail - run.head > FETCH_AHEAD:
        # (Prefetching NULL is harmless.)
        coming = <uintptr_t>run.nodes[run.head + FETCH_AHEAD].entry
        prefetch(<const void *>(coming - 16))
        prefetch(<const void *>(coming + 48))
        prefetch(<const void *>(coming + 108))


cdef inline void run_remove(Run *run, const Entry *entry) noexcept nogil:
    """Remove entry: the first in one step, any other by a binary search."""
    if run.nodes[run.head].entry == entry:
        run_fetch_ahead(run)
        run.head += 1
    else:
        run_make_hole(run, entry)
    run_shrink(run)


cdef inline void run_make_hole(Run *run, const Entry *entry) noexcept nogil:
    """Replace entry by a hole. Its deadline must still be the one in the sort."""
    cdef size_t low = run.head, high = run.tail, middle
    cdef Node *node
    while low < high:
        middle = (low + high) // 2
        node = &run.nodes[middle]
        if node.when < entry.when or (node.when == entry.when and node.sequence < entry.sequence):
            low = middle + 1
        else:
            high = middle
    run.nodes[low].entry = NULL
    run.holes += 1


cdef inline bint run_is_sound(const Run *run) noexcept nogil:
    """Whether the run is sorted and its entries know it; for tests."""
    cdef size_t index, holes = 0
    cdef const Node *node
    for index in range(run.head, run.tail):
        node = &run.nodes[index]
        holes += node.entry == NULL
        if node.entry != NULL and (node.entry.place != RUN or node.entry.when != node.when):
            return False
    return holes == run.holes and run_is_sorted(run, run.head)
