# Lists of the calls of a queue.


cdef int append_call(Entry *entry, void *calls) noexcept:
    """Append an entry's call to a list. This runs no Python code, so the wheel does not change."""
    cdef PyObject *handle = handle_of(entry)
    if handle.ob_type == <PyTypeObject *>AdoptedCall:
        handle = (<Handle>handle)._func
    # NULL: the collector has cleared the call.
    return 0 if handle == NULL else PyList_Append(<PyObject *>calls, handle)


cdef list in_order(CallQueue queue):
    """All calls, next first."""
    return listed(queue, with_time)


cdef list listed(CallQueue queue, Visitor copy_node):
    """All calls in the order of the keys that copy_node gives their nodes. This changes nothing."""
    cdef list calls = []        # may run the garbage collector, so it comes before the count of entries
    acquire(queue.lock)
    try:
        fill_list(calls, queue, copy_node)
    finally:
        release(queue.lock)
    return calls


cdef int fill_list(list calls, CallQueue queue, Visitor copy_node) except -1:
    cdef size_t index, size = queue.wheel.count
    cdef Node *nodes = <Node *>PyMem_RawMalloc((2 * size + 1) * sizeof(Node))
    cdef Node *end = nodes
    cdef Node *ordered
    if nodes == NULL:
        raise MemoryError("no memory to sort the delayed calls")
    wheel_each(&queue.wheel, copy_node, &end)
    # Timeouts of one length that expire soon are already in the order of scheduling.
    ordered = nodes if are_sorted(nodes, size) else merge_sort(nodes, end, size)
    try:
        for index in range(size):
            checked(append_call(ordered[index].entry, <PyObject *>calls))
    finally:
        PyMem_RawFree(nodes)
    return 0


cdef int with_time(Entry *entry, void *end) noexcept:
    """Copy the keys for the order by deadline."""
    without_time(entry, end)
    (<Node **>end)[0][-1].when = entry.when
    return 0


cdef int without_time(Entry *entry, void *end) noexcept:
    """Copy the keys for the order of scheduling, which is also that of calls for the same time."""
    cdef Node *node = (<Node **>end)[0]
    node.when = 0.0
    node.sequence = entry.sequence
    node.entry = entry
    (<Node **>end)[0] = node + 1
    return 0
