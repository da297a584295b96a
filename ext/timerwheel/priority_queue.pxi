# The priority queue.

from types import GenericAlias


@cython.trashcan(True)
cdef class PriorityEntry:
    """An item in a PriorityQueue, as push() returns it.

    item is the item that you pushed. It stays when the entry has left the queue.
    """

    @classmethod
    def __class_getitem__(cls, item):
        """PriorityEntry[str], for type checkers."""
        return GenericAlias(cls, item)

    def __init__(self):
        raise TypeError("a PriorityEntry is made by PriorityQueue.push()")

    @property
    def priority(self):
        """The priority, a float."""
        cdef double priority
        acquire_entry(&self.entry)
        priority = self.entry.when
        release(self.entry.lock)
        return priority

    @property
    def active(self):
        """Whether the entry is still in its queue."""
        cdef bint active
        acquire_entry(&self.entry)
        active = self.owner != NULL
        release(self.entry.lock)
        return active

    def __repr__(self):
        state = "active" if self.active else "inactive"
        return f"<PriorityEntry {state} priority={self.priority} item={self.item!r}>"


cdef inline PriorityEntry entry_object(Entry *entry):
    return <PriorityEntry>priority_entry_of(entry)


cdef PriorityEntry priority_probe = PriorityEntry.__new__(PriorityEntry)
cdef size_t PRIORITY_ENTRY_OFFSET = <char *>&priority_probe.entry - <char *><PyObject *>priority_probe
priority_probe = None


cdef inline PyObject *priority_entry_of(Entry *entry) noexcept:
    return <PyObject *>(<char *>entry - PRIORITY_ENTRY_OFFSET)


@cython.trashcan(True)
cdef class PriorityQueue:
    """PriorityQueue()\n--\n\n\
    A priority queue. You can remove an item, or change its priority, while it waits.

    The lowest priority comes first. Items of equal priority come in the order in
    which you pushed them, and keep that order when their priority changes. The queue
    compares priorities as floats. push, pop, remove and update take O(log n) steps of
    C and call no Python code, so items need not be comparable. It is an indexed 4-ary
    heap. Threads may share a queue, also on a Python without a GIL: each operation is
    atomic.
    """

    @classmethod
    def __class_getitem__(cls, item):
        """PriorityQueue[str], for type checkers."""
        return GenericAlias(cls, item)

    def __cinit__(self):
        self.lock = new_lock()
        heap_init(&self.heap)

    def __init__(self):
        pass    # refuses arguments

    def __dealloc__(self):
        self.detach_all()
        heap_free(&self.heap)

    def __len__(self):
        cdef size_t size
        acquire(self.lock)
        size = self.heap.size
        release(self.lock)
        return size

    def __contains__(self, entry):
        """Whether an entry that push() returned is still in this queue."""
        return isinstance(entry, PriorityEntry) and self.holds(<PriorityEntry>entry)

    def __iter__(self):
        """A snapshot of the items, in order."""
        cdef list items = []
        acquire(self.lock)
        try:
            list_items(items, &self.heap)
        finally:
            release(self.lock)
        return iter(items)

    def push(self, priority, item):
        """Add item and return its PriorityEntry.

        Raises ValueError if priority is NaN, TypeError if it is not a number.
        """
        cdef PriorityEntry entry = PriorityEntry.__new__(PriorityEntry)
        entry.item = item
        entry.entry.lock = self.lock    # else all queues would contend for the first lock
        self.insert(entry, as_time(priority))
        return entry

    def pop(self):
        """Remove and return the first item. Raises IndexError if the queue is empty."""
        cdef PriorityEntry entry
        acquire(self.lock)
        try:
            entry = first_of(&self.heap)
            self.take_out(entry)
        finally:
            release(self.lock)
        Py_DECREF(entry)
        return entry.item

    def peek(self):
        """Return the first item. Raises IndexError if the queue is empty."""
        return self.first().item

    def remove(self, entry):
        """Remove an entry, and return its item. Raises ValueError if it is not in this queue."""
        return self.take(self.held(entry)).item

    def update(self, entry, priority):
        """Give an entry another priority. Raises ValueError if it is not in this queue, or for NaN."""
        cdef double key = as_time(priority)
        self.reprioritize(self.held(entry), key)

    def clear(self):
        """Remove all items."""
        self.detach_all()

    def check_invariants(self):
        """Raise AssertionError if the inner structure is not sound. For tests; takes O(n) steps."""
        cdef size_t index
        acquire(self.lock)
        try:
            if not heap_is_sound(&self.heap):
                raise AssertionError("the heap is out of order")
            for index in range(self.heap.size):
                if entry_object(self.heap.nodes[index].entry).owner != <PyObject *>self:
                    raise AssertionError("an entry does not know its queue")
        finally:
            release(self.lock)

    cdef int insert(self, PriorityEntry entry, double priority) except -1:
        """Take in an entry, behind those of its priority. Raises ValueError if it is in a queue."""
        acquire_to_add(&entry.entry, &entry.owner, self.lock)
        try:
            if entry.owner != NULL:
                raise ValueError("the entry is in a queue already")
            heap_reserve(&self.heap, self.heap.size + 1)
            entry.entry.when = priority
            entry.entry.sequence = self.sequence
            entry.owner = <PyObject *>self
            self.sequence += 1
            heap_push(&self.heap, &entry.entry)
            Py_INCREF(entry)
        finally:
            release(entry.entry.lock)
        return 0

    cdef int reprioritize(self, PriorityEntry entry, double priority) except -1:
        """Give an entry another priority. Raises ValueError if it is not in this queue."""
        acquire_entry(&entry.entry)
        try:
            require_owner(entry, self)
            entry.entry.when = priority
            heap_update(&self.heap, &entry.entry)
        finally:
            release(entry.entry.lock)
        return 0

    cdef void detach_all(self) noexcept:
        """Release all entries, once they are out of the queue."""
        cdef Heap heap
        cdef Entry *entry
        cdef size_t index
        acquire(self.lock)
        heap = self.heap
        heap_init(&self.heap)
        for index in range(heap.size):
            entry = heap.nodes[index].entry
            entry.place = NOWHERE
            (<PriorityEntry>priority_entry_of(entry)).owner = NULL
        release(self.lock)
        for index in range(heap.size):
            Py_DECREF(entry_object(heap.nodes[index].entry))
        heap_free(&heap)

    cdef PriorityEntry first(self):
        acquire(self.lock)
        try:
            return first_of(&self.heap)
        finally:
            release(self.lock)

    cdef PriorityEntry held(self, object entry):
        """entry, if it is in this queue."""
        if not isinstance(entry, PriorityEntry):
            raise TypeError(f"not an entry of a PriorityQueue: {entry!r}")
        if not self.holds(<PriorityEntry>entry):
            raise ValueError("the entry is not in this queue")
        return <PriorityEntry>entry

    cdef PriorityEntry take(self, PriorityEntry entry):
        """Remove an entry, and release the queue's reference. Raises ValueError if it is not in it."""
        acquire_entry(&entry.entry)
        try:
            require_owner(entry, self)
            self.take_out(entry)
        finally:
            release(entry.entry.lock)
        Py_DECREF(entry)
        return entry

    cdef void take_out(self, PriorityEntry entry) noexcept:
        """Remove an entry of this queue, whose reference the caller takes over. The lock is held."""
        heap_remove(&self.heap, &entry.entry)
        heap_shrink(&self.heap, self.heap.size)
        entry.entry.place = NOWHERE
        entry.owner = NULL

    cdef bint holds(self, PriorityEntry entry) noexcept:
        """Whether an entry is in this queue."""
        cdef bint result
        acquire_entry(&entry.entry)
        result = entry.owner == <PyObject *>self
        release(entry.entry.lock)
        return result


