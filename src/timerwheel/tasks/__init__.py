"""Tasks on a reactor, with priorities, limits, periods, timeouts and retries.

    from timerwheel.tasks import Scheduler

    scheduler = Scheduler(reactor, max_running=10)
    task = scheduler.call(fetch, url, priority=2, timeout=30)
    scheduler.call_every(60, ping)

A `Scheduler` starts tasks with `call` (as soon as their turn comes), `call_later`, `call_at` and
`call_every`. Positional arguments are the function's; keyword arguments are options of the task.
Each method returns a `Task`. You can await it, cancel it, change its priority, and use its
Deferred.

A scheduler runs on any reactor of Twisted's, fastest on one that has the wheel, and on a `Clock` in
tests. Like all of Twisted, use it only in the reactor's thread.
"""

from timerwheel._tasks import TaskState
from timerwheel.tasks._group import Group
from timerwheel.tasks._policies import Policy
from timerwheel.tasks._scheduler import Scheduler, SchedulerClosedError
from timerwheel.tasks._task import DependencyError, Task

__all__ = [
    "DependencyError",
    "Group",
    "Policy",
    "Scheduler",
    "SchedulerClosedError",
    "Task",
    "TaskState",
]
