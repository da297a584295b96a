# cython: language_level=3, freethreading_compatible=True
"""What other Cython code does with timerwheel: tests/test_cimport.py compiles it."""

from libc.stdlib cimport free, malloc

from timerwheel._core cimport PriorityEntry, PriorityQueue, Timer, TimerWheel
from timerwheel.entry cimport Entry
from timerwheel.heap cimport Heap, heap_free, heap_init, heap_push, heap_remove, heap_reserve


cdef class Jobs(PriorityQueue):
    """A queue that is filled, changed and emptied without a call of a Python method."""

    def add(self, double priority, item):
        cdef PriorityEntry entry = PriorityEntry.__new__(PriorityEntry)
        entry.item = item
        self.insert(entry, priority)
        return entry

    def defer(self, entry, double priority):
        self.reprioritize(self.held(entry), priority)

    def next_job(self):
        return self.take(self.first()).item


def rearm(TimerWheel wheel not None, Timer timer not None, double delay):
    """Arm a timer again, so long after its last deadline."""
    wheel.rearm(timer, timer.entry.when + delay)


def in_order(list times):
    """Sorted by a heap of C structs: the storey that knows no Python."""
    cdef Heap heap
    cdef Entry *entries = <Entry *>malloc(len(times) * sizeof(Entry))
    cdef list ordered = []
    cdef size_t index
    heap_init(&heap)
    try:
        heap_reserve(&heap, len(times))
        for index in range(len(times)):
            entries[index].when = times[index]
            entries[index].sequence = index
            heap_push(&heap, &entries[index])
        while heap.size:
            ordered.append(heap.nodes[0].when)
            heap_remove(&heap, heap.nodes[0].entry)
        return ordered
    finally:
        heap_free(&heap)
        free(entries)