# Call these three under the lock.

cdef inline int require_owner(PriorityEntry entry, PriorityQueue queue) except -1:
    if entry.owner != <PyObject *>queue:
        raise ValueError("the entry is not in this queue")
    return 0


cdef inline PriorityEntry first_of(Heap *heap):
    if heap.size == 0:
        raise IndexError("the queue is empty")
    return entry_object(heap.nodes[0].entry)


cdef int list_items(list items, Heap *heap) except -1:
    """Append the items in order. This runs no Python code, so the heap does not change."""
    cdef size_t index
    cdef Node *nodes = <Node *>PyMem_RawMalloc((2 * heap.size + 1) * sizeof(Node))
    cdef Node *ordered
    if nodes == NULL:
        raise MemoryError("no memory to sort the items")
    if heap.size:
        memcpy(nodes, heap.nodes, heap.size * sizeof(Node))
    ordered = merge_sort(nodes, nodes + heap.size, heap.size)
    try:
        for index in range(heap.size):
            items.append((<PriorityEntry>priority_entry_of(ordered[index].entry)).item)
    finally:
        PyMem_RawFree(nodes)
    return 0


cdef int traverse_priority_queue(PyObject *self, visitproc visit, void *argument) noexcept:
    cdef Heap *heap = &(<PriorityQueue>self).heap
    cdef size_t index
    cdef int result
    for index in range(heap.size):
        result = visit(priority_entry_of(heap.nodes[index].entry), argument)
        if result:
            return result
    return 0


cdef int clear_priority_queue(PyObject *self) noexcept:
    (<PriorityQueue>self).detach_all()
    return 0


(<PyTypeObject *>PriorityQueue).tp_traverse = traverse_priority_queue
(<PyTypeObject *>PriorityQueue).tp_clear = clear_priority_queue
