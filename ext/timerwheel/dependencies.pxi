# The graph of dependencies. An edge is in two places: in the tuple of the task that waits, and in the dict
# of its dependency. So both ends find it in constant time. If a task stops waiting, it leaves nothing
# behind with its dependencies.


cpdef tuple as_dependencies(object after, DispatcherBase scheduler):
    """Tasks of a scheduler as a tuple; None if there are none."""
    cdef object task
    if isinstance(after, TaskBase):
        raise TypeError(f"give a list of tasks, [task], not {after!r} alone")
    cdef tuple tasks = tuple(after)
    for task in tasks:
        if not isinstance(task, TaskBase):
            raise TypeError(f"{task!r} is not a task")
        if (<TaskBase>task)._scheduler is not scheduler:
            raise ValueError(f"not a task of this scheduler: {task!r}")
    return tasks or None


cdef bint has_time_to_come(TaskBase task) noexcept:
    return task.timer is not None and task.timer.owner != NULL


cdef int reserve_dependents(TaskBase task) except -1:
    """Make each of a task's dependencies ready to link the task.

    This comes first, because a new dict may run the collector, and so destructors that end tasks.
    """
    cdef TaskBase dependency
    for dependency in task.dependencies:
        if dependency.dependents is None and not dependency.is_done():
            dependency.dependents = {}
    return 0


cdef int link(TaskBase task, TaskBase dependency) except -1:
    """Link a task to another that is not done, once."""
    if task not in dependency.dependents:
        dependency.dependents[task] = None
        task.waits_for += 1
    return 0


cdef int unlink(TaskBase task, TaskBase dependency) except -1:
    """Have a dependency know a task no more."""
    if dependency.dependents is not None:
        dependency.dependents.pop(task, None)   # (An empty one stays: link() may count on it.)
    return 0


cdef int unlink_all(TaskBase task) except -1:
    """Have none of its dependencies know a task any more."""
    cdef TaskBase dependency
    for dependency in task.dependencies:
        unlink(task, dependency)
    return 0
