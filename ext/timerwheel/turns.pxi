# Which of the tasks that are ready is next.

cdef class Turns:
    """The groups that have tasks ready, and whose turn it is."""

    def __cinit__(self):
        self.groups = PriorityQueue()
        self._limit = -1

    cdef bint has_turn(self) noexcept:
        """Whether a task that is ready may run."""
        return (
            self.groups.heap.size and self.groups.heap.nodes[0].when < HUGE_VAL
            and (self._limit < 0 or self.running < self._limit)
        )

    cdef int review_group(self, GroupBase group) except -1:
        """Give a group the place among the groups that it is to have: none if nothing of it is ready."""
        cdef double turn
        cdef bint has_place = group.place.owner != NULL
        if group.ready_tasks.heap.size == 0:
            if has_place:
                self.groups.take(group.place).item = None
            return 0
        if group._limit >= 0 and group.running >= group._limit:
            turn = HUGE_VAL
        elif self.takes_turns:
            turn = group.next_turn = max(group.next_turn, self.present_turn)
        else:
            turn = min(group.ready_tasks.heap.nodes[0].when, DBL_MAX)
            # Of equal ones the group comes first whose task was ready first.
            group.place.entry.sequence = group.ready_tasks.heap.nodes[0].sequence
            self.groups.sequence = group.place.entry.sequence
        if has_place:
            self.groups.reprioritize(group.place, turn)
        else:
            self.groups.insert(group.place, turn)
            group.place.item = group
        return 0

    cdef double key_of(self, TaskBase task) except? -1.0:
        """What the policy orders a task by."""
        if self.key_function is None:
            return task._priority
        return as_number(self.key_function(task), "the key of a task")

    cdef int change_priority(self, TaskBase task, double priority) except -1:
        cdef double former = task._priority
        task._priority = priority
        try:
            task.key = self.key_of(task)
        except BaseException:
            task._priority = former
            raise
        if task.state is READY:
            task.group.ready_tasks.reprioritize(task.entry, task.key)
            if not self.takes_turns:
                self.review_group(task.group)
        return 0

    @cython.critical_section
    def _set_stride(self, GroupBase group not None, double stride):
        """Give a group another weight. By that it waits, too, for the turns that it has had."""
        cdef double ahead = group.next_turn - self.present_turn
        if ahead > 0.0:
            group.next_turn = self.present_turn + ahead * stride / group.stride
        group.stride = stride
        self.review_group(group)

    cdef TaskBase take(self):
        """Take out the task whose turn it is. It is RUNNING."""
        cdef GroupBase group = self.groups.first().item
        cdef TaskBase task = group.ready_tasks.take(group.ready_tasks.first()).item
        self.ready_count -= 1
        self.present_turn = group.next_turn
        group.next_turn += group.stride
        group.running += 1
        self.running += 1
        task.state = RUNNING
        self.review_group(group)
        return task

    cdef int make_ready(self, TaskBase task) except -1:
        cdef GroupBase group = task.group
        group.ready_tasks.sequence = self.ready_sequence
        group.ready_tasks.insert(task.entry, task.key)
        self.ready_sequence += 1
        if group.place.owner == NULL or not self.takes_turns:
            try:
                self.review_group(group)
            except BaseException:
                group.ready_tasks.take(task.entry)
                raise
        task.state = READY
        self.ready_count += 1
        return 0

    cdef int take_back(self, TaskBase task) except -1:
        """Take out a task that is READY, in whatever place, without a turn."""
        task.group.ready_tasks.take(task.entry)
        self.ready_count -= 1
        return self.review_group(task.group)
