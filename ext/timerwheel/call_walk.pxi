# A walk over the pending calls of a queue in slices. Calls come and go between the slices.
#
# The walk begins with the latest deadlines. So if a slot cascades meanwhile, its calls move to levels that
# the walk has not reached yet. Between slices the walk stands behind a call that it has met. If that call
# has left its list, the walk goes back to one that it has met before.

cdef enum:
    HEAP_NODES = 0          # the parts of a wheel; the walk goes backwards through them
    RUN_NODES = 1
    HELD_LIST = 2
    FIRST_LANE = 3
    OVERFLOW_LIST = FIRST_LANE + LEVELS * SLOTS * LANES

    ANCHORS = 16            # the calls to remember, to go on from

# Multiplied by this, successive numbers spread evenly over 64 bits: 2**64 divided by the golden ratio.
cdef uint64_t GOLDEN = <uint64_t>0x9E3779B97F4A7C15


@cython.final
cdef class CallWalk:
    """CallWalk(queue, every=1)\n--\n\n\
    Walks past the pending calls of a queue, in slices, and returns one in `every` of them.

    If you schedule or move calls between two slices, the walk may miss them or meet them
    twice. It still ends, after at most twice as many calls as were pending. The sample
    depends only on the order of scheduling, in no regular pattern. Raises ValueError if
    every is zero.
    """

    cdef CallQueue queue
    cdef int part               # the current part; -1 after the last
    cdef list anchors           # handles met in a list; the walk stands behind the last
    cdef size_t index           # the next node of the run or the heap
    cdef uint64_t limit         # calls from this sequence on are new
    cdef size_t left            # the most calls still to meet
    cdef uint64_t threshold     # a call is in the sample if its sequence times GOLDEN is not above
    cdef bint busy              # in advance()

    def __cinit__(self, CallQueue queue not None, uint64_t every=1):
        if every == 0:
            raise ValueError("every must be a whole number, 1 or more")
        self.queue = queue
        self.anchors = []
        self.part = OVERFLOW_LIST
        acquire(queue.lock)
        self.limit = queue.wheel.sequence
        self.left = 2 * queue.wheel.count
        release(queue.lock)
        self.threshold = UINT64_MAX // every

    @property
    def over(self):
        """Whether the walk has ended."""
        return self.part < 0 or self.left == 0

    def advance(self, size_t visits):
        """Walk past so many calls more; return a list of the sampled ones.

        Takes constant time for each call that it meets, plus some microseconds. It changes nothing.
        """
        cdef list calls = []
        cdef size_t until
        if self.busy:       # releasing a call can run code that calls advance() again
            return calls
        self.busy = True
        try:
            until = self.left - min(visits, self.left)
            while self.part >= 0 and self.left > until:
                if self.part >= HELD_LIST:
                    self.visit_list(calls, until)
                else:
                    self.visit_nodes(calls, until)
        finally:
            self.busy = False
        return calls

    cdef int visit_list(self, list calls, size_t until) except -1:
        """Meet calls of a list."""
        cdef Links *head = list_of_part(&self.queue.wheel, self.part)
        cdef Links *item
        cdef Handle anchor = None
        self.forget_lost_anchors()
        acquire(self.queue.lock)
        try:
            item = self.last_met(head).next
            while item != head and self.left > until:
                self.visit(calls, <Entry *>item)
                item = item.next
            if item != head:
                anchor = <Handle>handle_of(<Entry *>item.previous)
        finally:
            release(self.queue.lock)
        if anchor is None:
            self.next_part()
        else:
            self.anchors.append(anchor)
            if len(self.anchors) > ANCHORS:
                del self.anchors[0]
        return 0

    cdef int visit_nodes(self, list calls, size_t until) except -1:
        """Meet calls of the run or the heap. (These are short: they have expired calls only.)"""
        cdef bint over
        acquire(self.queue.lock)
        try:
            over = self.visit_some(calls, until)
        finally:
            release(self.queue.lock)
        if over:
            self.next_part()
        return 0

    cdef bint visit_some(self, list calls, size_t until) except -1:
        """Meet calls of the run or the heap, under the lock. Returns whether these were the last."""
        cdef Wheel *wheel = &self.queue.wheel
        cdef Node *nodes = wheel.heap.nodes
        cdef size_t size = wheel.heap.size
        if self.part == RUN_NODES:
            nodes = &wheel.run.nodes[wheel.run.head] if wheel.run.nodes != NULL else NULL
            size = wheel.run.tail - wheel.run.head
        while self.index < size and self.left > until:
            if nodes[self.index].entry != NULL:
                self.visit(calls, nodes[self.index].entry)
            self.index += 1
        return self.index >= size

    cdef int next_part(self) except -1:
        self.part -= 1
        self.index = 0
        self.anchors = []
        return 0

    cdef int visit(self, list calls, Entry *entry) except -1:
        self.left -= 1
        if entry.sequence < self.limit and entry.sequence * GOLDEN <= self.threshold:
            checked(append_call(entry, <PyObject *>calls))
        return 0

    cdef int forget_lost_anchors(self) except -1:
        """Forget the anchors that have left the list, latest first."""
        cdef Handle anchor
        while self.anchors:
            anchor = self.anchors[len(self.anchors) - 1]
            if self.is_there(anchor):
                return 0
            self.anchors.pop()
            anchor = None       # may run the program's code, so look at the next one after it
        return 0

    cdef bint is_there(self, Handle anchor) noexcept:
        cdef bint there
        acquire(self.queue.lock)
        there = anchor.owner == <PyObject *>self.queue and part_of(&anchor.entry) == self.part
        release(self.queue.lock)
        return there

    cdef Links *last_met(self, Links *head) except NULL:
        """The last entry met in a list, or its head. (Another thread may have taken it out just now.)"""
        cdef Handle anchor
        if self.anchors:
            anchor = self.anchors[len(self.anchors) - 1]
            if anchor.owner == <PyObject *>self.queue and part_of(&anchor.entry) == self.part:
                return &anchor.entry.links
        return head


cdef inline int part_of(const Entry *entry) noexcept:
    """The list of an entry; -1 if it is in none."""
    if entry.place == SLOT:
        return FIRST_LANE + (<int>entry.index * SLOTS + entry.slot) * LANES + (entry.sequence & (LANES - 1))
    if entry.place == OVERFLOW:
        return OVERFLOW_LIST
    return HELD_LIST if entry.place == HELD else -1


cdef inline Links *list_of_part(Wheel *wheel, int part) noexcept:
    cdef int slot = (part - FIRST_LANE) // LANES
    if part == OVERFLOW_LIST:
        return &wheel.overflow
    if part == HELD_LIST:
        return &wheel.held
    return &wheel.levels[slot // SLOTS].slots[slot % SLOTS].lanes[(part - FIRST_LANE) % LANES]
