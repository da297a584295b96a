"""Tasks on a reactor: later, in turn by priority, so many at once, again and again, with retries.

    from timerwheel.tasks import Scheduler

    scheduler = Scheduler(reactor, max_running=10)
    task = scheduler.call(fetch, url, priority=2, timeout=30)
    scheduler.call_every(60, ping)

A `Scheduler` has methods named after what starts a task: `call` (as soon as its
turn comes), `call_later`, `call_at`, `call_every`. Positional arguments are the
function's; keyword arguments are options of the task. Each returns a `Task`,
which can be awaited, cancelled and given another priority, and has a Deferred.

It runs on any reactor of Twisted's, fastest on one that has the wheel, and on a
`Clock` in tests. As all of Twisted it is to be used from the reactor's thread.
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
