# The tasks that are not done, in the order in which they were made. The list is linked through them, so that
# a task leaves it in constant time, and a walk goes on, after a pause too, however many have left meanwhile.


cdef class TaskList:
    """The tasks that are not done, the oldest first."""

    cdef list as_list(self):
        cdef list tasks = []
        cdef TaskBase task = self.oldest
        while task is not None:
            tasks.append(task)
            task = task.newer
        return tasks

    cdef void begin_walk(self) noexcept:
        """Have next() begin with the oldest."""
        self.cursor = self.oldest

    cdef TaskBase next(self):
        """The next task of the walk, or None. What has left the list is left out."""
        cdef TaskBase task = self.cursor
        if task is not None:
            self.cursor = task.newer
        return task

    cdef int append(self, TaskBase task) except -1:
        if self.newest is None:
            self.oldest = task
        else:
            self.newest.newer = task
            task.older = self.newest
        self.newest = task
        self.size += 1
        return 0

    cdef int discard(self, TaskBase task) except -1:
        """Take a task out, if it is in the list."""
        cdef TaskBase older = task.older, newer = task.newer
        if older is None and self.oldest is not task:
            return 0
        if self.cursor is task:
            self.cursor = newer
        if older is None:
            self.oldest = newer
        else:
            older.newer = newer
        if newer is None:
            self.newest = older
        else:
            newer.older = older
        task.older = task.newer = None
        self.size -= 1
        return 0
