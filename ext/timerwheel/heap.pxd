# cython: language_level=3
"""An indexed 4-ary heap of entries, ordered by (when, sequence).

Nodes keep their keys inline, so that sifting compares without touching entries;
entries know their index, so that any can be removed. Four children a node make
the heap half as deep as two, and one node's children share a cache line or two.
"""

from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from libc.stdint cimport uint32_t, uint64_t

from timerwheel.entry cimport HEAP, Entry


cdef enum:
    CHILDREN = 4
    SMALLEST_HEAP = 16
    LARGEST_KEPT_HEAP = 4096    # a larger array shrinks with the heap


cdef struct Node:
    double when
    uint64_t sequence
    Entry *entry


cdef struct Heap:
    Node *nodes
    size_t size
    size_t capacity


cdef inline bint node_precedes(const Node *left, const Node *right) noexcept nogil:
    if left.when != right.when:
        return left.when < right.when
    return left.sequence < right.sequence


cdef inline void heap_init(Heap *heap) noexcept nogil:
    heap.nodes = NULL
    heap.size = heap.capacity = 0


cdef inline void heap_free(Heap *heap) noexcept nogil:
    PyMem_RawFree(heap.nodes)
    heap_init(heap)


cdef inline int heap_reserve(Heap *heap, size_t size) except -1 nogil:
    """Make room for size nodes in all. Raises MemoryError, changing nothing."""
    cdef size_t capacity = heap.capacity
    cdef Node *nodes
    if size <= capacity:
        return 0
    if capacity < SMALLEST_HEAP:
        capacity = SMALLEST_HEAP
    while capacity < size:
        capacity *= 2
    nodes = <Node *>PyMem_RawRealloc(heap.nodes, capacity * sizeof(Node))
    if nodes == NULL:
        with gil:
            raise MemoryError("no memory for the heap of expired timers")
    heap.nodes = nodes
    heap.capacity = capacity
    return 0


cdef inline void heap_shrink(Heap *heap, size_t size) noexcept nogil:
    """Give back memory if room for size nodes is a quarter of the array or less.

    Each shrinking moves fewer nodes than have left since the one before. If the allocator refuses, the heap
    does not change.
    """
    cdef size_t capacity = heap.capacity
    cdef Node *nodes
    if capacity <= LARGEST_KEPT_HEAP or size > capacity // 4:
        return
    while capacity > LARGEST_KEPT_HEAP and size <= capacity // 4:
        capacity //= 2
    nodes = <Node *>PyMem_RawRealloc(heap.nodes, capacity * sizeof(Node))
    if nodes != NULL:
        heap.nodes = nodes
        heap.capacity = capacity


cdef inline void heap_set(Heap *heap, size_t index, const Node *node) noexcept nogil:
    heap.nodes[index] = node[0]
    node.entry.index = <uint32_t>index


cdef inline void heap_sift_up(Heap *heap, size_t index, Node node) noexcept nogil:
    cdef size_t parent
    while index > 0:
        parent = (index - 1) // CHILDREN
        if not node_precedes(&node, &heap.nodes[parent]):
            break
        heap_set(heap, index, &heap.nodes[parent])
        index = parent
    heap_set(heap, index, &node)


cdef inline void heap_sift_down(Heap *heap, size_t index, Node node) noexcept nogil:
    cdef size_t child, last, least
    while True:
        least = index * CHILDREN + 1
        if least >= heap.size:
            break
        last = least + CHILDREN
        if last > heap.size:
            last = heap.size
        for child in range(least + 1, last):
            if node_precedes(&heap.nodes[child], &heap.nodes[least]):
                least = child
        if not node_precedes(&heap.nodes[least], &node):
            break
        heap_set(heap, index, &heap.nodes[least])
        index = least
    heap_set(heap, index, &node)


cdef inline void heap_push(Heap *heap, Entry *entry) noexcept nogil:
    """Add entry by its deadline. The caller must have reserved the room."""
    cdef Node node
    node.when = entry.when
    node.sequence = entry.sequence
    node.entry = entry
    entry.place = HEAP
    heap.size += 1
    heap_sift_up(heap, heap.size - 1, node)


cdef inline void heap_settle(Heap *heap, size_t index, Node node) noexcept nogil:
    """Put node at index, or above or below it, because a replacement may belong either way."""
    if index > 0 and node_precedes(&node, &heap.nodes[(index - 1) // CHILDREN]):
        heap_sift_up(heap, index, node)
    else:
        heap_sift_down(heap, index, node)


cdef inline void heap_remove(Heap *heap, Entry *entry) noexcept nogil:
    cdef size_t index = entry.index
    heap.size -= 1
    if index < heap.size:
        heap_settle(heap, index, heap.nodes[heap.size])


cdef inline void heap_update(Heap *heap, Entry *entry) noexcept nogil:
    """Move entry to the place of its changed deadline."""
    cdef Node node
    node.when = entry.when
    node.sequence = entry.sequence
    node.entry = entry
    heap_settle(heap, entry.index, node)


cdef inline bint heap_is_sound(const Heap *heap) noexcept nogil:
    """Whether order and indices hold; for tests."""
    cdef size_t index
    for index in range(heap.size):
        if heap.nodes[index].entry.index != index or heap.nodes[index].entry.place != HEAP:
            return False
        if index and node_precedes(&heap.nodes[index], &heap.nodes[(index - 1) // CHILDREN]):
            return False
    return True
